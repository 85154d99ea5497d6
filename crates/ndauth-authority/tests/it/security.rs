//! Failures of other systems, each as a test of its own. The names are those of the project's list.

use ndauth_authority::access::{Operation, Row, Rule, TABLE};
use ndauth_authority::{Credential, MintedWhen, NewOrg, Question, TokenQuery, Which};
use ndauth_core::{Reason, Requirement, Role, Scope, Services};

use crate::on_both;
use crate::world::{
    CONSOLE, MEMBERS, MINE, UNNEEDED, World, granted, in_org, keep, named, needs, networks, new_token,
    org_token, orgs, presented, reason, token_with,
};

/// All of the caller's tokens, including revoked ones.
const ALL: &TokenQuery = &TokenQuery::all(true, 100);

async fn count(world: &World, whose: &Credential) -> usize {
    world.authority.tokens().list(whose, MINE, ALL).await.expect("listed").views.len()
}

on_both! {
    /// Without a credential nothing is made, for anybody. With one, the token is the caller's.
    async fn sec_01_nobody_makes_a_token_for_another(world: &World) {
        let nobody = world.authority.tokens().create(&Credential::Nothing, MINE, &new_token("x")).await;
        assert_eq!(reason(nobody), Reason::CredentialMissing);
        let made = world.make(&world.eve, MINE, &new_token("x")).await;
        assert_eq!(count(world, &world.ada).await, 0);
        let who = world.authority.validation().who_am_i(&presented(&made.secret)).await.expect("identified");
        let ndauth_authority::CallerIdentity::Token(account, _) = who.identity else { panic!("a token") };
        assert_eq!(account.handle.as_str(), "eve");
    }

    /// No parameter of a member's call reaches another's tokens.
    async fn sec_02_a_member_reaches_no_other_members_tokens(world: &World) {
        let made = world.create(&new_token("ci")).await;
        for name in [Which::Id(made.view.token.id), named("ci")] {
            assert_eq!(reason(world.show(&world.eve, &name).await), Reason::NotFound);
            assert_eq!(reason(world.revoke(&world.eve, &name).await), Reason::NotFound);
            assert_eq!(reason(world.authority.tokens().get(&world.eve, &in_org("ops"), &name).await), Reason::NotFound);
            assert_eq!(reason(world.authority.tokens().revoke(&world.eve, &in_org("ops"), &name, UNNEEDED).await), Reason::NotFound);
        }
        assert_eq!(world.refused(&made.secret).await, None, "it is untouched");
    }

    /// A read-only token mints nothing, of any kind.
    async fn sec_03_a_read_only_token_mints_nothing(world: &World) {
        let made = world.make(&world.eve, MINE, &token_with("ro", |new| new.scope = Some(Scope::Ro))).await;
        let token = presented(&made.secret);
        assert_eq!(reason(world.authority.tokens().create(&token, MINE, &new_token("rw")).await), Reason::SessionRequired);
        let new = org_token("rw", &["write:assets"]);
        let minted = world.authority.tokens().create(&token, &in_org("ops"), &new).await;
        assert_eq!(reason(minted), Reason::SessionRequired);
        assert_eq!(count(world, &world.eve).await, 1);
    }

    /// A token restricted to an org that was deleted has no power anywhere, and never all of it.
    async fn sec_06_a_token_of_a_deleted_org_is_never_for_all(world: &World) {
        let secret = world.create(&token_with("ci", |new| new.orgs = Some(orgs(&["ops"])))).await.secret;
        let ops = "ops".parse().expect("a slug");
        world.authority.orgs().delete(&CONSOLE, &ops).await.expect("deleted");
        let again = NewOrg { slug: ops.clone(), name: None, admin: None };
        assert_eq!(reason(world.authority.orgs().create(&CONSOLE, &again).await), Reason::NameTaken);
        for (org, expected) in [("ops", Reason::OrgDeleted), ("dev", Reason::OrgNotCovered), ("nowhere", Reason::OrgNotCovered)] {
            let verdict = world.ask(&world.service, secret.expose(), &needs(org, Scope::Ro, None)).await;
            assert_eq!(verdict.outcome.err().map(|refusal| refusal.reason()), Some(expected), "{org}");
        }
        assert_eq!(world.authority.validation().list_orgs(&presented(&secret)).await.expect("listed").len(), 0);
        let org = world.authority.orgs().get(&presented(&secret), &"dev".parse().expect("a slug")).await;
        assert_eq!(reason(org), Reason::NotFound);
    }

    /// After a person is disabled, removed or demoted the next question is refused, and after that is undone
    /// it is allowed.
    async fn sec_15_removed_power_is_lost_at_once(world: &World) {
        let secret = world.create(&new_token("ci")).await.secret;
        let (ops, ada) = ("ops".parse().expect("a slug"), "ada".parse().expect("a handle"));
        world.authority.operator().disable_account(&CONSOLE, &ada).await.expect("disabled");
        assert_eq!(world.refused(&secret).await, Some(Reason::AccountDisabled));
        assert_eq!(reason(world.authority.validation().who_am_i(&world.ada).await), Reason::AccountDisabled);
        world.authority.operator().enable_account(&CONSOLE, &ada).await.expect("enabled");
        assert_eq!(world.refused(&secret).await, None);
        world.authority.orgs().remove_member(&world.eve, &ops, &ada).await.expect("removed");
        assert_eq!(world.refused(&secret).await, Some(Reason::NotAMember));
        world.member("ops", "ada", Role::Ro).await;
        assert_eq!(world.refused(&secret).await, Some(Reason::RoleTooLow));
        world.authority.orgs().set_member(&world.eve, &ops, &ada, Role::Rw).await.expect("set");
        assert_eq!(world.refused(&secret).await, None);
    }

    /// The id of another tenant's token is treated as one that does not exist.
    async fn sec_20_another_tenants_token_is_unknown(world: &World) {
        let dev = "dev".parse().expect("a slug");
        world.member("dev", "ada", Role::Admin).await;
        let own = org_token("deploy", &["read:assets"]);
        let made = world.make(&world.ada, &in_org("dev"), &own).await;
        for name in [Which::Id(made.view.token.id), named("deploy")] {
            // Under one's own org, and under theirs.
            assert_eq!(reason(world.authority.tokens().get(&world.eve, &in_org("ops"), &name).await), Reason::NotFound);
            assert_eq!(reason(world.authority.tokens().revoke(&world.eve, &in_org("ops"), &name, UNNEEDED).await), Reason::NotFound);
            assert_eq!(reason(world.authority.tokens().get(&world.eve, &in_org("dev"), &name).await), Reason::NotFound);
            assert_eq!(reason(world.authority.tokens().revoke(&world.eve, &in_org("dev"), &name, UNNEEDED).await), Reason::NotFound);
            assert_eq!(reason(world.show(&world.eve, &name).await), Reason::NotFound);
        }
        let unknown = world.authority.orgs().get(&world.eve, &dev).await.expect_err("hidden").to_string();
        let nowhere = world.authority.orgs().get(&world.eve, &"nowhere".parse().expect("a slug")).await;
        assert_eq!(unknown.replace("dev", "nowhere"), nowhere.expect_err("unknown").to_string());
        assert!(world.authority.validation().who_am_i(&presented(&made.secret)).await.is_ok(), "it is untouched");
    }

    /// No answer leaks into the answer to another question.
    async fn sec_41_questions_are_answered_independently(world: &World) {
        let registry = || Services::only(["registry".parse().expect("a name")]).expect("services");
        let secret = world.create(&token_with("ci", |new| {
            new.services = registry();
            new.networks = networks("10.0.0.0/8");
        })).await.secret;
        let ask = async |service: &Credential, org: &str, access, address: &str| {
            let requirement = needs(org, access, None);
            let question =
                Question { secret: secret.expose(), requirement: &requirement, client_address: address.parse().ok(), client: None };
            let answer = world.authority.validation().validate(service, &question, keep).await.expect("decided");
            answer.value.outcome.err().map(|refusal| refusal.reason())
        };
        for _ in 0..2 {
            assert_eq!(ask(&world.service, "ops", Scope::Rw, "10.0.0.1").await, None);
            assert_eq!(ask(&world.service, "dev", Scope::Rw, "10.0.0.1").await, Some(Reason::RoleTooLow));
            assert_eq!(ask(&world.service, "dev", Scope::Ro, "10.0.0.1").await, None);
            assert_eq!(ask(&world.ops_service, "ops", Scope::Ro, "10.0.0.1").await, Some(Reason::ServiceNotCovered));
            assert_eq!(ask(&world.service, "ops", Scope::Ro, "192.0.2.1").await, Some(Reason::NetworkNotCovered));
            assert_eq!(ask(&world.service, "ops", Scope::Ro, "").await, Some(Reason::AddressUnknown));
            assert_eq!(ask(&world.service, "ops", Scope::Ro, "::ffff:10.0.0.1").await, None);
        }
    }

    /// A name that is used again is not the token that had it.
    async fn sec_46_a_reused_name_is_another_token(world: &World) {
        for _ in 0..5 {
            let old = world.create(&new_token("ci")).await.secret;
            assert_eq!(world.refused(&old).await, None);
            world.revoke(&world.ada, &named("ci")).await.expect("revoked");
            assert_eq!(world.refused(&old).await, Some(Reason::TokenRevoked));
            let new = world.create(&new_token("ci")).await.secret;
            assert_eq!(world.refused(&new).await, None);
            assert_eq!(world.refused(&old).await, Some(Reason::TokenRevoked));
            world.revoke(&world.ada, &named("ci")).await.expect("revoked");
        }
    }

    /// The addresses that an untrusted service states are ignored.
    async fn an_address_counts_only_where_the_service_is_believed(world: &World) {
        let new = ndauth_authority::NewService {
            name: "gullible".parse().expect("a name"),
            orgs: ndauth_core::Orgs::All,
            states_address: false,
        };
        let service = presented(&world.authority.operator().create_service(&CONSOLE, &new).await.expect("registered").value);
        let secret = world.create(&token_with("ci", |new| new.networks = networks("203.0.113.0/24"))).await.secret;
        for (service, expected) in [(&world.service, None), (&service, Some(Reason::AddressUnknown))] {
            let verdict = world.ask(service, secret.expose(), &needs("ops", Scope::Ro, None)).await;
            assert_eq!(verdict.outcome.err().map(|refusal| refusal.reason()), expected);
        }
    }

    /// Outside its networks, a token lists nothing at ndauth itself, and may only ask who it is.
    async fn networks_hold_at_ndauth_too(world: &World) {
        let new = token_with("ci", |new| new.networks = networks("10.0.0.0/8"));
        let secret = world.create(&new).await.secret;
        let from = |address: &str| {
            let secret = secret.expose().parse().expect("a secret");
            Credential::secret(secret, address.parse().ok())
        };
        assert!(world.authority.tokens().list(&from("10.0.0.1"), MINE, ALL).await.is_ok());
        assert!(world.authority.validation().list_orgs(&from("10.0.0.1")).await.is_ok());
        assert_eq!(reason(world.authority.tokens().list(&from("192.0.2.1"), MINE, ALL).await), Reason::NetworkNotCovered);
        assert_eq!(reason(world.authority.validation().list_orgs(&from("192.0.2.1")).await), Reason::NetworkNotCovered);
        assert_eq!(reason(world.authority.list_permissions(&from("192.0.2.1")).await), Reason::NetworkNotCovered);
        let ops = "ops".parse().expect("a slug");
        assert_eq!(reason(world.authority.orgs().get(&from("192.0.2.1"), &ops).await), Reason::NetworkNotCovered);
        assert!(world.authority.validation().who_am_i(&from("192.0.2.1")).await.is_ok());
        assert!(world.revoke(&from("192.0.2.1"), &named("ci")).await.is_ok(), "it may end itself");
    }

    /// A token that is for some services cannot be used at ndauth either, except to ask who it is and to end
    /// it.
    async fn an_audience_holds_at_ndauth_too(world: &World) {
        let registry = Services::only(["registry".parse().expect("a name")]).expect("services");
        let secret = world.create(&token_with("ci", |new| new.services = registry)).await.secret;
        let token = presented(&secret);
        let ops = "ops".parse().expect("a slug");
        assert_eq!(reason(world.authority.tokens().list(&token, MINE, ALL).await), Reason::ServiceNotCovered);
        assert_eq!(reason(world.authority.validation().list_orgs(&token).await), Reason::ServiceNotCovered);
        assert_eq!(reason(world.authority.orgs().get(&token, &ops).await), Reason::ServiceNotCovered);
        assert!(world.authority.validation().who_am_i(&token).await.is_ok());
        assert!(world.revoke(&token, &named("ci")).await.is_ok());
    }

    /// Roles and policies can only be set by a session with a recent login.
    async fn an_old_login_confers_nothing(world: &World) {
        let long = world.authority.operator().issue_session(&CONSOLE, &"eve".parse().expect("a handle"), crate::world::days(30)).await;
        let eve = presented(&long.expect("issued"));
        world.person("olga", true, None).await;
        let long = world.authority.operator().issue_session(&CONSOLE, &"olga".parse().expect("a handle"), crate::world::days(30)).await;
        let (olga, of_ada) = (presented(&long.expect("issued")), crate::world::of_account("ada"));
        let (ops, ada) = ("ops".parse().expect("a slug"), "ada".parse().expect("a handle"));
        let open = ndauth_authority::NewPolicy {
            policy: ndauth_core::OrgPolicy::OPEN,
            effective_in: std::time::Duration::ZERO,
            announced: ndauth_authority::Announced::Keep,
            expected: None,
        };
        world.clock.set(crate::world::at(15 * 60));
        assert!(world.authority.orgs().set_member(&eve, &ops, &ada, Role::Rw).await.is_ok());
        assert!(world.authority.orgs().set_policy(&eve, &ops, &open).await.is_ok());
        assert!(world.authority.tokens().revoke_all(&olga, &of_ada, MintedWhen::Ever).await.is_ok());
        world.clock.set(crate::world::at(15 * 60 + 1));
        assert_eq!(reason(world.authority.orgs().set_member(&eve, &ops, &ada, Role::Rw).await), Reason::LoginNotRecent);
        assert_eq!(reason(world.authority.orgs().set_policy(&eve, &ops, &open).await), Reason::LoginNotRecent);
        assert_eq!(reason(world.authority.tokens().revoke_all(&olga, &of_ada, MintedWhen::Ever).await), Reason::LoginNotRecent);
        let new = NewOrg { slug: "late".parse().expect("a slug"), name: None, admin: None };
        assert_eq!(reason(world.authority.orgs().create(&olga, &new).await), Reason::LoginNotRecent);
        assert!(world.authority.orgs().remove_member(&eve, &ops, &ada).await.is_ok(), "to take a role needs no more");
        assert!(world.authority.orgs().list_members(&eve, &ops, MEMBERS).await.is_ok());
    }

    /// An account that is disabled while it acts: its action comes before that in the log, or not at all.
    async fn disabled_accounts_change_nothing(world: &World) {
        let other = ndauth_authority::Authority::open(
            &world.scratch.url,
            ndauth_authority::Clock::Manual(world.clock.clone()),
            None,
        );
        let other = other.await.expect("a second instance opens");
        let (ops, eve) = (in_org("ops"), "eve".parse().expect("a handle"));
        let mut both = 0;
        for round in 0..15 {
            let own = org_token(&format!("deploy-{round}"), &["read:assets"]);
            let (made, disabled) = tokio::join!(
                world.authority.tokens().create(&world.eve, &ops, &own),
                other.operator().disable_account(&CONSOLE, &eve)
            );
            disabled.expect("disabled");
            let head = world.authority.operator().check(&CONSOLE).await.expect("checked").events;
            if let Ok(made) = made {
                assert!(made.sequence < head, "{round}: it was made by who was disabled");
                both += 1;
            }
            world.authority.operator().enable_account(&CONSOLE, &eve).await.expect("enabled");
        }
        assert!(both < 15 || world.scratch.url.to_string().starts_with("sqlite"), "the race was run");
    }

    /// A service that names no permission admits no token with a set of grants.
    async fn a_narrow_token_passes_no_question_without_a_permission(world: &World) {
        let new = token_with("ci", |new| new.grants = granted(&["read:assets"]));
        let secret = world.create(&new).await.secret;
        assert_eq!(world.refused_permission(&secret, "read:assets").await, None);
        for access in [Scope::Ro, Scope::Rw] {
            let verdict = world.ask(&world.service, secret.expose(), &needs("ops", access, None)).await;
            let reason = verdict.outcome.err().map(|refusal| refusal.reason());
            assert_eq!(reason, Some(Reason::PermissionNotNamed), "{access}");
        }
    }

    /// A service cannot use a session that it was shown.
    async fn a_session_is_of_no_use_to_a_service(world: &World) {
        let Credential::Secret { secret, .. } = &world.eve else { panic!("a session") };
        for requirement in [Requirement::Identity, needs("ops", Scope::Ro, None)] {
            let verdict = world.ask(&world.service, secret.expose(), &requirement).await;
            assert_eq!(verdict.outcome.err().map(|refusal| refusal.reason()), Some(Reason::SecretKindNotAccepted));
        }
    }
}

