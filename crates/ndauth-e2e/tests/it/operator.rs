//! The operator's commands, with and without a running server.

use std::process::Stdio;

use ndauth_core::Reason;
use ndauth_proto::v1;
use ndauth_store::{DatabaseUrl, Engine};

use crate::installation::{Installation, KillOnDrop, mode, on_terminal, run};
use crate::on_both;

on_both! {
    async fn the_operator_works_beside_a_running_server(at: &Installation) {
        let server = at.serve();
        at.people();
        let client = server.client(&at.session()).await;
        let orgs = async || {
            let listed = client.list_orgs().await.map(|listed| listed.orgs);
            listed.map(|orgs| orgs.into_iter().map(|org| (org.slug, org.role)).collect::<Vec<_>>())
        };
        let (ro, rw, admin) = (v1::Role::Ro.into(), v1::Role::Rw.into(), v1::Role::Admin.into());
        assert_eq!(orgs().await, Ok(vec![("dev".into(), ro), ("ops".into(), rw)]));
        at.run_admin("member set dev ada admin");
        assert_eq!(orgs().await, Ok(vec![("dev".into(), admin), ("ops".into(), rw)]));
        at.run_admin("member remove ops ada");
        assert_eq!(orgs().await, Ok(vec![("dev".into(), admin)]));
        at.run_admin("org delete dev --yes");
        assert_eq!(orgs().await, Ok(vec![]));
        assert_eq!(at.run_admin("account disable ada"), "account `ada` disabled");
        assert_eq!(orgs().await.map_err(|problem| problem.reason), Err(Reason::AccountDisabled));
        assert_eq!(at.run_admin("account disable ada"), "account `ada` was already disabled");
        at.run_admin("account enable ada");
        // The sessions of `ada` have ended for good, so she logs in again.
        assert_eq!(orgs().await.map_err(|problem| problem.reason), Err(Reason::SessionRevoked));
        let client = server.client(&at.session()).await;
        assert_eq!(client.list_orgs().await.map(|listed| listed.orgs.len()), Ok(0));
    }

    /// The console says who is an operator, and a running server heeds it in a session that goes on.
    async fn operators_are_made_and_unmade_beside_a_running_server(at: &Installation) {
        let server = at.serve();
        at.people();
        at.run_admin("account create oona --email oona@example.org --operator");
        let client = server.client(&at.session()).await;
        let create = async |slug: &str| {
            let request = v1::CreateOrgRequest { slug: slug.to_owned(), name: String::new() };
            client.create_org(request).await.map(drop).map_err(|problem| problem.reason)
        };
        assert_eq!(create("first").await, Err(Reason::NotPermitted));
        for (command, outcome) in [
            ("operator grant ada", "account `ada` is an operator"),
            ("operator grant ada", "account `ada` was already an operator"),
        ] {
            assert_eq!(at.run_admin(command), outcome);
        }
        assert_eq!(create("first").await, Ok(()));
        let listed = || serde_json::from_str::<serde_json::Value>(&at.run_admin("account list -f json")).expect("JSON");
        assert_eq!(listed()["accounts"][0]["operator"], true);
        let row = |list: &str| list.lines().find(|line| line.contains("│ ada ")).expect("a row").to_owned();
        assert!(row(&at.run_admin("account list")).contains("│ yes "));
        // It takes no more than the mark: the session goes on.
        assert_eq!(at.run_admin("operator revoke ada --yes"), "account `ada` is no longer an operator");
        assert_eq!(create("second").await, Err(Reason::NotPermitted));
        assert!(client.list_orgs().await.is_ok());
        assert_eq!(at.run_admin("operator revoke ada"), "account `ada` was no operator", "there is nothing to ask");
        let json: serde_json::Value = serde_json::from_str(&at.run_admin("operator grant ada -f json")).expect("JSON");
        assert_eq!((&json["account"], &json["operator"], &json["changed"]), (&"ada".into(), &true.into(), &true.into()));
        // Its address and its name are changed, and shown to its person.
        for (command, outcome) in [
            ("account update ada --email countess@example.org --name Ada", "account `ada` updated"),
            ("account update ada --name Ada", "account `ada` is as it was"),
        ] {
            assert_eq!(at.run_admin(command), outcome);
        }
        assert_eq!((&listed()["accounts"][0]["email"], &listed()["accounts"][0]["name"]), (&"countess@example.org".into(), &"Ada".into()));
        assert!(at.run_admin("check").contains("no problems found"));
        let events = at.run_admin("events export");
        for kind in ["account.operator_set", "account.updated"] {
            assert!(events.contains(kind), "{kind}: {events}");
        }
    }

    async fn invalid_operator_commands_fail_with_an_exit_code(at: &Installation) {
        at.people();
        at.run_admin("account create dora --email dora@example.org");
        for (arguments, code, message) in [
            ("account create ada --email other@example.org", 1, "an account `ada` already exists"),
            ("account create eve --email ada@example.org", 1, "the address `ada@example.org` already exists"),
            ("account create Eve --email eve@example.org", 2, "a-z, 0-9"),
            ("account create eve --email nonsense", 2, "not an e-mail address"),
            ("account update ada", 2, "needs one of `--email`, `--name`"),
            ("account update dora --email ada@example.org", 1, "the address `ada@example.org` already exists"),
            ("account update nobody --name Ada", 1, "there is no account `nobody`"),
            ("operator grant nobody", 1, "there is no account `nobody`"),
            ("operator revoke nobody", 1, "there is no account `nobody`"),
            ("account disable nobody", 1, "there is no account `nobody`"),
            ("org create ops", 1, "an org `ops` already exists"),
            ("org delete nowhere", 1, "there is no org `nowhere`"),
            ("member set ops ada SU", 2, "`RO`, `RW` or `ADMIN`"),
            ("member set nowhere ada RO", 1, "there is no org `nowhere`"),
            ("session issue nobody", 1, "there is no account `nobody`"),
            ("session issue ada --expires-in 2y", 2, "365 days"),
            ("service create registry --org nowhere", 1, "there is no org `nowhere`"),
            ("service revoke registry", 1, "there is no service `registry`"),
        ] {
            let ended = at.admin(arguments);
            assert_eq!((ended.code, ended.out.as_str()), (code, ""), "{arguments}: {ended:?}");
            assert!(ended.err.contains(message), "{arguments}: {}", ended.err);
        }
        at.run_admin("org delete dev --yes");
        let again = at.admin("org create dev");
        assert!(again.code == 1 && again.err.contains("a deleted org"), "{again:?}");
    }

    async fn secrets_stand_alone_on_standard_output(at: &Installation) {
        at.people();
        for (arguments, marker) in [
            ("session issue ada --expires-in 12h", "ndses_"),
            ("service create registry", "ndsvc_"),
            ("service create builder --org ops --org dev", "ndsvc_"),
        ] {
            let ended = at.admin(arguments);
            assert!(ended.out.starts_with(marker) && ended.out.len() == 50 && ended.out.ends_with('\n'), "{ended:?}");
            assert!(!ended.err.contains(&ended.out[12..40]), "{ended:?}");
        }
        assert_eq!(at.run_admin("service revoke registry --yes"), "service `registry` revoked");
    }

    /// Commands that cannot be undone ask, and accept every name that is shown of a thing.
    async fn what_cannot_be_undone_is_confirmed(at: &Installation) {
        at.people();
        at.run_admin("service create registry");
        at.run_admin("operator grant ada");
        for line in ["operator revoke ada", "org delete dev", "service revoke registry", "after-restore --not-before now"] {
            let ended = at.admin(line);
            assert!(ended.code == 2 && ended.err.contains("hint: use `--yes` to confirm"), "{line}: {ended:?}");
        }
        let ended = on_terminal(at, 80, &format!("ndauthd admin org delete dev --database {}", at.database()));
        let ended = run(ended, "n\n");
        assert!(ended.code == 1 && ended.out.contains("delete the org `dev` with its 1 member(s)"), "{ended:?}");
        assert!(at.run_admin("org list").contains("│ dev "), "nothing was deleted");
        let line = format!("ndauthd admin operator revoke ada --database {}", at.database());
        let ended = run(on_terminal(at, 80, &line), "n\n");
        let question = "This will take an operator's power from `ada`, the last operator. Go on? [y/N]:";
        assert!(ended.code == 1 && ended.out.contains(question), "{ended:?}");
        assert_eq!(at.run_admin("operator grant ada"), "account `ada` was already an operator");
        let first = |list: &str, kind: &str| {
            let listed: serde_json::Value = serde_json::from_str(&at.run_admin(list)).expect("JSON");
            listed[kind][0].clone()
        };
        let org = first("org list -f json", "orgs");
        let id = org["id"].as_str().expect("an id");
        at.run_admin(&format!("org delete {} --yes", &id[..30]));
        assert!(!at.run_admin("org list").contains(org["slug"].as_str().expect("a slug")));
        let service = first("service list -f json", "services");
        let prefix = service["secrets"][0]["prefix"].as_str().expect("a prefix");
        assert_eq!(at.run_admin(&format!("service revoke {prefix} --yes")), "service `registry` revoked");
    }

    /// A secret that standard output does not take is lost: the command fails, and says what to do.
    async fn a_secret_that_cannot_be_printed_is_a_failure(at: &Installation) {
        at.people();
        at.run_admin("service create builder");
        for (line, hint) in [
            ("service create registry", "`ndauthd admin service rotate registry`"),
            ("service rotate builder", "`ndauthd admin service rotation drop builder`"),
            ("account invite ada", "`ndauthd admin account invite ada`"),
            ("session issue ada", "`ndauthd admin account sign-out ada`"),
            ("session issue ada -f json", "`ndauthd admin account sign-out ada`"),
        ] {
            let mut command = at.command("NDAUTH_TEST_NDAUTHD");
            command.arg("admin").args(line.split(' ')).stderr(Stdio::piped());
            let full = std::fs::File::options().write(true).open("/dev/full").expect("it is there");
            let ended = command.stdout(full).spawn().expect("it starts").wait_with_output().expect("it ends");
            let message = String::from_utf8(ended.stderr).expect("text");
            assert_eq!(ended.status.code(), Some(1), "{line}: {message}");
            assert!(message.contains("the secret was not shown") && message.contains(hint), "{line}: {message}");
        }
    }

    async fn a_limited_service_is_limited(at: &Installation) {
        at.people();
        let server = at.serve();
        let limited = at.run_admin("service create builder --org dev").parse().expect("a secret");
        let client = server.client(&limited).await;
        let ask = async |org: &str| {
            let request = v1::ValidateTokenRequest {
                secret: "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U".to_owned(),
                org: org.to_owned(),
                required_access: v1::Access::Ro.into(),
                ..Default::default()
            };
            client.validate_token(request).await.map(drop).map_err(|problem| problem.reason)
        };
        assert_eq!(ask("dev").await, Ok(()));
        at.run_admin("service revoke builder --yes");
        assert_eq!(ask("dev").await, Err(Reason::ServiceRevoked));
    }

    async fn migrations_report_their_state(at: &Installation) {
        assert_eq!(at.run_admin("migrate up"), "the schema is at this version");
        assert!(at.run_admin("migrate status").ends_with("applied"));
    }

    async fn the_database_may_be_named_after_the_subcommand(at: &Installation) {
        let database = at.database();
        for arguments in [
            vec!["--database", &database, "admin", "migrate", "up"],
            vec!["admin", "migrate", "status", "--database", &database],
            vec!["admin", "--database", &database, "org", "create", "ops"],
        ] {
            let mut command = at.command("NDAUTH_TEST_NDAUTHD");
            command.env("NDAUTHD_DATABASE", "sqlite:/nonexistent/x.db").args(&arguments).stdout(Stdio::null());
            let ended = run(command, "");
            assert_eq!(ended.code, 0, "{arguments:?}: {ended:?}");
        }
    }

    /// Any number of servers can start on an empty PostgreSQL database. An SQLite file accepts one server.
    async fn servers_started_together_on_an_empty_database_come_up(at: &Installation) {
        if let DatabaseUrl::Sqlite(file) = &at.scratch.url {
            std::fs::remove_file(file).expect("there is nothing");
            let server = at.serve();
            let mut second = at.command("NDAUTH_TEST_NDAUTHD");
            second.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
            let ended = run(second, "");
            assert_eq!(ended.code, 6, "{ended:?}");
            let by = format!("another server uses `{}`: process {}", at.database(), server.pid());
            assert!(ended.err.contains(&by) && ended.err.contains("hint: "), "{ended:?}");
            server.kill();
            at.serve();
            return;
        }
        let start = || {
            let mut command = at.command("NDAUTH_TEST_NDAUTHD");
            command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
            KillOnDrop(command.stderr(Stdio::null()).spawn().expect("ndauthd starts"))
        };
        let mut others = [start(), start()];
        let server = at.serve();
        assert_eq!(server.get("/readyz").0, 200);
        for other in &mut others {
            assert_eq!(other.0.try_wait().expect("asked"), None, "it runs");
        }
    }
}

