//! What concerns ndauth itself.

use crate::{ResourceType, Role};

/// A resource type of ndauth's own, what it is, and its actions: name, least role, what it lets do.
pub(crate) type Own = (&'static str, &'static str, &'static [(&'static str, Role, &'static str)]);

/// What concerns ndauth itself. Neither `All` nor `*` covers any of it: a grant names each action, or the
/// token has not got it. Types without actions are kept for what may come.
pub(crate) const OWN: [Own; 8] = [
    ("audit", "The record of all changes", &[("read", Role::Admin, "Read the entries of the audit log")]),
    ("catalogue", "Resource types and actions", &[]),
    ("members", "Who is a member of an org", &[("read", Role::Ro, "List members and their roles")]),
    (
        "org",
        "The org itself",
        &[("admin", Role::Admin, "Manage members, workspaces and billing, where a service does")],
    ),
    ("policy", "An org's limits for tokens", &[("read", Role::Ro, "Read the org's policy")]),
    ("services", "Internal services", &[]),
    ("sessions", "Interactive logins", &[]),
    ("tokens", "Tokens themselves", &[("read", Role::Ro, "List the tokens of the token's owner")]),
];

/// Returns true where resources of this type concern ndauth itself.
pub fn is_own_resource_type(resource_type: &ResourceType) -> bool {
    OWN.iter().any(|(own, ..)| *own == resource_type.as_str())
}
