//! The tabs of the operator's pages.

use crate::http::pages::parts::Tab;

/// The number of rows on a page.
pub(super) const PAGE: u64 = 50;

/// Returns the tabs of the operator's pages.
pub(in crate::http::pages) fn tabs(current: &str) -> Vec<Tab> {
    let tabs = [
        ("", "Overview"),
        ("/accounts", "Accounts"),
        ("/orgs", "Orgs"),
        ("/services", "Services"),
        ("/history", "History"),
    ];
    tabs.into_iter()
        .map(|(path, text)| Tab { href: format!("/operator{path}"), text, is_current: text == current })
        .collect()
}