#[tokio::test]
async fn a_default_database_lies_in_the_data_folder_for_its_user_alone() {
    let at = Installation::new(Engine::Sqlite).await;
    let mut command = at.command("NDAUTH_TEST_NDAUTHD");
    // An empty variable counts as unset.
    command.env("NDAUTHD_DATABASE", "").args(["admin", "migrate", "up"]);
    let ended = run(command, "");
    assert_eq!(ended.code, 0, "{ended:?}");
    let file = at.home().join(".local/share/ndauth/ndauth.db");
    assert_eq!((mode(&file), mode(file.parent().expect("a folder"))), (0o600, 0o700));
}

#[tokio::test]
async fn an_invalid_database_is_reported() {
    let at = Installation::new(Engine::Sqlite).await;
    let serve = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    for (database, code, message) in [
        ("mysql://x", 2, "expected `sqlite:PATH` or `postgres://USER@HOST/DATABASE`"),
        ("sqlite:/nonexistent/x.db", 6, "No such file or directory"),
        ("postgres://nd:s3cret@127.0.0.1:1/nd", 6, "cannot be reached: connection refused"),
    ] {
        let mut command = at.command("NDAUTH_TEST_NDAUTHD");
        command.args(serve).env("NDAUTHD_DATABASE", database);
        let ended = run(command, "");
        assert_eq!(ended.code, code, "{ended:?}");
        assert!(ended.err.contains(message) && !ended.err.contains("s3cret"), "{ended:?}");
    }
    let mut command = at.command("NDAUTH_TEST_NDAUTHD");
    command.args(serve).args(["--database", "postgres://nd:s3cret@127.0.0.1:1/nd"]);
    let ended = run(command, "");
    assert_eq!((ended.code, ended.out.as_str()), (2, ""));
    assert!(ended.err.contains("--database-password-file") && !ended.err.contains("s3cret"), "{ended:?}");
}

