//! The examples of the reference: each command line works, in the order of the page.

use super::page::{Page, word};
use crate::logins::choose_password;

/// Types the examples of a binary, but for some. `before` has what is typed before an example; each of the
/// others finds what those before it left.
fn type_examples(page: &mut Page, binary: &str, but: &[&str], before: &[(&str, &str)]) {
    let mut examples = page.rest();
    examples.retain(|line| line.starts_with(binary) && !but.iter().any(|other| line.starts_with(other)));
    assert!(examples.len() >= 40, "{examples:?}");
    let is_internal = |line: &str| line.starts_with("ndcli ");
    for example in examples {
        let before = before.iter().find(|(of, _)| example.starts_with(of)).map(|(_, typed)| *typed);
        for line in before.into_iter().chain([example.as_str()]) {
            if is_internal(line) {
                page.log_in();
            }
            page.type_in(line);
        }
    }
}

#[tokio::test]
async fn those_of_the_operator_work() {
    let mut page = Page::open("docs/cli.md").await;
    page.serve(&[]);
    page.set("NDAUTHD_MAIL", "folder:mails");
    page.set("NDAUTHD_MAIL_FROM", "ndauth@example.org");
    let health = format!("ndauthd health --admin-listen {}", page.server().admin);
    page.replace("ndauthd health", health);
    // The slug of a deleted org is never free again, and later examples use the org.
    page.replace("org delete ops", "org delete old");
    // It is safe without `--yes` after an hour at the earliest.
    page.replace("rotation retire registry", "rotation retire registry --yes");
    page.replace("account erase ada", "account erase gone");
    let before = [
        (
            "ndauthd admin account erase",
            "ndauthd admin account create gone --email gone@example.org; ndauthd admin account disable gone",
        ),
        (
            "ndauthd admin events find-secret",
            "echo ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U > token",
        ),
        ("ndauthd admin org delete", "ndauthd admin org create old"),
        (
            "ndauthd admin service rotation drop",
            "ndauthd admin service rotation retire registry; ndauthd admin service rotate registry",
        ),
        (
            "ndauthd admin service rotation retire",
            "ndauthd admin service rotate registry; ndauthd admin service rotation confirm registry",
        ),
        ("ndauthd admin token revoke", "ndcli auth token create github-ci --scope ro"),
        ("ndauthd admin token suspend", "ndcli auth token create github-ci --scope ro"),
        ("ndauthd admin after-restore --not-before", "ndauthd admin restore copy.db"),
    ];
    // Other tests serve, with certificates and without.
    type_examples(&mut page, "ndauthd ", &["ndauthd serve", "ndauthd dev"], &before);
}

#[tokio::test]
async fn those_of_ndcli_work() {
    let mut page = Page::open("docs/cli.md").await;
    page.serve(&[]);
    page.at.run_admin("account create ada --email ada@example.org --operator");
    page.at.run_admin("account create eve --email eve@example.org");
    page.at.run_admin("org create lab --admin eve");
    choose_password(
        page.server(),
        word(&page.at.run_admin("account invite ada"), "code=").trim_start_matches("code="),
    );
    page.set("SERVICE_SECRET", page.at.run_admin("service create asset-registry"));
    page.log_in();
    let create = "ndcli org create acme --name 'Acme Ltd'";
    page.type_in(create);
    page.replace("gh secret set NDCLI_TOKEN", "cat > stored");
    page.replace(
        "sessions revoke 019f2a61",
        "sessions revoke $(ndcli auth sessions list -f json | grep -m 1 -o '[0-9a-f-]\\{36\\}')",
    );
    for (shown, sample) in [
        ("ndcli auth status --strict", "NDCLI_TOKEN_FILE=token ndcli auth status --strict"),
        ("ndcli validate", "NDCLI_TOKEN=$SERVICE_SECRET ndcli validate"),
        ("member add ada", "member add eve"),
        ("member set ada", "member set eve"),
        ("member remove ada", "member remove eve"),
        ("org offer ada", "org offer eve"),
        ("offers withdraw ada", "offers withdraw eve"),
        ("offers accept acme", "offers accept lab"),
        ("offers decline acme", "offers decline lab"),
    ] {
        page.replace(shown, sample);
    }
    // It is safe without `--yes` after an hour at the earliest.
    page.replace("service rotation retire registry", "service rotation retire registry --yes");
    page.replace(
        "audit show 42",
        "audit show $(ndcli audit list --limit 1 -f simple | grep -o '#[0-9]*' | tr -d '#')",
    );
    let offer = "NDCLI_TOKEN=$(ndauthd admin session issue eve) ndcli org offer --org lab --role rw ada";
    let before = [
        ("ndcli auth token rotate github-ci --to-command", "ndcli auth token rotation drop github-ci"),
        (
            "ndcli auth token rotation retire",
            "ndcli auth token rotate github-ci; ndcli auth token rotation confirm github-ci",
        ),
        (
            "ndcli auth token rotation",
            "ndcli auth token rotation retire github-ci --yes || true; ndcli auth token rotate github-ci",
        ),
        ("ndcli auth token suspend", "ndcli auth token create github-ci --scope rw"),
        ("ndcli auth token leaked", "ndcli auth token create leaky --scope ro --to-file leaked.txt"),
        (
            "ndcli token leaked",
            "rm leaked.txt; ndcli token create leaky --scope read:assets --org acme --to-file leaked.txt",
        ),
        // The files of the examples hold secrets.
        ("ndcli scan", "echo '*' > .ndauthignore; mkdir -p src; touch config.yml; git init --quiet"),
        (
            "ndcli token rotation retire",
            "ndcli token rotate deploy --org acme; ndcli token rotation confirm deploy --org acme",
        ),
        (
            "ndcli token rotation",
            "ndcli token rotation retire deploy --org acme --yes || true; ndcli token rotate deploy --org acme",
        ),
        ("ndcli token suspend deploy", "ndcli token create deploy --scope write:assets --org acme"),
        (
            "ndcli validate",
            "rm token; ndcli auth token create writer --scope write:assets --org acme --to-file token",
        ),
        (
            "ndcli admin service rotation drop",
            "ndcli admin service rotation retire registry; ndcli admin service rotate registry",
        ),
        (
            "ndcli admin service rotation retire",
            "ndcli admin service rotate registry; ndcli admin service rotation confirm registry",
        ),
        ("ndcli audit verify ops.jsonl", "ndcli audit export --org ops --output ops.jsonl"),
        ("ndcli offers decline", &format!("ndauthd admin member remove lab ada; {offer}")),
        ("ndcli offers accept", offer),
    ];
    // Another test follows a log, which ends with Ctrl-C.
    type_examples(&mut page, "ndcli ", &[create, "ndcli audit tail"], &before);
}
