//! The requirements of requests, as a table of routes.

use http::header::HeaderName;
use http::request::Parts;
use http::{HeaderMap, Method};
use ndauth_core::{OrgSlug, Permission, Problem, Reason, Requirement, Scope};

/// The need of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: the request is admitted without a token.
    Nothing,
    /// A secret that meets this requirement.
    Token(Requirement),
}

/// The requirements of requests by route. A request that matches no row is refused.
#[derive(Clone, Debug, Default)]
pub struct Table(Vec<Parsed>);

/// A route and its requirement: a row of a [`Table`].
///
/// A route is a method and a path, such as `GET /orgs/{org}/assets/{asset}`, or the path of an RPC, such as
/// `/assets.v1.AssetService/Publish`. A part in braces matches any one segment without percent-encoding.
#[derive(Clone, Debug)]
pub struct Route {
    route: String,
    need: Option<(Scope, Option<String>)>,
    org: OrgFrom,
}

/// The place where a request names its org.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrgFrom {
    /// The part `{org}` of the path.
    Path,
    /// A header, or gRPC metadata, of this name.
    Header(HeaderName),
    /// Always this org.
    Always(OrgSlug),
}

/// The error for a route that makes no sense.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRoute {
    /// The route is malformed.
    #[error("`{0}` is not a route: expected `GET /orgs/{{org}}/assets` or `/package.Service/Method`")]
    Route(String),
    /// The permission is malformed.
    #[error("`{0}` needs an invalid permission: `{1}`")]
    Permission(String, String),
    /// A part in the permission, or `{org}`, is no part of the path.
    #[error("`{0}` has no part `{{{1}}}`")]
    Part(String, String),
}

#[derive(Clone, Debug)]
struct Parsed {
    /// `None` for RPCs, which are always `POST`.
    method: Option<Method>,
    segments: Vec<Segment>,
    need: Option<(Scope, Option<String>)>,
    org: OrgFrom,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Is(String),
    /// Any one segment, under this name.
    Any(String),
}

impl Route {
    /// Returns a route that needs nothing.
    pub fn open(route: &str) -> Route {
        Route { route: route.to_owned(), need: None, org: OrgFrom::Path }
    }

    /// Returns a route that needs an access in an org and a permission: `action:type`, or
    /// `action:type:{part}` with a part of the path.
    pub fn needs(route: &str, access: Scope, permission: &str) -> Route {
        let need = Some((access, Some(permission.to_owned())));
        Route { route: route.to_owned(), need, org: OrgFrom::Path }
    }

    /// Returns a route that needs an access in an org. A token that carries a set of grants never meets it.
    pub fn needs_access(route: &str, access: Scope) -> Route {
        Route { route: route.to_owned(), need: Some((access, None)), org: OrgFrom::Path }
    }

    /// Sets the place where the org is named. The default is the path.
    #[must_use]
    pub fn org_from(self, org: OrgFrom) -> Route {
        Route { org, ..self }
    }
}

impl Table {
    /// Parses the routes. The first route that matches a request decides.
    pub fn new(routes: impl IntoIterator<Item = Route>) -> Result<Table, InvalidRoute> {
        routes.into_iter().map(Parsed::new).collect::<Result<_, _>>().map(Table)
    }

    pub(super) fn need(&self, request: &Parts) -> Result<Need, Problem> {
        let path = request.uri.path();
        let found = self.0.iter().find_map(|row| Some((row, row.matches(&request.method, path)?)));
        let Some((row, parts)) = found else {
            return Err(Problem::new(Reason::CallUnknown, "this server has no such route"));
        };
        let Some((access, permission)) = &row.need else { return Ok(Need::Nothing) };
        let access = *access;
        let permission = permission.as_ref().map(|permission| {
            let named = parts
                .iter()
                .fold(permission.clone(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value));
            named.parse::<Permission>().map_err(|why| Problem::invalid("path", why))
        });
        let permission = permission.transpose()?;
        let org = match &row.org {
            OrgFrom::Always(org) => org.clone(),
            OrgFrom::Path => {
                let named = parts.iter().find(|(name, _)| *name == "org").map(|(_, value)| *value);
                slug("org", named.unwrap_or_default())?
            }
            OrgFrom::Header(name) => slug(name.as_str(), only(&request.headers, name)?)?,
        };
        Ok(Need::Token(Requirement::Access { org, access, permission }))
    }
}

