//! The person who is signed in: the view in which a page asks its questions, and the forms that a page sends.
//!
//! A page holds one view, and asks everything in it. A form changes something, so it holds none. If its session is
//! over, or its act requires a recent login, the person proves who they are, and the same form is sent again.

use std::str::FromStr;
use std::sync::Arc;

use askama::Template;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::response::{IntoResponse as _, Response};
use ndauth_authority::{AuthorityError, Credential, OpenVisit, Visitor, Whose};
use ndauth_core::{Class, OrgSlug, TokenId};

use crate::http::fields::{Fields, InvalidFields};
use crate::http::layout::{go, go_with, page};
use crate::http::links::{after_sign_in, sign_in};
use crate::http::pages::parts::Frame;
use crate::http::problem::{PageError, PageFailure, PageResult, retry_after};
use crate::http::request::VisitorRequest;
use crate::http::site::Site;

/// A request for a page, by a person who is signed in. Others are led to the sign-in page and back.
pub(super) struct PageRequest {
    pub(super) visit: Arc<OpenVisit>,
    pub(super) query: Fields,
    request: VisitorRequest,
}

/// A form that was sent from a page. The authority judges its session together with its act.
pub(super) struct Submission {
    pub(super) form: Fields,
    request: VisitorRequest,
}

/// The fields that may be repeated: those of lists.
const REPEATABLE: [&str; 5] = ["permission", "org", "network", "service", "on"];

/// The fields of the page that asks for a login in mid-act. The others are those of the act.
const AGAIN_FOR: &str = "sign_in_for";
const AGAIN_NAME: &str = "sign_in_name";
const AGAIN_PERSON: &str = "sign_in_person";
const AGAIN_PASSWORD: &str = "sign_in_password";

/// The page that asks a person to prove who they are before an act, whose form it holds.
#[derive(Template)]
#[template(path = "sign_in_again.html")]
struct SignInAgainPage<'a> {
    /// The sentence that says why.
    reason: &'a str,
    /// The act's path.
    to: &'a str,
    /// The handle of the person, whose session still lives. Empty if it is over.
    handle: &'a str,
    /// The handle of the person whose form it is. Empty if nobody knows.
    person: &'a str,
    /// The name that was typed.
    name: &'a str,
    wrong: &'a str,
    /// The fields of the act.
    fields: Vec<(&'a str, &'a str)>,
}

impl FromRequest<Arc<Site>> for PageRequest {
    type Rejection = Response;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<PageRequest, Response> {
        let Ok(request) = VisitorRequest::from_request(request, site).await;
        let visit = match request.open_visit(site).await {
            Ok(Some(visit)) => Arc::new(visit),
            Ok(None) => return Err(go(&sign_in(request.place()))),
            Err(error) => return Err(error.into_response()),
        };
        let query = request.raw_query();
        query.check_but(&REPEATABLE).map_err(|why| PageError::from(why).into_response())?;
        // A link from elsewhere does not tell what was done here.
        let query = if request.is_from_here() { query } else { query.without("done") };
        Ok(PageRequest { visit, query, request })
    }
}

impl FromRequest<Arc<Site>> for Submission {
    type Rejection = Response;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Submission, Response> {
        let Ok(request) = VisitorRequest::from_request(request, site).await;
        let form = request.raw_form();
        form.check_but(&REPEATABLE).map_err(|why: InvalidFields| PageError::from(why).into_response())?;
        Ok(Submission { form, request })
    }
}

/// The parts of a path that name a thing.
pub(super) trait PagePath {
    fn request(&self) -> &VisitorRequest;

    /// Returns the credential of the person.
    fn credential(&self) -> Credential;

    /// Returns a variable of the path. A value that cannot be one names nothing.
    fn variable<T: FromStr>(&self, name: &str) -> Result<T, PageError> {
        self.request().variable(name).and_then(|text| text.parse().ok()).ok_or_else(not_found)
    }

    /// Returns the owner whose tokens the path is about: the org that it names, or the person.
    fn whose(&self) -> Result<Whose, PageError> {
        match self.request().variable("org") {
            None => Ok(Whose::Mine),
            Some(_) => Ok(Whose::Org(self.org()?)),
        }
    }

    /// Returns the org that the path names.
    fn org(&self) -> Result<OrgSlug, PageError> {
        self.variable("org")
    }

    /// Returns the token that the path names.
    fn token(&self) -> Result<TokenId, PageError> {
        self.variable("token")
    }
}

impl PagePath for PageRequest {
    fn request(&self) -> &VisitorRequest {
        &self.request
    }

    fn credential(&self) -> Credential {
        Credential::Visit(Arc::clone(&self.visit))
    }
}

impl PagePath for Submission {
    fn request(&self) -> &VisitorRequest {
        &self.request
    }

    fn credential(&self) -> Credential {
        match &self.request.cookie {
            Some(cookie) => Credential::Cookie { secret: cookie.clone(), from: self.request.visitor.address },
            None => Credential::Nothing,
        }
    }
}

