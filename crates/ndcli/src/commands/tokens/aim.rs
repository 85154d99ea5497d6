//! The token that a command acts on, its owner, and the calls about it.

use std::time::Duration;

use clap_complete::ArgValueCandidates;
use ndauth_core::{ExpiryChoice, OrgSlug, Orgs, SecretPrefix, Timestamp};
use ndauth_proto::{duration_to_proto, expiry_choice_to_proto, timestamp_from_proto, v1};
use ndauth_terminal::{Failure, TokenShown, nearest, nonsense, quoted, required_timestamp};

use crate::commands::candidates;
use crate::connection::ServerConnection;
use crate::settings::InOrg;
use crate::settings::values::org;

/// The owner of the tokens that a command acts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OwnerChoice {
    Mine,
    Org(OrgSlug),
}

/// Arguments that name the owner of tokens.
pub(crate) trait OwnerArguments: clap::Args {
    /// Returns the owner.
    fn whose(&self) -> Result<OwnerChoice, Failure>;

    /// The orgs that a personal token is restricted to.
    fn orgs(&self) -> Orgs<OrgSlug> {
        Orgs::All
    }

    /// The org in which a token is asked about.
    fn asked_in(&self) -> Option<&OrgSlug> {
        None
    }

    /// The member whose personal token an admin of the org means.
    fn member(&self) -> Option<&str> {
        None
    }
}

/// The caller's own: nothing is said.
#[derive(clap::Args)]
pub(crate) struct Mine {}

/// The caller's own, restricted to orgs.
#[derive(clap::Args)]
pub(crate) struct MineIn {
    /// Restrict the token to this org; repeatable [default: all orgs]
    #[arg(long = "org", value_name = "ORG", value_parser = org, add = ArgValueCandidates::new(candidates::orgs))]
    orgs: Vec<OrgSlug>,
}

/// The caller's own, asked about in an org.
#[derive(clap::Args)]
pub(crate) struct MineAskedIn {
    /// Org to explain the token in [default: each org where it may have power]
    #[arg(long = "org", value_name = "ORG", value_parser = org, add = ArgValueCandidates::new(candidates::orgs))]
    asked_in: Option<OrgSlug>,
}

/// An org's, or the caller's own.
#[derive(clap::Args)]
pub(crate) struct OrgsOrMine {
    #[command(flatten)]
    in_org: InOrg,

    /// Act on your own tokens; a new one is restricted to the org
    #[arg(long)]
    user: bool,
}

/// An org's, a member's personal ones in the org, or the caller's own.
#[derive(clap::Args)]
pub(crate) struct OrgsMembersOrMine {
    #[command(flatten)]
    owner: OrgsOrMine,

    /// Act on a personal token of this member, in the org alone
    #[arg(long, value_name = "HANDLE", conflicts_with = "user", add = ArgValueCandidates::new(candidates::members))]
    member: Option<String>,
}

impl OwnerArguments for Mine {
    fn whose(&self) -> Result<OwnerChoice, Failure> {
        Ok(OwnerChoice::Mine)
    }
}

impl OwnerArguments for MineIn {
    fn whose(&self) -> Result<OwnerChoice, Failure> {
        Ok(OwnerChoice::Mine)
    }

    fn orgs(&self) -> Orgs<OrgSlug> {
        if self.orgs.is_empty() { Orgs::All } else { Orgs::Only(self.orgs.iter().cloned().collect()) }
    }
}

impl OwnerArguments for MineAskedIn {
    fn whose(&self) -> Result<OwnerChoice, Failure> {
        Ok(OwnerChoice::Mine)
    }

    fn asked_in(&self) -> Option<&OrgSlug> {
        self.asked_in.as_ref()
    }
}

impl OwnerArguments for OrgsOrMine {
    fn whose(&self) -> Result<OwnerChoice, Failure> {
        if self.user { Ok(OwnerChoice::Mine) } else { self.in_org.require().cloned().map(OwnerChoice::Org) }
    }

