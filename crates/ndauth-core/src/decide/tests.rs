use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use super::*;
use crate::{AccountId, Action, Actions, Grant, Lifetime, OrgId, Owner, SecretId, TokenId};

/// A state in which everything is allowed, for each test to spoil.
#[derive(Debug)]
struct World {
    secret: SecretRecord,
    token: Token,
    account: Account,
    owner_org: Option<Org>,
    org: Option<Org>,
    role: Option<Role>,
    service: Orgs,
    requirement: Requirement,
    catalogue: Catalogue,
    not_before: Timestamp,
    now: Timestamp,
}

impl World {
    fn new() -> World {
        World {
            secret: SecretRecord::first(
                SecretId::from_uuid(Uuid::nil()),
                "ndpat_Jj8IYR".parse().expect("a prefix"),
                at(1),
            ),
            token: Token {
                id: TokenId::from_uuid(Uuid::nil()),
                owner: Owner::Account(AccountId::from_uuid(Uuid::nil())),
                name: "ci".parse().expect("a name"),
                scope: Scope::Rw,
                grants: Grants::All,
                orgs: Orgs::All,
                created_at: at(1),
                lifetime: Lifetime::For(Duration::from_micros(999)),
                expires_at: Expiry::At(at(1000)),
                revoked_at: None,
            },
            account: Account {
                id: AccountId::from_uuid(Uuid::nil()),
                handle: "ada".parse().expect("a handle"),
                email: "ada@example.org".parse().expect("an address"),
                name: None,
                operator: false,
                created_at: at(0),
                disabled_at: None,
            },
            owner_org: None,
            org: Some(org(7)),
            role: Some(Role::Admin),
            service: Orgs::All,
            requirement: asks(Scope::Rw, None),
            catalogue: Catalogue::built_in(),
            not_before: Timestamp::MIN,
            now: at(500),
        }
    }

    fn case(&self) -> Case<'_> {
        Case {
            secret: &self.secret,
            token: &self.token,
            owner: match &self.owner_org {
                Some(org) => OwnerView::Org(org),
                None => OwnerView::Account(&self.account),
            },
            org: self.org.as_ref().map_or(OrgView::None, |org| OrgView::Org(org, self.role)),
            service: &self.service,
            requirement: &self.requirement,
            catalogue: &self.catalogue,
            not_before: self.not_before,
            now: self.now,
        }
    }

    fn refusal(&self) -> Option<Refusal> {
        decide(&self.case()).err()
    }
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).expect("an instant")
}

fn slug() -> OrgSlug {
    "ops".parse().expect("a slug")
}

fn org_id(n: u128) -> OrgId {
    OrgId::from_uuid(Uuid::from_u128(n))
}

fn org(n: u128) -> Org {
    Org { id: org_id(n), slug: slug(), name: None, created_at: at(0), deleted_at: None }
}

fn asks(access: Scope, permission: Option<&str>) -> Requirement {
    let permission = permission.map(|text| text.parse().expect("a permission"));
    Requirement::Access { org: slug(), access, permission }
}

fn granted(resource_type: &str, actions: &[&str]) -> Grants {
    let actions: std::collections::BTreeSet<Action> =
        actions.iter().map(|text| text.parse().expect("an action")).collect();
    Grants::only([Grant {
        resource_type: resource_type.parse().expect("a resource type"),
        resource_ids: "*".parse().expect("resource ids"),
        actions: Actions::Only(actions),
    }])
    .expect("grants")
}

