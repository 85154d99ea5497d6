//! Creating a token: its limits, the request, and the only output that holds its secret.

use std::io;
use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use clap_complete::ArgValueCandidates;
use ndauth_client::Client;
use ndauth_core::{
    Action, Actions, Class, Description, ExpiryChoice, Grant, Grants, InvalidName, InvalidPermission, Label,
    Network, Networks, Permission, Problem, Services,
};
use ndauth_proto::{catalogue_from_proto, networks_to_proto, services_to_proto, v1};
use ndauth_terminal::{Failure, TokenShown, aside, message_json, print_once, quoted, shown};
use serde::Deserialize;
use serde_json::Value;

use super::aim::{Aim, OwnerChoice};
use super::sink::{Sink, SinkArgs, SinkFailure, take_over};
use crate::commands::candidates;
use crate::connection::ServerConnection;
use crate::settings::values::{expiry, network, service};
use crate::settings::{CommonOptions, Format};

/// The limits of a token beside its scope and its orgs.
#[derive(clap::Args)]
pub(crate) struct Bounds {
    /// Purpose, in your words
    #[arg(short, long, value_name = "TEXT", value_parser = description)]
    pub(crate) description: Option<Description>,

    /// Permissions: read:assets,write:assets, or JSON; repeatable
    ///
    /// As JSON: {"resource_type":"assets","resource_id":"*","actions":["read"]}. `ndcli permissions list` shows what
    /// there is.
    #[arg(long, value_name = "GRANT", add = ArgValueCandidates::new(candidates::permissions))]
    pub(crate) grant: Vec<String>,

    /// Limit use to this network, such as 10.0.0.0/8; repeatable
    #[arg(long, value_name = "CIDR", value_parser = network)]
    pub(crate) allow_from: Vec<Network>,

    /// Limit use to this service; repeatable
    #[arg(long, value_name = "NAME", value_parser = service)]
    pub(crate) for_service: Vec<Label>,

    /// Let the token rotate and renew itself
    #[arg(long)]
    pub(crate) self_rotating: bool,

    /// With --self-rotating: until when [default: 365d]
    #[arg(long, value_name = "WHEN", requires = "self_rotating", value_parser = expiry)]
    pub(crate) until: Option<ExpiryChoice>,
}

/// The output of a new secret.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SecretOutput {
    /// For people
    Table,
    /// For programs
    Json,
    /// The secret and nothing else
    Token,
}

impl SecretOutput {
    /// The output that is asked for, or the one that the format of every command stands for.
    pub(crate) fn chosen(output: Option<SecretOutput>, format: Format) -> SecretOutput {
        output.unwrap_or(match format {
            Format::Json => SecretOutput::Json,
            Format::Table | Format::Simple | Format::Detailed => SecretOutput::Table,
        })
    }
}

/// A token that the server is to make.
#[derive(Clone)]
pub(crate) struct Minting {
    pub(crate) whose: OwnerChoice,
    pub(crate) new: v1::NewToken,
}

/// A token that was made, and the response that holds its secret.
pub(crate) struct CreatedToken {
    pub(crate) answer: v1::CreateTokenResponse,
    pub(crate) token: TokenShown,
}

impl Bounds {
    pub(crate) fn services(&self) -> v1::Services {
        let services = match self.for_service.as_slice() {
            [] => Services::All,
            some => Services::Only(some.iter().cloned().collect()),
        };
        services_to_proto(&services)
    }

    pub(crate) fn networks(&self) -> v1::Networks {
        let networks = match self.allow_from.as_slice() {
            [] => Networks::All,
            some => Networks::Only(some.iter().copied().collect()),
        };
        networks_to_proto(&networks)
    }

    /// The grants that are written down, with those of named scopes. All are checked against the server's
    /// catalogue; none stand for all.
    pub(crate) async fn grants(
        &self,
        server: &ServerConnection,
        named: &[(String, Permission)],
    ) -> Result<Grants, Failure> {
        let mut written: Vec<(&str, Grant)> = Vec::new();
        for text in &self.grant {
            if text.trim_start().starts_with('{') {
                written.push((text, grant(text)?));
                continue;
            }
            for name in text.split(',') {
                let permission: Permission = name.parse().map_err(|why: InvalidPermission| {
                    Failure::usage(format!("`--grant {name}`: {why}"), GRANT)
                })?;
                written.push((name, of_permission(&permission)));
            }
        }
        written.extend(named.iter().map(|(text, permission)| (text.as_str(), of_permission(permission))));
        if written.is_empty() {
            return Ok(Grants::All);
        }
        let types = server.ask(async |client| client.list_permissions().await).await?.resource_types;
        let catalogue = catalogue_from_proto(&types)?;
        for (text, grant) in &written {
            if let Grants::Only(set) = only([grant.clone()])?
                && let Some(unknown) = catalogue.first_unknown(&set)
            {
                let turned = turned(text).filter(|turned| {
                    only([of_permission(turned)]).is_ok_and(|grants| match grants {
                        Grants::Only(set) => catalogue.first_unknown(&set).is_none(),
                        Grants::All => false,
                    })
                });
                let hint = match turned {
                    Some(turned) => format!("did you mean `{turned}`? The action comes first"),
                    None => "`ndcli permissions list` shows what there is".to_owned(),
                };
                let message = pointing(text, &unknown.word, &unknown.to_string());
                return Err(Failure::usage(message, hint));
            }
        }
        only(written.into_iter().map(|(_, grant)| grant))
    }
}