impl Parsed {
    fn new(row: Route) -> Result<Parsed, InvalidRoute> {
        let Route { route, need, org } = row;
        let invalid = || InvalidRoute::Route(route.clone());
        let (method, path) = match route.split_once(' ') {
            Some((method, path)) => (Some(method.parse().map_err(|_| invalid())?), path),
            None => (None, route.as_str()),
        };
        let segments = path.strip_prefix('/').ok_or_else(invalid)?.split('/').map(|segment| {
            match segment.strip_prefix('{').map(|rest| rest.strip_suffix('}')) {
                Some(Some(name)) if !name.is_empty() => Ok(Segment::Any(name.to_owned())),
                None if !segment.contains(['{', '}', '%']) => Ok(Segment::Is(segment.to_owned())),
                Some(_) | None => Err(invalid()),
            }
        });
        let segments: Vec<Segment> = segments.collect::<Result<_, _>>()?;
        let has =
            |name: &str| segments.iter().any(|segment| matches!(segment, Segment::Any(any) if any == name));
        if need.is_some() && org == OrgFrom::Path && !has("org") {
            return Err(InvalidRoute::Part(route, "org".to_owned()));
        }
        if let Some((_, Some(permission))) = &need {
            let mut plain = permission.clone();
            while let Some((name, from, until)) = braces(&plain) {
                if !has(&name) {
                    return Err(InvalidRoute::Part(route, name));
                }
                plain.replace_range(from..until, "x");
            }
            // Elsewhere, a part of the path with a `:` would ask for another permission.
            let is_fixed = permission.splitn(3, ':').take(2).all(|part| !part.contains('{'));
            if !is_fixed || plain.parse::<Permission>().is_err() {
                return Err(InvalidRoute::Permission(route, permission.clone()));
            }
        }
        Ok(Parsed { method, segments, need, org })
    }

    /// Returns the named parts of a path, or `None` if the request does not match this row.
    fn matches<'a>(&'a self, method: &Method, path: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
        let asked = match &self.method {
            None => method == Method::POST,
            // `HEAD` needs what `GET` needs.
            Some(Method::GET) => [Method::GET, Method::HEAD].contains(method),
            Some(one) => one == method,
        };
        let given: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        if !asked || given.len() != self.segments.len() {
            return None;
        }
        let mut parts = Vec::new();
        for (segment, given) in self.segments.iter().zip(given) {
            match segment {
                Segment::Is(text) if text == given => {}
                // These characters could mean something else to a later decoder, or in the permission that is
                // filled in.
                Segment::Any(name) if !given.is_empty() && !given.contains(['%', '*', '{', '}']) => {
                    parts.push((name.as_str(), given));
                }
                Segment::Is(_) | Segment::Any(_) => return None,
            }
        }
        Some(parts)
    }
}

/// Returns the first part in braces: its name, and the range of the text that it takes.
fn braces(text: &str) -> Option<(String, usize, usize)> {
    let from = text.find('{')?;
    let until = from + text[from..].find('}')?;
    Some((text[from + 1..until].to_owned(), from, until + 1))
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next().and_then(|value| value.to_str().ok()), values.next()) {
        (Some(value), None) => Ok(value),
        _ => Err(Problem::invalid(name.as_str(), "expected the name of one org")),
    }
}