/// A command on a missing database does not create one: in an incident, on the wrong machine, a false success
/// would be the worst result.
#[tokio::test]
async fn operator_commands_create_no_database() {
    let at = Installation::new(Engine::Sqlite).await;
    let file = at.home().join("elsewhere.db");
    let elsewhere = |arguments: &str| {
        let mut command = at.command("NDAUTH_TEST_NDAUTHD");
        command.env("NDAUTHD_DATABASE", format!("sqlite:{}", file.display()));
        command.arg("admin").args(arguments.split(' '));
        run(command, "")
    };
    for arguments in [
        "after-restore --not-before now",
        "after-restore --accept-loss",
        "account list",
        "account create ada --email ada@example.org",
        "org create ops",
        "session issue ada",
        "service list",
        "token list",
        "catalogue show",
        "events export",
        "check",
        "tidy",
        "migrate status",
        "backup copy.db",
    ] {
        let ended = elsewhere(arguments);
        assert!(ended.code == 6 && ended.out.is_empty(), "{arguments}: {ended:?}");
        let message = format!("there is no database `sqlite:{}`", file.display());
        assert!(
            ended.err.contains(&message) && ended.err.contains("hint: check `--database`"),
            "{arguments}: {ended:?}"
        );
        assert!(!file.exists(), "{arguments} made a database");
    }
    // An existing file without an installation is refused, too.
    std::fs::write(&file, "").expect("an empty file");
    let ended = elsewhere("account list");
    assert!(ended.code == 6 && ended.err.contains("contains no installation of ndauth"), "{ended:?}");
    // Every command prints the database that it works on.
    let ended = elsewhere("migrate up");
    assert_eq!(ended.err, format!("database: sqlite:{}\n", file.display()));
    let message: serde_json::Value =
        serde_json::from_str(&elsewhere("account list -f json").out).expect("JSON");
    assert_eq!(message["database"], format!("sqlite:{}", file.display()));
}
