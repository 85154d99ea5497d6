use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use super::*;
use crate::{
    Account, AccountId, Action, Actions, DatedPolicy, Grant, OrgId, Owner, SecretId, ServiceId, TokenId,
};

/// A state in which everything is allowed, which each test changes.
#[derive(Debug)]
struct World {
    secret: SecretRecord,
    token: Token,
    account: Account,
    owner_org: Option<Org>,
    org: Option<Org>,
    role: Option<Role>,
    policies: Policies,
    /// The service that asks; if there is none, ndauth itself.
    service: Option<Service>,
    address: Option<IpAddr>,
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
                description: None,
                scope: Scope::Rw,
                grants: Grants::All,
                orgs: Orgs::All,
                services: Services::All,
                networks: Networks::All,
                created_at: at(1),
                lifetime: Lifetime::For(Duration::from_micros(999)),
                expires_at: Expiry::At(at(1000)),
                revoked_at: None,
                self_rotating_until: None,
                suspensions: [].into(),
            },
            account: Account {
                id: AccountId::from_uuid(Uuid::nil()),
                handle: "ada".parse().expect("a handle"),
                email: "ada@example.org".parse().expect("an address"),
                name: None,
                operator: false,
                created_at: at(0),
                last_login_at: Some(at(400)),
                disabled_at: None,
                not_before: Timestamp::MIN,
            },
            owner_org: None,
            org: Some(org(7)),
            role: Some(Role::Admin),
            policies: Policies::default(),
            service: Some(service(Orgs::All)),
            address: None,
            requirement: asks(Scope::Rw, None),
            catalogue: crate::catalogue::tests::built_in(),
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
                None => OwnerView::Account((&self.account).into()),
            },
            org: self.org.as_ref().map_or(OrgView::None, |org| OrgView::Org(org, self.role, &self.policies)),
            asker: self.service.as_ref().map_or(Asker::Ndauth, Asker::Service),
            address: self.address,
            requirement: &self.requirement,
            catalogue: &self.catalogue,
            effective_grants: None,
            not_before: self.not_before,
            now: self.now,
        }
    }

    fn asked_by(&mut self, orgs: Orgs) {
        self.service = Some(service(orgs));
    }

    fn rules(&mut self, policy: OrgPolicy) {
        self.policies = Policies::new([DatedPolicy { set_at: at(0), takes_hold_at: at(0), policy }]);
    }

    fn refusal(&self) -> Option<Refusal> {
        decide(&self.case()).err()
    }
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).expect("an instant")
}

/// Returns the age as of the instant at which the worlds are judged.
fn since(micros: i64) -> Since {
    Since { at: at(micros), as_of: at(500) }
}

fn suspend(world: &mut World, level: Level) {
    let mut suspensions = std::mem::take(&mut world.token.suspensions).into_vec();
    suspensions.push(crate::Suspension { level, since: at(4) });
    world.token.suspensions = suspensions.into();
}

fn slug() -> OrgSlug {
    "ops".parse().expect("a slug")
}

fn org_id(n: u128) -> OrgId {
    OrgId::from_uuid(Uuid::from_u128(n))
}

fn org(n: u128) -> Org {
    Org {
        id: org_id(n),
        slug: slug(),
        name: None,
        created_at: at(0),
        deleted_at: None,
        not_before: Timestamp::MIN,
        frozen_at: None,
    }
}

fn service(orgs: Orgs) -> Service {
    Service {
        id: service_id(1),
        name: "registry".parse().expect("a name"),
        orgs,
        states_address: true,
        created_at: at(0),
        revoked_at: None,
    }
}

fn service_id(n: u128) -> ServiceId {
    ServiceId::from_uuid(Uuid::from_u128(n))
}

fn networks(text: &str) -> Networks {
    Networks::only([text.parse().expect("a network")]).expect("networks")
}

fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().expect("an address"))
}

