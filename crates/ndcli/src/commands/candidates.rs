//! Candidates: the values that a shell offers for an argument, asked for anew each time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Args, Command, FromArgMatches};
use clap_complete::CompletionCandidate;
use ndauth_client::Client;
use ndauth_proto::v1;
use ndauth_terminal::environment::{variable, without_empty_variables};
use ndauth_terminal::shown;
use tokio::time::timeout;

use crate::login::credentials;
use crate::settings::CommonOptions;
use crate::settings::configuration::{Configuration, PROFILE, known, profile_variable};
use crate::settings::token_file::CredentialSource;
use crate::transport;

/// Set where bash asks.
static BASH: AtomicBool = AtomicBool::new(false);
/// The timeout for names: a person waits for them.
const TIMEOUT: Duration = Duration::from_millis(700);

/// Has candidates escaped as words of bash.
pub(crate) fn escape_for_bash() {
    BASH.store(true, Ordering::Relaxed);
}

/// Returns the owner of the tokens that the line to complete is about.
fn whose() -> v1::Whose {
    let mine = std::env::args_os().any(|word| word == "auth" || word == "--user");
    let kind = org().filter(|_| !mine).map_or(v1::whose::Kind::Mine(v1::Mine {}), v1::whose::Kind::Org);
    v1::Whose { kind: Some(kind) }
}

/// The org that the line to complete acts in: stated, or selected before.
fn org() -> Option<String> {
    let selected = || {
        let profile = stated("--profile").or_else(profile_variable);
        Configuration::load(profile.as_deref(), CredentialSource::default())
            .ok()?
            .layer
            .values
            .get("org")
            .cloned()
    };
    stated("--org").or_else(|| variable("NDCLI_ORG")?.into_string().ok()).or_else(selected)
}

/// The handles of the members of the org that the line acts in.
pub(crate) fn members() -> Vec<CompletionCandidate> {
    let members = asked(async |common| {
        let org = org()?.parse().ok()?;
        Some(client(common).await?.every_member(&org).await.ok()?.members)
    });
    members.into_iter().flatten().map(|member| CompletionCandidate::new(shown(&member.handle))).collect()
}

/// The roles there are.
pub(crate) fn roles() -> Vec<CompletionCandidate> {
    ["RO", "RW", "ADMIN"].into_iter().map(CompletionCandidate::new).collect()
}

/// The ids of the caller's sessions, with the device of each.
pub(crate) fn sessions() -> Vec<CompletionCandidate> {
    let sessions = asked(async |common| Some(client(common).await?.list_sessions().await.ok()?.sessions));
    let candidate = |session: v1::Session| {
        CompletionCandidate::new(shown(&session.id)).help(Some(shown(&session.device).into()))
    };
    sessions.into_iter().flatten().map(candidate).collect()
}

/// The names of those tokens, as they are now; none where they cannot be had at once.
pub(crate) fn token_names() -> Vec<CompletionCandidate> {
    let tokens = asked(async |common| {
        let client = client(common).await?;
        let (whose, page_size) = (Some(whose()), 1000);
        let request = v1::ListTokensRequest { owner: whose, page_size, ..Default::default() };
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
        let client = client(common).await?;
        Some(client.list_orgs().await.ok()?.orgs)
    });
    orgs.into_iter().flatten().map(|org| CompletionCandidate::new(shown(&org.slug))).collect()
}

/// The values of `--scope`: RW, RO, and the permissions there are.
pub(crate) fn scopes() -> Vec<CompletionCandidate> {
    ["RW", "RO"].into_iter().map(CompletionCandidate::new).chain(permissions()).collect()
}

/// The permissions there are.
pub(crate) fn permissions() -> Vec<CompletionCandidate> {
    let types = asked(async |common| {
        let client = client(common).await?;
        Some(client.list_permissions().await.ok()?.resource_types)
    });
    let permissions = types.into_iter().flatten().flat_map(|resource_type| {
        let of = resource_type.name;
        resource_type.actions.into_iter().map(move |action| {
            CompletionCandidate::new(shown(&format!("{}:{of}", action.name)))
                .help(Some(shown(&action.description).into()))
        })
    });
    permissions.collect()
}

/// The profiles of the configuration.
pub(crate) fn profiles() -> Vec<CompletionCandidate> {
    let profiles = Configuration::load(None, CredentialSource::default())
        .map(|configuration| configuration.profiles)
        .unwrap_or_default();
    profiles.into_iter().map(CompletionCandidate::new).collect()
}

/// The keys of the configuration.
pub(crate) fn keys() -> Vec<CompletionCandidate> {
    let keys = known().into_iter().map(|setting| {
        let help = setting.argument.get_help().cloned();
        CompletionCandidate::new(setting.key).help(help)
    });
    keys.chain([CompletionCandidate::new(PROFILE)]).collect()
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

/// The value that the line to complete gives a flag.
fn stated(flag: &str) -> Option<String> {
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let given = words.windows(2).rev().find(|pair| pair[0] == flag).map(|pair| pair[1].clone());
    given.or_else(|| {
        words.iter().rev().find_map(|word| Some(word.strip_prefix(flag)?.strip_prefix('=')?.to_owned()))
    })
}

/// Asks the server that is configured, in the little time there is.
fn asked<T>(ask: impl AsyncFnOnce(&CommonOptions) -> Option<T>) -> Option<T> {
    let profile = stated("--profile").or_else(profile_variable);
    let configuration = Configuration::load(profile.as_deref(), CredentialSource::choose(None).ok()?).ok()?;
    let command = CommonOptions::augment_args(Command::new("ndcli"));
    let command = without_empty_variables(configuration.beneath(command));
    let server = stated("--server").map(|url| format!("--server={url}"));
    let words = ["ndcli".to_owned()].into_iter().chain(server);
    let matches = command.try_get_matches_from(words).ok()?;
    let mut common = CommonOptions::from_arg_matches(&matches).ok()?;
    configuration.trace(&mut common, &matches);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async { timeout(TIMEOUT, ask(&common)).await.ok()? })
}

/// Connects once with the credential in force, as it is.
async fn client(common: &CommonOptions) -> Option<Client> {
    let credential = credentials::find(common).ok()?;
    transport::open(common, &credential.secret, credential.source).await.ok()?.ok()
}
