//! The page of the person: sessions, password, and the memberships that orgs offer.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use ndauth_authority::{
    AuthorityError, Changed, MySession, OfferShown, UndeliveredMail, WhichSessions, Whose,
};
use ndauth_core::{DisplayName, InvalidNoticeKind, NoticeKind, Timestamp};

use crate::http::layout::{go, go_with, page};
use crate::http::links::sign_in;
use crate::http::pages::browser::{PagePath as _, PageRequest, Submission};
use crate::http::pages::parts::{Badge, Choice, Fact, Frame, Instant, done_text};
use crate::http::problem::{PageFailure, PageResult, sentence};
use crate::http::route::{HttpRoute, person};
use crate::http::site::Site;

#[rustfmt::skip]
pub(super) const ROUTES: &[HttpRoute] = &[
    person("GET /me",                          || get(show)),
    person("POST /me/sessions/end",            || post(end_all)),
    person("POST /me/sessions/{session}/end",  || post(end_one)),
    person("POST /me/password",                || post(set_password)),
    person("POST /me/notices",                 || post(set_notices)),
];

#[derive(Template)]
#[template(path = "me.html")]
struct MePage {
    frame: Frame,
    offers: Vec<OfferNote>,
    sessions: Vec<SessionRow>,
    /// The number of sessions, if some of them are not shown.
    more: String,
    sessions_effect: String,
    facts: Vec<Fact>,
    has_devices: bool,
    /// A sentence that says where notices go, or that this server mails none.
    mail: String,
    undelivered: Vec<UndeliveredNote>,
    /// The kinds of notices that can be turned off. Those that are on are chosen.
    on: Vec<Choice>,
    password_error: String,
    password_again_error: String,
}

/// A mail that did not arrive.
struct UndeliveredNote {
    at: Instant,
    text: String,
}

/// An offer, as the person sees it first.
pub(super) struct OfferNote {
    pub(super) org: String,
    pub(super) role: String,
    pub(super) by: String,
    pub(super) ends: Instant,
}

struct SessionRow {
    id: String,
    device: String,
    badges: Vec<Badge>,
    address: String,
    began: Instant,
    seen: Instant,
    is_current: bool,
}

/// The most mails that did not arrive that are shown, the newest first.
const MOST_UNDELIVERED: usize = 5;
/// The most sessions that are shown, the newest first.
const MOST_SESSIONS: usize = 50;

/// The result of an act, by its code in the query.
const DONE: &[(&str, &str)] = &[
    ("ended", "The session was ended."),
    ("password", "The password was set. All other sessions ended."),
    ("declined", "The offer was declined."),
    ("notices", "Your choice of notices is kept."),
];

/// The errors in the form of the password.
#[derive(Default)]
struct PasswordErrors {
    password: String,
    again: String,
}

pub(super) async fn show(State(site): State<Arc<Site>>, request: PageRequest) -> PageResult {
    shown(&site, &request, PasswordErrors::default(), StatusCode::OK).await
}

async fn shown(site: &Site, request: &PageRequest, errors: PasswordErrors, status: StatusCode) -> PageResult {
    let credential = request.credential();
    let listed = site.authority.logins().list_my_sessions(&credential).await?;
    let offers = site.authority.orgs().list_offers(&credential, &Whose::Mine).await?;
    let notices = site.authority.notices().get_preferences(&credential).await?;
    let mut frame = Frame::new(&request.visit, "me");
    frame.done = done_text(DONE, &request.query);
    if !errors.password.is_empty() || !errors.again.is_empty() {
        frame.wrong = "The password was not set. Look at the field that is marked.".to_owned();
    }
    let account = &request.visit.account;
    let mut facts = vec![Fact::new("Account", account.handle.to_string())];
    facts.extend(account.name.as_ref().map(|name| Fact::new("Name", name.to_string())));
    facts.push(Fact::new("E-mail", account.email.to_string()));
    facts.push(Fact::at("Since", Instant::day(account.created_at)));
    let count = listed.rows.len();
    let me = MePage {
        frame,
        offers: offers.rows.iter().map(OfferNote::of).collect(),
        sessions: listed
            .rows
            .iter()
            .rev()
            .take(MOST_SESSIONS)
            .map(|row| session_row(row, listed.now))
            .collect(),
        more: if count > MOST_SESSIONS {
            format!("{count} sessions live; the newest {MOST_SESSIONS} are shown.")
        } else {
            String::new()
        },
        sessions_effect: format!(
            "{count} {} and the programs that use {} have to log in again. Your tokens stay.",
            if count == 1 { "session ends," } else { "sessions end," },
            if count == 1 { "it" } else { "them" },
        ),
        facts,
        has_devices: site.device,
        mail: match notices.mailed {
            true => {
                format!("They go to {}. Those about the security of your account always do.", account.email)
            }
            false => "This server mails no notices.".to_owned(),
        },
        undelivered: notices.undelivered.iter().take(MOST_UNDELIVERED).map(undelivered).collect(),
        on: NoticeKind::ALL
            .into_iter()
            .filter(|kind| !kind.is_about_security())
            .map(|kind| Choice {
                value: kind.to_string(),
                label: kind.description().to_owned(),
                is_chosen: !notices.off.contains(&kind),
                ..Choice::default()
            })
            .collect(),
        password_error: errors.password,
        password_again_error: errors.again,
    };
    Ok(page(status, &me))
}

