use std::collections::BTreeSet;
use std::time::Duration;

use ndauth_core::{
    Account, AccountId, Actions, Allowed, Concern, Effective, Expiry, ExpiryChoice, Factor, Grant, Grants,
    Lifetime, Networks, Org, OrgId, OrgPolicy, Orgs, Owner, OwnerView, Permission, Problem, Reason, Refusal,
    Requirement, Role, Scope, SecretId, SecretKind, SecretRecord, ServiceId, Services, SessionId, Timestamp,
    Token, TokenId,
};
use prost::Message;
use prost_types::field_descriptor_proto::Type;
use tonic::{Code, Status};
use uuid::Uuid;

use super::*;

#[test]
fn every_reason_goes_round_as_a_status() {
    for reason in Reason::all() {
        for problem in [
            Problem::new(reason, "what happened"),
            Problem { field: Some("name".into()), ..Problem::new(reason, "what is wrong") },
            Problem::new(reason, "too often").with_retry_after(Duration::from_millis(90_500)),
            Problem {
                missing_permissions: ["read:assets", "write:assets:a,b"]
                    .map(|text| text.parse().expect("a permission"))
                    .into(),
                ..Problem::new(reason, "what is missing")
            },
        ] {
            assert_eq!(problem_from_status(&status_from_problem(&problem)), problem);
        }
    }
}

#[test]
fn every_reason_and_factor_goes_round_as_data() {
    for reason in Reason::all() {
        assert_eq!(reason_from_proto(reason_to_proto(reason).into()), Some(reason), "{reason:?}");
    }
    for factor in Factor::ALL {
        assert_eq!(factor_from_proto(factor_to_proto(factor).into()), Some(factor));
    }
    assert_eq!(reason_from_proto(0), None);
    assert_eq!(reason_from_proto(9999), None);
    assert_eq!(factor_from_proto(0), None);
}

/// A secret that has no end of its own ends with its token, by its expiry or by its revocation.
#[test]
fn no_secret_shows_an_end_later_than_its_token_s() {
    let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000).expect("an instant");
    let account = AccountId::from_uuid(Uuid::nil());
    let secret = |ends_at| ndauth_core::SecretView {
        record: SecretRecord {
            ends_at,
            ..SecretRecord::first(
                SecretId::from_uuid(Uuid::nil()),
                "ndpat_Jj8IYR".parse().expect("a prefix"),
                at(1),
            )
        },
        last_use: None,
        reused_at: None,
        succession: None,
    };
    for (secret_ends, token_ends, revoked_at, expected) in [
        (Expiry::Never, Expiry::At(at(90)), None, Some(at(90))),
        (Expiry::At(at(30)), Expiry::At(at(90)), None, Some(at(30))),
        (Expiry::Never, Expiry::Never, None, None),
        (Expiry::Never, Expiry::At(at(90)), Some(at(7)), Some(at(7))),
        (Expiry::At(at(5)), Expiry::Never, Some(at(7)), Some(at(5))),
    ] {
        let view = ndauth_core::TokenView {
            token: Token {
                id: TokenId::from_uuid(Uuid::nil()),
                owner: Owner::Account(account),
                name: "ci".parse().expect("a name"),
                description: None,
                scope: Scope::Rw,
                grants: Grants::All,
                orgs: Orgs::All,
                services: Services::All,
                networks: Networks::All,
                created_at: at(1),
                lifetime: Lifetime::Endless,
                expires_at: token_ends,
                revoked_at,
                self_rotating_until: None,
                suspensions: [].into(),
            },
            owner_org: None,
            orgs: Orgs::All,
            services: Services::All,
            owner_account: Some("ada".parse().expect("a handle")),
            suspended_in: Vec::new(),
            secrets: vec![secret(secret_ends)],
            not_before: Timestamp::MIN,
            revocation: None,
            used_from: Vec::new(),
            policy_warnings: Vec::new(),
            uses: ndauth_core::VisibleUses::All,
        };
        let ends_at = token_to_proto(&view, at(8)).secrets.remove(0).ends_at;
        let expected = expected.map_or(Expiry::Never, Expiry::At);
        assert_eq!(ends_at, Some(expiry_to_proto(expected)), "{secret_ends:?} {token_ends:?} {revoked_at:?}");
    }
}

