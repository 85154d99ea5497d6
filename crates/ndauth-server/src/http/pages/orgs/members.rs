//! The page of an org: its members, the memberships that it offers, and its freeze.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use ndauth_authority::{
    AuthorityError, Changed, MemberList, MemberPage, MemberShown, MemberWithTokens, OfferShown, Whose,
};
use ndauth_core::{Handle, InvalidAccess, OrgSlug, Role, Timestamp, TokenView};

use crate::http::fields::query;
use crate::http::layout::{go, page};
use crate::http::pages::browser::{PagePath as _, PageRequest, Submission};
use crate::http::pages::org_tabs::org_tabs_for;
use crate::http::pages::parts::{Badge, Choice, Frame, Instant, Pager, Tab, age, done_text};
use crate::http::problem::{PageError, PageResult, sentence};
use crate::http::site::Site;

#[derive(Template)]
#[template(path = "org.html")]
struct OrgPage {
    frame: Frame,
    slug: String,
    lead: String,
    badges: Vec<Badge>,
    tabs: Vec<Tab>,
    /// The sentence about the freeze. Empty if the org is not frozen.
    frozen: String,
    is_admin: bool,
    /// True if the members take more than one page.
    is_long: bool,
    members: Vec<MemberRow>,
    pager: Pager,
    /// The handle of the member whose acts are shown, if any.
    member: String,
    member_roles: Vec<Choice>,
    /// The sentence about the tokens that lose their power when the member is removed.
    removal: String,
    handle: String,
    handle_error: String,
    roles: Vec<Choice>,
    offered: Vec<OfferedRow>,
}

struct MemberRow {
    handle: String,
    /// The link to the acts on the member.
    href: String,
    is_me: bool,
    role: &'static str,
    since: Instant,
}

struct OfferedRow {
    handle: String,
    role: &'static str,
    by: String,
    ends: Instant,
}

/// The part of the page that was asked for, and what was typed into its forms.
#[derive(Default)]
struct OrgInput {
    /// The handle after which the list of members begins.
    after: Option<Handle>,
    /// The handle of the member whose acts are shown. Empty if there is none.
    member: String,
    /// The role that was chosen for that member.
    member_role: String,
    /// The handle to which a membership is offered.
    handle: String,
    handle_error: String,
    /// The role that is offered.
    role: String,
    done: String,
    wrong: String,
}

/// The number of members on a page.
const PAGE: u64 = 50;

const ROLES: [(&str, &str); 3] =
    [("RO", "RO: list and query"), ("RW", "RW: also change"), ("ADMIN", "ADMIN: also manage the org")];

/// The result of an act, by its code in the query.
const DONE: &[(&str, &str)] = &[
    ("role", "The role was set."),
    ("removed", "The account is no member any more. Its tokens have no power here."),
    ("offered", "The membership is offered. It takes effect when the account accepts it, within 7 days."),
    ("withdrawn", "The offer was withdrawn."),
    ("frozen", "The org is frozen."),
    ("unfrozen", "The org is no longer frozen."),
    ("joined", "You are a member now."),
    ("unchanged", "Nothing had to be changed."),
];

pub(super) async fn show(State(site): State<Arc<Site>>, request: PageRequest) -> PageResult {
    let slug = request.org()?;
    let input = OrgInput {
        after: request.query.get("after").and_then(|text| text.parse().ok()),
        member: request.query.text("member").trim().to_owned(),
        done: done_text(DONE, &request.query),
        ..OrgInput::default()
    };
    shown(&site, &request, &slug, input, StatusCode::OK).await
}

pub(super) async fn set_role(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let (slug, handle) = (submission.org()?, submission.variable::<Handle>("handle")?);
    let role = role(&submission)?;
    let set = site.authority.orgs().set_member(&submission.credential(), &slug, &handle, role).await;
    match set {
        Ok(Changed { changed, .. }) => {
            let code = if changed { "role" } else { "unchanged" };
            Ok(go(&format!("/orgs/{slug}?{}", query([("member", handle.as_str()), ("done", code)]))))
        }
        Err(error) => {
            let (member, member_role) = (handle.to_string(), role.to_string());
            let input = OrgInput { member, member_role, ..OrgInput::default() };
            again(&site, submission, &slug, input, error).await
        }
    }
}

