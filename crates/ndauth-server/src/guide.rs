//! The additions of each command's help to its options: usage lines, examples, and answers to habits of other tools.

use ndauth_terminal::{CommandHelp, Habit};

/// The help of every command.
#[rustfmt::skip]
pub(crate) const HELP: &[CommandHelp] = &[
    help("ndauthd serve", "", &["{} --listen 0.0.0.0:7711 --tls-certificate cert.pem --tls-key key.pem"]),
    help("ndauthd dev", "", &["{}", "{} --keep ~/ndauth"]),
    help("ndauthd health", "", &["{}"]),
    help("config example", "", &["{} > ndauthd.toml"]),
    help("config check", "", &["{} --config ndauthd.toml"]),
    help("config show", "", &["{} --format json"]),
    help("ndauthd completions", "", &["{} bash"]),
    help("ndauthd manual", "", &["{} --man ~/.local/share/man/man1"]),
    help("account create", "", &["{} ada --email ada@example.org --operator"]),
    help("account invite", "", &["{} ada"]),
    help("account update", "<HANDLE> [--email <EMAIL>] [--name <NAME>] [OPTIONS]", &["{} ada --email ada@example.org"]),
    help("account list", "", &["{}"]),
    help("account disable", "", &["{} ada"]),
    help("account enable", "", &["{} ada"]),
    help("account erase", "", &["{} ada --yes"]),
    help("account sign-out", "", &["{} ada"]),
    help("operator grant", "", &["{} ada"]),
    help("operator revoke", "", &["{} ada"]),
    help("org create", "", &["{} ops --admin ada"]),
    help("org list", "", &["{} --all"]),
    help("org delete", "", &["{} ops"]),
    help("member set", "", &["{} ops ada ADMIN"]),
    help("member list", "", &["{} --org ops"]),
    help("member remove", "", &["{} ops ada"]),
    help("session issue", "", &["{} ada --expires-in 1h"]),
    help("session list", "", &["{} --account ada"]),
    help("service create", "", &["{} registry --org ops > registry.secret"]),
    help("service list", "", &["{}"]),
    help("service rotate", "", &["{} registry --overlap 24h > registry.secret"]),
    help("service rotation confirm", "", &["{} registry"]),
    help("service rotation drop", "", &["{} registry"]),
    help("service rotation retire", "", &["{} registry"]),
    help("service revoke", "", &["{} registry"]),
    help("admin token list", "", &["{} --owner ada"]),
    help("admin token revoke", "", &["{} github-ci --owner ada"]),
    help("admin token suspend", "", &["{} github-ci --owner ada"]),
    help("admin token resume", "", &["{} github-ci --owner ada"]),
    help("catalogue show", "", &["{} > catalogue.toml"]),
    help("catalogue apply", "", &["{} catalogue.toml --dry-run"]),
    help("events export", "", &["{} > events.jsonl"]),
    help("events prune", "", &["{} --before 2026-01-01 --yes"]),
    help("events find-secret", "", &["{} < token"]),
    help("admin check", "", &["{}"]),
    help("admin mail status", "", &["{}"]),
    help("admin mail test", "<ADDRESS> [OPTIONS]", &["{} ada@example.org"]),
    help("admin tidy", "", &["{}"]),
    help("admin backup", "", &["{} copy.db"]),
    help("admin restore", "", &["{} copy.db"]),
    help("admin after-restore", "", &["{} --replay events.jsonl", "{} --not-before 2026-11-21"]),
    help("migrate up", "", &["{}"]),
    help("migrate status", "", &["{}"]),
];

/// Words that people bring from other tools, and what to type here.
#[rustfmt::skip]
pub(crate) const HABITS: &[Habit] = &[
    habit("", "--json", "-f json"),
    habit("", "-y", "--yes"),
    habit("", "--force", "--yes"),
    habit("ndauthd", "start", "ndauthd serve"),
    habit("ndauthd", "run", "ndauthd serve"),
    habit("ndauthd", "server", "ndauthd serve"),
    habit("ndauthd", "migrate", "ndauthd admin migrate up"),
    habit("ndauthd", "backup", "ndauthd admin backup FILE"),
    habit("admin", "user", "ndauthd admin account"),
    habit("admin", "users", "ndauthd admin account list"),
];

const fn help(command: &'static str, usage: &'static str, examples: &'static [&'static str]) -> CommandHelp {
    CommandHelp { command, usage, examples }
}

const fn habit(command: &'static str, word: &'static str, instead: &'static str) -> Habit {
    Habit { command, word, instead }
}
