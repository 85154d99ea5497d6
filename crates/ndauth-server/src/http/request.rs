//! A request, as the handlers receive it.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts as _, RawPathParams, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use axum::http::{HeaderMap, HeaderValue, Uri};
use ndauth_authority::{AuthorityError, OpenVisit, Visit, Visitor};
use ndauth_core::{Class, Secret, SecretKind};

use super::fields::Fields;
use super::problem::PageError;
use super::site::{MAX_BODY, Peer, Site};
use super::visitor;

/// A request, and the visitor who sent it.
pub(super) struct VisitorRequest {
    pub(super) visitor: Visitor,
    /// The session secret in the browser's cookie.
    pub(super) cookie: Option<Secret>,
    headers: HeaderMap,
    uri: Uri,
    body: Bytes,
    /// The values of the path's variables, by name.
    variables: Vec<(String, String)>,
}

/// The names of the cookie. Browsers accept the first one only over TLS, from this host, for all of its
/// paths.
const SECURE_COOKIE: &str = "__Host-ndauth";
const COOKIE_NAME: &str = "ndauth";

const FORM: &str = "application/x-www-form-urlencoded";

impl FromRequest<Arc<Site>> for VisitorRequest {
    type Rejection = Infallible;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<VisitorRequest, Infallible> {
        let (mut head, body) = request.into_parts();
        let variables = RawPathParams::from_request_parts(&mut head, site).await;
        let variables = variables.iter().flatten().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let variables = variables.collect();
        let visitor = Visitor {
            address: head.extensions.get::<Peer>().map(|Peer(address)| *address),
            device: visitor::browser(&head.headers),
        };
        // The gate has read the body already, and checked its length.
        let body = to_bytes(body, MAX_BODY).await.unwrap_or_default();
        let cookie = cookie(&head.headers, site.cookie_name());
        Ok(VisitorRequest { visitor, cookie, headers: head.headers, uri: head.uri, body, variables })
    }
}

impl VisitorRequest {
    /// Returns the fields of the query, even if some are repeated.
    pub(super) fn raw_query(&self) -> Fields {
        Fields::read(self.uri.query().unwrap_or_default().as_bytes())
    }

    /// Returns false if the browser states that no page of this server led here.
    pub(super) fn is_from_here(&self) -> bool {
        self.headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin")
    }

    /// Returns the path, with the query.
    pub(super) fn place(&self) -> &str {
        self.uri.path_and_query().map_or("/", |place| place.as_str())
    }

    /// Returns the value of a variable of the path, decoded.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(named, _)| named == name).map(|(_, value)| value.as_str())
    }

    /// Returns true if there is a query.
    pub(super) fn has_query(&self) -> bool {
        self.uri.query().is_some_and(|query| !query.is_empty())
    }

    /// Returns the fields of the query, none of them repeated.
    pub(super) fn query(&self) -> Result<Fields, PageError> {
        Ok(Fields::read_once(self.uri.query().unwrap_or_default().as_bytes())?)
    }

    /// Returns true if the body is a form.
    pub(super) fn is_form(&self) -> bool {
        let kind = self.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(FORM))
    }

    /// Returns the fields of the form, even if some are repeated.
    pub(super) fn raw_form(&self) -> Fields {
        Fields::read(if self.is_form() { &self.body } else { &[] })
    }

    /// Returns the fields of the form, none of them repeated.
    pub(super) fn form(&self) -> Result<Fields, PageError> {
        let body: &[u8] = if self.is_form() { &self.body } else { &[] };
        Ok(Fields::read_once(body)?)
    }

    /// Returns true if a client tries to authenticate.
    pub(super) fn has_authorization(&self) -> bool {
        self.headers.contains_key(AUTHORIZATION)
    }

    /// Returns the visit of the cookie's session with its view, if it is still valid.
    pub(super) async fn open_visit(&self, site: &Site) -> Result<Option<OpenVisit>, PageError> {
        let Some(cookie) = &self.cookie else { return Ok(None) };
        match site.authority.logins().open_visit(cookie, &self.visitor).await {
            Ok(visit) => Ok(Some(visit)),
            Err(error) if is_over(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the handle of the person whose cookie this is, even if the session is over. Empty if nobody knows.
    pub(super) async fn person(&self, site: &Site) -> Result<String, PageError> {
        let Some(cookie) = &self.cookie else { return Ok(String::new()) };
        let handle = site.authority.logins().handle_of_cookie(cookie).await?;
        Ok(handle.map_or_else(String::new, |handle| handle.to_string()))
    }

    /// Returns the visit of the cookie's session, if it is still valid.
    pub(super) async fn visit(&self, site: &Site) -> Result<Option<(Secret, Visit)>, PageError> {
        let visit = self.open_visit(site).await?.map(OpenVisit::close);
        Ok(self.cookie.clone().zip(visit))
    }
}

/// Returns true if an error means that the session is over, or was never one of a browser.
pub(super) fn is_over(error: &AuthorityError) -> bool {
    error.reason().class() == Class::NotAuthenticated || matches!(error, AuthorityError::NotPermitted { .. })
}

/// Returns the session secret of the only cookie of this name.
fn cookie(headers: &HeaderMap, name: &str) -> Option<Secret> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(named, _)| *named == name).map(|(_, value)| value);
    let only = values.next().filter(|_| values.next().is_none())?;
    only.parse().ok().filter(|secret: &Secret| secret.kind() == SecretKind::Session)
}

impl Site {
    fn cookie_name(&self) -> &'static str {
        if self.is_secure() { SECURE_COOKIE } else { COOKIE_NAME }
    }

    /// Returns the header that sets the cookie, or deletes it if there is no secret.
    pub(super) fn set_cookie(&self, secret: Option<&Secret>) -> HeaderValue {
        let value = secret.map_or("", Secret::expose);
        let ends = if secret.is_none() { "; Max-Age=0" } else { "" };
        let secure = if self.is_secure() { "; Secure" } else { "" };
        let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{ends}", self.cookie_name());
        let mut header = HeaderValue::try_from(text).expect("a secret is ASCII, and so is the rest");
        header.set_sensitive(true);
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_the_one_session_of_its_name() {
        let session = format!("ndses_{}", "A".repeat(43));
        let token = format!("ndpat_{}", "A".repeat(43));
        for (sent, read) in [
            (vec![format!("ndauth={session}")], true),
            (vec![format!("a=b; ndauth={session}; c=d")], true),
            (vec!["a=b".to_owned(), format!("ndauth={session}")], true),
            (vec![format!("ndauth={session}; ndauth={session}")], false),
            (vec![format!("ndauth={token}")], false),
            (vec![format!("__Host-ndauth={session}")], false),
            (vec![format!("ndauth=\"{session}\"")], false),
            (vec!["ndauth=".to_owned()], false),
            (vec![], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in &sent {
                headers.append(COOKIE, value.parse().expect("a header"));
            }
            assert_eq!(cookie(&headers, COOKIE_NAME).is_some(), read, "{sent:?}");
        }
    }
}
