//! The additions to the help of each command: usage lines, examples, and answers to habits of other tools.

use ndauth_terminal::{CommandHelp, Habit};

/// The help of every command.
#[rustfmt::skip]
pub(crate) const HELP: &[CommandHelp] = &[
    help("auth token create", "--name <NAME> --scope <SCOPE> [OPTIONS]", &[
        "{} --name github-ci --scope rw --expiry 90d",
        "{} --name reader --scope read:assets --to-file token",
    ]),
    help("ndcli token create", "--name <NAME> --scope <SCOPE> --org <SLUG> [OPTIONS]", &[
        "{} --name deploy --scope read:assets,write:assets --org acme",
        "{} ci --grant read:assets --org acme --token-file ci.json",
    ]),
    help("auth token list", "", &["{}", "{} --unused-for 30d --sort last-used"]),
    help("ndcli token list", "--org <SLUG> [OPTIONS]", &["{} --org acme"]),
    help("auth token show", "<TOKEN> [OPTIONS]", &["{} github-ci"]),
    help("ndcli token show", "<TOKEN> --org <SLUG> [OPTIONS]", &["{} deploy --org acme"]),
    help("auth token update", "<TOKEN> --description <TEXT> [OPTIONS]", &["{} github-ci --description 'for releases'"]),
    help("ndcli token update", "<TOKEN> --description <TEXT> --org <SLUG> [OPTIONS]", &["{} deploy --description 'for releases' --org acme"]),
    help("auth token rotate", "<TOKEN> [OPTIONS]", &[
        "{} github-ci --overlap 7d",
        "{} github-ci --to-command 'gh secret set NDCLI_TOKEN'",
    ]),
    help("ndcli token rotate", "<TOKEN> --org <SLUG> [OPTIONS]", &["{} deploy --org acme --token-file token.json"]),
    help("auth token rotation confirm", "<TOKEN> [OPTIONS]", &["{} github-ci"]),
    help("auth token rotation drop", "<TOKEN> [OPTIONS]", &["{} github-ci"]),
    help("auth token rotation retire", "<TOKEN> [OPTIONS]", &["{} github-ci"]),
    help("ndcli token rotation confirm", "<TOKEN> --org <SLUG> [OPTIONS]", &["{} deploy --org acme"]),
    help("ndcli token rotation drop", "<TOKEN> --org <SLUG> [OPTIONS]", &["{} deploy --org acme"]),
    help("ndcli token rotation retire", "<TOKEN> --org <SLUG> [OPTIONS]", &["{} deploy --org acme"]),
    help("auth token renew", "<TOKEN> [OPTIONS]", &["{} github-ci"]),
    help("ndcli token renew", "<TOKEN> --org <SLUG> [OPTIONS]", &["{} deploy --org acme"]),
    help("auth token revoke", "<TOKEN> [OPTIONS]", &["{} github-ci", "{} --all --created-before 2026-11-21 --preview"]),
    help("ndcli token revoke", "<TOKEN> --org <SLUG> [OPTIONS]", &["{} deploy --org acme", "{} --all --created-before now --org acme"]),
    help("auth token suspend", "<TOKEN> [OPTIONS]", &["{} github-ci"]),
    help("ndcli token suspend", "<TOKEN> --org <SLUG> [OPTIONS]", &["{} deploy --org acme", "{} github-ci --member ada --org acme"]),
    help("auth token resume", "<TOKEN> [OPTIONS]", &["{} github-ci"]),
    help("ndcli token resume", "<TOKEN> --org <SLUG> [OPTIONS]", &["{} deploy --org acme", "{} github-ci --member ada --org acme"]),
    help("auth token explain", "", &["{} github-ci --org acme --permission write:assets"]),
    help("ndcli token explain", "", &["{} deploy --org acme --permission write:assets"]),
    help("auth login", "", &["{}", "{} --with-token < token"]),
    help("auth logout", "", &["{} --everywhere"]),
    help("auth sessions list", "", &["{}"]),
    help("auth sessions revoke", "<SESSION> [OPTIONS]", &["{} 019f2a61", "{} --all"]),
    help("auth print-access-token", "", &["{} --org acme --scope ro"]),
    help("auth status", "", &["{}", "{} --strict --fail-within 14d"]),
    help("ndcli whoami", "", &["{}"]),
    help("ndcli validate", "--secret-stdin [OPTIONS]", &["{} --secret-stdin --org acme --permission write:assets < token"]),
    help("permissions list", "", &["{} assets"]),
    help("config get", "", &["{} server"]),
    help("config set", "", &["{} server https://ndauth.example.org", "{} server http://127.0.0.1:7711 --profile home"]),
    help("config unset", "", &["{} org"]),
    help("config list", "", &["{}"]),
    help("config path", "", &["{}"]),
    help("ndcli completions", "", &["{} bash"]),
    help("ndcli manual", "", &["{} --man ~/.local/share/man/man1"]),
    help("ndcli help", "", &["{} auth token create", "{} environment"]),
    help("org list", "", &["{}"]),
    help("org show", "", &["{} acme"]),
    help("org select", "", &["{} acme"]),
    help("org create", "", &["{} acme --name 'Acme Ltd'"]),
    help("org members", "", &["{} acme"]),
    help("org member add", "<HANDLE> <ROLE> --org <SLUG> [OPTIONS]", &["{} ada rw --org acme"]),
    help("org member set", "<HANDLE> <ROLE> --org <SLUG> [OPTIONS]", &["{} ada admin --org acme"]),
    help("org member remove", "<HANDLE> --org <SLUG> [OPTIONS]", &["{} ada --org acme"]),
    help("org offer", "<HANDLE> --role <ROLE> --org <SLUG> [OPTIONS]", &["{} ada --role rw --org acme"]),
    help("org offers list", "", &["{} acme"]),
    help("org offers withdraw", "<HANDLE> --org <SLUG> [OPTIONS]", &["{} ada --org acme"]),
    help("org policy show", "--org <SLUG> [OPTIONS]", &["{} --org acme"]),
    help("org policy set", "<LIMIT>... --org <SLUG> [OPTIONS]", &[
        "{} --longest-lifetime 90d --effective-in 14d --org acme",
        "{} --require-grants on --dry-run --org acme",
    ]),
    help("org policy withdraw", "--org <SLUG> [OPTIONS]", &["{} --org acme"]),
    help("org tokens", "", &["{} acme"]),
    help("org freeze", "", &["{} acme"]),
    help("org unfreeze", "", &["{} acme"]),
    help("admin account create", "", &["{} bob --email bob@example.org"]),
    help("admin account invite", "", &["{} bob"]),
    help("admin account list", "", &["{} bob"]),
    help("admin account show", "", &["{} bob"]),
    help("admin account disable", "", &["{} bob"]),
    help("admin account enable", "", &["{} bob"]),
    help("admin account sign-out", "", &["{} bob"]),
    help("admin org create", "", &["{} ops"]),
    help("admin org list", "", &["{} --all"]),
    help("admin member add", "", &["{} ops bob ADMIN"]),
    help("admin service create", "", &["{} registry --org ops > registry.secret"]),
    help("admin service list", "", &["{}"]),
    help("admin service rotate", "", &["{} registry --overlap 24h > registry.secret"]),
    help("admin service rotation confirm", "", &["{} registry"]),
    help("admin service rotation drop", "", &["{} registry"]),
    help("admin service rotation retire", "", &["{} registry"]),
    help("admin service revoke", "", &["{} registry"]),
    help("admin status", "", &["{}"]),
    help("ndcli offers list", "", &["{}"]),
    help("ndcli offers accept", "", &["{} acme"]),
    help("ndcli offers decline", "", &["{} acme"]),
];

/// Words that people bring from other tools, and what to type here.
#[rustfmt::skip]
pub(crate) const HABITS: &[Habit] = &[
    habit("", "--json", "-f json"),
    habit("", "-y", "--yes"),
    habit("", "--force", "--yes"),
    habit("token rotate", "--confirm", "rotation confirm TOKEN"),
    habit("token rotate", "--drop", "rotation drop TOKEN"),
    habit("token rotate", "--retire", "rotation retire TOKEN"),
    habit("auth", "list", "ndcli auth token list"),
    habit("auth", "refresh", "ndcli auth token renew TOKEN"),
    habit("ndcli", "tokens", "ndcli auth token list"),
    habit("ndcli", "orgs", "ndcli org list"),
    habit("ndcli", "status", "ndcli auth status"),
    habit("ndcli", "create", "ndcli auth token create --name NAME --scope rw"),
    habit("", "--org <SLUG>", "ndcli org select SLUG"),
];

const fn help(command: &'static str, usage: &'static str, examples: &'static [&'static str]) -> CommandHelp {
    CommandHelp { command, usage, examples }
}

const fn habit(command: &'static str, word: &'static str, instead: &'static str) -> Habit {
    Habit { command, word, instead }
}
