//! Completion: a script for the shell, which asks ndcli itself, so that names are those there are now.

use std::io::Error;

use clap_complete::env::{Bash, CompleteEnv, EnvCompleter, Fish, Powershell, Zsh};
use ndauth_terminal::environment::variable;
use ndauth_terminal::settings::Layer;
use ndauth_terminal::{Failure, print};

use crate::arguments::{self, Shell};
use crate::commands::candidates;

/// The variable by which the script asks.
const ASKS: &str = "COMPLETE";

/// Answers the script, and ends the process, where it is the script that asks.
pub(crate) fn complete_if_asked() {
    // It is gone from the environment once names are asked for.
    if variable(ASKS).is_some_and(|shell| shell == "bash") {
        candidates::escape_for_bash();
    }
    CompleteEnv::with_factory(|| arguments::command(&Layer::default())).var(ASKS).complete();
}

/// Prints the script.
pub(crate) fn print_script(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    let write = |completer: &dyn EnvCompleter, script: &mut Vec<u8>| -> Result<(), Error> {
        completer.write_registration(ASKS, "ndcli", "ndcli", "ndcli", script)
    };
    match shell {
        Shell::Bash => write(&Bash, &mut script)?,
        Shell::Zsh => write(&Zsh, &mut script)?,
        Shell::Fish => write(&Fish, &mut script)?,
        Shell::Powershell => write(&Powershell, &mut script)?,
    }
    print(&String::from_utf8_lossy(&script))
}