    fn orgs(&self) -> Orgs<OrgSlug> {
        self.in_org.selected.as_ref().map_or(Orgs::All, |org| Orgs::Only([org.clone()].into()))
    }

    fn asked_in(&self) -> Option<&OrgSlug> {
        self.in_org.selected.as_ref()
    }
}

impl OwnerArguments for OrgsMembersOrMine {
    fn whose(&self) -> Result<OwnerChoice, Failure> {
        self.owner.whose()
    }

    fn member(&self) -> Option<&str> {
        self.member.as_deref()
    }
}

impl OwnerChoice {
    pub(crate) fn to_proto(&self) -> v1::Whose {
        match self {
            OwnerChoice::Mine => v1::Whose::mine(),
            OwnerChoice::Org(org) => v1::Whose::org(org),
        }
    }

    /// The command line of a command about them, for a shell.
    pub(crate) fn command(&self, verb: &str, flags: &str) -> String {
        self.written(verb, None, flags)
    }

    /// The command line of a command, for a shell. A name that looks like a flag stands at the end.
    fn written(&self, verb: &str, name: Option<&str>, flags: &str) -> String {
        let (noun, org) = match self {
            OwnerChoice::Mine => ("auth token", String::new()),
            OwnerChoice::Org(org) => ("token", format!("--org {org}")),
        };
        let (first, last) = match name.map(|name| (name.starts_with('-'), quoted(name))) {
            Some((false, name)) => (name, String::new()),
            Some((true, name)) => (String::new(), format!("-- {name}")),
            None => (String::new(), String::new()),
        };
        let words = ["ndcli", noun, verb, &first, flags, &org, &last];
        words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// Returns the noun for such a token.
    pub(crate) fn noun(&self) -> &'static str {
        match self {
            OwnerChoice::Mine => "Personal access token",
            OwnerChoice::Org(_) => "Org token",
        }
    }
}

/// Arguments that name a token.
#[derive(clap::Args)]
pub(crate) struct NamedToken<W: OwnerArguments> {
    /// Token: its name, its id, the beginning of its id, or its prefix
    #[arg(value_name = "TOKEN", add = ArgValueCandidates::new(candidates::token_names),
          required_unless_present = "token_id")]
    name: Option<String>,

    /// The same, by its id
    #[arg(long, alias = "token_id", value_name = "ID", conflicts_with = "name", hide = true)]
    token_id: Option<String>,

    #[command(flatten)]
    pub(crate) owner: W,
}

impl<W: OwnerArguments> NamedToken<W> {
    pub(crate) fn aim(&self) -> Result<Aim, Failure> {
        let which = match (&self.name, &self.token_id) {
            (_, Some(id)) => v1::which::Kind::Id(id.clone()),
            (name, None) => v1::which::Kind::Name(name.clone().unwrap_or_default()),
        };
        Ok(Aim { whose: self.owner.whose()?, which })
    }
}

/// A token that a command is about.
#[derive(Clone)]
pub(crate) struct Aim {
    pub(crate) whose: OwnerChoice,
    pub(crate) which: v1::which::Kind,
}

/// A token, as of an instant.
pub(crate) struct TokenSnapshot {
    pub(crate) token: TokenShown,
    pub(crate) now: Timestamp,
}

/// A token that was changed, or was so before, and the response that says so.
pub(crate) struct ChangedToken<M> {
    pub(crate) answer: M,
    pub(crate) token: TokenShown,
    pub(crate) changed: bool,
    pub(crate) now: Timestamp,
}

/// A token that was rotated.
pub(crate) struct RotatedToken {
    pub(crate) answer: v1::RotateTokenResponse,
    pub(crate) token: TokenShown,
    pub(crate) pending_until: Timestamp,
}

impl TokenSnapshot {
    pub(crate) fn read(answer: v1::GetTokenResponse) -> Result<TokenSnapshot, Failure> {
        Ok(TokenSnapshot {
            now: required_timestamp("evaluated_at", Some(answer.evaluated_at))?,
            token: TokenShown::read(answer.token)?,
        })
    }
}