/// A named permission with its type and its action exchanged, such as `write:assets` for `assets:write`.
fn turned(text: &str) -> Option<Permission> {
    let (first, second) = text.split_once(':')?;
    format!("{second}:{first}").parse().ok()
}

fn only(grants: impl IntoIterator<Item = Grant>) -> Result<Grants, Failure> {
    Grants::only(grants).map_err(|why| {
        Failure::usage(format!("`--grant`: {why}"), "`ndcli permissions list` shows what there is")
    })
}

fn of_permission(permission: &Permission) -> Grant {
    Grant {
        resource_type: permission.resource_type.clone(),
        resource_ids: permission.resource_ids.clone(),
        actions: Actions::Only([permission.action.clone()].into()),
    }
}

/// A grant as seed 002 writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantText {
    resource_type: String,
    resource_id: String,
    actions: Vec<String>,
}

/// The forms of a grant, for hints.
const GRANT: &str =
    r#"a grant is `read:assets`, or `{"resource_type":"assets","resource_id":"*","actions":["read"]}`"#;

fn grant(text: &str) -> Result<Grant, Failure> {
    let parsed: GrantText = serde_json::from_str(text).map_err(|error| {
        // Columns count bytes from 1; what is missing at the end is missed behind it.
        let why = error.to_string();
        let why = why.split(" at line ").next().unwrap_or_default();
        let at = if error.line() == 1 { error.column().saturating_sub(1) } else { 0 };
        Failure::usage(caret(text, at, 1, &format!("no grant: {why}")), GRANT)
    })?;
    let part = |word: &str, why: &dyn std::fmt::Display| {
        Failure::usage(pointing(text, word, &why.to_string()), GRANT)
    };
    let resource_type = parsed.resource_type.parse().map_err(|why| part(&parsed.resource_type, &why))?;
    let resource_ids = parsed.resource_id.parse().map_err(|why| part(&parsed.resource_id, &why))?;
    let actions = match parsed.actions.as_slice() {
        [any] if any == "*" => Actions::Any,
        some => {
            let action = |action: &String| action.parse::<Action>().map_err(|why| part(action, &why));
            Actions::Only(some.iter().map(action).collect::<Result<_, _>>()?)
        }
    };
    Ok(Grant { resource_type, resource_ids, actions })
}

/// Points at the word of an argument that is wrong.
fn pointing(text: &str, word: &str, why: &str) -> String {
    let quoted = text.find(&format!("\"{word}\"")).map(|at| at + 1);
    let at = quoted.or_else(|| text.find(word)).unwrap_or(0);
    caret(text, at, word.chars().count().max(1), why)
}

/// A message, and a line with a caret under the place that is wrong.
fn caret(text: &str, at: usize, width: usize, why: &str) -> String {
    if text.contains('\n') {
        return format!("{why}, in {text}");
    }
    let before = text.get(..at).unwrap_or(text).chars().count();
    format!("{why}\n  {text}\n  {}{}", " ".repeat(before), "^".repeat(width))
}

/// The name of a token to be made.
pub(crate) fn name(text: &str) -> Result<Label, Failure> {
    text.parse().map_err(|why: InvalidName| {
        Failure::usage(format!("`--name`: the name {why}"), "a name is up to 100 characters on one line")
    })
}

fn description(text: &str) -> Result<Description, String> {
    text.parse().map_err(|why: InvalidName| format!("it {why}"))
}

impl Minting {
    async fn ask(&self, client: &Client) -> Result<v1::CreateTokenResponse, Problem> {
        let (whose, token) = (Some(self.whose.to_proto()), Some(self.new.clone()));
        client.create_token(v1::CreateTokenRequest { owner: whose, token }).await
    }

