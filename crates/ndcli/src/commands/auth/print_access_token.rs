//! `ndcli auth print-access-token`.

use std::io;

use clap::ValueEnum;
use clap_complete::ArgValueCandidates;
use ndauth_core::{OrgSlug, Problem, Reason, SecretKind};
use ndauth_terminal::{Failure, json_text, print_once};
use serde_json::json;

use crate::commands::candidates;
use crate::login::credentials::{RefreshReason, fresh, refreshed};
use crate::login::oauth::{self, AccessToken};
use crate::settings::values::org;
use crate::settings::{CommonOptions, Format};
use crate::terminal::format_remaining;

#[derive(clap::Args)]
pub(crate) struct PrintAccessToken {
    /// Restrict it to this org [default: all your orgs]
    #[arg(long = "org", value_name = "SLUG", value_parser = org,
          add = ArgValueCandidates::new(candidates::orgs))]
    for_org: Option<OrgSlug>,

    /// Scope: rw or ro
    #[arg(long, value_name = "SCOPE", default_value = "rw", ignore_case = true, hide_possible_values = true)]
    scope: ScopeOption,
}

#[derive(Clone, Copy, ValueEnum)]
enum ScopeOption {
    /// Read
    Ro,
    /// Read and write
    Rw,
}

impl ScopeOption {
    fn as_str(self) -> &'static str {
        match self {
            ScopeOption::Ro => "RO",
            ScopeOption::Rw => "RW",
        }
    }
}

/// Derives a short-lived token from the login, and prints it alone.
pub(crate) async fn run(common: &CommonOptions, asked: &PrintAccessToken) -> Result<(), Failure> {
    let credential = fresh(common).await?;
    if credential.secret.kind() != SecretKind::Session {
        let message = format!("only a login gives access tokens, and {} is not a login", credential.source);
        return Err(Problem::new(Reason::SessionRequired, message).into());
    }
    let (scope, for_org) = (Some(asked.scope.as_str()), asked.for_org.as_ref());
    let refreshes = credential.login.as_ref().is_some_and(|stored| stored.login.is_refreshable());
    let exchanged = match oauth::exchange(common, &credential.secret, scope, for_org).await {
        Err(error) if error.is_invalid_grant() && refreshes => {
            let again = refreshed(common, &credential.secret, RefreshReason::Refused).await?;
            oauth::exchange(common, &again.secret, scope, for_org).await
        }
        exchanged => exchanged,
    };
    let exchanged = exchanged.map_err(|error| match error.is_invalid_grant() {
        true => Failure::from(error).of(&format!("{} was refused", credential.source)),
        false => error.into(),
    })?;
    let text = match common.format {
        Format::Json => json_text(&json!({
            "access_token": exchanged.secret.expose(),
            "token_type": "Bearer",
            "expires_in": exchanged.lasts.as_secs(),
            "scope": exchanged.scope,
            "org": asked.for_org.as_ref().map(OrgSlug::as_str),
        })),
        Format::Table | Format::Simple | Format::Detailed => {
            format!("{}\n", exchanged.secret.expose())
        }
    };
    match print_once(&text) {
        Ok(()) => Ok(()),
        Err(error) => Err(take_back(common, &exchanged, &error).await),
    }
}

/// Revokes the token, since nobody has it. Gives the failure of the command.
async fn take_back(common: &CommonOptions, exchanged: &AccessToken, error: &io::Error) -> Failure {
    let end = match oauth::revoke(common, &exchanged.secret).await {
        Ok(()) => "is revoked again".to_owned(),
        Err(error) => {
            format!("stays valid for {}: {}", format_remaining(exchanged.lasts), Failure::from(error).message)
        }
    };
    Failure::failed(
        format!("standard output cannot be written: {error}: the access token was made, and {end}"),
        None,
    )
}