impl<M> ChangedToken<M> {
    /// Reads a response from its fields.
    pub(crate) fn read(
        token: Option<v1::Token>,
        changed: bool,
        at: Option<prost_types::Timestamp>,
        answer: M,
    ) -> Result<ChangedToken<M>, Failure> {
        Ok(ChangedToken {
            answer,
            now: required_timestamp("evaluated_at", Some(at))?,
            changed,
            token: TokenShown::read(token)?,
        })
    }
}

impl Aim {
    /// A token by its id.
    pub(crate) fn id(whose: OwnerChoice, id: &str) -> Aim {
        Aim { whose, which: v1::which::Kind::Id(id.to_owned()) }
    }

    /// The same token by its id: a second try then never meets another.
    pub(crate) fn by_id(&self, seen: &TokenShown) -> Aim {
        Aim::id(self.whose.clone(), &seen.id)
    }

    /// Returns the name as it was typed.
    pub(crate) fn shown(&self) -> &str {
        let (v1::which::Kind::Name(text) | v1::which::Kind::Id(text) | v1::which::Kind::Prefix(text)) =
            &self.which;
        text
    }

    /// The command line of a command about it, for a shell.
    pub(crate) fn command(&self, verb: &str, flags: &str) -> String {
        self.whose.written(verb, Some(self.shown()), flags)
    }

    pub(crate) fn parts(&self) -> (Option<v1::Whose>, Option<v1::Which>) {
        (Some(self.whose.to_proto()), Some(v1::Which { kind: Some(self.which.clone()) }))
    }

    /// Asks the server for the token.
    pub(crate) async fn find(&self, server: &ServerConnection) -> Result<v1::GetTokenResponse, Failure> {
        let (whose, which) = self.parts();
        let request = v1::GetTokenRequest { owner: whose, which };
        let found = server.ask(async |client| client.get_token(request.clone()).await).await;
        match found {
            Err(failure) if failure.message == format!("there is no token `{}`", self.shown()) => {
                Err(Failure { hint: Some(self.meant(server).await), ..failure })
            }
            found => found,
        }
    }

