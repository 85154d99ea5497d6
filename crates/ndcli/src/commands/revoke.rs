//! `ndcli auth token revoke`.

use clap_complete::ArgValueCandidates;
use ndauth_core::{InvalidName, Label};
use ndauth_proto::v1::{self, get_token_request, revoke_token_request};
use ndauth_terminal::{Failure, TokenShown, detailed, nonsense, print, print_json, shown};
use serde_json::json;

use crate::arguments::{Common, Format};
use crate::completion;
use crate::connection::connect;
use crate::terminal::confirm;

#[derive(clap::Args)]
pub(crate) struct Revoke {
    /// Name of the token to revoke, as `ndcli auth token list` shows it
    #[arg(add = ArgValueCandidates::new(completion::token_names))]
    name: String,

    /// Skip the confirmation prompt
    #[arg(long)]
    yes: bool,
}

/// Revokes a token, once the person or the flag confirms.
pub(crate) async fn run(common: &Common, revoke: &Revoke) -> Result<(), Failure> {
    let name: Label = revoke.name.parse().map_err(|why: InvalidName| {
        Failure::usage(
            format!("no token is called that: the name {why}"),
            "`ndcli auth token list` shows the names",
        )
    })?;
    if !revoke.yes {
        let question = format!("Revoke token \"{name}\"? This cannot be undone. [y/N]:");
        if !confirm(&question, "--yes")? {
            return Err(Failure::failed("aborted: nothing was revoked", None));
        }
    }
    let server = connect(common).await?;
    // By its name it is looked for, by its id it is revoked: a second try then never meets another token,
    // nor none, where the first was carried out and its answer was lost.
    let by_name = Some(get_token_request::Token::Name(name.to_string()));
    let request = v1::GetTokenRequest { token: by_name };
    let found = server.ask(async |client| client.get_token(request.clone()).await).await?;
    let id = found.token.ok_or_else(|| nonsense("the answer holds no token"))?.id;
    let request = v1::RevokeTokenRequest { token: Some(revoke_token_request::Token::Id(id)) };
    let revoked = server.ask(async |client| client.revoke_token(request.clone()).await).await?;
    let token = TokenShown::read(revoked.token)?;
    match common.format {
        Format::Table => print(&format!("✓ Personal access token \"{}\" revoked\n", shown(&token.name))),
        Format::Simple => print(&format!("• {} [{}] revoked\n", shown(&token.name), shown(&token.prefix))),
        Format::Detailed => print(&detailed(&super::list::fields(&token, token.created_at))),
        Format::Json => print_json(&json!({
            "revoked": true,
            "name": token.name,
            "id": token.id,
            "revoked_at": token.revoked_at.map(|at| at.to_string()),
        })),
    }
}
