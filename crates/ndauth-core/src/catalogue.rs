//! The catalogue: the resource types and actions there are, and the least role that each needs.

use std::collections::BTreeMap;

use crate::{Action, Actions, GrantSet, Permission, ResourceType, Role};

/// The resource types that concern ndauth itself. Neither `All` nor `*` covers them: a grant names
/// each action on them, or the token has not got it.
pub const OWN_RESOURCE_TYPES: [&str; 8] =
    ["audit", "catalogue", "members", "org", "policy", "services", "sessions", "tokens"];

/// Whether resources of this type concern ndauth itself.
pub fn is_own_resource_type(resource_type: &ResourceType) -> bool {
    OWN_RESOURCE_TYPES.contains(&resource_type.as_str())
}

/// What may be asked for at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue(BTreeMap<(ResourceType, Action), Role>);

/// A resource type, and its actions for each least role.
type Row = (&'static str, &'static [(Role, &'static [&'static str])]);

const BUILT_IN: [Row; 19] = [
    ("artifact", &[(Role::Ro, &["list", "resolve"]), (Role::Rw, &["create", "expire"])]),
    ("assets", &[(Role::Ro, &["read"]), (Role::Rw, &["write"]), (Role::Admin, &["approve"])]),
    ("audit", &[(Role::Admin, &["read"])]),
    ("bazel/cache", &[(Role::Rw, &["ensure"])]),
    ("bazel/execution", &[(Role::Rw, &["ensure"])]),
    ("bazel/storage", &[(Role::Rw, &["write"])]),
    ("builder", &[(Role::Rw, &["access", "ensure"])]),
    ("cache/gradle", &[(Role::Ro, &["read"]), (Role::Rw, &["ensure", "write"])]),
    ("cache/httpcache", &[(Role::Ro, &["read"]), (Role::Rw, &["ensure", "write"])]),
    ("cache/turborepo", &[(Role::Ro, &["list", "read"]), (Role::Rw, &["delete", "report", "write"])]),
    ("containerregistry", &[(Role::Admin, &["configure"])]),
    ("github/runner-profile", &[(Role::Ro, &["get", "list"]), (Role::Rw, &["create", "delete", "update"])]),
    ("ingress", &[(Role::Rw, &["access"])]),
    ("instance", &[(Role::Ro, &["get", "list", "wait"]), (Role::Rw, &["create", "destroy"])]),
    ("instance/o11y/logs", &[(Role::Ro, &["get"])]),
    ("members", &[(Role::Ro, &["read"])]),
    ("org", &[(Role::Admin, &["admin"])]),
    ("policy", &[(Role::Ro, &["read"])]),
    ("tokens", &[(Role::Ro, &["read"])]),
];

impl Catalogue {
    /// The catalogue that ndauth comes with.
    pub fn built_in() -> Catalogue {
        let rows = BUILT_IN.iter().flat_map(|(resource_type, by_role)| {
            by_role.iter().flat_map(move |(role, actions)| {
                actions.iter().map(move |action| (*resource_type, *action, *role))
            })
        });
        Catalogue(
            rows.map(|(resource_type, action, role)| {
                let resource_type = resource_type.parse().expect("the table holds resource types");
                let action = action.parse().expect("the table holds actions");
                ((resource_type, action), role)
            })
            .collect(),
        )
    }

    /// The least role that this permission needs, or `None` where there is no such permission.
    pub fn least_role(&self, permission: &Permission) -> Option<Role> {
        self.0.get(&(permission.resource_type.clone(), permission.action.clone())).copied()
    }

    /// The first of these grants that names what there is not, as `ACTION:TYPE`.
    pub fn first_unknown(&self, grants: &GrantSet) -> Option<String> {
        let known = |resource_type: &ResourceType, action: &Action| {
            self.0.contains_key(&(resource_type.clone(), action.clone()))
        };
        grants.iter().find_map(|(resource_type, _, actions)| match actions {
            Actions::Any => {
                let unknown = self.0.keys().all(|(known, _)| known != resource_type);
                unknown.then(|| format!("*:{resource_type}"))
            }
            Actions::Only(actions) => actions
                .iter()
                .find(|action| !known(resource_type, action))
                .map(|action| format!("{action}:{resource_type}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_roles() {
        let catalogue = Catalogue::built_in();
        for (permission, role) in [
            ("read:assets", Some(Role::Ro)),
            ("write:assets:prod-1", Some(Role::Rw)),
            ("approve:assets", Some(Role::Admin)),
            ("admin:org", Some(Role::Admin)),
            ("read:audit", Some(Role::Admin)),
            ("list:instance", Some(Role::Ro)),
            ("fly:assets", None),
            ("read:unicorns", None),
        ] {
            let asked: Permission = permission.parse().expect("a permission");
            assert_eq!(catalogue.least_role(&asked), role, "{permission}");
        }
    }

    #[test]
    fn own_types_are_told_apart() {
        let own = |text: &str| is_own_resource_type(&text.parse().expect("a resource type"));
        assert!(own("tokens") && own("audit") && own("policy") && own("members"));
        assert!(!own("assets") && !own("token") && !own("tokens/x"));
    }
}