/// Every RPC that changes anything is refused to every token, whatever it carries, except to revoke itself.
#[test]
fn sec_04_no_token_changes_anything() {
    let reads = [
        Operation::ListTokens,
        Operation::GetToken,
        Operation::ExplainToken,
        Operation::WhoAmI,
        Operation::ListOrgs,
        Operation::ListPermissions,
        Operation::GetOrg,
        Operation::ListMembers,
        Operation::GetOrgPolicy,
        Operation::ListEvents,
        Operation::ListRefusedAttempts,
        Operation::ExportEvents,
        Operation::Discover,
        Operation::CheckHealth,
        Operation::Reflect,
    ];
    for row in TABLE {
        for rule in [row.token, row.org_token] {
            let refused = matches!(rule, Rule::No | Rule::Login);
            let revokes = matches!(
                row.operation,
                Operation::RevokeToken | Operation::RevokeShown | Operation::ReportLeaked
            );
            let itself = revokes && rule == Rule::Itself || matches!(rule, Rule::SelfRotating(_));
            assert!(refused || itself || reads.contains(&row.operation), "{row:?}");
        }
    }
}

/// A name in another case or form is a different name, and unknown.
#[test]
fn sec_23_names_are_not_folded() {
    for text in
        ["READ:assets", "read:Assets", "read:assets ", " read:assets", "read:ａssets", "read:assets\n"]
    {
        assert!(text.parse::<ndauth_core::Permission>().is_err(), "{text:?}");
    }
    for slug in ["Ops", "ops ", "ｏps", "OPS"] {
        assert!(slug.parse::<ndauth_core::OrgSlug>().is_err(), "{slug:?}");
    }
    // Roles and scopes are written in either case, and there are no others.
    assert_eq!("admin".parse(), Ok(Role::Admin));
    for text in ["ADMIN ", "ａDMIN", "SUPER", ""] {
        assert!(text.parse::<Role>().is_err() && text.parse::<Scope>().is_err(), "{text:?}");
    }
}

/// Each operation has one row in the table for each kind of owner. Without a credential only those are
/// permitted that show the server's state and interface, or whose credential is in the request itself.
#[test]
fn sec_47_operations_have_one_row_a_kind_and_require_a_credential() {
    for (number, row) in TABLE.iter().enumerate() {
        let place = |row: &Row| (row.operation, row.kind);
        assert!(TABLE[..number].iter().all(|other| place(other) != place(row)), "{row:?}");
        let open = matches!(
            row.operation,
            Operation::CheckHealth
                | Operation::Reflect
                | Operation::Discover
                | Operation::SignIn
                | Operation::Authorize
                | Operation::LetDeviceIn
                | Operation::AskForDevice
                | Operation::IssueTokens
                | Operation::RevokeShown
                | Operation::ReportLeaked
        );
        assert_eq!(row.nobody == Rule::Yes, open, "{:?}", row.operation);
    }
}
