//! The tabs of an org's pages.

use ndauth_core::{OrgSlug, Role};

use super::parts::Tab;

/// Returns the tabs of an org's pages, as its admins see them.
pub(super) fn org_tabs(org: &OrgSlug, current: &str) -> Vec<Tab> {
    let tabs = [
        ("", "Members"),
        ("/tokens", "Tokens"),
        ("/personal-tokens", "Personal tokens"),
        ("/policy", "Policy"),
        ("/history", "History"),
    ];
    tabs.into_iter()
        .map(|(path, text)| Tab { href: format!("/orgs/{org}{path}"), text, is_current: text == current })
        .collect()
}

/// Returns the tabs of an org's pages that a member of this role can open.
pub(super) fn org_tabs_for(org: &OrgSlug, role: Role, current: &str) -> Vec<Tab> {
    let mut tabs = org_tabs(org, current);
    tabs.retain(|tab| role == Role::Admin || matches!(tab.text, "Members" | "Policy"));
    tabs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_member_sees_the_members_and_the_policy() {
        let org: OrgSlug = "acme".parse().expect("a slug");
        for (role, expected) in [
            (Role::Ro, &["Members", "Policy"][..]),
            (Role::Rw, &["Members", "Policy"][..]),
            (Role::Admin, &["Members", "Tokens", "Personal tokens", "Policy", "History"][..]),
        ] {
            let tabs = org_tabs_for(&org, role, "Policy");
            assert_eq!(tabs.iter().map(|tab| tab.text).collect::<Vec<_>>(), expected);
            let current: Vec<_> = tabs.iter().filter(|tab| tab.is_current).map(|tab| &tab.href).collect();
            assert_eq!(current, ["/orgs/acme/policy"]);
        }
    }
}