async fn end_one(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let which = WhichSessions::One(submission.variable("session")?);
    match site.authority.logins().revoke_sessions(&submission.credential(), &which).await {
        Ok(Changed { .. }) => Ok(go("/me?done=ended")),
        Err(error) => Err(submission.failed(&site, error).await),
    }
}

async fn end_all(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    match site.authority.logins().revoke_sessions(&submission.credential(), &WhichSessions::All).await {
        Ok(Changed { .. }) => Ok(go_with("/signed-out?everywhere=true", site.set_cookie(None))),
        Err(error) => Err(submission.failed(&site, error).await),
    }
}

async fn set_notices(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let on: Result<BTreeSet<NoticeKind>, _> = submission.form.all("on").map(str::parse).collect();
    let on =
        on.map_err(|why: InvalidNoticeKind| AuthorityError::Invalid { field: "on", why: why.to_string() });
    let set = match on {
        Ok(on) => {
            let off =
                NoticeKind::ALL.into_iter().filter(|kind| !kind.is_about_security() && !on.contains(kind));
            let off = off.collect();
            site.authority.notices().set_preferences(&submission.credential(), &off, &on).await
        }
        Err(error) => Err(error),
    };
    match set {
        Ok(Changed { .. }) => Ok(go("/me?done=notices")),
        Err(error) => Err(submission.failed(&site, error).await),
    }
}

async fn set_password(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let password = submission.form.text("password");
    let errors = if password == submission.form.text("password_again") {
        let (credential, logins) = (submission.credential(), site.authority.logins());
        match logins.set_password(&credential, password, submission.visitor()).await {
            Ok(signed_in) => {
                return Ok(go_with("/me?done=password", site.set_cookie(Some(&signed_in.secret))));
            }
            Err(AuthorityError::Invalid { field: "password", why }) => {
                PasswordErrors { password: sentence(&why), again: String::new() }
            }
            Err(error) => return typed_after_login(submission.failed(&site, error).await),
        }
    } else {
        let again = "The two passwords are not the same. Type both again.".to_owned();
        PasswordErrors { again, ..PasswordErrors::default() }
    };
    match submission.view(&site).await {
        Ok(request) => shown(&site, &request, errors, StatusCode::BAD_REQUEST).await,
        Err(failure) => typed_after_login(failure),
    }
}

/// Leads to a login and back, if that is what is missing. No page holds a new password meanwhile, which another person might then send as theirs.
fn typed_after_login(failure: PageFailure) -> PageResult {
    match failure {
        PageFailure::Login(_) => Ok(go(&sign_in("/me"))),
        error @ PageFailure::Error(_) => Err(error),
    }
}

impl OfferNote {
    pub(super) fn of(offer: &OfferShown) -> OfferNote {
        OfferNote {
            org: offer.org.to_string(),
            role: offer.role.to_string(),
            by: offer.made_by.to_string(),
            ends: Instant::at(offer.ends_at),
        }
    }
}

fn undelivered(mail: &UndeliveredMail) -> UndeliveredNote {
    let notices = if mail.notices == 1 { "notice".to_owned() } else { format!("{} notices", mail.notices) };
    UndeliveredNote {
        at: Instant::at(mail.made_at),
        text: format!("A mail with {notices} could not be delivered: {}", mail.problem),
    }
}

fn session_row(mine: &MySession, now: Timestamp) -> SessionRow {
    let device = mine.session.device.as_ref().map(DisplayName::to_string);
    let mut badges = Vec::new();
    if mine.current {
        badges.push(Badge::new("good", "This one"));
    }
    SessionRow {
        id: mine.session.id.to_string(),
        device: device.unwrap_or_else(|| "Unknown device".to_owned()),
        badges,
        address: mine.session.address.map_or_else(|| "Unknown".to_owned(), |address| address.to_string()),
        began: Instant::at(mine.session.created_at),
        seen: mine.last_seen_at.map_or_else(|| Instant::word("never"), |at| Instant::ago(at, now)),
        is_current: mine.current,
    }
}
