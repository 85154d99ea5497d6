pub(crate) fn run() -> anyhow::Result<()> {
    crate::test::run_all()
}
