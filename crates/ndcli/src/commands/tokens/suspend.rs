//! `suspend` and `resume` of `ndcli auth token` and `ndcli token`.
//!
//! An org's admin suspends its own tokens, and the personal tokens of its members in the org alone. Without
//! `--member`, the token is looked for among the org's own first, then among its members' by id or prefix: names
//! are unique for one owner only.

use ndauth_core::{OrgSlug, TokenId};
use ndauth_proto::v1;
use ndauth_terminal::{Failure, TokenShown, detailed, print, print_message, shown};
use prost::{Message, Name};

use super::aim::{Aim, ChangedToken, NamedToken, OwnerArguments, OwnerChoice};
use super::list;
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
    let (org, member) = match (&aim.whose, member) {
        (OwnerChoice::Mine, _) => {
            return match power {
                Power::Suspend => suspended(common, &aim.suspend(&server).await?),
                Power::Resume => resumed(common, &aim.resume(&server).await?),
            };
        }
        (OwnerChoice::Org(org), Some(member)) => (org, Some(member)),
        (OwnerChoice::Org(org), None) => match own(common, &server, &aim, power).await? {
            Some(()) => return Ok(()),
            None => (org, None),
        },
    };
    personal(common, &server, org, &aim, member, power).await
}

/// Changes and shows an org's own token; none where the org has no such token.
async fn own(
    common: &CommonOptions,
    server: &ServerConnection,
    aim: &Aim,
    power: Power,
) -> Result<Option<()>, Failure> {
    let (whose, which) = aim.parts();
    match power {
        Power::Suspend => {
            let request = v1::SuspendTokenRequest { owner: whose, which };
            let done = server.find(async |client| client.suspend_token(request.clone()).await).await?;
            let Some(done) = done else { return Ok(None) };
            let done = ChangedToken::read(done.token.clone(), done.changed, done.evaluated_at, done)?;
            suspended(common, &done).map(Some)
        }
        Power::Resume => {
            let request = v1::ResumeTokenRequest { owner: whose, which };
            let done = server.find(async |client| client.resume_token(request.clone()).await).await?;
            let Some(done) = done else { return Ok(None) };
            let done = ChangedToken::read(done.token.clone(), done.changed, done.evaluated_at, done)?;
            resumed(common, &done).map(Some)
        }
    }
}

/// Changes and shows a member's personal token in an org.
async fn personal(
    common: &CommonOptions,
    server: &ServerConnection,
    org: &OrgSlug,
    aim: &Aim,
    member: Option<&str>,
    power: Power,
) -> Result<(), Failure> {
    let id = personal_id(server, org, aim.shown(), member).await?;
    let org = org.to_string();
    match power {
        Power::Suspend => {
            let request = v1::SuspendPersonalTokenRequest { org, id };
            let done =
                server.ask(async |client| client.suspend_personal_token(request.clone()).await).await?;
            suspended(common, &ChangedToken::read(done.token.clone(), done.changed, done.evaluated_at, done)?)
        }
        Power::Resume => {
            let request = v1::ResumePersonalTokenRequest { org, id };
            let done = server.ask(async |client| client.resume_personal_token(request.clone()).await).await?;
            resumed(common, &ChangedToken::read(done.token.clone(), done.changed, done.evaluated_at, done)?)
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
    let tokens = list::read(&listed.tokens)?;
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

fn suspended<M: Message + Name>(common: &CommonOptions, done: &ChangedToken<M>) -> Result<(), Failure> {
    show_changed(common, done, "suspended: it has no power until it is resumed")
}

/// Shows a token that was resumed, with whoever still suspends it.
fn resumed<M: Message + Name>(common: &CommonOptions, done: &ChangedToken<M>) -> Result<(), Failure> {
    let left = done.token.suspensions.iter().map(|(by, _)| by.as_str()).collect::<Vec<_>>().join(", ");
    match left.as_str() {
        "" => show_changed(common, done, "resumed"),
        left => show_changed(common, done, &format!("resumed; still suspended by {left}")),
    }
}

/// Shows a token that was changed.
pub(crate) fn show_changed<M: Message + Name>(
    common: &CommonOptions,
    seen: &ChangedToken<M>,
    how: &str,
) -> Result<(), Failure> {
    let token = &seen.token;
    match common.format {
        Format::Table => print(&format!("✓ \"{}\" {}\n", shown(&token.name), shown(how))),
        Format::Simple => {
            print(&format!("• {} [{}] {}\n", shown(&token.name), shown(&token.prefix), shown(how)))
        }
        Format::Detailed => print(&detailed(&list::fields(token, seen.now))),
        Format::Json => print_message(&seen.answer),
    }
}