    /// Returns a hint with the token that was probably meant.
    async fn meant(&self, server: &ServerConnection) -> String {
        let request = v1::ListTokensRequest {
            owner: Some(self.whose.to_proto()),
            page_size: 1000,
            ..Default::default()
        };
        let listed = server.ask_once(async |client| client.list_tokens(request.clone()).await).await;
        let tokens = listed.map(|listed| listed.tokens).unwrap_or_default();
        match nearest(self.shown(), tokens.iter().map(|token| token.name.as_str())) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("`{}` shows the tokens there are", self.whose.command("list", "")),
        }
    }

    pub(crate) async fn get(&self, server: &ServerConnection) -> Result<TokenSnapshot, Failure> {
        TokenSnapshot::read(self.find(server).await?)
    }

    pub(crate) async fn update(
        &self,
        server: &ServerConnection,
        description: &str,
    ) -> Result<ChangedToken<v1::UpdateTokenResponse>, Failure> {
        let (whose, which) = self.parts();
        let request =
            v1::UpdateTokenRequest { owner: whose, which, description: Some(description.to_owned()) };
        let answer = server.ask(async |client| client.update_token(request.clone()).await).await?;
        ChangedToken::read(answer.token.clone(), answer.changed, answer.evaluated_at, answer)
    }

    pub(crate) async fn revoke(
        &self,
        server: &ServerConnection,
        reason: v1::RevocationReason,
        note: Option<&str>,
    ) -> Result<ChangedToken<v1::RevokeTokenResponse>, Failure> {
        let (whose, which) = self.parts();
        let note = note.map(str::to_owned);
        let request = v1::RevokeTokenRequest { owner: whose, which, reason: reason.into(), note };
        let answer = server.ask(async |client| client.revoke_token(request.clone()).await).await?;
        ChangedToken::read(answer.token.clone(), answer.changed, answer.evaluated_at, answer)
    }

    pub(crate) async fn rotate(
        &self,
        server: &ServerConnection,
        overlap: Duration,
        expiry: Option<ExpiryChoice>,
    ) -> Result<RotatedToken, Failure> {
        let (whose, which) = self.parts();
        let (overlap, expiry) = (Some(duration_to_proto(overlap)), expiry.map(expiry_choice_to_proto));
        let request = v1::RotateTokenRequest { owner: whose, which, overlap, expiry };
        let answer = server.ask_once(async |client| client.rotate_token(request.clone()).await).await?;
        let until = answer.pending_until.ok_or_else(|| nonsense("an end is missing"))?;
        Ok(RotatedToken {
            token: TokenShown::read(answer.token.clone())?,
            pending_until: timestamp_from_proto("pending_until", until)?,
            answer,
        })
    }

    /// Lets the new secret take over: the one with this prefix, or the one that waits.
    pub(crate) async fn confirm(
        &self,
        server: &ServerConnection,
        prefix: Option<SecretPrefix>,
    ) -> Result<ChangedToken<v1::ConfirmRotationResponse>, Failure> {
        let (whose, which) = self.parts();
        let prefix = prefix.map(|prefix| prefix.to_string());
        let request = v1::ConfirmRotationRequest { owner: whose, which, prefix };
        let answer = server.ask(async |client| client.confirm_rotation(request.clone()).await).await?;
        ChangedToken::read(answer.token.clone(), answer.changed, answer.evaluated_at, answer)
    }

    pub(crate) async fn drop_rotation(
        &self,
        server: &ServerConnection,
    ) -> Result<ChangedToken<v1::DropRotationResponse>, Failure> {
        let (whose, which) = self.parts();
        let request = v1::DropRotationRequest { owner: whose, which };
        let answer = server.ask(async |client| client.drop_rotation(request.clone()).await).await?;
        ChangedToken::read(answer.token.clone(), answer.changed, answer.evaluated_at, answer)
    }

    pub(crate) async fn retire(
        &self,
        server: &ServerConnection,
        anyway: bool,
    ) -> Result<ChangedToken<v1::RetireSecretResponse>, Failure> {
        let (whose, which) = self.parts();
        let request = v1::RetireSecretRequest { owner: whose, which, anyway };
        let answer = server.ask(async |client| client.retire_secret(request.clone()).await).await?;
        ChangedToken::read(answer.token.clone(), answer.changed, answer.evaluated_at, answer)
    }

    pub(crate) async fn renew(
        &self,
        server: &ServerConnection,
        minimum: Option<Duration>,
        automatic: bool,
    ) -> Result<ChangedToken<v1::RenewTokenResponse>, Failure> {
        let (whose, which) = self.parts();
        let minimum = minimum.map(duration_to_proto);
        let request = v1::RenewTokenRequest { owner: whose, which, minimum, automatic };
        let answer = server.ask_once(async |client| client.renew_token(request.clone()).await).await?;
        ChangedToken::read(answer.token.clone(), answer.changed, answer.evaluated_at, answer)
    }

    pub(crate) async fn suspend(
        &self,
        server: &ServerConnection,
    ) -> Result<ChangedToken<v1::SuspendTokenResponse>, Failure> {
        let (whose, which) = self.parts();
        let request = v1::SuspendTokenRequest { owner: whose, which };
        let answer = server.ask(async |client| client.suspend_token(request.clone()).await).await?;
        ChangedToken::read(answer.token.clone(), answer.changed, answer.evaluated_at, answer)
    }

    pub(crate) async fn resume(
        &self,
        server: &ServerConnection,
    ) -> Result<ChangedToken<v1::ResumeTokenResponse>, Failure> {
        let (whose, which) = self.parts();
        let request = v1::ResumeTokenRequest { owner: whose, which };
        let answer = server.ask(async |client| client.resume_token(request.clone()).await).await?;
        ChangedToken::read(answer.token.clone(), answer.changed, answer.evaluated_at, answer)
    }
}