pub(super) async fn remove(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let (slug, handle) = (submission.org()?, submission.variable::<Handle>("handle")?);
    match site.authority.orgs().remove_member(&submission.credential(), &slug, &handle).await {
        Ok(Changed { .. }) => match submission.view(&site).await {
            // A person who left cannot see the org any more.
            Ok(request) if request.visit.account.handle == handle => Ok(go("/orgs?done=left")),
            _ => Ok(done_at(&slug, "removed")),
        },
        Err(error) => {
            let input = OrgInput { member: handle.to_string(), ..OrgInput::default() };
            again(&site, submission, &slug, input, error).await
        }
    }
}

pub(super) async fn offer(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let slug = submission.org()?;
    let role = role(&submission)?;
    let typed = submission.form.text("handle").trim().to_owned();
    let mut input = OrgInput { handle: typed.clone(), role: role.to_string(), ..OrgInput::default() };
    let handle: Handle = match typed.parse() {
        Ok(handle) => handle,
        Err(why) => {
            input.handle_error = sentence(&format!("the handle {why}"));
            let request = submission.view(&site).await?;
            return shown(&site, &request, &slug, input, StatusCode::BAD_REQUEST).await;
        }
    };
    match site.authority.orgs().offer_membership(&submission.credential(), &slug, &handle, role).await {
        Ok(Changed { .. }) => Ok(done_at(&slug, "offered")),
        Err(error) => again(&site, submission, &slug, input, error).await,
    }
}

pub(super) async fn withdraw(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let (slug, handle) = (submission.org()?, submission.variable::<Handle>("handle")?);
    match site.authority.orgs().withdraw_offer(&submission.credential(), &slug, &handle).await {
        Ok(Changed { .. }) => Ok(done_at(&slug, "withdrawn")),
        Err(error) => again(&site, submission, &slug, OrgInput::default(), error).await,
    }
}

pub(super) async fn freeze(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let slug = submission.org()?;
    match site.authority.orgs().freeze(&submission.credential(), &slug).await {
        Ok(Changed { changed, .. }) => Ok(done_at(&slug, if changed { "frozen" } else { "unchanged" })),
        Err(error) => again(&site, submission, &slug, OrgInput::default(), error).await,
    }
}

pub(super) async fn unfreeze(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let slug = submission.org()?;
    match site.authority.orgs().unfreeze(&submission.credential(), &slug).await {
        Ok(Changed { changed, .. }) => Ok(done_at(&slug, if changed { "unfrozen" } else { "unchanged" })),
        Err(error) => again(&site, submission, &slug, OrgInput::default(), error).await,
    }
}

/// Returns the redirect to the org's page after an act.
fn done_at(slug: &OrgSlug, code: &str) -> axum::response::Response {
    go(&format!("/orgs/{slug}?done={code}"))
}

/// Reads the role that a form states.
fn role(submission: &Submission) -> Result<Role, PageError> {
    let wrong = |why: InvalidAccess| PageError::bad(sentence(&format!("the role: {why}")));
    submission.form.text("role").parse::<Role>().map_err(wrong)
}

/// Shows the page again after an act that failed.
async fn again(
    site: &Site,
    submission: Submission,
    slug: &OrgSlug,
    mut input: OrgInput,
    error: AuthorityError,
) -> PageResult {
    let is_about_handle = matches!(error, AuthorityError::Invalid { field: "handle", .. });
    let failure = submission.error(site, error).await?;
    if is_about_handle {
        input.handle_error = failure.text;
    } else {
        input.wrong = failure.text;
    }
    shown(site, &submission.view(site).await?, slug, input, failure.status).await
}

