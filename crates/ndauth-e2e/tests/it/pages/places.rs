//! Every page that a browser can open by its URL.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A page to visit.
pub(super) struct Place {
    /// Its route, as in the access table.
    pub(super) route: &'static str,
    /// The handle of the visitor, or nothing.
    visitor: &'static str,
    /// Its name in reports and pictures.
    name: &'static str,
    /// Its path. `{name}` stands for the id of the thing of this name.
    path: &'static str,
    status: u16,
}

const fn place(route: &'static str, visitor: &'static str, name: &'static str, path: &'static str) -> Place {
    Place { route, visitor, name, path, status: 200 }
}

const fn refused(
    route: &'static str,
    visitor: &'static str,
    name: &'static str,
    path: &'static str,
    status: u16,
) -> Place {
    Place { route, visitor, name, path, status }
}

const CONSENT: &str = "/oauth2/authorize?response_type=code&client_id=ndcli&state=s&code_challenge_method=S256\
                       &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
                       &redirect_uri=http%3A%2F%2F127.0.0.1%3A4711%2Fcallback&device_name=ndcli+on+build-3";

/// Every page, by visitor.
#[rustfmt::skip]
pub(super) const PLACES: &[Place] = &[
    place("/docs", "", "reference", "/docs"),
    place("/sign-in", "", "sign in", "/sign-in"),
    refused("/sign-in/link", "", "used link", "/sign-in/link?code=used", 410),
    place("/sign-in/link", "", "link", "/sign-in/link?code={link}"),
    place("/invitation", "", "invitation", "/invitation?code={invitation}"),
    place("/signed-out", "", "signed out", "/signed-out"),
    place("/oauth2/authorize", "ada", "consent", CONSENT),
    place("/device", "ada", "device", "/device"),
    place("/me", "ada", "me", "/me"),
    place("/me/history", "ada", "history", "/me/history"),
    place("/me/history", "ada", "nothing refused", "/me/history?outcome=refused"),
    place("/orgs/{org}/history", "ada", "org history", "/orgs/acme/history"),
    place("/orgs/{org}/history", "ada", "filtered history", "/orgs/acme/history?kind=member&account=ada&since=2026-01-01"),
    place("/operator/history", "ada", "whole history", "/operator/history"),
    place("/tokens/{token}/history", "ada", "token history", "/tokens/{github-ci}/history"),
    place("/orgs/{org}/tokens/{token}/history", "ada", "org token history", "/orgs/acme/tokens/{acme/mobile}/history"),
    place("/tokens", "ada", "tokens", "/tokens"),
    place("/tokens", "ada", "all tokens by last use", "/tokens?show=all&sort=used&reverse=yes"),
    place("/tokens", "ada", "no token found", "/tokens?q=nothing-like-this"),
    place("/tokens/new", "ada", "new token", "/tokens/new"),
    place("/tokens/new", "ada", "new token from a link", "/tokens/new?name=reader&permission=resolve:artifact&org=acme&expiry=7d"),
    place("/tokens/{token}", "ada", "token", "/tokens/{github-ci}"),
    place("/tokens/{token}", "ada", "token while it rotates", "/tokens/{deploy}"),
    place("/tokens/{token}", "ada", "token for ever", "/tokens/{dashboard}"),
    place("/tokens/{token}", "ada", "suspended token", "/tokens/{phone}"),
    place("/tokens/{token}", "ada", "expired token", "/tokens/{jenkins}"),
    place("/tokens/{token}", "ada", "revoked token", "/tokens/{notebook}"),
    place("/tokens/{token}", "ada", "unused token", "/tokens/{try-out}"),
    refused("/tokens/{token}", "ada", "no such token", "/tokens/0197f3a2-0000-7000-8000-000000000000", 404),
    place("/tokens/{token}/explain", "ada", "explained", "/tokens/{github-ci}/explain"),
    place("/tokens/{token}/explain", "ada", "explained question", "/tokens/{github-ci}/explain?org=acme&access=RW&permission=create:artifact"),
    place("/tokens/{token}/explain", "ada", "explained refusal", "/tokens/{notebook}/explain"),
    place("/orgs/{org}/tokens", "ada", "org tokens", "/orgs/acme/tokens"),
    place("/orgs/{org}/tokens", "ada", "full page of tokens", "/orgs/factory/tokens"),
    place("/orgs/{org}/tokens/new", "ada", "new org token", "/orgs/acme/tokens/new"),
    place("/orgs/{org}/tokens/{token}", "ada", "org token", "/orgs/acme/tokens/{acme/mobile}"),
    place("/orgs/{org}/tokens/{token}/explain", "ada", "org token explained", "/orgs/acme/tokens/{acme/mobile}/explain"),
    place("/orgs", "ada", "orgs", "/orgs"),
    place("/orgs/{org}", "ada", "org", "/orgs/acme"),
    place("/orgs/{org}", "ada", "member of an org", "/orgs/acme?member=chen"),
    place("/orgs/{org}", "ada", "no such member", "/orgs/acme?member=nobody"),
    place("/orgs/{org}/personal-tokens", "ada", "personal tokens", "/orgs/acme/personal-tokens"),
    place("/orgs/{org}/policy", "ada", "policy", "/orgs/acme/policy"),
    place("/offers/{org}", "ada", "offer", "/offers/globex"),
    refused("/offers/{org}", "ada", "no such offer", "/offers/labs", 404),
    place("/operator", "ada", "operator", "/operator"),
    place("/operator/accounts", "ada", "accounts", "/operator/accounts"),
    place("/operator/accounts", "ada", "account", "/operator/accounts?account=ben"),
    place("/operator/accounts", "ada", "account never signed in", "/operator/accounts?account=fay"),
    place("/operator/accounts", "ada", "disabled account", "/operator/accounts?account=emil"),
    place("/operator/accounts", "ada", "no account found", "/operator/accounts?q=nobody"),
    place("/operator/orgs", "ada", "all orgs", "/operator/orgs"),
    place("/operator/services", "ada", "services", "/operator/services"),
    place("/tokens", "dora", "first visit", "/tokens"),
    refused("/operator", "dora", "refused operator", "/operator", 403),
    refused("/orgs/{org}/tokens", "dora", "refused page", "/orgs/acme/tokens", 403),
    place("/orgs", "dora", "orgs of a plain member", "/orgs"),
    place("/orgs/{org}", "dora", "org of a plain member", "/orgs/acme"),
    place("/orgs/{org}/policy", "dora", "policy for a plain member", "/orgs/acme/policy"),
    refused("/orgs/{org}/personal-tokens", "dora", "refused personal tokens", "/orgs/acme/personal-tokens", 403),
    refused("/orgs/{org}/history", "dora", "refused history", "/orgs/acme/history", 403),
    refused("/orgs/{org}", "dora", "org of others", "/orgs/labs", 404),
];

/// Returns true if a path of the access table is for programs, or leads on to another page.
pub(super) fn is_no_page(path: &str) -> bool {
    let starts = ["/.well-known/", "/assets/", "/edge/"];
    starts.iter().any(|start| path.starts_with(start)) || ["/", "/openapi.json"].contains(&path)
}

/// Returns the visitors, each with the places to visit.
pub(super) fn of(ids: &BTreeMap<String, String>) -> Vec<(&'static str, Vec<Value>)> {
    let mut visitors: Vec<(&str, Vec<Value>)> = Vec::new();
    for place in PLACES {
        let path = ids
            .iter()
            .fold(place.path.to_owned(), |path, (name, id)| path.replace(&format!("{{{name}}}"), id));
        let visit = json!({ "name": place.name, "path": path, "status": place.status });
        match visitors.last_mut() {
            Some((visitor, visits)) if *visitor == place.visitor => visits.push(visit),
            _ => visitors.push((place.visitor, vec![visit])),
        }
    }
    visitors
}