fn slug(field: &str, text: &str) -> Result<OrgSlug, Problem> {
    text.parse().map_err(|why| Problem::invalid(field, format!("the name of an org {why}")))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn rows() {
        for (row, expected) in [
            (Route::open("GET /healthz"), None),
            (Route::needs("GET /orgs/{org}/assets", Scope::Ro, "read:assets"), None),
            (Route::needs("GET /orgs/{org}/assets/{asset}", Scope::Ro, "read:assets:{asset}"), None),
            (Route::needs("GET healthz", Scope::Ro, "read:assets"), Some("is not a route")),
            (Route::needs("GET /{}", Scope::Ro, "read:assets"), Some("is not a route")),
            (Route::needs("GET /a{b}/{org}", Scope::Ro, "read:assets"), Some("is not a route")),
            (Route::needs("GET /assets", Scope::Ro, "read:assets"), Some("has no part `{org}`")),
            (Route::needs("GET /{org}", Scope::Ro, "read:assets:{x}"), Some("has no part `{x}`")),
            (Route::needs("GET /{org}", Scope::Ro, "READ"), Some("needs an invalid permission")),
            (Route::needs("GET /{org}/{x}", Scope::Ro, "read:{x}"), Some("needs an invalid permission")),
            (Route::needs("GET /{org}/{x}", Scope::Ro, "{x}:assets"), Some("needs an invalid permission")),
            (Route::needs("GET /{org}/{x}", Scope::Ro, "read:assets:a:{x}"), None),
            (
                Route::needs_access("GET /x", Scope::Ro)
                    .org_from(OrgFrom::Always("ops".parse().expect("a slug"))),
                None,
            ),
        ] {
            let message = Table::new([row]).err().map(|why| why.to_string());
            match expected {
                None => assert_eq!(message, None),
                Some(part) => {
                    assert!(message.as_ref().is_some_and(|text| text.contains(part)), "{message:?}");
                }
            }
        }
    }

    #[test]
    fn a_request_needs_what_its_route_says() {
        let header = HeaderName::from_static("x-org");
        let table = Table::new([
            Route::open("GET /healthz"),
            Route::needs("GET /orgs/{org}/assets/{asset}", Scope::Ro, "read:assets:{asset}"),
            Route::needs("PUT /orgs/{org}/assets/{asset}", Scope::Rw, "write:assets:{asset}"),
            Route::needs("/assets.v1.AssetService/Publish", Scope::Rw, "write:assets")
                .org_from(OrgFrom::Header(header)),
        ])
        .expect("a table");
        let ask = |method: &str, path: &str, orgs: &[&str]| {
            let mut request = Request::builder().method(method).uri(path);
            for org in orgs {
                request = request.header("x-org", *org);
            }
            let need = table.need(&request.body(()).expect("a request").into_parts().0);
            match need {
                Ok(Need::Nothing) => "nothing".to_owned(),
                Ok(Need::Token(Requirement::Access { org, access, permission: Some(permission) })) => {
                    format!("{org} {access} {permission}")
                }
                Ok(Need::Token(other)) => format!("{other:?}"),
                Err(problem) => problem.reason.code().to_owned(),
            }
        };
        for (method, path, orgs, expected) in [
            ("GET", "/healthz", &[] as &[&str], "nothing"),
            ("HEAD", "/healthz", &[], "nothing"),
            ("POST", "/healthz", &[], "CALL_UNKNOWN"),
            ("GET", "/healthz/", &[], "CALL_UNKNOWN"),
            ("GET", "//healthz", &[], "CALL_UNKNOWN"),
            ("GET", "/health%7a", &[], "CALL_UNKNOWN"),
            ("GET", "/orgs/ops/assets/logo?org=dev", &[], "ops RO read:assets:logo"),
            ("PUT", "/orgs/ops/assets/logo", &[], "ops RW write:assets:logo"),
            ("DELETE", "/orgs/ops/assets/logo", &[], "CALL_UNKNOWN"),
            // These would match more than one asset, or another one once decoded.
            ("PUT", "/orgs/ops/assets/*", &[], "CALL_UNKNOWN"),
            ("PUT", "/orgs/ops/assets/lo%67o", &[], "CALL_UNKNOWN"),
            ("PUT", "/orgs/ops/assets/{org}", &[], "CALL_UNKNOWN"),
            ("PUT", "/orgs/ops/assets/", &[], "CALL_UNKNOWN"),
            ("PUT", "/orgs/OPS/assets/logo", &[], "INVALID_ARGUMENT"),
            ("POST", "/assets.v1.AssetService/Publish", &["ops"], "ops RW write:assets"),
            ("POST", "/assets.v1.AssetService/Publish", &[], "INVALID_ARGUMENT"),
            ("POST", "/assets.v1.AssetService/Publish", &["ops", "dev"], "INVALID_ARGUMENT"),
            ("POST", "/assets.v1.AssetService/Other", &["ops"], "CALL_UNKNOWN"),
        ] {
            assert_eq!(ask(method, path, orgs), expected, "{method} {path} {orgs:?}");
        }
    }
}