async fn shown(
    site: &Site,
    request: &PageRequest,
    slug: &OrgSlug,
    input: OrgInput,
    status: StatusCode,
) -> PageResult {
    let credential = request.credential();
    let orgs = site.authority.orgs();
    let asked = MemberPage { after: input.after.clone(), limit: PAGE };
    let MemberList { org, role, members, next } = orgs.list_members(&credential, slug, &asked).await?;
    let now = request.visit.now;
    let mut frame = Frame::new(&request.visit, "orgs");
    frame.done = input.done;
    frame.wrong = match input.handle_error.as_str() {
        "" => input.wrong,
        _ => "Nothing was offered. Look at the field that is marked.".to_owned(),
    };
    let is_admin = role == Role::Admin;
    let mut offered = Vec::new();
    let mut chosen = None;
    if is_admin {
        offered = orgs.list_offers(&credential, &Whose::Org(slug.clone())).await?.rows;
        if !input.member.is_empty() {
            chosen = match input.member.parse::<Handle>() {
                Ok(handle) => match orgs.get_member(&credential, slug, &handle).await {
                    Ok(found) => Some(found),
                    Err(AuthorityError::NotFound { .. }) => None,
                    Err(error) => return Err(error.into()),
                },
                Err(_) => None,
            };
            if chosen.is_none() && frame.wrong.is_empty() {
                frame.wrong = sentence(&format!("no member of {slug} has that handle"));
            }
        }
    }
    let first = if asked.after.is_some() { format!("/orgs/{slug}") } else { String::new() };
    let next =
        next.map_or_else(String::new, |last| format!("/orgs/{slug}?{}", query([("after", last.as_str())])));
    let me = &request.visit.account.handle;
    let rows = members.iter().map(|member| member_row(slug, asked.after.as_ref(), member, me));
    let shown_role = chosen.as_ref().map_or(Role::Ro, |found| found.member.role);
    let chosen_role = Some(input.member_role.as_str()).filter(|role| !role.is_empty());
    let org_page = OrgPage {
        slug: slug.to_string(),
        lead: org
            .name
            .as_ref()
            .map_or_else(|| format!("Your role: {role}."), |name| format!("{name}. Your role: {role}.")),
        badges: org.frozen_at.iter().map(|_| Badge::new("warn", "Frozen")).collect(),
        tabs: org_tabs_for(slug, role, "Members"),
        frozen: org.frozen_at.map_or_else(String::new, |since| {
            format!("Frozen since {}: tokens may only read here, and no role can change.", since.minute())
        }),
        is_admin,
        is_long: !first.is_empty() || !next.is_empty(),
        members: rows.collect(),
        pager: Pager { text: member_count(members.len()), first, next },
        member: chosen.as_ref().map_or_else(String::new, |found| found.member.handle.to_string()),
        member_roles: Choice::of(&ROLES, chosen_role.unwrap_or(shown_role.as_str())),
        removal: chosen.as_ref().map_or_else(String::new, |found| removal(found, now)),
        handle: input.handle,
        handle_error: input.handle_error,
        roles: Choice::of(&ROLES, if input.role.is_empty() { "RO" } else { &input.role }),
        offered: offered.iter().map(offered_row).collect(),
        frame,
    };
    Ok(page(status, &org_page))
}

fn member_row(slug: &OrgSlug, after: Option<&Handle>, member: &MemberShown, me: &Handle) -> MemberRow {
    let place = after.map(|after| ("after", after.as_str()));
    let link = query(place.into_iter().chain([("member", member.handle.as_str())]));
    MemberRow {
        handle: member.handle.to_string(),
        href: format!("/orgs/{slug}?{link}#member"),
        is_me: member.handle == *me,
        role: member.role.as_str(),
        since: Instant::day(member.since),
    }
}

fn offered_row(offer: &OfferShown) -> OfferedRow {
    OfferedRow {
        handle: offer.handle.to_string(),
        role: offer.role.as_str(),
        by: offer.made_by.to_string(),
        ends: Instant::at(offer.ends_at),
    }
}

fn member_count(count: usize) -> String {
    format!("{count} {}", if count == 1 { "member" } else { "members" })
}

/// Returns the sentence about the tokens that lose their power when a member is removed.
fn removal(found: &MemberWithTokens, now: Timestamp) -> String {
    let last = found.tokens.iter().filter_map(TokenView::last_use).map(|last| last.at).max();
    losses(found.tokens.len(), last, now)
}

fn losses(tokens: usize, last: Option<Timestamp>, now: Timestamp) -> String {
    let used =
        last.map_or_else(|| "never used here".to_owned(), |at| format!("last used here {}", age(at, now)));
    match tokens {
        0 => "None of their tokens is for this org now.".to_owned(),
        1 => format!("1 token is affected, {used}."),
        count => format!("{count} tokens are affected, {used}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tokens_that_lose_power_are_counted_with_their_last_use() {
        let at = |micros| Timestamp::from_micros(micros).expect("an instant");
        let (then, now) = (at(0), at(3 * 3600 * 1_000_000));
        for (tokens, last, expected) in [
            (0, None, "None of their tokens is for this org now."),
            (1, None, "1 token is affected, never used here."),
            (2, Some(then), "2 tokens are affected, last used here 3 hours ago."),
        ] {
            assert_eq!(losses(tokens, last, now), expected);
        }
    }
}