/// A spoiled world, and what is said of it.
#[test]
fn the_first_factor_that_refuses_is_named() {
    let permission = |text: &str| text.parse::<Permission>().expect("a permission");
    type Row = (&'static str, fn(&mut World), Option<Refusal>);
    let rows: Vec<Row> = vec![
        ("nothing spoiled", |_| (), None),
        ("retired secret", |w| w.secret.ends_at = Expiry::At(at(500)), Some(Refusal::Replaced(at(500)))),
        ("retiring secret", |w| w.secret.ends_at = Expiry::At(at(501)), None),
        (
            "lapsed secret",
            |w| (w.secret.confirmed_at, w.secret.ends_at) = (None, Expiry::At(at(9))),
            Some(Refusal::Lapsed(at(9))),
        ),
        ("minted before the shut-out", |w| w.not_before = at(2), Some(Refusal::ShutOut(at(2)))),
        ("minted at its instant", |w| w.not_before = at(1), None),
        (
            "shut out, and its identity asked for",
            |w| (w.not_before, w.requirement) = (at(2), Requirement::Identity),
            Some(Refusal::ShutOut(at(2))),
        ),
        ("revoked", |w| w.token.revoked_at = Some(at(3)), Some(Refusal::Revoked(at(3)))),
        ("at the instant of expiry", |w| w.now = at(1000), Some(Refusal::Expired(at(1000)))),
        ("just before expiry", |w| w.now = at(999), None),
        ("owner disabled", |w| w.account.disabled_at = Some(at(2)), Some(Refusal::OwnerDisabled)),
        (
            "service for another org",
            |w| w.service = Orgs::only([org_id(8)]).expect("orgs"),
            Some(Refusal::ServiceNotForOrg(slug())),
        ),
        ("service for this org", |w| w.service = Orgs::only([org_id(7)]).expect("orgs"), None),
        (
            "limited service, unknown org",
            |w| (w.service, w.org) = (Orgs::only([org_id(7)]).expect("orgs"), None),
            Some(Refusal::ServiceNotForOrg(slug())),
        ),
        (
            "no such permission",
            |w| w.requirement = asks(Scope::Ro, Some("fly:assets")),
            Some(Refusal::PermissionUnknown(permission("fly:assets"))),
        ),
        (
            "scope too narrow",
            |w| w.token.scope = Scope::Ro,
            Some(Refusal::ScopeTooNarrow { scope: Scope::Ro, needed: Scope::Rw }),
        ),
        (
            "the action needs more than was stated",
            |w| (w.token.scope, w.requirement) = (Scope::Ro, asks(Scope::Ro, Some("write:assets"))),
            Some(Refusal::ScopeTooNarrow { scope: Scope::Ro, needed: Scope::Rw }),
        ),
        (
            "more was stated than the action needs",
            |w| (w.token.scope, w.requirement) = (Scope::Ro, asks(Scope::Rw, Some("read:assets"))),
            Some(Refusal::ScopeTooNarrow { scope: Scope::Ro, needed: Scope::Rw }),
        ),
        (
            "read-only reads",
            |w| (w.token.scope, w.requirement) = (Scope::Ro, asks(Scope::Ro, Some("read:assets"))),
            None,
        ),
        (
            "grants, and no permission named",
            |w| w.token.grants = granted("assets", &["read"]),
            Some(Refusal::PermissionNotNamed),
        ),
        (
            "not granted",
            |w| {
                (w.token.grants, w.requirement) =
                    (granted("assets", &["read"]), asks(Scope::Ro, Some("write:assets")));
            },
            Some(Refusal::PermissionNotGranted(permission("write:assets"))),
        ),
        (
            "all grants do not cover what is ours",
            |w| w.requirement = asks(Scope::Ro, Some("read:tokens")),
            Some(Refusal::PermissionNotGranted(permission("read:tokens"))),
        ),
        (
            "what is ours, by name",
            |w| {
                (w.token.grants, w.requirement) =
                    (granted("tokens", &["read"]), asks(Scope::Ro, Some("read:tokens")));
            },
            None,
        ),
        ("unknown org", |w| w.org = None, Some(Refusal::OrgUnknown(slug()))),
        (
            "deleted org",
            |w| w.org = Some(Org { deleted_at: Some(at(4)), ..org(7) }),
            Some(Refusal::OrgDeleted(slug())),
        ),
        (
            "restricted to the deleted org",
            |w| {
                w.token.orgs = Orgs::only([org_id(7)]).expect("orgs");
                w.org = Some(Org { deleted_at: Some(at(4)), ..org(7) });
            },
            Some(Refusal::OrgDeleted(slug())),
        ),
        (
            "restricted to another org",
            |w| w.token.orgs = Orgs::only([org_id(8)]).expect("orgs"),
            Some(Refusal::OrgNotCovered(slug())),
        ),
        (
            "restricted to this org",
            |w| w.token.orgs = Orgs::only([org_id(7), org_id(8)]).expect("orgs"),
            None,
        ),
        ("not a member", |w| w.role = None, Some(Refusal::NotAMember(slug()))),
        (
            "role too low",
            |w| w.role = Some(Role::Ro),
            Some(Refusal::RoleTooLow { org: slug(), role: Role::Ro, needed: Role::Rw }),
        ),
        (
            "the action needs an admin",
            |w| (w.role, w.requirement) = (Some(Role::Rw), asks(Scope::Ro, Some("approve:assets"))),
            Some(Refusal::RoleTooLow { org: slug(), role: Role::Rw, needed: Role::Admin }),
        ),
        ("an org's token at home", |w| (w.owner_org, w.role) = (Some(org(7)), None), None),
        (
            "an org's token abroad",
            |w| (w.owner_org, w.role) = (Some(org(8)), Some(Role::Admin)),
            Some(Refusal::NotAMember(slug())),
        ),
        (
            "an org's token, org gone",
            |w| w.owner_org = Some(Org { deleted_at: Some(at(4)), ..org(7) }),
            Some(Refusal::OwnerDisabled),
        ),
        (
            "a dead secret before all else",
            |w| (w.secret.ends_at, w.token.revoked_at, w.role) = (Expiry::At(at(5)), Some(at(6)), None),
            Some(Refusal::Replaced(at(5))),
        ),
        ("identity needs no org", |w| (w.requirement, w.org) = (Requirement::Identity, None), None),
        (
            "identity of the dead",
            |w| (w.requirement, w.token.revoked_at) = (Requirement::Identity, Some(at(6))),
            Some(Refusal::Revoked(at(6))),
        ),
    ];
    for (what, spoil, expected) in rows {
        let mut world = World::new();
        spoil(&mut world);
        assert_eq!(world.refusal(), expected, "{what}");
    }
}

#[test]
fn the_effective_access_is_the_lesser_of_scope_and_role() {
    for (scope, role, expected) in [
        (Scope::Rw, Role::Admin, Scope::Rw),
        (Scope::Rw, Role::Rw, Scope::Rw),
        (Scope::Rw, Role::Ro, Scope::Ro),
        (Scope::Ro, Role::Admin, Scope::Ro),
    ] {
        let mut world = World::new();
        world.token.scope = scope;
        world.role = Some(role);
        world.requirement = asks(Scope::Ro, None);
        let Ok(Effective::Access { access, .. }) = decide(&world.case()) else { panic!("allowed") };
        assert_eq!(access, expected, "{scope} {role}");
    }
    let mut world = World::new();
    world.requirement = Requirement::Identity;
    assert_eq!(decide(&world.case()), Ok(Effective::Identity));
}

#[test]
fn explain_tells_what_each_factor_allows() {
    let mut world = World::new();
    world.token.scope = Scope::Ro;
    world.role = Some(Role::Ro);
    let case = world.case();
    let findings = explain(&case);
    let told: Vec<(Factor, &Allowance<'_>, bool)> =
        findings.iter().map(|f| (f.factor, &f.allowed, f.refusal.is_some())).collect();
    assert_eq!(
        told,
        [
            (Factor::Secret, &Allowance::Until(Expiry::Never), false),
            (Factor::NotBefore, &Allowance::MintedSince(Timestamp::MIN), false),
            (Factor::Life, &Allowance::Until(Expiry::At(at(1000))), false),
            (Factor::Owner, &Allowance::Enabled(true), false),
            (Factor::Service, &Allowance::Orgs(&Orgs::All), false),
            (Factor::Catalogue, &Allowance::LeastRole(Some(Role::Ro)), false),
            (Factor::Scope, &Allowance::Scope(Scope::Ro), true),
            (Factor::Grants, &Allowance::Grants(&Grants::All), false),
            (Factor::Orgs, &Allowance::Orgs(&Orgs::All), false),
            (Factor::Role, &Allowance::Role(Some(Role::Ro)), true),
        ]
    );
}

#[test]
fn the_case_changes_at_the_earliest_end_to_come() {
    let mut world = World::new();
    assert_eq!(world.case().changes_at(), Expiry::At(at(1000)));
    world.secret.ends_at = Expiry::At(at(700));
    assert_eq!(world.case().changes_at(), Expiry::At(at(700)));
    world.now = at(800);
    assert_eq!(world.case().changes_at(), Expiry::At(at(1000)));
    world.now = at(1000);
    assert_eq!(world.case().changes_at(), Expiry::Never);
}

fn worlds() -> impl Strategy<Value = World> {
    let scope = select(vec![Scope::Ro, Scope::Rw]);
    let role = select(vec![None, Some(Role::Ro), Some(Role::Rw), Some(Role::Admin)]);
    let grants =
        select(vec![Grants::All, granted("assets", &["read"]), granted("assets", &["read", "write"])]);
    let orgs = select(vec![Orgs::All, Orgs::Only([org_id(7)].into()), Orgs::Only([org_id(8)].into())]);
    let asked = select(vec![
        None,
        Some("read:assets"),
        Some("write:assets"),
        Some("approve:assets"),
        Some("read:tokens"),
    ]);
    (scope.clone(), role, grants, orgs.clone(), orgs, scope, asked, 490..1010_i64).prop_map(
        |(scope, role, grants, orgs, service, access, permission, now)| {
            let mut world = World::new();
            (world.token.scope, world.token.grants, world.token.orgs) = (scope, grants, orgs);
            (world.role, world.service, world.now) = (role, service, at(now));
            world.requirement = asks(access, permission);
            world
        },
    )
}

proptest! {
    #[test]
    fn decide_and_explain_agree(world in worlds()) {
        let case = world.case();
        let first = explain(&case).into_iter().find_map(|finding| finding.refusal);
        prop_assert_eq!(decide(&case).err(), first.clone());
        if let Some(refusal) = first {
            let named = explain(&case).into_iter().find(|f| f.refusal.is_some()).map(|f| f.factor);
            prop_assert_eq!(named, Some(refusal.factor()));
        }
    }

    #[test]
    fn taking_away_never_gives(world in worlds()) {
        let allowed = decide(&world.case()).is_ok();
        let mut less = world;
        less.token.scope = Scope::Ro;
        less.role = less.role.map(|_| Role::Ro);
        less.token.orgs = less.token.orgs.meet(&Orgs::Only([org_id(7)].into()));
        prop_assert!(allowed || decide(&less.case()).is_err());
    }
}
