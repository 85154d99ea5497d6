//! The name of the visiting browser, as far as its headers reveal it.

use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use ndauth_core::DisplayName;

/// The marks of browsers and systems in a `User-Agent`. A browser that imitates another stands before that
/// one.
const BROWSERS: [(&str, &str); 6] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];
const SYSTEMS: [(&str, &str); 7] = [
    ("Android", "Android"),
    ("iPhone", "an iPhone"),
    ("iPad", "an iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

/// Returns the name of the browser for people, such as `Firefox on Linux`.
pub(super) fn browser(headers: &HeaderMap) -> Option<DisplayName> {
    let user_agent = headers.get(USER_AGENT)?.to_str().ok()?;
    let known = |table: &[(&str, &'static str)]| {
        table.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    let name = match (known(&BROWSERS), known(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) => return None,
    };
    name.parse().ok()
}
