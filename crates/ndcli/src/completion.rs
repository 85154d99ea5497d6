//! Completion: a script for the shell, which asks ndcli itself, so that names are those there are now.

use std::io::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{FromArgMatches, ValueEnum};
use clap_complete::CompletionCandidate;
use clap_complete::env::{Bash, CompleteEnv, EnvCompleter, Fish, Powershell, Zsh};
use ndauth_proto::v1;
use ndauth_terminal::environment::variable;
use ndauth_terminal::settings::Layer;
use ndauth_terminal::{Failure, print, shown};
use tokio::time::timeout;

use crate::arguments::{self, Arguments, Common};
use crate::configuration::{self, Configuration, known, profile_variable};
use crate::{connection, credentials};

#[derive(clap::Args)]
pub(crate) struct Completions {
    /// For which shell; its own documentation says where the script goes
    pub(crate) shell: Shell,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Shell {
    /// In `~/.bashrc`: `source <(ndcli completions bash)`
    Bash,
    /// In `~/.zshrc`: `source <(ndcli completions zsh)`
    Zsh,
    /// In `~/.config/fish/config.fish`: `ndcli completions fish | source`
    Fish,
    /// In the profile: `ndcli completions powershell | Out-String | Invoke-Expression`
    Powershell,
}

/// The variable by which the script asks.
const ASKS: &str = "COMPLETE";
/// Whether it is bash that asks.
static BASH: AtomicBool = AtomicBool::new(false);
/// How long a name may take to come: a person waits.
const PATIENCE: Duration = Duration::from_millis(700);

/// Answers the script, and ends the process, where it is the script that asks.
pub(crate) fn complete_if_asked() {
    // It is gone from the environment once names are asked for.
    let bash = variable(ASKS).is_some_and(|shell| shell == "bash");
    BASH.store(bash, Ordering::Relaxed);
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

/// The names of the caller's tokens, as they are now; none where they cannot be had at once.
pub(crate) fn token_names() -> Vec<CompletionCandidate> {
    let tokens = asked(async |common| {
        let credential = credentials::find(common).ok()?;
        let client = connection::open(common, &credential).await.ok()?.ok()?;
        let request = v1::ListTokensRequest { page_size: 1000, ..Default::default() };
        Some(client.list_tokens(request).await.ok()?.tokens)
    });
    let candidate = |token: v1::Token| {
        CompletionCandidate::new(word(&token.name)).help(Some(shown(&token.prefix).into()))
    };
    tokens.into_iter().flatten().map(candidate).collect()
}

/// The names of the caller's orgs, as they are now.
pub(crate) fn orgs() -> Vec<CompletionCandidate> {
    let orgs = asked(async |common| {
        let credential = credentials::find(common).ok()?;
        let client = connection::open(common, &credential).await.ok()?.ok()?;
        Some(client.list_orgs().await.ok()?.orgs)
    });
    orgs.into_iter().flatten().map(|org| CompletionCandidate::new(shown(&org.slug))).collect()
}

/// What `--scope` takes: how much, or what by name.
pub(crate) fn scopes() -> Vec<CompletionCandidate> {
    ["RW", "RO"].into_iter().map(CompletionCandidate::new).chain(permissions()).collect()
}

/// The permissions there are.
pub(crate) fn permissions() -> Vec<CompletionCandidate> {
    let types = asked(async |common| {
        let credential = credentials::find(common).ok()?;
        let client = connection::open(common, &credential).await.ok()?.ok()?;
        Some(client.list_permissions().await.ok()?.resource_types)
    });
    let permissions = types.into_iter().flatten().flat_map(|told| {
        let of = told.name;
        told.actions.into_iter().map(move |action| {
            CompletionCandidate::new(shown(&format!("{}:{of}", action.name)))
                .help(Some(shown(&action.description).into()))
        })
    });
    permissions.collect()
}

/// The profiles of the configuration.
pub(crate) fn profiles() -> Vec<CompletionCandidate> {
    let profiles = Configuration::load(None).map(|configuration| configuration.profiles).unwrap_or_default();
    profiles.into_iter().map(CompletionCandidate::new).collect()
}

/// The keys of the configuration.
pub(crate) fn keys() -> Vec<CompletionCandidate> {
    let keys = known().into_iter().map(|setting| {
        let help = setting.argument.get_help().cloned();
        CompletionCandidate::new(setting.key).help(help)
    });
    keys.chain([CompletionCandidate::new(configuration::PROFILE)]).collect()
}

/// A name as one word of the shell that asks. Only bash is given words as they are typed.
fn word(name: &str) -> String {
    let name = shown(name);
    if !BASH.load(Ordering::Relaxed) {
        return name;
    }
    let escape =
        |c: char| if c.is_alphanumeric() || "._-+@:,/=".contains(c) { vec![c] } else { vec!['\\', c] };
    name.chars().flat_map(escape).collect()
}

/// What the line that is completed gives a flag.
fn stated(flag: &str) -> Option<String> {
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let given = words.windows(2).rev().find(|pair| pair[0] == flag).map(|pair| pair[1].clone());
    given.or_else(|| {
        words.iter().rev().find_map(|word| Some(word.strip_prefix(flag)?.strip_prefix('=')?.to_owned()))
    })
}

/// Asks the server that is configured, in the little time there is.
fn asked<T>(ask: impl AsyncFnOnce(&Common) -> Option<T>) -> Option<T> {
    let profile = stated("--profile").or_else(profile_variable);
    let configuration = Configuration::load(profile.as_deref()).ok()?;
    let command = arguments::command(&configuration.layer);
    let server = stated("--server").map(|url| format!("--server={url}"));
    let words = ["ndcli".to_owned(), "whoami".to_owned()].into_iter().chain(server);
    let matches = command.try_get_matches_from(words).ok()?;
    let common = Arguments::from_arg_matches(&matches).ok()?.common;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async { timeout(PATIENCE, ask(&common)).await.ok()? })
}