    /// Revokes the token that was made.
    async fn undo(&self, server: &mut ServerConnection, id: &str, lost: &Lost) -> Result<(), Failure> {
        let request = v1::RevokeTokenRequest {
            owner: Some(self.whose.to_proto()),
            which: Some(v1::Which::id(id)),
            reason: v1::RevocationReason::NoLongerNeeded.into(),
            note: Some(lost.note().to_owned()),
        };
        server.allow(UNDO);
        server.ask(async |client| client.revoke_token(request.clone()).await).await?;
        Ok(())
    }

    /// Revokes the token, whose secret was not handed over. Returns the failure of the command.
    async fn take_back(&self, server: &mut ServerConnection, id: &str, lost: Lost) -> Failure {
        let undone = tokio::select! {
            undone = self.undo(server, id, &lost) => undone,
            _ = tokio::signal::ctrl_c() => return self.left_behind(&lost, "interrupted again"),
        };
        match undone {
            Err(failure) => self.left_behind(&lost, &failure.message),
            Ok(()) => Failure {
                message: format!("{}: the token was made, and is revoked again", lost.why()),
                hint: None,
                code: lost.code(),
            },
        }
    }

    /// The token that it made, for commands about it.
    fn aim(&self, minted: &CreatedToken) -> Aim {
        Aim { whose: self.whose.clone(), which: v1::which::Kind::Name(minted.token.name.clone()) }
    }

    /// Has the token made, and its secret sent where it belongs: until then it awaits confirmation.
    pub(crate) async fn make_into(
        mut self,
        common: &CommonOptions,
        server: &mut ServerConnection,
        sink: Sink,
    ) -> Result<CreatedToken, Failure> {
        self.new.pending = true;
        let minted = self.make(server).await?;
        if let Err(SinkFailure { why, .. }) = sink.store(&minted.answer.secret) {
            return Err(self.take_back(server, &minted.token.id, Lost::Undelivered(why)).await);
        }
        let confirmed = take_over(common, server, &self.aim(&minted), &minted.answer.secret).await?;
        let v1::ConfirmRotationResponse { token, sequence, evaluated_at, .. } = confirmed.answer;
        let answer = v1::CreateTokenResponse { token, sequence, evaluated_at, ..minted.answer };
        Ok(CreatedToken { answer, token: confirmed.token })
    }

    /// Returns the commands that list the token and that revoke it.
    fn look_and_revoke(&self) -> (String, String) {
        let aim = Aim { whose: self.whose.clone(), which: v1::which::Kind::Name(self.new.name.clone()) };
        (self.whose.command("list", ""), aim.command("revoke", "--yes"))
    }

    /// Creates the token. If Ctrl-C interrupts that, or the response cannot be read, the token is revoked: its secret
    /// would be lost.
    pub(crate) async fn make(&self, server: &mut ServerConnection) -> Result<CreatedToken, Failure> {
        let (made, interrupted) = {
            let asked = server.ask_once(async |client| self.ask(client).await);
            tokio::pin!(asked);
            tokio::select! {
                made = &mut asked => (made.map_err(|failure| self.unsure(failure))?, false),
                interrupted = tokio::signal::ctrl_c() => {
                    interrupted?;
                    aside(
                        "interrupted: waiting for the answer, so that no token is left behind; \
                         Ctrl-C again ends at once",
                    );
                    tokio::select! {
                        made = &mut asked => (made.map_err(|failure| self.unsure(failure))?, true),
                        _ = tokio::signal::ctrl_c() => {
                            return Err(self.left_behind(&Lost::Interrupted, "interrupted again"));
                        }
                    }
                }
            }
        };
        let id = made.token.as_ref().map(|token| token.id.clone()).unwrap_or_default();
        match minted(made) {
            Ok(minted) if !interrupted => Ok(minted),
            Ok(_) => Err(self.take_back(server, &id, Lost::Interrupted).await),
            Err(failure) => Err(self.take_back(server, &id, Lost::Undelivered(failure.message)).await),
        }
    }

    /// The failure of a command that may leave a token behind.
    fn left_behind(&self, lost: &Lost, why: &str) -> Failure {
        let (look, revoke) = self.look_and_revoke();
        let name = &self.new.name;
        let (message, hint) = match lost {
            Lost::Interrupted => (
                format!("interrupted: the token `{name}` may have been made, and is not revoked: {why}"),
                format!("if `{look}` shows it: `{revoke}`"),
            ),
            Lost::Undelivered(lost) => (
                format!("{lost}: the token `{name}` was made, and is not revoked: {why}"),
                format!("revoke it: `{revoke}`"),
            ),
        };
        Failure { message, hint: Some(hint), code: lost.code() }
    }

