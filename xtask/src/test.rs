//! Runs every test, on both databases.

use std::path::{Path, PathBuf};

use crate::cargo::{build_binaries, command, run};
use crate::packages::{self, Job};
use crate::postgres::{self, Cluster};
use crate::tools;
use crate::{demo, package};

#[derive(clap::Args)]
pub(crate) struct TestTaskArguments {
    /// Arguments for `cargo nextest run`, such as a name to filter by.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    filter: Vec<String>,
}

pub(crate) fn run_all() -> anyhow::Result<()> {
    run_some(&[], &Extras::default())
}

pub(crate) fn run_with(arguments: &TestTaskArguments) -> anyhow::Result<()> {
    run_some(&arguments.filter, &Extras::default())
}

/// Runs the tests of packages on those in a folder.
pub(crate) fn run_packaged(folder: &Path) -> anyhow::Result<()> {
    let extras = Extras { packaged: Some(folder.to_owned()), ..Extras::default() };
    run_some(&[PACKAGES.to_owned()], &extras)
}

/// Runs the test that visits every page, which also draws them into a folder.
pub(crate) fn run_drawing(folder: &Path) -> anyhow::Result<()> {
    let extras = Extras { pictures: Some(folder.to_owned()), ..Extras::default() };
    run_some(&[WALK.to_owned()], &extras)
}

/// Folders of a run of the tests.
#[derive(Default)]
struct Extras {
    /// The packages to test, if they are made already.
    packaged: Option<PathBuf>,
    /// The place for pictures of the pages, if they are wanted.
    pictures: Option<PathBuf>,
}

/// The test that visits every page.
const WALK: &str = "pages::every_page_is_accessible_valid_and_small";

/// The module of the tests that need packages. A filter that does not name it runs none of them, and makes none.
const PACKAGES: &str = "packages::";

fn run_some(filter: &[String], extras: &Extras) -> anyhow::Result<()> {
    packages::provide(Job::Test)?;
    let (nextest, python) = (tools::nextest()?, tools::python()?);
    let typescript = tools::typescript_client()?;
    let logins = tools::node("node-logins", "crates/ndauth-e2e/tests/logins/package.json")?;
    let recipes = tools::node("node-recipes", "crates/ndauth-e2e/tests/recipes/package.json")?;
    let openapi = tools::node("node-openapi", "crates/ndauth-e2e/tests/openapi/package.json")?;
    let pages = tools::node("node-pages", "crates/ndauth-e2e/tests/pages/package.json")?;
    let servers = tools::servers()?;
    let binaries = build_binaries()?;
    let needs_packages = filter.is_empty() || filter.iter().any(|word| word.contains(PACKAGES));
    let packaged = match &extras.packaged {
        Some(folder) => Some(folder.clone()),
        None if needs_packages => Some(package::make_for_tests(&binaries)?),
        None => None,
    };
    let cluster = Cluster::start()?;
    // One test traces this cluster's system calls, so no other test may use it.
    let quiet = Cluster::start()?;
    // One test stops and starts this cluster.
    let frail = Cluster::start()?;
    let mut tests = command(nextest, &["nextest", "run", "--workspace", "--no-fail-fast"]);
    tests
        .args(filter)
        .env("NDAUTH_TEST_POSTGRES", cluster.url())
        .env("NDAUTH_TEST_QUIET_POSTGRES", quiet.url())
        .env("NDAUTH_TEST_QUIET_POSTGRES_FOLDER", quiet.data())
        .env("NDAUTH_TEST_FRAIL_POSTGRES", frail.url())
        .env("NDAUTH_TEST_FRAIL_POSTGRES_FOLDER", frail.data())
        .env("NDAUTH_TEST_POSTGRES_PROGRAMS", postgres::programs()?)
        .env("NDAUTH_TEST_GRPCURL", python.join("grpcurl"))
        .env("NDAUTH_TEST_PYTHON", python.join("python"))
        .env("NDAUTH_TEST_TYPESCRIPT", typescript)
        .env("NDAUTH_TEST_CADDY", python.join("caddy"))
        .env("NDAUTH_TEST_ENVOY", python.join("envoy"))
        .env("NDAUTH_TEST_SERVERS", servers)
        .env("NDAUTH_TEST_LOGIN_NODE_MODULES", logins)
        .env("NDAUTH_TEST_RECIPE_NODE_MODULES", recipes)
        .env("NDAUTH_TEST_OPENAPI_NODE_MODULES", openapi)
        .env("NDAUTH_TEST_PAGES_NODE_MODULES", pages)
        .env("NDAUTH_TEST_NDAUTHD", &binaries.ndauthd)
        .env("NDAUTH_TEST_NDCLI", &binaries.ndcli)
        .env("NDAUTH_TEST_ASSET_REGISTRY", &binaries.asset_registry);
    if let Some(folder) = &extras.pictures {
        tests.env("NDAUTH_TEST_PICTURES", folder);
    }
    if let Some(folder) = packaged {
        tests.env("NDAUTH_TEST_PACKAGES", folder).env("NDAUTH_TEST_DEBIAN", tools::debian()?);
    }
    run(tests)?;
    if filter.is_empty() {
        run(command("cargo", &["test", "--workspace", "--doc"]))?;
        // The first command that a newcomer runs, on the binaries that are already built.
        demo::play(binaries)?;
    }
    Ok(())
}
