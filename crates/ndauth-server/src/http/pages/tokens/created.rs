//! The page of a new secret, which is shown once, in the response to the form that made it.

use axum::http::StatusCode;
use ndauth_authority::Whose;
use ndauth_core::{Refusal, Secret, Timestamp, TokenView};
use ndauth_proto::refusal_to_proto;

use super::place::{place, tokens_path};
use super::rows::{named, shown};
use crate::http::layout::page;
use crate::http::pages::browser::Submission;
use crate::http::pages::once::{Command, OncePage};
use crate::http::pages::parts::{Fact, Instant};
use crate::http::problem::{PageResult, sentence};
use crate::http::site::Site;

/// A secret that was just made.
pub(super) struct MintedSecret {
    pub(super) view: TokenView,
    pub(super) secret: Secret,
    /// The instant until which it awaits confirmation, after a rotation.
    pub(super) pending_until: Option<Timestamp>,
    pub(super) powerless: Option<Refusal>,
}

/// Shows a new secret.
pub(super) async fn show_secret(
    site: &Site,
    submission: Submission,
    whose: &Whose,
    minted: &MintedSecret,
    now: Timestamp,
) -> PageResult {
    let token = shown(&minted.view, now);
    let href = format!("{}/{}", tokens_path(whose), token.id);
    let secret = minted.secret.expose();
    let is_rotation = minted.pending_until.is_some();
    let kind = Some(minted.secret.kind());
    let page_of_secret = OncePage {
        frame: submission.frame_of_secret(site, place(whose).0).await,
        title: if is_rotation { "Token rotated" } else { "Token created" },
        warning: if is_rotation {
            "ndauth keeps only a hash of it. If it is lost, drop it, and rotate again."
        } else {
            "ndauth keeps only a hash of it. If it is lost, rotate the token."
        },
        label: format!("Secret of “{}”", token.name),
        secret: secret.to_owned(),
        waiting: minted.pending_until.map_or_else(String::new, |until| {
            format!(
                "The new secret awaits confirmation until {}. Its first use confirms it. If nothing does, it \
                 expires, and the old secret stays.",
                until.minute()
            )
        }),
        powerless: minted.powerless.as_ref().map_or_else(String::new, |refusal| {
            let why = refusal_to_proto(refusal, kind).message;
            format!("It may do nothing at present: {}", sentence(&why))
        }),
        facts: vec![
            Fact::new("Name", token.name.clone()),
            Fact::new("Scope", token.held()),
            Fact::new("Orgs", named(token.orgs.as_deref(), "All orgs of which you are a member")),
            Fact::at("Expires", Instant::end(token.expiry)),
        ],
        commands: commands(&site.issuer, secret),
        confirm_action: if is_rotation { format!("{href}/confirm") } else { String::new() },
        drop_action: if is_rotation { format!("{href}/drop") } else { String::new() },
        prefix: token.prefix.clone(),
        next_href: href,
        next_text: if is_rotation { "To the token" } else { "I have copied it" },
    };
    Ok(page(StatusCode::OK, &page_of_secret))
}

fn commands(server: &str, secret: &str) -> Vec<Command> {
    vec![
        Command {
            id: "use-shell",
            label: "In a shell, with ndcli",
            text: format!("export NDCLI_SERVER={server}\nexport NDCLI_TOKEN={secret}\nndcli whoami"),
        },
        Command {
            id: "use-ci",
            label: "As a secret of GitHub Actions",
            text: "gh secret set NDCLI_TOKEN".to_owned(),
        },
        Command {
            id: "use-curl",
            label: "With curl",
            text: format!("curl -H \"Authorization: Bearer {secret}\" {server}/v1/whoami"),
        },
    ]
}
