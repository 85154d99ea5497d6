//! `suspend` and `resume` of `ndcli auth token` and `ndcli token`.
//!
//! An org's admin suspends its own tokens, and the personal tokens of its members in the org alone. Without
//! `--member`, the token is looked for among the org's own first, then among its members' by id or prefix: names
//! are unique for one owner only.

use ndauth_core::{OrgSlug, TokenId};
use ndauth_proto::v1;
use ndauth_terminal::{Failure, TokenShown, detailed, print, print_json, shown};

use super::aim::{Aim, ChangedToken, NamedToken, OwnerArguments, OwnerChoice, changed};
use super::list::fields;
use crate::connection::{ServerConnection, connect};
use crate::settings::{CommonOptions, Format};

/// A change of a token's power.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Power {
    Suspend,
    Resume,
}

/// Suspends or resumes a token.
pub(crate) async fn run<W: OwnerArguments>(
    common: &CommonOptions,
    named: &NamedToken<W>,
    power: Power,
) -> Result<(), Failure> {
    let (aim, member) = (named.aim()?, named.owner.member());
    let server = connect(common).await?;
    let done = match (&aim.whose, member) {
        (OwnerChoice::Org(org), Some(_)) => personal(&server, org, &aim, member, power).await?,
        (OwnerChoice::Org(org), None) => match own(&server, &aim, power).await? {
            Some(done) => done,
            None => personal(&server, org, &aim, None, power).await?,
        },
        (OwnerChoice::Mine, _) => match power {
            Power::Suspend => aim.suspend(&server).await?,
            Power::Resume => aim.resume(&server).await?,
        },
    };
    match power {
        Power::Suspend => show_changed(common, &done, "suspended: it has no power until it is resumed"),
        Power::Resume => show_changed(common, &done, &resumed(&done.token)),
    }
}

/// Changes an org's own token; none where the org has no such token.
async fn own(server: &ServerConnection, aim: &Aim, power: Power) -> Result<Option<ChangedToken>, Failure> {
    let (whose, which) = aim.parts();
    let done = match power {
        Power::Suspend => {
            let request = v1::SuspendTokenRequest { owner: whose, which };
            let done = server.find(async |client| client.suspend_token(request.clone()).await).await?;
            done.map(|done| changed(done.token, done.changed, done.evaluated_at))
        }
        Power::Resume => {
            let request = v1::ResumeTokenRequest { owner: whose, which };
            let done = server.find(async |client| client.resume_token(request.clone()).await).await?;
            done.map(|done| changed(done.token, done.changed, done.evaluated_at))
        }
    };
    done.transpose()
}

/// Changes a member's personal token in an org.
async fn personal(
    server: &ServerConnection,
    org: &OrgSlug,
    aim: &Aim,
    member: Option<&str>,
    power: Power,
) -> Result<ChangedToken, Failure> {
    let id = personal_id(server, org, aim.shown(), member).await?;
    let org = org.to_string();
    match power {
        Power::Suspend => {
            let request = v1::SuspendPersonalTokenRequest { org, id };
            let done =
                server.ask(async |client| client.suspend_personal_token(request.clone()).await).await?;
            changed(done.token, done.changed, done.evaluated_at)
        }
        Power::Resume => {
            let request = v1::ResumePersonalTokenRequest { org, id };
            let done = server.ask(async |client| client.resume_personal_token(request.clone()).await).await?;
            changed(done.token, done.changed, done.evaluated_at)
        }
    }
}

/// Finds a personal token that may have power in an org. A whole id needs no list.
async fn personal_id(
    server: &ServerConnection,
    org: &OrgSlug,
    text: &str,
    member: Option<&str>,
) -> Result<String, Failure> {
    if member.is_none() && text.parse::<TokenId>().is_ok() {
        return Ok(text.to_owned());
    }
    let listed = server.ask(async |client| client.every_personal_token(org, usize::MAX).await).await?;
    let tokens = listed.tokens.into_iter().map(|token| TokenShown::read(Some(token)));
    let tokens = tokens.collect::<Result<Vec<_>, _>>()?;
    let meant = |token: &&TokenShown| {
        let owned = member.is_none_or(|member| token.owner.as_deref() == Some(member));
        let named = member.is_some() && token.name == text;
        owned && (named || begins(&token.id, text) || token.prefix == text)
    };
    let found: Vec<&TokenShown> = tokens.iter().filter(meant).collect();
    let look = format!("`ndcli org tokens {org}` shows the tokens, their owners and their ids");
    match found.as_slice() {
        [token] => Ok(token.id.clone()),
        [] => {
            let of = member.map(|member| format!(" of `{member}`")).unwrap_or_default();
            Err(Failure::failed(format!("there is no token `{text}`{of} in the org `{org}`"), Some(&look)))
        }
        _ => Err(Failure::failed(format!("`{text}` may be any of {} tokens", found.len()), Some(&look))),
    }
}

/// True where a text is the beginning of an id, and long enough to be meant as one.
fn begins(id: &str, text: &str) -> bool {
    text.len() >= 4 && id.starts_with(text)
}

/// The sentence for a token that was resumed, with whoever still suspends it.
fn resumed(token: &TokenShown) -> String {
    let left = token.suspensions.iter().map(|(by, _)| by.as_str()).collect::<Vec<_>>().join(", ");
    if left.is_empty() { "resumed".to_owned() } else { format!("resumed; still suspended by {left}") }
}

/// Shows a token that was changed.
pub(crate) fn show_changed(common: &CommonOptions, seen: &ChangedToken, how: &str) -> Result<(), Failure> {
    let token = &seen.token;
    match common.format {
        Format::Table => print(&format!("✓ \"{}\" {}\n", shown(&token.name), shown(how))),
        Format::Simple => {
            print(&format!("• {} [{}] {}\n", shown(&token.name), shown(&token.prefix), shown(how)))
        }
        Format::Detailed => print(&detailed(&fields(token, seen.now))),
        Format::Json => print_json(&token.json()),
    }
}