#[test]
fn hints_are_true_for_each_kind_of_credential() {
    for (kind, reason) in [SecretKind::Org, SecretKind::Service]
        .into_iter()
        .flat_map(|kind| Reason::all().map(move |of| (kind, of)))
    {
        let hint = hint_for(reason, Some(kind)).unwrap_or_default();
        assert!(!hint.contains("ndcli auth "), "{kind:?} {reason:?}: {hint}");
    }
    for (kind, reason, expected) in [
        (SecretKind::Personal, Reason::TokenRevoked, "`ndcli auth token create --like NAME`"),
        (SecretKind::Org, Reason::TokenRevoked, "`ndcli token create --org ORG --like NAME`"),
        (SecretKind::Service, Reason::TokenRevoked, "ask the operator"),
        (SecretKind::Personal, Reason::SessionRequired, "`ndcli auth login`"),
        (SecretKind::Org, Reason::SessionRequired, "an admin of the org"),
        (SecretKind::Org, Reason::PermissionNotGranted, "an admin of the org makes a token"),
    ] {
        let hint = hint_for(reason, Some(kind)).expect("a hint");
        assert!(hint.contains(expected), "{kind:?} {reason:?}: {hint}");
    }
}

#[test]
fn a_warning_goes_round_as_data_and_as_a_trailer() {
    let warning = ndauth_core::PolicyWarning {
        org: "ops".parse().expect("a slug"),
        takes_hold_at: Timestamp::from_micros(7_000_000).expect("an instant"),
        reason: Reason::GrantsRequired,
        message: "the org `ops` admits only tokens that carry a set of grants, and this one carries all"
            .to_owned(),
    };
    assert_eq!(policy_warning_from_proto(policy_warning_to_proto(&warning)), Ok(warning.clone()));
    assert_eq!(policy_warning_from_trailer(&policy_warning_to_trailer(&warning)), Some(warning));
    for text in ["", "2026-11-22T00:00:00Z ops", "soon ops GRANTS_REQUIRED why"] {
        assert_eq!(policy_warning_from_trailer(text), None, "{text}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the statuses of strangers are not made of problems")]
fn a_foreign_status_is_never_a_verdict() {
    for code in 0..17 {
        let problem = problem_from_status(&Status::new(Code::from(code), "from a proxy"));
        assert!(!problem.reason.code().starts_with("SECRET_"), "{code}");
        assert!(!problem.reason.code().starts_with("TOKEN_"), "{code}");
    }
    let expired = Status::new(Code::Cancelled, "Timeout expired");
    assert_eq!(problem_from_status(&expired).reason, Reason::Unavailable);
}

#[test]
fn absent_or_empty_never_means_everything() {
    assert!(orgs_from_proto("orgs", None).is_err());
    assert!(orgs_from_proto("orgs", Some(v1::Orgs { kind: None })).is_err());
    let none = v1::orgs::Kind::Only(v1::OrgSet { slugs: vec![] });
    assert!(orgs_from_proto("orgs", Some(v1::Orgs { kind: Some(none) })).is_err());
    assert!(grants_from_proto("grants", None).is_err());
    assert!(grants_from_proto("grants", Some(v1::Grants { kind: None })).is_err());
    let none = v1::grants::Kind::Only(v1::GrantSet { grants: vec![] });
    assert!(grants_from_proto("grants", Some(v1::Grants { kind: Some(none) })).is_err());
    assert!(services_from_proto("services", None).is_err());
    let none = v1::services::Kind::Only(v1::ServiceSet { names: vec![] });
    assert!(services_from_proto("services", Some(v1::Services { kind: Some(none) })).is_err());
    assert!(networks_from_proto("networks", None).is_err());
    let none = v1::networks::Kind::Only(v1::NetworkSet { cidrs: vec![] });
    assert!(networks_from_proto("networks", Some(v1::Networks { kind: Some(none) })).is_err());
    assert!(policy_from_proto("policy", None).is_err());
    let open = policy_to_proto(&OrgPolicy::OPEN);
    for (spoil, field) in [
        (v1::OrgPolicy { longest_lifetime: None, ..open.clone() }, "policy.longest_lifetime"),
        (v1::OrgPolicy { networks: None, ..open.clone() }, "policy.networks"),
        (v1::OrgPolicy { login_within: None, ..open.clone() }, "policy.login_within"),
    ] {
        let problem = policy_from_proto("policy", Some(spoil)).expect_err("refused");
        assert_eq!(problem.field.as_deref(), Some(field));
    }
    assert!(expiry_choice_from_proto("expiry", None).is_err());
    assert!(scope_from_proto("scope", 0).is_err());
    assert!(role_from_proto("role", 0).is_err());
}

#[test]
fn values_go_round() {
    let orgs = Orgs::only(["ops".parse().expect("a slug"), "dev".parse().expect("a slug")]).expect("orgs");
    for orgs in [Orgs::All, orgs] {
        assert_eq!(orgs_from_proto("orgs", Some(orgs_to_proto(&orgs))), Ok(orgs));
    }
    let read: BTreeSet<_> = ["read".parse().expect("an action")].into();
    let grant = |ids: &str, actions| Grant {
        resource_type: "assets".parse().expect("a resource type"),
        resource_ids: ids.parse().expect("resource ids"),
        actions,
    };
    let some =
        Grants::only([grant("*", Actions::Only(read)), grant("prod-*", Actions::Any)]).expect("grants");
    for grants in [Grants::All, some] {
        assert_eq!(grants_from_proto("grants", Some(grants_to_proto(&grants))), Ok(grants));
    }
    let services = Services::only(["registry".parse().expect("a name")]).expect("services");
    for services in [Services::All, services] {
        assert_eq!(services_from_proto("services", Some(services_to_proto(&services))), Ok(services));
    }
    let networks = Networks::only(["10.0.0.0/8".parse().expect("a network")]).expect("networks");
    for networks in [Networks::All, networks.clone()] {
        assert_eq!(networks_from_proto("networks", Some(networks_to_proto(&networks))), Ok(networks));
    }
    let strict = OrgPolicy {
        longest_lifetime: Lifetime::For(Duration::from_secs(60)),
        personal_tokens: false,
        networks,
        login_within: Lifetime::For(Duration::from_secs(1)),
        suspend_on_reuse: true,
        require_grants: true,
        no_all_org_tokens: true,
    };
    for nanos in [0_u64, 1, 1_000_000, 1_000_000_001, u64::MAX] {
        let spoil = Lifetime::For(Duration::from_nanos(nanos));
        let message = policy_to_proto(&OrgPolicy { login_within: spoil, ..OrgPolicy::OPEN });
        assert!(policy_from_proto("policy", Some(message)).is_err(), "{nanos}");
    }
    for policy in [OrgPolicy::OPEN, strict] {
        assert_eq!(policy_from_proto("policy", Some(policy_to_proto(&policy))), Ok(policy));
    }
    for choice in [
        ExpiryChoice::PERSONAL,
        ExpiryChoice::In(Lifetime::Endless),
        ExpiryChoice::At("2027-01-31T12:00:00.123456Z".parse().expect("an instant")),
    ] {
        assert_eq!(expiry_choice_from_proto("expiry", Some(expiry_choice_to_proto(choice))), Ok(choice));
    }
    for instant in [Timestamp::MIN, Timestamp::MAX] {
        assert_eq!(timestamp_from_proto("at", timestamp_to_proto(instant)), Ok(instant));
    }
    for role in [Role::Ro, Role::Rw, Role::Admin] {
        assert_eq!(role_from_proto("role", role_to_proto(role).into()), Ok(role));
    }
    let permission: Permission = "write:assets:prod-1".parse().expect("a permission");
    assert_eq!(permission_from_proto("p", &permission_to_proto(&permission)), Ok(permission));
}

/// One row per concern: the form in which it is sent to a service, if at all.
#[test]
fn a_service_receives_changes_to_its_cached_inputs() {
    let id = Uuid::from_u128;
    let (account, org, token) =
        (AccountId::from_uuid(id(1)), OrgId::from_uuid(id(2)), TokenId::from_uuid(id(3)));
    let session = SessionId::from_uuid(id(4));
    for (concern, received) in [
        (Concern::Nothing, None),
        (Concern::Token(token), Some(Concern::Token(token))),
        (Concern::NewToken(token), None),
        (Concern::Account(account), Some(Concern::Account(account))),
        (Concern::NewAccount(account), None),
        (Concern::Session(account, session), Some(Concern::Account(account))),
        (Concern::Sessions(account), Some(Concern::Account(account))),
        (Concern::Member(org, account), Some(Concern::Account(account))),
        (Concern::Org(org), Some(Concern::Org(org))),
        (Concern::NewOrg(org, Some(account)), Some(Concern::NewOrg(org, None))),
        (Concern::Service(ServiceId::from_uuid(id(5))), None),
        (Concern::Rules, None),
        (Concern::Everything, Some(Concern::Everything)),
    ] {
        let sent = concern_to_proto(concern);
        assert_eq!(sent.map(|message| concern_from_proto(Some(&message))), received, "{concern:?}");
    }
    for unreadable in [None, Some(v1::change::Concern::TokenId("3".to_owned()))] {
        assert_eq!(concern_from_proto(unreadable.as_ref()), Concern::Everything);
    }
}

#[test]
fn an_incomplete_question_is_refused() {
    let ask = |org: &str, access: v1::Access, permission: Option<&str>| {
        let required_permission =
            permission.map(|text| permission_to_proto(&text.parse().expect("a permission")));
        requirement_from_proto(&v1::ValidateTokenRequest {
            secret: String::new(),
            org: org.to_owned(),
            required_access: access.into(),
            required_permission,
            client_address: String::new(),
            client: String::new(),
        })
        .map_err(|problem| problem.field.unwrap_or_default())
    };
    let access = |access, permission: Option<&str>| {
        let permission = permission.map(|text| text.parse().expect("a permission"));
        Ok(Requirement::Access { org: "ops".parse().expect("a slug"), access, permission })
    };
    assert_eq!(ask("", v1::Access::Identity, None), Ok(Requirement::Identity));
    assert_eq!(ask("ops", v1::Access::Ro, None), access(Scope::Ro, None));
    assert_eq!(ask("ops", v1::Access::Rw, Some("read:assets")), access(Scope::Rw, Some("read:assets")));
    assert_eq!(ask("ops", v1::Access::Unspecified, None), Err("required_access".into()));
    assert_eq!(ask("ops", v1::Access::Identity, None), Err("required_access".into()));
    assert_eq!(ask("", v1::Access::Identity, Some("read:assets")), Err("required_access".into()));
    assert_eq!(ask("", v1::Access::Ro, None), Err("org".into()));
    assert_eq!(ask("", v1::Access::Ro, Some("read:assets")), Err("org".into()));
    assert_eq!(ask("Ops", v1::Access::Ro, None), Err("org".into()));
    let empty_id = v1::ValidateTokenRequest {
        org: "ops".into(),
        required_access: v1::Access::Ro.into(),
        required_permission: Some(v1::Permission {
            action: "read".into(),
            resource_type: "assets".into(),
            resource_id: String::new(),
        }),
        ..Default::default()
    };
    let field = requirement_from_proto(&empty_id).map_err(|problem| problem.field);
    assert_eq!(field, Err(Some("required_permission.resource_id".into())));
}

fn messages() -> Vec<(String, prost_types::DescriptorProto)> {
    let set = prost_types::FileDescriptorSet::decode(DESCRIPTOR).expect("the descriptors decode");
    set.file
        .into_iter()
        .filter(|file| file.package() == "ndauth.v1")
        .flat_map(|file| file.message_type)
        .map(|message| (message.name().to_owned(), message))
        .collect()
}

/// Only the responses that mint a secret and the requests that present one contain it.
#[test]
fn only_these_messages_hold_a_secret() {
    let mut holders: Vec<String> = messages()
        .iter()
        .flat_map(|(name, message)| message.field.iter().map(move |field| (name, field)))
        .filter(|(_, field)| field.name().contains("secret") && !field.name().ends_with("_id"))
        .filter(|(_, field)| field.r#type() == Type::String)
        .map(|(name, field)| format!("{name}.{}", field.name()))
        .collect();
    holders.sort();
    assert_eq!(
        holders,
        [
            "CreateServiceResponse.secret",
            "CreateTokenResponse.secret",
            "PresentedSecret.secret",
            "ReportLeakedRequest.secrets",
            "RevokeSecretRequest.secret",
            "RotateServiceResponse.secret",
            "RotateTokenResponse.secret",
            "ValidateTokenRequest.secret",
        ]
    );
}

#[test]
fn debug_hides_the_secret() {
    let secret = "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U".to_owned();
    let made = v1::CreateTokenResponse { secret: secret.clone(), ..Default::default() };
    let asked = v1::ValidateTokenRequest { secret: secret.clone(), ..Default::default() };
    let rotated = v1::RotateTokenResponse { secret: secret.clone(), ..Default::default() };
    let shown = v1::PresentedSecret { secret: secret.clone() };
    let explained = v1::ExplainTokenRequest {
        token: Some(v1::explain_token_request::Token::Secret(shown)),
        ..Default::default()
    };
    let many = v1::ValidateTokensRequest { questions: vec![asked.clone()] };
    let leaked = v1::ReportLeakedRequest { secrets: vec![secret.clone()] };
    for text in [
        format!("{made:?}"),
        format!("{asked:?}"),
        format!("{rotated:?}"),
        format!("{explained:?}"),
        format!("{many:?}"),
        format!("{leaked:?}"),
    ] {
        assert!(text.contains("ndpat_Jj8IYR…") && !text.contains(&secret), "{text}");
    }
}

/// Returns the same as the generated types build it.
fn built(allowed: &Allowed<'_>) -> v1::Allowed {
    let owner = match allowed.owner {
        OwnerView::Account(account) => v1::owner::Kind::Account(v1::OwnerAccount {
            id: account.id.to_string(),
            handle: account.handle.to_string(),
        }),
        OwnerView::Org(org) => {
            v1::owner::Kind::Org(v1::OwnerOrg { id: org.id.to_string(), slug: org.slug.to_string() })
        }
    };
    v1::Allowed {
        token_id: allowed.token.id.to_string(),
        token_name: allowed.token.name.to_string(),
        owner: Some(v1::Owner { kind: Some(owner) }),
        expiry: Some(expiry_to_proto(allowed.token.expires_at)),
        effective: allowed.org.and_then(|org| effective_to_proto(&allowed.effective, org)),
    }
}

#[test]
fn encoders_match_the_generated_types() {
    let id = |n: u128| Uuid::from_u128(0x019a_8b2e_7c00_7000_8000_0000_0000_0000 + n);
    let now: Timestamp = "2027-01-31T12:00:00.123456Z".parse().expect("an instant");
    let account = Account {
        id: AccountId::from_uuid(id(1)),
        handle: "ada".parse().expect("a handle"),
        email: "ada@example.org".parse().expect("an address"),
        name: None,
        operator: false,
        created_at: now,
        disabled_at: None,
        not_before: Timestamp::MIN,
        last_login_at: None,
    };
    let org = Org {
        id: OrgId::from_uuid(id(2)),
        slug: "ops".parse().expect("a slug"),
        name: None,
        created_at: now,
        deleted_at: None,
        not_before: Timestamp::MIN,
        frozen_at: None,
    };
    let grant = |n: usize| Grant {
        resource_type: format!("assets-{n}").parse().expect("a resource type"),
        resource_ids: ["*", "prod-*", "prod-1"][n % 3].parse().expect("resource ids"),
        actions: match n % 2 {
            0 => Actions::Any,
            _ => Actions::Only(["read", "write"].map(|name| name.parse().expect("an action")).into()),
        },
    };
    let prefix = "ndpat_Jj8IYR".parse().expect("a prefix");
    let secret = SecretRecord::pending(SecretId::from_uuid(id(4)), prefix, now);
    let many = Grants::only((0..40).map(grant)).expect("grants");
    let access = |access, role, grants| Effective::Access { org: org.id, access, role, grants };
    for effective in [
        Effective::Identity,
        access(Scope::Ro, Role::Ro, Grants::All),
        access(Scope::Rw, Role::Admin, Grants::only([grant(1)]).expect("grants")),
        access(Scope::Rw, Role::Rw, many),
    ] {
        for (name, expires_at) in
            [("ci", Expiry::Never), (&*"n".repeat(60), Expiry::At(now)), ("x", Expiry::At(Timestamp::MIN))]
        {
            for owner in [OwnerView::Account((&account).into()), OwnerView::Org(&org)] {
                let token = Token {
                    id: TokenId::from_uuid(id(3)),
                    owner: Owner::Account(account.id),
                    name: name.parse().expect("a name"),
                    description: None,
                    scope: Scope::Rw,
                    grants: Grants::All,
                    orgs: Orgs::All,
                    services: Services::All,
                    networks: Networks::All,
                    created_at: now,
                    lifetime: Lifetime::Endless,
                    expires_at,
                    revoked_at: None,
                    self_rotating_until: None,
                    suspensions: [].into(),
                };
                let place = (effective != Effective::Identity).then_some(&org.slug);
                let (token, effective) = (&token, effective.clone());
                let allowed = Allowed { secret: &secret, token, owner, effective, org: place };
                let mut written = Vec::new();
                write_outcome(&mut written, &Ok(allowed.clone()), None);
                write_timestamp(&mut written, 4, now);
                write_duration(&mut written, 5, Duration::new(2, 7));
                let outcome = Some(v1::validate_token_response::Outcome::Allowed(built(&allowed)));
                let response = v1::ValidateTokenResponse {
                    outcome,
                    evaluated_at: Some(timestamp_to_proto(now)),
                    max_cache_age: Some(duration_to_proto(Duration::new(2, 7))),
                    ..Default::default()
                };
                assert_eq!(written, response.encode_to_vec(), "{allowed:?}");
                let validated = v1::ValidatedToken {
                    outcome: Some(v1::validated_token::Outcome::Allowed(built(&allowed))),
                    max_cache_age: None,
                };
                written.clear();
                write_outcome(&mut written, &Ok(allowed.clone()), None);
                assert_eq!(written, validated.encode_to_vec(), "{allowed:?}");
            }
        }
    }
    let refusal = Refusal::Unknown;
    let mut written = Vec::new();
    let kind = Some(SecretKind::Org);
    write_outcome(&mut written, &Err(refusal.clone()), kind);
    write_number(&mut written, 3, 300);
    write_number(&mut written, 6, 0);
    let outcome = Some(v1::validate_token_response::Outcome::Refused(refusal_to_proto(&refusal, kind)));
    let response = v1::ValidateTokenResponse { outcome, sequence: 300, ..Default::default() };
    assert_eq!(written, response.encode_to_vec());
}