impl PageRequest {
    /// Returns the response to a page whose question failed. If all that is missing is a recent login, it leads to the
    /// sign-in page and back.
    pub(super) fn failed(&self, error: AuthorityError) -> PageResult {
        match error {
            AuthorityError::LoginNotRecent { .. } => Ok(go(&sign_in(self.request.place()))),
            error => Err(error.into()),
        }
    }
}

impl Submission {
    /// Returns the visitor who sent the form.
    pub(super) fn visitor(&self) -> &Visitor {
        &self.request.visitor
    }

    /// Opens a view, to show the form again. Asks for a login if the session is over.
    pub(super) async fn view(self, site: &Site) -> Result<PageRequest, PageFailure> {
        match self.request.open_visit(site).await? {
            Some(visit) => {
                let Submission { form, request } = self;
                Ok(PageRequest { visit: Arc::new(visit), query: form, request })
            }
            None => Err(self.login(site).await),
        }
    }

    /// Returns the frame of the page that shows a new secret. The secret exists, so it is shown even if its person
    /// cannot be looked up any more.
    pub(super) async fn frame_of_secret(self, site: &Site, section: &'static str) -> Frame {
        self.view(site).await.map_or_else(|_| Frame::default(), |request| Frame::new(&request.visit, section))
    }

    /// Returns the failure of a form's act. It asks for a login if that is all that is missing.
    pub(super) async fn failed(&self, site: &Site, error: AuthorityError) -> PageFailure {
        self.error(site, error).await.map_or_else(|failure| failure, PageFailure::Error)
    }

    /// Returns the error of a form's act, to show it in the form. Asks for a login instead if that is all that is
    /// missing.
    pub(super) async fn error(&self, site: &Site, error: AuthorityError) -> Result<PageError, PageFailure> {
        let over = error.reason().class() == Class::NotAuthenticated;
        if over || matches!(error, AuthorityError::LoginNotRecent { .. }) {
            return Err(self.login(site).await);
        }
        Ok(error.into())
    }

    async fn login(&self, site: &Site) -> PageFailure {
        match self.sign_in_page(site).await {
            Ok(page) => PageFailure::Login(Box::new(page)),
            Err(error) => error.into(),
        }
    }

    /// Returns the page that asks for a login, and holds the form.
    async fn sign_in_page(&self, site: &Site) -> Result<Response, PageError> {
        let visit = self.request.visit(site).await?;
        let handle = visit.as_ref().map_or("", |(_, visit)| visit.account.handle.as_str());
        let person = &self.request.person(site).await?;
        let to = self.request.place();
        let fields = of_the_act(&self.form);
        let shown =
            SignInAgainPage { reason: reason(handle), to, handle, person, name: person, wrong: "", fields };
        Ok(page(StatusCode::FORBIDDEN, &shown))
    }
}

/// Signs a person in again in mid-act, and sends the act's form again. Another person begins anew.
pub(super) async fn sign_in_again(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let Submission { form, request } = submission;
    let visit = request.visit(&site).await?;
    let handle = visit.as_ref().map_or("", |(_, visit)| visit.account.handle.as_str());
    let name = if handle.is_empty() { form.text(AGAIN_NAME).trim() } else { handle };
    let to = after_sign_in(form.text(AGAIN_FOR));
    let person = form.text(AGAIN_PERSON);
    let before = request.cookie.as_ref();
    let tried = site.authority.logins().sign_in(name, form.text(AGAIN_PASSWORD), &request.visitor, before);
    match tried.await {
        Ok(signed_in) => {
            let cookie = site.set_cookie(Some(&signed_in.secret));
            if signed_in.account.handle.as_str() != person {
                return Ok(go_with("/", cookie));
            }
            // The browser repeats the POST with the same body (RFC 9110, section 15.4.8).
            let head = [(LOCATION, location(to)), (SET_COOKIE, cookie)];
            Ok((StatusCode::TEMPORARY_REDIRECT, head).into_response())
        }
        Err(error @ (AuthorityError::SignInRefused | AuthorityError::TooManyTries { .. })) => {
            let failure = PageError::from(error);
            let fields = of_the_act(&form);
            let reason = reason(handle);
            let shown = SignInAgainPage { reason, to, handle, person, name, wrong: &failure.text, fields };
            Ok(retry_after(page(failure.status, &shown), failure.retry))
        }
        Err(error) => Err(error.into()),
    }
}

/// Returns the fields of an act's form. The form that a browser sent again after a login has those of the login too.
fn of_the_act(form: &Fields) -> Vec<(&str, &str)> {
    let of_the_login = [AGAIN_FOR, AGAIN_NAME, AGAIN_PERSON, AGAIN_PASSWORD];
    form.iter().filter(|(name, _)| !of_the_login.contains(name)).collect()
}

/// Returns the sentence that says why a login is needed. The handle is empty if the session is over.
fn reason(handle: &str) -> &'static str {
    match handle {
        "" => "Your session is over.",
        _ => "This needs a login within the last 15 minutes.",
    }
}

fn location(to: &str) -> axum::http::HeaderValue {
    to.try_into().expect("the place was checked to be plain text")
}

/// Returns the error for a path that names nothing.
pub(super) fn not_found() -> PageError {
    PageError::new(StatusCode::NOT_FOUND, "Not found", "There is no such page.")
}
