use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn actions() -> impl Strategy<Value = Actions> {
    let some = btree_set(select(vec!["read", "write", "approve"]), 1..3);
    prop_oneof![
        1 => Just(Actions::Any),
        3 => some.prop_map(|some| Actions::Only(some.into_iter().map(action).collect())),
    ]
}

fn ids() -> impl Strategy<Value = ResourceIds> {
    select(vec!["*", "a*", "ab*", "a", "ab", "abc", "b*", "b"])
        .prop_map(|text| text.parse().expect("resource ids"))
}

fn grant() -> impl Strategy<Value = Grant> {
    (select(vec!["assets", "builder", "tokens", "audit"]), ids(), actions()).prop_map(
        |(resource_type, resource_ids, actions)| {
            let resource_type: ResourceType = resource_type.parse().expect("a resource type");
            let actions = match actions {
                Actions::Any if is_own_resource_type(&resource_type) => {
                    Actions::Only([action("read")].into())
                }
                other => other,
            };
            Grant { resource_type, resource_ids, actions }
        },
    )
}

fn grants() -> impl Strategy<Value = Grants> {
    let some = || vec(grant(), 1..6).prop_map(|some| Grants::only(some).expect("grants"));
    prop_oneof![
        1 => Just(Grants::All),
        6 => some(),
        2 => (some(), some()).prop_map(|(a, b)| a.meet(&b)),
    ]
}

fn asked() -> impl Strategy<Value = Permission> {
    (
        select(vec!["read", "write", "approve", "other"]),
        select(vec!["assets", "builder", "tokens", "audit"]),
        ids(),
    )
        .prop_map(|(verb, resource_type, resource_ids)| Permission {
            action: action(verb),
            resource_type: resource_type.parse().expect("a resource type"),
            resource_ids,
        })
}

fn action(text: &str) -> Action {
    text.parse().expect("an action")
}

fn permission(text: &str) -> Permission {
    text.parse().expect("a permission")
}

fn one(resource_type: &str, ids: &str, actions: &[&str]) -> Grant {
    let actions = match actions {
        ["*"] => Actions::Any,
        some => Actions::Only(some.iter().map(|text| action(text)).collect()),
    };
    Grant {
        resource_type: resource_type.parse().expect("a resource type"),
        resource_ids: ids.parse().expect("resource ids"),
        actions,
    }
}

proptest! {
    #[test]
    fn meet_is_commutative(a in grants(), b in grants()) {
        prop_assert_eq!(a.meet(&b), b.meet(&a));
    }

    #[test]
    fn meet_is_associative(a in grants(), b in grants(), c in grants()) {
        prop_assert_eq!(a.meet(&b).meet(&c), a.meet(&b.meet(&c)));
    }

    #[test]
    fn meet_is_idempotent(a in grants()) {
        prop_assert_eq!(a.meet(&a), a);
    }

    #[test]
    fn meet_permits_what_both_permit(a in grants(), b in grants(), x in asked()) {
        prop_assert_eq!(a.meet(&b).permits(&x), a.permits(&x) && b.permits(&x));
    }

    #[test]
    fn meet_is_never_above_either_side(a in grants(), b in grants()) {
        let both = a.meet(&b);
        prop_assert_eq!(both.meet(&a), both.clone());
        prop_assert_eq!(both.meet(&b), both);
    }

    #[test]
    fn ids_meet_where_both_cover(a in ids(), b in ids(), x in ids()) {
        let both = a.meet(&b).is_some_and(|both| both.cover(&x));
        prop_assert_eq!(both, a.cover(&x) && b.cover(&x));
    }

    #[test]
    fn parse_after_print_is_identity(permission in asked()) {
        prop_assert_eq!(permission.to_string().parse(), Ok(permission));
    }
}

#[test]
fn permits() {
    let grants = Grants::only([
        one("assets", "*", &["read"]),
        one("assets", "prod-*", &["write"]),
        one("builder", "b1", &["*"]),
        one("tokens", "*", &["read"]),
    ])
    .expect("grants");
    for (asked, expected) in [
        ("read:assets", true),
        ("read:assets:prod-1", true),
        ("write:assets", false),
        ("write:assets:prod-*", true),
        ("write:assets:prod-1", true),
        ("write:assets:pro", false),
        ("approve:assets:prod-1", false),
        ("ensure:builder:b1", true),
        ("ensure:builder:b1*", false),
        ("ensure:builder", false),
        ("read:tokens", true),
        ("create:tokens", false),
    ] {
        assert_eq!(grants.permits(&permission(asked)), expected, "{asked}");
        let ours = asked.contains("tokens");
        assert_eq!(Grants::All.permits(&permission(asked)), !ours, "{asked} by all");
    }
}

#[test]
fn all_grants_exclude_own_types() {
    let named = Grants::only([one("tokens", "*", &["read"]), one("assets", "*", &["*"])]).expect("grants");
    assert!(!named.meet(&Grants::All).permits(&permission("read:tokens")));
    assert!(named.meet(&named).permits(&permission("read:tokens")));
}

#[test]
fn normal_form_says_each_thing_once() {
    let wordy = [
        one("assets", "*", &["read"]),
        one("assets", "a*", &["read", "write"]),
        one("assets", "abc", &["write"]),
        one("assets", "abc", &["read", "approve"]),
    ];
    let terse =
        [one("assets", "*", &["read"]), one("assets", "a*", &["write"]), one("assets", "abc", &["approve"])];
    assert_eq!(Grants::only(wordy), Grants::only(terse));
}

#[test]
fn invalid_grants_are_refused() {
    assert_eq!(Grants::only([]), Err(InvalidGrants::Empty));
    let audit: ResourceType = "audit".parse().expect("a resource type");
    assert_eq!(Grants::only([one("audit", "*", &["*"])]), Err(InvalidGrants::AnyOwnAction(audit.clone())));
    assert_eq!(Grants::only([one("audit", "*", &[])]), Err(InvalidGrants::NoAction(audit)));
}

/// Every response about a token repeats its grants, so their length is bounded.
#[test]
fn grants_are_of_bounded_length() {
    // `assets`, an id of 10 bytes and `read` are 20 bytes, and each grant adds twice 8.
    let many = |count| match Grants::only((0..count).map(|n| one("assets", &format!("id-{n:07}"), &["read"])))
    {
        Ok(Grants::Only(set)) => set.judge_length(),
        other => panic!("{other:?}"),
    };
    assert_eq!(many(85), Ok(()));
    assert_eq!(many(86), Err(InvalidGrants::TooLong(24)));
}

#[test]
fn malformed_permissions_are_refused() {
    use crate::InvalidPermission::{Action as BadAction, ResourceId, ResourceType as BadType, Shape};
    for (text, why) in [
        ("", Shape),
        ("read", Shape),
        (":assets", BadAction),
        ("Read:assets", BadAction),
        ("*:assets", BadAction),
        ("read:", BadType),
        ("read:*", BadType),
        ("read:a//b", BadType),
        ("read:assets:", ResourceId),
        ("read:assets:a*b", ResourceId),
        ("read:assets:**", ResourceId),
        ("read:assets:a b", ResourceId),
    ] {
        assert_eq!(text.parse::<Permission>(), Err(why), "{text:?}");
    }
}
