//! The acts on one token. Each leads back to the token's page, but for a rotation, which shows the new secret.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use ndauth_authority::{AuthorityError, Changed, Renewing, Revoking, Which, Whose};
use ndauth_core::{TokenId, TokenView};

use super::created::{MintedSecret, show_secret};
use super::place::tokens_path;
use super::show::again;
use crate::http::layout::go;
use crate::http::pages::browser::{PagePath as _, Submission};
use crate::http::pages::parts::overlap;
use crate::http::problem::{PageError, PageResult, sentence};
use crate::http::site::Site;

/// The token that an act is about.
struct Target {
    whose: Whose,
    which: Which,
    id: TokenId,
    /// The path of its page.
    path: String,
}

impl Target {
    fn of(submission: &Submission) -> Result<Target, PageError> {
        let (whose, id) = (submission.whose()?, submission.token()?);
        let path = format!("{}/{id}", tokens_path(&whose));
        Ok(Target { whose, which: Which::Id(id), id, path })
    }
}

/// Returns the response to an act: its token's page, which names what was done.
async fn done(
    site: &Site,
    submission: Submission,
    target: &Target,
    acted: Result<Changed<TokenView>, AuthorityError>,
    code: &str,
) -> PageResult {
    match acted {
        Ok(Changed { changed, .. }) => {
            let code = if changed { code } else { "unchanged" };
            Ok(go(&format!("{}?done={code}", target.path)))
        }
        Err(error) => refused(site, submission, target, error).await,
    }
}

/// Returns the response to an act that failed: its token's page, with the error and what was typed.
async fn refused(site: &Site, submission: Submission, target: &Target, error: AuthorityError) -> PageResult {
    let failure = submission.error(site, error).await?;
    if failure.status == StatusCode::NOT_FOUND {
        return Err(failure.into());
    }
    again(site, &submission.view(site).await?, &target.whose, target.id, failure).await
}

pub(super) async fn describe(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let target = Target::of(&submission)?;
    let description = match submission.form.get("description") {
        None => None,
        Some(text) => {
            let parsed = text.parse().map_err(|why| bad(&format!("the description {why}")))?;
            Some(parsed)
        }
    };
    let tokens = site.authority.tokens();
    let acted =
        tokens.update(&submission.credential(), &target.whose, &target.which, Some(&description)).await;
    done(&site, submission, &target, acted, "described").await
}

pub(super) async fn rotate(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let target = Target::of(&submission)?;
    let overlap = overlap(&submission.form)?;
    let tokens = site.authority.tokens();
    let rotated = tokens.rotate(&submission.credential(), &target.whose, &target.which, overlap, None).await;
    match rotated {
        Ok(Changed { value, now, .. }) => {
            let minted = MintedSecret {
                view: value.view,
                secret: value.secret,
                pending_until: Some(value.pending_until),
                powerless: None,
            };
            show_secret(&site, submission, &target.whose, &minted, now).await
        }
        Err(error) => refused(&site, submission, &target, error).await,
    }
}

pub(super) async fn confirm(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let target = Target::of(&submission)?;
    // The prefix that the page showed, so that only that secret is confirmed.
    let prefix = submission.form.text("prefix").parse();
    let prefix = prefix.map_err(|why| bad(&format!("the prefix: {why}")))?;
    let tokens = site.authority.tokens();
    let acted =
        tokens.confirm_rotation(&submission.credential(), &target.whose, &target.which, Some(prefix)).await;
    done(&site, submission, &target, acted, "confirmed").await
}

pub(super) async fn drop_new(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let target = Target::of(&submission)?;
    let tokens = site.authority.tokens();
    let acted = tokens.drop_rotation(&submission.credential(), &target.whose, &target.which).await;
    done(&site, submission, &target, acted, "dropped").await
}

pub(super) async fn retire(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let target = Target::of(&submission)?;
    let anyway = submission.form.get("anyway") == Some("yes");
    let tokens = site.authority.tokens();
    let acted = tokens.retire_secret(&submission.credential(), &target.whose, &target.which, anyway).await;
    done(&site, submission, &target, acted, "retired").await
}

pub(super) async fn renew(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let target = Target::of(&submission)?;
    let tokens = site.authority.tokens();
    let renewing = Renewing::default();
    let acted = tokens.renew(&submission.credential(), &target.whose, &target.which, renewing).await;
    done(&site, submission, &target, acted, "renewed").await
}

pub(super) async fn suspend(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let target = Target::of(&submission)?;
    let tokens = site.authority.tokens();
    let acted = tokens.suspend(&submission.credential(), &target.whose, &target.which).await;
    done(&site, submission, &target, acted, "suspended").await
}

pub(super) async fn resume(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let target = Target::of(&submission)?;
    let tokens = site.authority.tokens();
    let acted = tokens.resume(&submission.credential(), &target.whose, &target.which).await;
    done(&site, submission, &target, acted, "resumed").await
}

pub(super) async fn revoke(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let target = Target::of(&submission)?;
    let reason = submission.form.get("reason").unwrap_or("no-longer-needed");
    let reason = reason.parse().map_err(|why| bad(&format!("the reason: {why}")))?;
    let note = submission.form.get("note").map(str::parse).transpose();
    let note = note.map_err(|why| bad(&format!("the note {why}")))?;
    let tokens = site.authority.tokens();
    let why = Revoking { reason, note };
    let acted = tokens.revoke(&submission.credential(), &target.whose, &target.which, &why).await;
    done(&site, submission, &target, acted, "revoked").await
}

fn bad(message: &str) -> PageError {
    PageError::bad(sentence(message))
}