fn micros(n: u64) -> Lifetime {
    Lifetime::For(Duration::from_micros(n))
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

/// A change to the world, and the expected verdict.
#[test]
fn the_first_factor_that_refuses_is_named() {
    let permission = |text: &str| text.parse::<Permission>().expect("a permission");
    type Row = (&'static str, fn(&mut World), Option<Refusal>);
    let rows: Vec<Row> = vec![
        ("nothing spoiled", |_| (), None),
        ("retired secret", |w| w.secret.ends_at = Expiry::At(at(500)), Some(Refusal::Replaced(since(500)))),
        ("retiring secret", |w| w.secret.ends_at = Expiry::At(at(501)), None),
        (
            "expired secret",
            |w| (w.secret.confirmed_at, w.secret.ends_at) = (None, Expiry::At(at(9))),
            Some(Refusal::SecretExpired(since(9))),
        ),
        ("minted before all were revoked", |w| w.not_before = at(2), Some(Refusal::RevokedWithAll(at(2)))),
        ("minted at its instant", |w| w.not_before = at(1), None),
        (
            "revoked with all, and its identity asked for",
            |w| (w.not_before, w.requirement) = (at(2), Requirement::Identity),
            Some(Refusal::RevokedWithAll(at(2))),
        ),
        ("revoked", |w| w.token.revoked_at = Some(at(3)), Some(Refusal::Revoked(since(3)))),
        (
            "at the instant of expiry",
            |w| w.now = at(1000),
            Some(Refusal::Expired(Since { at: at(1000), as_of: at(1000) })),
        ),
        ("suspended by its owner", |w| suspend(w, Level::Owner), Some(Refusal::Suspended(since(4)))),
        ("suspended by the operator", |w| suspend(w, Level::Operator), Some(Refusal::Suspended(since(4)))),
        (
            "suspended, and its identity asked for",
            |w| {
                suspend(w, Level::Owner);
                w.requirement = Requirement::Identity;
            },
            Some(Refusal::Suspended(since(4))),
        ),
        (
            "suspended in this org",
            |w| suspend(w, Level::Org(org_id(7))),
            Some(Refusal::SuspendedInOrg { org: slug(), since: since(4) }),
        ),
        ("suspended in another org", |w| suspend(w, Level::Org(org_id(8))), None),
        (
            "suspended in this org, and its identity asked for",
            |w| {
                suspend(w, Level::Org(org_id(7)));
                w.requirement = Requirement::Identity;
            },
            None,
        ),
        (
            "minted before its owner revoked all",
            |w| w.account.not_before = at(2),
            Some(Refusal::RevokedWithAll(at(2))),
        ),
        (
            "minted before two revoked all",
            |w| (w.account.not_before, w.not_before) = (at(3), at(2)),
            Some(Refusal::RevokedWithAll(at(3))),
        ),
        (
            "minted before two revoked all, the other way round",
            |w| (w.account.not_before, w.not_before) = (at(2), at(3)),
            Some(Refusal::RevokedWithAll(at(3))),
        ),
        (
            "minted before the org revoked all",
            |w| w.org.as_mut().expect("an org").not_before = at(2),
            Some(Refusal::RevokedInOrg { org: slug(), not_before: at(2) }),
        ),
        ("minted when the org revoked all", |w| w.org.as_mut().expect("an org").not_before = at(1), None),
        (
            "a change in a frozen org",
            |w| w.org.as_mut().expect("an org").frozen_at = Some(at(4)),
            Some(Refusal::OrgFrozen { org: slug(), since: since(4) }),
        ),
        (
            "a look at a frozen org",
            |w| {
                w.org.as_mut().expect("an org").frozen_at = Some(at(4));
                w.requirement = asks(Scope::Ro, None);
            },
            None,
        ),
        (
            "what changes something in a frozen org, asked for as a look",
            |w| {
                w.org.as_mut().expect("an org").frozen_at = Some(at(4));
                w.requirement = asks(Scope::Ro, Some("write:assets"));
            },
            Some(Refusal::OrgFrozen { org: slug(), since: since(4) }),
        ),
        ("just before expiry", |w| w.now = at(999), None),
        ("owner disabled", |w| w.account.disabled_at = Some(at(2)), Some(Refusal::OwnerDisabled)),
        (
            "service for another org",
            |w| w.asked_by(Orgs::only([org_id(8)]).expect("orgs")),
            Some(Refusal::ServiceNotForOrg(slug())),
        ),
        ("service for this org", |w| w.asked_by(Orgs::only([org_id(7)]).expect("orgs")), None),
        (
            "limited service, unknown org",
            |w| {
                w.asked_by(Orgs::only([org_id(7)]).expect("orgs"));
                w.org = None;
            },
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
            "neither granted nor within the scope",
            |w| {
                w.token.scope = Scope::Ro;
                (w.token.grants, w.requirement) =
                    (granted("assets", &["read"]), asks(Scope::Rw, Some("write:assets")));
            },
            Some(Refusal::PermissionNotGranted(permission("write:assets"))),
        ),
        (
            "granted, and not within the scope",
            |w| {
                w.token.scope = Scope::Ro;
                (w.token.grants, w.requirement) =
                    (granted("assets", &["write"]), asks(Scope::Ro, Some("write:assets")));
            },
            Some(Refusal::ScopeTooNarrow { scope: Scope::Ro, needed: Scope::Rw }),
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
        ("unknown org", |w| w.org = None, Some(Refusal::NotAMember(slug()))),
        (
            "unknown org, and the token is for another",
            |w| {
                (w.org, w.token.orgs) =
                    (None, Orgs::only([OrgId::from_uuid(Uuid::from_u128(9))]).expect("orgs"));
            },
            Some(Refusal::OrgNotCovered(slug())),
        ),
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
            Some(Refusal::OwnerDeleted(slug())),
        ),
        (
            "a dead secret before all else",
            |w| (w.secret.ends_at, w.token.revoked_at, w.role) = (Expiry::At(at(5)), Some(at(6)), None),
            Some(Refusal::Replaced(since(5))),
        ),
        (
            "for another service",
            |w| w.token.services = Services::only([service_id(2)]).expect("services"),
            Some(Refusal::ServiceNotCovered("registry".parse().expect("a name"))),
        ),
        (
            "for another service, which asks whose it is",
            |w| {
                w.token.services = Services::only([service_id(2)]).expect("services");
                w.requirement = Requirement::Identity;
            },
            Some(Refusal::ServiceNotCovered("registry".parse().expect("a name"))),
        ),
        ("for this service", |w| w.token.services = Services::only([service_id(1)]).expect("services"), None),
        (
            "for services, at ndauth",
            |w| {
                w.token.services = Services::only([service_id(2)]).expect("services");
                (w.service, w.requirement) = (None, Requirement::Account { permission: None });
            },
            Some(Refusal::ServiceNotCovered("ndauth".parse().expect("a name"))),
        ),
        (
            "for services, and ndauth reports whose it is",
            |w| {
                w.token.services = Services::only([service_id(2)]).expect("services");
                (w.service, w.requirement) = (None, Requirement::Identity);
            },
            None,
        ),
        (
            "from elsewhere, at ndauth",
            |w| {
                w.token.networks = networks("10.0.0.0/8");
                (w.service, w.requirement, w.address) =
                    (None, Requirement::Account { permission: None }, address("192.0.2.7"));
            },
            Some(Refusal::NetworkNotCovered("192.0.2.7".parse().expect("an address"))),
        ),
        (
            "of its account, at ndauth",
            |w| (w.service, w.requirement, w.org) = (None, Requirement::Account { permission: None }, None),
            None,
        ),
        (
            "within its network",
            |w| (w.token.networks, w.address) = (networks("10.0.0.0/8"), address("10.1.2.3")),
            None,
        ),
        (
            "outside of its network",
            |w| (w.token.networks, w.address) = (networks("10.0.0.0/8"), address("192.0.2.7")),
            Some(Refusal::NetworkNotCovered("192.0.2.7".parse().expect("an address"))),
        ),
        (
            "nobody knows from where",
            |w| w.token.networks = networks("10.0.0.0/8"),
            Some(Refusal::AddressUnknown),
        ),
        (
            "nobody knows from where, and whose it is",
            |w| (w.token.networks, w.requirement) = (networks("10.0.0.0/8"), Requirement::Identity),
            Some(Refusal::AddressUnknown),
        ),
        (
            "from anywhere, ndauth reports whose it is",
            |w| {
                (w.token.networks, w.requirement) = (networks("10.0.0.0/8"), Requirement::Identity);
                w.service = None;
            },
            None,
        ),
        (
            "no personal tokens",
            |w| w.rules(OrgPolicy { personal_tokens: false, ..OrgPolicy::OPEN }),
            Some(Refusal::PersonalBarred(slug())),
        ),
        (
            "no personal tokens, and an org's own",
            |w| {
                w.rules(OrgPolicy { personal_tokens: false, login_within: micros(1), ..OrgPolicy::OPEN });
                w.owner_org = Some(org(7));
            },
            None,
        ),
        (
            "grants required, and all carried",
            |w| w.rules(OrgPolicy { require_grants: true, ..OrgPolicy::OPEN }),
            Some(Refusal::GrantsRequired(slug())),
        ),
        (
            "grants required, and some carried",
            |w| {
                w.rules(OrgPolicy { require_grants: true, ..OrgPolicy::OPEN });
                w.token.grants = granted("assets", &["write"]);
                w.requirement = asks(Scope::Rw, Some("write:assets"));
            },
            None,
        ),
        (
            "grants required, and a survey",
            |w| {
                w.rules(OrgPolicy { require_grants: true, ..OrgPolicy::OPEN });
                w.requirement = Requirement::Survey { org: slug() };
            },
            Some(Refusal::GrantsRequired(slug())),
        ),
        (
            "for all orgs, where that is barred",
            |w| w.rules(OrgPolicy { no_all_org_tokens: true, ..OrgPolicy::OPEN }),
            Some(Refusal::AllOrgsBarred(slug())),
        ),
        (
            "for this org, where all orgs are barred",
            |w| {
                w.rules(OrgPolicy { no_all_org_tokens: true, ..OrgPolicy::OPEN });
                w.token.orgs = Orgs::only([org_id(7)]).expect("orgs");
            },
            None,
        ),
        (
            "for all orgs where that is barred, and its identity asked for",
            |w| {
                w.rules(OrgPolicy { require_grants: true, no_all_org_tokens: true, ..OrgPolicy::OPEN });
                w.requirement = Requirement::Identity;
            },
            None,
        ),
        (
            "not in force yet",
            |w| {
                let policy = OrgPolicy { personal_tokens: false, ..OrgPolicy::OPEN };
                w.policies = Policies::new([DatedPolicy { set_at: at(0), takes_hold_at: at(501), policy }]);
            },
            None,
        ),
        (
            "in force at its instant",
            |w| {
                let policy = OrgPolicy { personal_tokens: false, ..OrgPolicy::OPEN };
                w.policies = Policies::new([DatedPolicy { set_at: at(0), takes_hold_at: at(500), policy }]);
            },
            Some(Refusal::PersonalBarred(slug())),
        ),
        (
            "made to live too long",
            |w| w.rules(OrgPolicy { longest_lifetime: micros(998), ..OrgPolicy::OPEN }),
            Some(Refusal::LifetimeTooLong { org: slug(), lifetime: micros(999), longest: micros(998) }),
        ),
        (
            "made to live just as long",
            |w| w.rules(OrgPolicy { longest_lifetime: micros(999), ..OrgPolicy::OPEN }),
            None,
        ),
        (
            "its end was moved",
            |w| {
                w.rules(OrgPolicy { longest_lifetime: micros(999), ..OrgPolicy::OPEN });
                w.token.expires_at = Expiry::At(at(1001));
            },
            Some(Refusal::LifetimeTooLong { org: slug(), lifetime: micros(1000), longest: micros(999) }),
        ),
        (
            "never expires",
            |w| {
                w.rules(OrgPolicy {
                    longest_lifetime: Lifetime::For(crate::MAX_LIFETIME),
                    ..OrgPolicy::OPEN
                });
                w.token.expires_at = Expiry::Never;
            },
            Some(Refusal::LifetimeTooLong {
                org: slug(),
                lifetime: Lifetime::Endless,
                longest: Lifetime::For(crate::MAX_LIFETIME),
            }),
        ),
        (
            "logged in too long ago",
            |w| w.rules(OrgPolicy { login_within: micros(100), ..OrgPolicy::OPEN }),
            Some(Refusal::LoginTooOld { org: slug(), within: micros(100), last: Some(at(400)) }),
        ),
        (
            "logged in just in time",
            |w| w.rules(OrgPolicy { login_within: micros(101), ..OrgPolicy::OPEN }),
            None,
        ),
        (
            "never logged in",
            |w| {
                w.rules(OrgPolicy { login_within: micros(101), ..OrgPolicy::OPEN });
                w.account.last_login_at = None;
            },
            Some(Refusal::LoginTooOld { org: slug(), within: micros(101), last: None }),
        ),
        (
            "from where the org admits none",
            |w| {
                w.rules(OrgPolicy { networks: networks("10.0.0.0/8"), ..OrgPolicy::OPEN });
                w.address = address("192.0.2.7");
            },
            Some(Refusal::NetworkBarred { org: slug(), address: address("192.0.2.7") }),
        ),
        (
            "from nobody knows where, in an org that asks",
            |w| w.rules(OrgPolicy { networks: networks("10.0.0.0/8"), ..OrgPolicy::OPEN }),
            Some(Refusal::NetworkBarred { org: slug(), address: None }),
        ),
        (
            "a survey asks as from within",
            |w| {
                w.rules(OrgPolicy { networks: networks("10.0.0.0/8"), ..OrgPolicy::OPEN });
                w.token.networks = networks("10.0.0.0/8");
                w.requirement = Requirement::Survey { org: slug() };
            },
            None,
        ),
        (
            "a survey needs no permission's name",
            |w| {
                (w.token.grants, w.requirement) =
                    (granted("assets", &["read"]), Requirement::Survey { org: slug() });
            },
            None,
        ),
        (
            "a survey where there is no role",
            |w| (w.role, w.requirement) = (None, Requirement::Survey { org: slug() }),
            Some(Refusal::NotAMember(slug())),
        ),
        ("identity needs no org", |w| (w.requirement, w.org) = (Requirement::Identity, None), None),
        (
            "identity of the dead",
            |w| (w.requirement, w.token.revoked_at) = (Requirement::Identity, Some(at(6))),
            Some(Refusal::Revoked(since(6))),
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
fn explain_reports_what_each_factor_allows() {
    let mut world = World::new();
    world.token.scope = Scope::Ro;
    world.role = Some(Role::Ro);
    let case = world.case();
    let findings = explain(&case);
    let reported: Vec<(Factor, &Allowance<'_>, bool)> =
        findings.iter().map(|f| (f.factor, &f.allowed, f.refusal.is_some())).collect();
    assert_eq!(
        reported,
        [
            (Factor::Secret, &Allowance::Until(Expiry::Never), false),
            (Factor::NotBefore, &Allowance::MintedSince(Timestamp::MIN), false),
            (Factor::Life, &Allowance::Until(Expiry::At(at(1000))), false),
            (Factor::Suspension, &Allowance::Suspended(false), false),
            (Factor::Owner, &Allowance::Enabled(true), false),
            (Factor::Service, &Allowance::Orgs(&Orgs::All), false),
            (Factor::Audience, &Allowance::Services(&Services::All), false),
            (Factor::Network, &Allowance::Networks(&Networks::All), false),
            (Factor::Catalogue, &Allowance::LeastRole(Some(Role::Ro)), false),
            (Factor::Grants, &Allowance::Grants(&Grants::All), false),
            (Factor::Scope, &Allowance::Scope(Scope::Ro), true),
            (Factor::Orgs, &Allowance::Orgs(&Orgs::All), false),
            (Factor::Role, &Allowance::Role(Some(Role::Ro)), true),
            (Factor::Lockdown, &Allowance::MintedSince(at(0)), false),
            (Factor::Policy, &Allowance::Policy(&OrgPolicy::OPEN), false),
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
    world.now = at(500);
    world.rules(OrgPolicy { login_within: micros(200), ..OrgPolicy::OPEN });
    assert_eq!(world.case().changes_at(), Expiry::At(at(600)), "the login gets too old");
    world.policies = Policies::new([DatedPolicy {
        set_at: at(1),
        takes_hold_at: at(550),
        policy: OrgPolicy { personal_tokens: false, ..OrgPolicy::OPEN },
    }]);
    assert_eq!(world.case().changes_at(), Expiry::At(at(550)), "a policy takes hold");
}

/// A policy that is announced, who is warned of it, and why.
#[test]
fn an_announced_policy_warns_of_what_it_will_refuse() {
    let announced = |world: &mut World, takes_hold_at, policy| {
        let now = world.policies.iter().cloned().collect::<Vec<_>>();
        let next = DatedPolicy { set_at: at(2), takes_hold_at: at(takes_hold_at), policy };
        world.policies = Policies::new(now.into_iter().chain([next]));
    };
    let strict = || OrgPolicy { require_grants: true, ..OrgPolicy::OPEN };
    let login = |n| OrgPolicy { login_within: micros(n), ..OrgPolicy::OPEN };
    type Row<'a> = (&'a str, &'a dyn Fn(&mut World), Option<(i64, crate::Reason)>);
    let rows: [Row<'_>; 11] = [
        ("nothing announced", &|_| (), None),
        ("refused later", &|w| announced(w, 600, strict()), Some((600, crate::Reason::GrantsRequired))),
        ("holds already", &|w| announced(w, 500, strict()), None),
        ("the token ends before", &|w| announced(w, 1000, strict()), None),
        (
            "no limit in its way",
            &|w| announced(w, 600, OrgPolicy { longest_lifetime: micros(999), ..OrgPolicy::OPEN }),
            None,
        ),
        (
            "the one that refuses comes second",
            &|w| {
                announced(w, 600, login(500));
                w.policies = Policies::new(w.policies.iter().cloned().chain([DatedPolicy {
                    set_at: at(3),
                    takes_hold_at: at(700),
                    policy: OrgPolicy { personal_tokens: false, ..OrgPolicy::OPEN },
                }]));
            },
            Some((700, crate::Reason::PersonalBarred)),
        ),
        (
            "refused today for another reason",
            &|w| {
                announced(w, 600, strict());
                w.role = None;
            },
            None,
        ),
        (
            "the owner must log in until then",
            &|w| announced(w, 600, login(100)),
            Some((600, crate::Reason::LoginTooOld)),
        ),
        (
            "the owner logs in as they do today",
            &|w| {
                w.rules(login(150));
                announced(w, 600, login(150));
            },
            None,
        ),
        (
            "used from elsewhere",
            &|w| {
                w.address = address("192.0.2.7");
                announced(w, 600, OrgPolicy { networks: networks("10.0.0.0/8"), ..OrgPolicy::OPEN });
            },
            Some((600, crate::Reason::NetworkBarred)),
        ),
        (
            "nobody knows from where",
            &|w| announced(w, 600, OrgPolicy { networks: networks("10.0.0.0/8"), ..OrgPolicy::OPEN }),
            None,
        ),
    ];
    for (what, spoil, expected) in rows {
        let mut world = World::new();
        world.requirement = Requirement::Survey { org: slug() };
        spoil(&mut world);
        let warning = world.case().policy_warning();
        let reported = warning.as_ref().map(|warning| (warning.takes_hold_at.micros(), warning.reason));
        assert_eq!(reported, expected, "{what}");
    }
}

#[test]
fn policies_that_an_earlier_decision_does_not_know_need_a_later_one() {
    let account = World::new().account;
    for (policy, expected) in [
        (OrgPolicy { personal_tokens: false, ..OrgPolicy::OPEN }, 1),
        (OrgPolicy { require_grants: true, ..OrgPolicy::OPEN }, 4),
        (OrgPolicy { no_all_org_tokens: true, ..OrgPolicy::OPEN }, 4),
    ] {
        let mut world = World::new();
        world.rules(policy);
        let ground = crate::OrgWithPolicies { org: org(7), policies: world.policies };
        let inputs = crate::Inputs {
            secret: world.secret,
            token: world.token,
            owner: crate::InputOwner::Account {
                id: account.id,
                handle: account.handle.clone(),
                disabled_at: None,
                last_login_at: account.last_login_at,
                not_before: account.not_before,
            },
            places: vec![crate::InputPlace::In(ground.into(), world.role)],
        };
        assert_eq!(inputs.decision_version(), expected);
    }
}

fn policies() -> impl Strategy<Value = Policies> {
    let lifetime = select(vec![Lifetime::Endless, micros(998), micros(999)]);
    let within = select(vec![Lifetime::Endless, micros(50), micros(600)]);
    let from = select(vec![Networks::All, networks("10.0.0.0/8")]);
    let switches = (any::<bool>(), any::<bool>(), any::<bool>());
    (lifetime, switches, from, within, 480..1010_i64).prop_map(
        |(longest_lifetime, switches, networks, login_within, takes_hold_at)| {
            let (personal_tokens, require_grants, no_all_org_tokens) = switches;
            let policy = OrgPolicy {
                longest_lifetime,
                personal_tokens,
                networks,
                login_within,
                suspend_on_reuse: false,
                require_grants,
                no_all_org_tokens,
            };
            Policies::new([DatedPolicy { set_at: at(1), takes_hold_at: at(takes_hold_at), policy }])
        },
    )
}

fn requirements() -> impl Strategy<Value = Requirement> {
    let permission = select(vec![
        None,
        Some("read:assets"),
        Some("write:assets"),
        Some("approve:assets"),
        Some("read:tokens"),
        Some("fly:assets"),
    ]);
    let access = select(vec![Scope::Ro, Scope::Rw]);
    prop_oneof![
        1 => Just(Requirement::Identity),
        1 => Just(Requirement::Account { permission: None }),
        1 => Just(Requirement::Survey { org: slug() }),
        8 => (access, permission).prop_map(|(access, permission)| asks(access, permission)),
    ]
}

fn worlds() -> impl Strategy<Value = World> {
    let scope = select(vec![Scope::Ro, Scope::Rw]);
    let role = select(vec![None, Some(Role::Ro), Some(Role::Rw), Some(Role::Admin)]);
    let grants =
        select(vec![Grants::All, granted("assets", &["read"]), granted("assets", &["read", "write"])]);
    let orgs = select(vec![Orgs::All, Orgs::Only([org_id(7)].into()), Orgs::Only([org_id(8)].into())]);
    let services = select(vec![
        Services::All,
        Services::Only([service_id(1)].into()),
        Services::Only([service_id(2)].into()),
    ]);
    let from = select(vec![Networks::All, networks("10.0.0.0/8")]);
    let used = select(vec![None, address("10.0.0.1"), address("192.0.2.7")]);
    let owner = select(vec![None, Some(org(7)), Some(org(8))]);
    let asker = prop_oneof![1 => Just(None), 4 => orgs.clone().prop_map(|orgs| Some(service(orgs)))];
    let token = (scope, grants, orgs, services, from);
    let question = (requirements(), asker, used, 490..1010_i64);
    let level = select(vec![
        None,
        None,
        Some(Level::Owner),
        Some(Level::Org(org_id(7))),
        Some(Level::Org(org_id(8))),
    ]);
    let shut = (level, select(vec![0, 0, 1, 2]), any::<bool>());
    (token, role, owner, policies(), question, shut).prop_map(
        |(token, role, owner, policies, question, shut)| {
            let mut world = World::new();
            if let Some(level) = shut.0 {
                suspend(&mut world, level);
            }
            if let Some(org) = &mut world.org {
                (org.not_before, org.frozen_at) = (at(shut.1), shut.2.then(|| at(4)));
            }
            (
                world.token.scope,
                world.token.grants,
                world.token.orgs,
                world.token.services,
                world.token.networks,
            ) = token;
            (world.role, world.owner_org, world.policies) = (role, owner, policies);
            let now;
            (world.requirement, world.service, world.address, now) = question;
            world.now = at(now);
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

    /// Whatever else refuses a living token that may serve there, a permission that it lacks is named first.
    #[test]
    fn a_missing_permission_is_named_before_the_scope(world in worlds()) {
        let case = world.case();
        let Requirement::Access { permission: Some(permission), .. } = &world.requirement else { return Ok(()) };
        let lacks = case.catalogue.least_role(permission).is_some()
            && !case.catalogue.permit(&world.token.grants, permission);
        if let Err(refusal) = decide(&case)
            && lacks
        {
            prop_assert_ne!(refusal.reason(), crate::Reason::ScopeTooNarrow);
            if refusal.factor() >= Factor::Grants {
                prop_assert_eq!(refusal.missing_permission(), Some(permission));
            }
        }
    }

    /// The effective permissions are those that questions about them are allowed.
    #[test]
    fn effective_permissions_are_allowed(world in worlds()) {
        let mut world = world;
        world.requirement = Requirement::Survey { org: slug() };
        if let (Ok(Effective::Access { grants: Grants::Only(set), .. }), Some(_)) =
            (decide(&world.case()), world.address)
        {
            for (resource_type, ids, actions) in set.iter() {
                let Actions::Only(actions) = actions else { panic!("each is named") };
                for action in actions {
                    let permission = Permission {
                        action: action.clone(),
                        resource_type: resource_type.clone(),
                        resource_ids: ids.clone(),
                    };
                    world.requirement = Requirement::Access {
                        org: slug(),
                        access: Scope::Ro,
                        permission: Some(permission),
                    };
                    prop_assert_eq!(world.refusal(), None);
                }
            }
        }
    }

    /// Removing any one thing leaves a refused request refused.
    #[test]
    fn taking_away_never_gives(world in worlds(), what in 0..15_u8) {
        let allowed = decide(&world.case()).is_ok();
        let mut less = world;
        let mut policy = less.policies.at(less.now).clone();
        match what {
            0 => less.token.scope = Scope::Ro,
            1 => less.role = less.role.map(|_| Role::Ro),
            2 => less.token.orgs = less.token.orgs.meet(&Orgs::Only([org_id(7)].into())),
            3 => less.token.services = less.token.services.meet(&Services::Only([service_id(1)].into())),
            4 if less.token.networks == Networks::All => less.token.networks = networks("10.0.0.0/8"),
            5 => policy.personal_tokens = false,
            6 => policy.longest_lifetime = policy.longest_lifetime.min(micros(998)),
            7 => policy.login_within = policy.login_within.min(micros(50)),
            8 if policy.networks == Networks::All => policy.networks = networks("10.0.0.0/8"),
            9 => policy.require_grants = true,
            10 => policy.no_all_org_tokens = true,
            11 => suspend(&mut less, Level::Org(org_id(7))),
            12 => suspend(&mut less, Level::Operator),
            13 => less.account.not_before = at(2),
            14 => less.org.iter_mut().for_each(|org| org.frozen_at = Some(at(4))),
            _ => {}
        }
        if (5..11).contains(&what) {
            less.rules(policy);
        }
        prop_assert!(allowed || decide(&less.case()).is_err(), "{}", what);
    }
}

/// Returns the rows of the document's tables whose header begins with a word.
fn documented(header: &str) -> Vec<Vec<String>> {
    let document = include_str!("../../../../docs/permissions.md");
    let lines = document.lines().skip_while(|line| !line.starts_with(header)).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// Returns a world's verdict, as the document writes it.
fn answer(world: &World) -> String {
    match decide(&world.case()) {
        Ok(Effective::Access { access, .. }) => format!("yes, {access}"),
        Ok(Effective::Identity) => "yes".to_owned(),
        Err(refusal) => refusal.reason().code().to_owned(),
    }
}

#[test]
fn the_truth_table_of_the_document_is_true() {
    let rows = documented("| scope | grants | orgs");
    assert!(rows.len() >= 30, "{}", rows.len());
    for row in rows {
        let [scope, grants, orgs, role, asked, expected] = row.as_slice() else { panic!("{row:?}") };
        let mut world = World::new();
        world.token.scope = scope.parse().expect("a scope");
        if grants != "all" {
            world.token.grants = Grants::only(grants.split(", ").map(|text| {
                let permission: Permission = text.parse().expect("a permission");
                Grant {
                    resource_type: permission.resource_type,
                    resource_ids: permission.resource_ids,
                    actions: Actions::Only([permission.action].into()),
                }
            }))
            .expect("grants");
        }
        if orgs != "all" {
            let id = |slug| if slug == "ops" { org_id(7) } else { org_id(8) };
            world.token.orgs = Orgs::only(orgs.split(", ").map(id)).expect("orgs");
        }
        world.role = role.parse().ok();
        let (access, permission) = match asked.split_once(' ') {
            None => (asked.as_str(), None),
            Some((access, permission)) => (access, Some(permission)),
        };
        world.requirement = asks(access.parse().expect("an access"), permission);
        assert_eq!(answer(&world), *expected, "{row:?}");
    }
}

#[test]
fn the_table_of_policies_of_the_document_is_true() {
    const DAY: i64 = 24 * 60 * 60 * 1_000_000;
    let length = |text: &str| match crate::ExpiryChoice::parse_duration(text) {
        Ok(crate::ExpiryChoice::In(lifetime)) => lifetime,
        other => panic!("{other:?}"),
    };
    let rows = documented("| the org's policy");
    assert!(rows.len() >= 18, "{}", rows.len());
    for row in rows {
        let [policy, token, asked, expected] = row.as_slice() else { panic!("{row:?}") };
        let mut world = World::new();
        (world.now, world.role) = (at(10 * DAY), Some(Role::Rw));
        world.account.last_login_at = Some(at(5 * DAY));
        world.secret.minted_at = at(0);
        (world.token.created_at, world.token.expires_at) = (at(0), Expiry::At(at(90 * DAY)));
        let mut rules = OrgPolicy::OPEN;
        let (limit, later) =
            policy.split_once(", in ").map_or((policy.as_str(), None), |(limit, later)| (limit, Some(later)));
        match limit.rsplit_once(' ') {
            None => assert_eq!(limit, "none"),
            Some(("personal tokens", "barred")) => rules.personal_tokens = false,
            Some(("grants", "required")) => rules.require_grants = true,
            Some(("tokens for all orgs", "barred")) => rules.no_all_org_tokens = true,
            Some(("longest lifetime", text)) => rules.longest_lifetime = length(text),
            Some(("login within", text)) => rules.login_within = length(text),
            Some(("networks", text)) => rules.networks = networks(text),
            Some(other) => panic!("{other:?}"),
        }
        let takes_hold_at = match later.map(length) {
            Some(Lifetime::For(later)) => world.now.checked_add(later).expect("an instant"),
            _ => at(0),
        };
        world.policies = Policies::new([DatedPolicy { set_at: at(0), takes_hold_at, policy: rules }]);
        match token.rsplit_once(' ') {
            None => assert_eq!(token, "-"),
            Some(("never", "expires")) => world.token.expires_at = Expiry::Never,
            Some(("of the", "org")) => {
                world.owner_org = Some(org(7));
                world.token.orgs = Orgs::only([org_id(7)]).expect("orgs");
            }
            Some(("for", "ops")) => world.token.orgs = Orgs::only([org_id(7)]).expect("orgs"),
            Some(("from", text)) => world.token.networks = networks(text),
            Some(("for", "registry")) => {
                world.token.services = Services::only([service_id(1)]).expect("services");
            }
            Some(other) => panic!("{other:?}"),
        }
        match asked.rsplit_once(' ') {
            None => assert_eq!(asked, "-"),
            Some(("from", text)) => world.address = address(text),
            Some(("by", "registry")) => {}
            Some(("by", "builder")) => {
                world.service = Some(Service { id: service_id(2), ..service(Orgs::All) });
            }
            Some(other) => panic!("{other:?}"),
        }
        assert_eq!(answer(&world), *expected, "{row:?}");
    }
}
