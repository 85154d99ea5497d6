//! The permissions that concern ndauth itself.

use crate::{ResourceType, Role, Scope};

/// A resource type of ndauth's own, its description, and its actions: name, least role, least scope and
/// description.
pub(crate) type Own = (&'static str, &'static str, &'static [(&'static str, Role, Scope, &'static str)]);

/// The resource types of ndauth's own. Neither `All` nor `*` covers any of them: a grant has to name each
/// action. Types without actions are reserved.
pub(crate) const OWN: [Own; 8] = [
    (
        "audit",
        "The record of all changes",
        &[("read", Role::Admin, Scope::Ro, "Read the entries of the audit log")],
    ),
    ("catalogue", "Resource types and actions", &[]),
    (
        "members",
        "Who is a member of an org",
        &[("read", Role::Ro, Scope::Ro, "List members and their roles")],
    ),
    (
        "org",
        "The org itself",
        &[("admin", Role::Admin, Scope::Rw, "Manage members, workspaces and billing, where a service does")],
    ),
    ("policy", "An org's limits for tokens", &[("read", Role::Ro, Scope::Ro, "Read the org's policy")]),
    ("services", "Internal services", &[]),
    ("sessions", "Interactive logins", &[]),
    ("tokens", "Tokens themselves", &[("read", Role::Ro, Scope::Ro, "List the tokens of the token's owner")]),
];

/// Returns true if resources of this type concern ndauth itself.
pub fn is_own_resource_type(resource_type: &ResourceType) -> bool {
    OWN.iter().any(|(own, ..)| *own == resource_type.as_str())
}
