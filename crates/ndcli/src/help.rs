//! Help on a command or a topic, and the manual of them all. All of it is made of the command line itself.

use std::fmt::Write as _;

use ndauth_terminal::{EXIT_CODES, Failure, manual as pages, nearest, print};

use crate::arguments::{self, Help, Manual};
use crate::settings::configuration::{Configuration, OTHER_VARIABLES, known};

/// Variables that others define, and that are heeded.
const FOREIGN_VARIABLES: [(&str, &str); 14] = [
    ("NO_COLOR", "if not empty, turns colours off"),
    ("CLICOLOR", "`0` turns colours off"),
    ("CLICOLOR_FORCE", "if not `0`, keeps colours in pipes too"),
    ("TERM", "`dumb` turns colours and animations off"),
    (
        "XDG_CONFIG_HOME",
        "the folder that contains `ndcli`, with the configuration and the logins (default: ~/.config)",
    ),
    ("SSL_CERT_FILE", "the authorities to trust in place of the system's, if no `--ca-file` is given"),
    (
        "HTTPS_PROXY",
        "the proxy that opens a tunnel to a server of `https://`: `http://HOST:PORT`, with `USER:PASSWORD@` before the \
         host if it requires them; `https_proxy` takes precedence. A server on this machine is reached directly",
    ),
    ("http_proxy", "the same for a server of `http://`; in lower case only"),
    ("ALL_PROXY", "the same for both, if the other is not set; `all_proxy` takes precedence"),
    ("NO_PROXY", "hosts, domains and networks that are reached directly, separated by commas; `*` means all"),
    ("BROWSER", "the browser that `ndcli auth login` opens, in place of the system's"),
    ("DISPLAY", "without it, WAYLAND_DISPLAY and BROWSER, `ndcli auth login` logs in with a code on Linux"),
    ("SSH_CONNECTION", "if set, `ndcli auth login` logs in with a code: the browser is elsewhere"),
    ("CI", "if set, `ndcli auth login` does not wait for a browser: pipelines use tokens"),
];

/// Prints the help of a command or a topic.
pub(crate) fn run(help: &Help) -> Result<(), Failure> {
    let topic: Vec<&str> = help.topic.iter().map(String::as_str).collect();
    match topic.as_slice() {
        ["environment"] => print(&environment()),
        ["exit-codes"] => print(&exit_codes()),
        words => print(&of_command(words)?),
    }
}

/// Prints the manual, or writes it as pages.
pub(crate) fn manual(manual: &Manual) -> Result<(), Failure> {
    let command = arguments::command(&Configuration::default());
    match &manual.man {
        Some(folder) => {
            let written = pages::write_pages(&command, folder)?;
            print(&format!("{} pages written to {}\n", written.len(), folder.display()))
        }
        None => print(&format!(
            "{}\n## Variables\n\n```text\n{}```\n\n## Exit codes\n\n```text\n{}```\n",
            pages::reference(&command),
            environment(),
            exit_codes()
        )),
    }
}

fn of_command(words: &[&str]) -> Result<String, Failure> {
    let mut command = arguments::command(&Configuration::default());
    command.build();
    for word in words {
        let Some(inner) = command.find_subcommand(word) else {
            let names =
                command.get_subcommands().map(clap::Command::get_name).chain(["environment", "exit-codes"]);
            let hint = match nearest(word, names) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "`ndcli --help` lists the commands".to_owned(),
            };
            return Err(Failure::usage(format!("there is no command or topic `{word}`"), hint));
        };
        command = inner.clone();
    }
    Ok(command.render_long_help().to_string())
}

fn environment() -> String {
    let mut text =
        String::from("A flag takes precedence over its variable, and the variable over the configuration.\n");
    text.push_str("A variable that is empty counts as unset.\n\n");
    let own = OTHER_VARIABLES.iter().map(|(name, help)| ((*name).to_owned(), (*help).to_owned()));
    let flags = known().into_iter().map(|setting| {
        let help = setting.argument.get_help().map(ToString::to_string).unwrap_or_default();
        (setting.variable, format!("`--{}`: {help}", setting.key))
    });
    let foreign = FOREIGN_VARIABLES.iter().map(|(name, help)| ((*name).to_owned(), (*help).to_owned()));
    for (name, help) in own.chain(flags).chain(foreign) {
        let _ = writeln!(text, "{name}\n    {help}");
    }
    text
}

fn exit_codes() -> String {
    EXIT_CODES.iter().map(|(code, meaning)| format!("{code:>3}  {meaning}\n")).collect()
}
