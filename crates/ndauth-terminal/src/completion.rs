//! Completion: a script for the shell, which asks the binary itself, so that names are those there are now.

use std::io::Error;

use clap::{Command, ValueEnum};
use clap_complete::env::{Bash, CompleteEnv, EnvCompleter, Fish, Powershell, Zsh};

use crate::environment::variable;
use crate::failure::Failure;
use crate::output::print;

/// A shell that completes commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// In `~/.bashrc`: `source <(COMMAND completions bash)`
    Bash,
    /// In `~/.zshrc`: `source <(COMMAND completions zsh)`
    Zsh,
    /// In `~/.config/fish/config.fish`: `COMMAND completions fish | source`
    Fish,
    /// In the profile: `COMMAND completions powershell | Out-String | Invoke-Expression`
    Powershell,
}

/// The variable by which the script asks.
const ASKS: &str = "COMPLETE";

/// True where bash asks: it is given words as they are typed.
pub fn bash_asks() -> bool {
    variable(ASKS).is_some_and(|shell| shell == "bash")
}

/// Answers the script, and ends the process, where it is the script that asks.
pub fn complete_if_asked(command: impl Fn() -> Command) {
    CompleteEnv::with_factory(command).var(ASKS).complete();
}

/// Prints the script of a binary for a shell.
pub fn print_completions(shell: Shell, binary: &str) -> Result<(), Failure> {
    let mut script = Vec::new();
    let write = |completer: &dyn EnvCompleter, script: &mut Vec<u8>| -> Result<(), Error> {
        completer.write_registration(ASKS, binary, binary, binary, script)
    };
    match shell {
        Shell::Bash => write(&Bash, &mut script)?,
        Shell::Zsh => write(&Zsh, &mut script)?,
        Shell::Fish => write(&Fish, &mut script)?,
        Shell::Powershell => write(&Powershell, &mut script)?,
    }
    print(&String::from_utf8_lossy(&script))
}
