//! Which token a command is about, and what can be done with it: the same for a person's own and for an org's.

use std::time::Duration;

use ndauth_core::{ExpiryChoice, InvalidName, Label, OrgSlug, Timestamp};
use ndauth_proto::{duration_to_proto, expiry_choice_to_proto, timestamp_from_proto, v1};
use ndauth_terminal::{Failure, TokenShown, nonsense, told};

use crate::connection::Connection;

/// A token of the caller's own, or of an org.
#[derive(Clone)]
pub(crate) struct Aim {
    pub(crate) org: Option<OrgSlug>,
    pub(crate) token: Named,
}

/// How a token is named.
#[derive(Clone)]
pub(crate) enum Named {
    Name(Label),
    Id(String),
}

/// A token, as of an instant.
pub(crate) struct Seen {
    pub(crate) token: TokenShown,
    pub(crate) now: Timestamp,
}

/// A token that was rotated.
pub(crate) struct Rotated {
    pub(crate) token: TokenShown,
    pub(crate) secret: String,
    pub(crate) pending_until: Timestamp,
}

/// Asks by the RPC for a person's own tokens, or by that for an org's: their requests say the same.
macro_rules! either {
    ($aim:ident, $server:ident.$how:ident,
     $own:ident($own_request:ident, $own_token:ident), $orgs:ident($org_request:ident, $org_token:ident),
     { $($field:ident: $value:expr),* }, |$answer:ident| $made:expr) => {
        match &$aim.org {
            None => {
                let token = Some(match &$aim.token {
                    Named::Name(name) => v1::$own_token::Token::Name(name.to_string()),
                    Named::Id(id) => v1::$own_token::Token::Id(id.clone()),
                });
                let request = v1::$own_request { token, $($field: $value),* };
                let $answer = $server.$how(async |client| client.$own(request.clone()).await).await?;
                $made
            }
            Some(org) => {
                let token = Some(match &$aim.token {
                    Named::Name(name) => v1::$org_token::Token::Name(name.to_string()),
                    Named::Id(id) => v1::$org_token::Token::Id(id.clone()),
                });
                let request = v1::$org_request { org: org.to_string(), token, $($field: $value),* };
                let $answer = $server.$how(async |client| client.$orgs(request.clone()).await).await?;
                $made
            }
        }
    };
}

impl Aim {
    /// One of the caller's own, by name.
    pub(crate) fn mine(name: &str) -> Result<Aim, Failure> {
        Ok(Aim { org: None, token: Named::Name(label(name, "ndcli auth token list")?) })
    }

    /// The same token by its id: a second try then never meets another.
    pub(crate) fn by_id(&self, seen: &TokenShown) -> Aim {
        Aim { org: self.org.clone(), token: Named::Id(seen.id.clone()) }
    }

    /// How it is named, for people.
    pub(crate) fn shown(&self) -> &str {
        match &self.token {
            Named::Name(name) => name.as_str(),
            Named::Id(id) => id,
        }
    }

    /// How a command about it is written.
    pub(crate) fn command(&self, verb: &str) -> String {
        match (&self.org, &self.token) {
            (None, Named::Name(name)) => format!("ndcli auth token {verb} '{name}'"),
            (None, Named::Id(id)) => format!("ndcli auth token {verb} {id}"),
            (Some(org), Named::Name(name)) => format!("ndcli token {verb} '{name}' --org {org}"),
            (Some(org), Named::Id(id)) => format!("ndcli token {verb} --token-id {id} --org {org}"),
        }
    }

    pub(crate) async fn get(&self, server: &Connection) -> Result<Seen, Failure> {
        either!(
            self,
            server.ask,
            get_token(GetTokenRequest, get_token_request),
            get_org_token(GetOrgTokenRequest, get_org_token_request),
            {},
            |answer| seen(answer.token, answer.evaluated_at)
        )
    }

    pub(crate) async fn revoke(&self, server: &Connection, reason: &str) -> Result<TokenShown, Failure> {
        either!(self, server.ask, revoke_token(RevokeTokenRequest, revoke_token_request),
            revoke_org_token(RevokeOrgTokenRequest, revoke_org_token_request), { reason: reason.to_owned() },
            |answer| TokenShown::read(answer.token))
    }

    pub(crate) async fn rotate(
        &self,
        server: &Connection,
        overlap: Duration,
        expiry: Option<ExpiryChoice>,
    ) -> Result<Rotated, Failure> {
        let (overlap, expiry) = (Some(duration_to_proto(overlap)), expiry.map(expiry_choice_to_proto));
        either!(self, server.ask_once, rotate_token(RotateTokenRequest, rotate_token_request),
        rotate_org_token(RotateOrgTokenRequest, rotate_org_token_request), { overlap: overlap, expiry: expiry },
        |answer| {
            let until = answer.pending_until.ok_or_else(|| nonsense("the answer tells no end"))?;
            Ok(Rotated {
                token: TokenShown::read(answer.token)?,
                secret: answer.secret,
                pending_until: timestamp_from_proto("pending_until", until)?,
            })
        })
    }

    pub(crate) async fn settle(
        &self,
        server: &Connection,
        kind: v1::settling::Kind,
    ) -> Result<Seen, Failure> {
        let settling = Some(v1::Settling { kind: Some(kind) });
        either!(self, server.ask, settle_rotation(SettleRotationRequest, settle_rotation_request),
            settle_org_rotation(SettleOrgRotationRequest, settle_org_rotation_request),
            { settling: settling.clone() }, |answer| seen(answer.token, answer.evaluated_at))
    }

    /// Renews it. Says whether its end was moved.
    pub(crate) async fn renew(
        &self,
        server: &Connection,
        minimum: Option<Duration>,
    ) -> Result<(Seen, bool), Failure> {
        let minimum = minimum.map(duration_to_proto);
        either!(self, server.ask_once, renew_token(RenewTokenRequest, renew_token_request),
            renew_org_token(RenewOrgTokenRequest, renew_org_token_request), { minimum: minimum },
            |answer| Ok((seen(answer.token, answer.evaluated_at)?, answer.renewed)))
    }

    pub(crate) async fn suspend(&self, server: &Connection) -> Result<Seen, Failure> {
        either!(
            self,
            server.ask,
            suspend_token(SuspendTokenRequest, suspend_token_request),
            suspend_org_token(SuspendOrgTokenRequest, suspend_org_token_request),
            {},
            |answer| seen(answer.token, answer.evaluated_at)
        )
    }

    pub(crate) async fn resume(&self, server: &Connection) -> Result<Seen, Failure> {
        either!(
            self,
            server.ask,
            resume_token(ResumeTokenRequest, resume_token_request),
            resume_org_token(ResumeOrgTokenRequest, resume_org_token_request),
            {},
            |answer| seen(answer.token, answer.evaluated_at)
        )
    }
}

/// The name of a token, as a person wrote it.
pub(crate) fn label(name: &str, list: &str) -> Result<Label, Failure> {
    name.parse().map_err(|why: InvalidName| {
        Failure::usage(
            format!("no token is called that: the name {why}"),
            format!("`{list}` shows the names"),
        )
    })
}

fn seen(token: Option<v1::Token>, at: Option<prost_types::Timestamp>) -> Result<Seen, Failure> {
    Ok(Seen { now: told("evaluated_at", Some(at))?, token: TokenShown::read(token)? })
}