    /// A server that was lost in between may have made the token.
    fn unsure(&self, failure: Failure) -> Failure {
        if failure.code != ndauth_terminal::exit_code(Class::Undecided) {
            return failure;
        }
        let (look, _) = self.look_and_revoke();
        let hint = format!(
            "the token may have been made all the same: if `{look}` shows it, revoke it, and try again"
        );
        Failure { hint: Some(hint), ..failure }
    }

    /// Prints the text that holds the secret. If there is none, or printing it fails, the token is revoked.
    pub(crate) async fn print(
        &self,
        server: &mut ServerConnection,
        minted: &CreatedToken,
        text: Result<String, Failure>,
    ) -> Result<(), Failure> {
        let lost = match text {
            Ok(text) => print_once(&text).err().map(|error| Lost::unprinted(&error)),
            Err(failure) => Some(Lost::Undelivered(failure.message)),
        };
        match lost {
            None => Ok(()),
            Some(lost) => Err(self.take_back(server, &minted.token.id, lost).await),
        }
    }
}

/// The reason why a secret was not handed over.
pub(crate) enum Lost {
    /// Ctrl-C came.
    Interrupted,
    /// It cannot be printed, or stored where it belongs, for this reason.
    Undelivered(String),
}

impl Lost {
    /// The loss of a secret that standard output failed to take.
    pub(crate) fn unprinted(error: &io::Error) -> Lost {
        Lost::Undelivered(format!("standard output cannot be written: {error}"))
    }

    /// The reason in words, for whoever runs the command.
    pub(crate) fn why(&self) -> &str {
        match self {
            Lost::Interrupted => "interrupted",
            Lost::Undelivered(why) => why,
        }
    }

    /// The reason for the token's owner. It names no command and no file: the owner may be another person.
    fn note(&self) -> &'static str {
        match self {
            Lost::Interrupted => "ndcli was interrupted before it showed the secret",
            Lost::Undelivered(_) => "ndcli could not hand the secret over",
        }
    }

    fn code(&self) -> u8 {
        match self {
            Lost::Interrupted => 130,
            Lost::Undelivered(_) => 1,
        }
    }
}

/// The timeout for undoing a change after an interruption.
pub(crate) const UNDO: Duration = Duration::from_secs(10);

fn minted(made: v1::CreateTokenResponse) -> Result<CreatedToken, Failure> {
    Ok(CreatedToken { token: TokenShown::read(made.token.clone())?, answer: made })
}

impl CreatedToken {
    /// The answer that the documentation shows. The secret is shown in any case, for nobody else has it;
    /// but it does not command the terminal.
    pub(crate) fn sentences(&self, kind: &str, sent: Option<&str>, file: Option<&Path>) -> String {
        let token = &self.token;
        let mut text = format!("✓ {kind} created\n");
        if sent.is_none() {
            text += "⚠ Copy your token now — it will NOT be shown again.\n";
        }
        text += &format!("Token: {}\n", self.whereabouts(sent));
        let mut line = |title: &str, value: &str| text += &format!("{title}: {}\n", shown(value));
        line("Name", &token.name);
        line("Scope", token.scope);
        if token.grants != Grants::All {
            line("Grants", &token.granted());
        }
        if token.orgs.is_some() {
            line("Org", &token.org());
        }
        if let Some(services) = &token.services {
            line("For", &services.join(", "));
        }
        if let Some(networks) = &token.networks {
            line("From", &networks.join(", "));
        }
        line("Expires", &token.expires());
        match (sent, file) {
            (None, _) => text += "Set NDCLI_TOKEN=<token> to use static auth without interactive login.\n",
            (Some(_), Some(file)) => {
                let file = quoted(&file.display().to_string());
                text += &format!("Set NDCLI_TOKEN_FILE={} to use it.\n", shown(&file));
            }
            (Some(_), None) => {}
        }
        text
    }

    /// The secret, or where it was written.
    pub(crate) fn whereabouts(&self, sent: Option<&str>) -> String {
        sent.map_or_else(|| shown(&self.answer.secret), str::to_owned)
    }

    /// One line.
    pub(crate) fn simple(&self, sent: Option<&str>) -> String {
        let token = &self.token;
        format!(
            "• {} [{}/{}] org:{} expires:{} token:{}\n",
            shown(&token.name),
            shown(&token.prefix),
            shown(&token.held_whole()),
            token.org(),
            token.expires(),
            self.whereabouts(sent)
        )
    }

    /// The response as JSON, with the destination of its secret in the place of that, if it has one.
    pub(crate) fn json(&self, sink: &SinkArgs) -> Result<Value, Failure> {
        let mut response = message_json(&self.answer)?;
        sink.replace_secret(&mut response);
        Ok(response)
    }
}
