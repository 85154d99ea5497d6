//! `ndcli auth token create`.

use std::time::Duration;

use clap_complete::ArgValueCandidates;
use ndauth_core::{Class, ExpiryChoice, Grants, InvalidExpiry, InvalidName, Label, OrgSlug, Orgs, Scope};
use ndauth_proto::{
    expiry_choice_to_proto, grants_to_proto, orgs_to_proto, scope_to_proto,
    v1::{self, revoke_token_request},
};
use ndauth_terminal::{Failure, TokenShown, aside, detailed, nonsense, print, print_json, shown};
use serde_json::Value;

use crate::arguments::{Common, Format, org, scope};
use crate::completion;
use crate::connection::{Connection, connect};

#[derive(clap::Args)]
pub(crate) struct Create {
    /// Human-readable label for the token. Must be unique within your account
    #[arg(long)]
    name: String,

    /// RW (read and write) or RO (read only)
    #[arg(long, value_name = "RW|RO", value_parser = scope)]
    scope: Scope,

    /// Restrict the token to an organization; may be repeated. Omit to allow access to all orgs
    #[arg(long, value_parser = org, add = ArgValueCandidates::new(completion::orgs))]
    org: Vec<OrgSlug>,

    /// Token lifetime. One of: 30d, 60d, 90d, 180d, 365d, never; or an RFC 3339 instant
    #[arg(long, value_name = "DURATION", default_value = "90d", value_parser = expiry)]
    expiry: ExpiryChoice,
}

fn expiry(text: &str) -> Result<ExpiryChoice, InvalidExpiry> {
    ExpiryChoice::parse_preset(text)
}

/// Creates a token, and shows its secret once.
pub(crate) async fn run(common: &Common, create: &Create) -> Result<(), Failure> {
    let name: Label = create.name.parse().map_err(|why: InvalidName| {
        Failure::usage(format!("`--name`: the name {why}"), "a name is up to 100 characters on one line")
    })?;
    let orgs =
        if create.org.is_empty() { Orgs::All } else { Orgs::Only(create.org.iter().cloned().collect()) };
    let mut server = connect(common).await?;
    let request = v1::CreateTokenRequest {
        name: name.to_string(),
        scope: scope_to_proto(create.scope).into(),
        orgs: Some(orgs_to_proto(&orgs)),
        grants: Some(grants_to_proto(&Grants::All)),
        expiry: Some(expiry_choice_to_proto(create.expiry)),
    };
    let made = make(&mut server, request).await?;
    let token = TokenShown::read(made.token)?;
    // Shown in any case, for nobody else has it; but it does not command the terminal.
    let secret = shown(&made.secret);
    match common.format {
        Format::Table => print(&sentences(&token, &secret)),
        Format::Simple => print(&format!(
            "• {} [{}/{}] org:{} expires:{} token:{}\n",
            shown(&token.name),
            shown(&token.prefix),
            token.scope,
            token.org(),
            token.expires(),
            secret
        )),
        Format::Detailed => {
            let mut fields = vec![("Token", secret)];
            fields.extend(super::list::fields(&token, token.created_at));
            print(&detailed(&fields))
        }
        Format::Json => print_json(&flat(&token, &made.secret)),
    }
}

/// Has the token made. Where Ctrl-C comes in between, it is revoked again: nobody would have its secret.
async fn make(
    server: &mut Connection,
    request: v1::CreateTokenRequest,
) -> Result<v1::CreateTokenResponse, Failure> {
    let name = request.name.clone();
    let made = {
        let asked = server.ask_once(async |client| client.create_token(request).await);
        tokio::pin!(asked);
        tokio::select! {
            made = &mut asked => return made.map_err(unsure),
            interrupted = tokio::signal::ctrl_c() => interrupted?,
        }
        aside(
            "interrupted: waiting for the answer, so that no token is left behind; Ctrl-C again ends at once",
        );
        tokio::select! {
            made = &mut asked => made.map_err(unsure)?,
            _ = tokio::signal::ctrl_c() => return Err(left_behind("interrupted again", &name)),
        }
    };
    let id = made.token.ok_or_else(|| nonsense("the answer holds no token"))?.id;
    let request = v1::RevokeTokenRequest { token: Some(revoke_token_request::Token::Id(id)) };
    tokio::select! {
        revoked = server.ask_within(UNDO, async |client| client.revoke_token(request.clone()).await) => {
            revoked.map_err(|failure| left_behind(&failure.message, &name))?;
        }
        _ = tokio::signal::ctrl_c() => return Err(left_behind("interrupted again", &name)),
    }
    Err(Failure {
        message: "interrupted: the token was made, and is revoked again".to_owned(),
        hint: None,
        code: 130,
    })
}

/// How long the way back may take, once Ctrl-C came in between.
const UNDO: Duration = Duration::from_secs(10);

/// That there may be a token whose secret nobody has.
fn left_behind(why: &str, name: &str) -> Failure {
    Failure {
        message: format!("interrupted: the token `{name}` may have been made, and is not revoked: {why}"),
        hint: Some(format!("if `ndcli auth token list` shows it: `ndcli auth token revoke '{name}' --yes`")),
        code: 130,
    }
}

/// A server that was lost in between may have made the token.
fn unsure(failure: Failure) -> Failure {
    if failure.code != Class::Undecided.exit_code() {
        return failure;
    }
    let hint = "the token may have been made all the same: if `ndcli auth token list` shows it, revoke it, and try again";
    Failure { hint: Some(hint.to_owned()), ..failure }
}

/// The answer that the documentation shows.
fn sentences(token: &TokenShown, secret: &str) -> String {
    let org = match &token.orgs {
        None => String::new(),
        Some(_) => format!("Org: {}\n", shown(&token.org())),
    };
    format!(
        "✓ Personal access token created\n\
         ⚠ Copy your token now — it will NOT be shown again.\n\
         Token: {secret}\n\
         Name: {}\n\
         Scope: {}\n\
         {org}\
         Expires: {}\n\
         Set NDCLI_TOKEN=<token> to use static auth without interactive login.\n",
        shown(&token.name),
        token.scope,
        token.expires()
    )
}

/// The token and its secret, side by side, the secret first.
fn flat(token: &TokenShown, secret: &str) -> Value {
    let mut flat = serde_json::Map::from_iter([("token".to_owned(), Value::from(secret))]);
    if let Value::Object(told) = token.json() {
        flat.extend(told);
    }
    Value::Object(flat)
}
