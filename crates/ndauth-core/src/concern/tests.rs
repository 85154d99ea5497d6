use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::{
    AnnouncedPolicy, CatalogueDocument, Expiry, Grants, Level, Lifetime, Networks, OfferId, Org, OrgPolicy,
    OrgWithPolicies, Orgs, Owner, Policies, RevocationReason, Role, Scope, SecretId, SecretRecord, Services,
    Timestamp, Token,
};

fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn account(number: u128) -> AccountId {
    AccountId::from_uuid(uuid(number))
}

fn org(number: u128) -> OrgId {
    OrgId::from_uuid(uuid(number))
}

fn token(number: u128) -> TokenId {
    TokenId::from_uuid(uuid(number))
}

/// One row per change: the state that it touches.
fn changes() -> Vec<(Change, Concern)> {
    let (account, org, token) = (account(1), org(2), token(3));
    let owner = Owner::Account(account);
    let (session, service) = (SessionId::from_uuid(uuid(4)), ServiceId::from_uuid(uuid(5)));
    let (secret, offer, at) = (SecretId::from_uuid(uuid(6)), OfferId::from_uuid(uuid(7)), Timestamp::MIN);
    let (of_token, of_service) = (Lineage::Token(token), Lineage::Service(service));
    let confirmed = |family| Change::SecretConfirmed {
        family,
        owner: None,
        secret,
        others_end_at: at,
        expires_at: Expiry::Never,
    };
    let reused =
        |family| Change::SecretReused { family, owner: None, secret, suspended: Vec::new(), reported: false };
    let policy = OrgPolicy::OPEN;
    vec![
        (Change::TokenCreated { token, owner }, Concern::NewToken(token)),
        (Change::TokenDerived { token, owner, session }, Concern::NewToken(token)),
        (Change::TokenUpdated { token, owner }, Concern::Token(token)),
        (
            Change::TokenRevoked { token, owner, reason: RevocationReason::Leaked, presented: None },
            Concern::Token(token),
        ),
        (Change::TokenRenewed { token, owner, expires_at: Expiry::Never }, Concern::Token(token)),
        (Change::TokenSuspended { token, owner, level: Level::Owner }, Concern::Token(token)),
        (Change::TokenResumed { token, owner, levels: vec![Level::Owner] }, Concern::Token(token)),
        (Change::SecretMinted { family: of_token, owner: None, secret }, Concern::Token(token)),
        (Change::SecretMinted { family: of_service, owner: None, secret }, Concern::Service(service)),
        (confirmed(of_token), Concern::Token(token)),
        (confirmed(of_service), Concern::Service(service)),
        (
            Change::SecretDropped { family: of_token, owner: None, secret, reason: None },
            Concern::Token(token),
        ),
        (
            Change::SecretDropped { family: of_service, owner: None, secret, reason: None },
            Concern::Service(service),
        ),
        (
            Change::SecretRetired { family: of_token, owner: None, secret, reason: None },
            Concern::Token(token),
        ),
        (
            Change::SecretRetired { family: of_service, owner: None, secret, reason: None },
            Concern::Service(service),
        ),
        (reused(of_token), Concern::Token(token)),
        (reused(of_service), Concern::Service(service)),
        (Change::AccountCreated { account, operator: false }, Concern::NewAccount(account)),
        (Change::AccountUpdated { account }, Concern::Account(account)),
        (Change::NoticesSet { account, off: [].into() }, Concern::Nothing),
        (Change::OperatorSet { account, operator: false }, Concern::Account(account)),
        (Change::AccountInvited { account }, Concern::Nothing),
        (Change::SignInLinkIssued { account }, Concern::Nothing),
        (Change::AccountIdentified { account }, Concern::Nothing),
        (Change::AccountEnabled { account }, Concern::Account(account)),
        (
            Change::AccountTokensRevoked { account, not_before: at, reason: RevocationReason::Leaked },
            Concern::Account(account),
        ),
        (Change::AccountDisabled { account }, Concern::Sessions(account)),
        (Change::AccountSignedOut { account }, Concern::Sessions(account)),
        (Change::PasswordSet { account }, Concern::Sessions(account)),
        (Change::SessionIssued { account, session }, Concern::Account(account)),
        (
            Change::SessionEnded { account, session, reused: false, reason: None },
            Concern::Session(account, session),
        ),
        (
            Change::SessionEnded { account, session, reused: true, reason: None },
            Concern::Session(account, session),
        ),
        (Change::MemberSet { org, account, role: Role::Ro, offer: None }, Concern::Member(org, account)),
        (Change::MemberOffered { org, offer, role: Role::Ro, ends_at: at }, Concern::Nothing),
        (Change::OfferDeclined { org, offer }, Concern::Nothing),
        (Change::OfferWithdrawn { org, offer }, Concern::Nothing),
        (Change::MemberRemoved { org, account }, Concern::Member(org, account)),
        (Change::OrgCreated { org, admin: None }, Concern::NewOrg(org, None)),
        (Change::OrgCreated { org, admin: Some(account) }, Concern::NewOrg(org, Some(account))),
        (Change::OrgDeleted { org }, Concern::Org(org)),
        (
            Change::OrgTokensRevoked { org, not_before: at, reason: RevocationReason::Leaked },
            Concern::Org(org),
        ),
        (Change::OrgFrozen { org }, Concern::Org(org)),
        (Change::OrgUnfrozen { org }, Concern::Org(org)),
        (
            Change::PolicySet { org, policies: vec![AnnouncedPolicy { takes_hold_at: at, policy }] },
            Concern::Org(org),
        ),
        (Change::ServiceCreated { service }, Concern::Service(service)),
        (Change::ServiceRevoked { service }, Concern::Service(service)),
        (Change::CatalogueApplied { catalogue: CatalogueDocument::default() }, Concern::Rules),
        (Change::Restored { copy: 1, replayed: 0, not_before: at }, Concern::Everything),
        (
            Change::FamiliesRemoved {
                tokens: vec![token],
                sessions: vec![session],
                services: vec![service],
                hashes: Vec::new(),
            },
            Concern::Nothing,
        ),
        (Change::AccountErased { account }, Concern::Account(account)),
        (Change::LogPruned { through: 1, hash: [0; 32] }, Concern::Nothing),
    ]
}

#[test]
fn each_change_concerns_the_state_that_it_touches() {
    for (change, concern) in changes() {
        assert_eq!(change.concerns(), concern, "{change:?}");
    }
}

/// The error for a kind that does not exist names every kind that does.
#[test]
fn the_table_leaves_out_no_kind() {
    let error = serde_json::from_str::<Change>("{\"kind\":\"?\"}").expect_err("no kind").to_string();
    let kinds: BTreeSet<_> = error.split('`').skip(3).step_by(2).map(str::to_owned).collect();
    assert_eq!(
        changes().into_iter().map(|(change, _)| change.kind().to_owned()).collect::<BTreeSet<_>>(),
        kinds
    );
    assert_eq!(Change::KINDS.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), kinds);
}

#[test]
fn an_event_that_cannot_be_read_concerns_everything() {
    for (public, concern) in [
        (
            "\"kind\":\"token.resumed\",\"token\":\"00000000-0000-0000-0000-000000000003\",\
             \"owner\":{\"org\":\"00000000-0000-0000-0000-000000000002\"},\"levels\":[]",
            Concern::Token(token(3)),
        ),
        (
            "\"kind\":\"token.blessed\",\"token\":\"00000000-0000-0000-0000-000000000003\"",
            Concern::Everything,
        ),
        ("\"kind\":\"token.revoked\",\"token\":\"3\"", Concern::Everything),
        ("\"kind\":\"token.revoked\"", Concern::Everything),
        ("\"kind\":\"families.removed\",\"hashes\":[\"00\"]", Concern::Everything),
    ] {
        let public = format!("{{\"at\":0,\"actor\":{{\"by\":\"console\"}},{public}}}");
        assert_eq!(Concern::of(Entry::read(public.as_bytes()).as_ref()), concern, "{public}");
    }
    assert_eq!(Concern::of(Entry::read(b"").as_ref()), Concern::Everything);
}

fn inputs(owner: InputOwner, places: Vec<InputPlace>) -> Inputs {
    let at = Timestamp::MIN;
    let id = token(3);
    Inputs {
        secret: SecretRecord::first(
            SecretId::from_uuid(uuid(6)),
            "ndpat_Jj8IYR".parse().expect("a prefix"),
            at,
        ),
        token: Token {
            id,
            owner: match &owner {
                InputOwner::Account { id, .. } => Owner::Account(*id),
                InputOwner::Org(org) => Owner::Org(org.id),
            },
            name: "ci".parse().expect("a name"),
            description: None,
            scope: Scope::Rw,
            grants: Grants::All,
            orgs: Orgs::All,
            services: Services::All,
            networks: Networks::All,
            created_at: at,
            lifetime: Lifetime::Endless,
            expires_at: Expiry::Never,
            revoked_at: None,
            self_rotating_until: None,
            suspensions: [].into(),
        },
        owner,
        places,
    }
}

/// One row per concern, with true if it touches the inputs of an account's token in an org, of the same token
/// if the requested org does not exist, and of an org's own token. The token's id is always 3.
#[test]
fn a_concern_touches_cached_inputs() {
    let an_org = |number| Org {
        id: org(number),
        slug: "ops".parse().expect("a slug"),
        name: None,
        created_at: Timestamp::MIN,
        deleted_at: None,
        not_before: Timestamp::MIN,
        frozen_at: None,
    };
    let person = || InputOwner::Account {
        id: account(1),
        handle: "ada".parse().expect("a handle"),
        disabled_at: None,
        last_login_at: None,
        not_before: Timestamp::MIN,
    };
    let ground = OrgWithPolicies { org: an_org(2), policies: Policies::default() };
    let member = inputs(person(), vec![InputPlace::In(Arc::new(ground), Some(Role::Ro))]);
    let stranger = inputs(person(), vec![InputPlace::Nowhere("ops".parse().expect("a slug"))]);
    let own = inputs(InputOwner::Org(an_org(7)), Vec::new());
    let session = SessionId::from_uuid(uuid(4));
    let service = ServiceId::from_uuid(uuid(5));
    for (concern, touched) in [
        (Concern::Nothing, [false, false, false]),
        (Concern::Token(token(3)), [true, true, true]),
        (Concern::Token(token(4)), [false, false, false]),
        (Concern::NewToken(token(3)), [false, false, false]),
        (Concern::Account(account(1)), [true, true, false]),
        (Concern::Account(account(7)), [false, false, false]),
        (Concern::NewAccount(account(1)), [false, false, false]),
        (Concern::Session(account(1), session), [true, true, false]),
        (Concern::Sessions(account(1)), [true, true, false]),
        (Concern::Sessions(account(7)), [false, false, false]),
        (Concern::Member(org(9), account(1)), [true, true, false]),
        (Concern::Member(org(2), account(9)), [false, false, false]),
        (Concern::Org(org(2)), [true, false, false]),
        (Concern::Org(org(7)), [false, false, true]),
        (Concern::NewOrg(org(9), None), [false, true, false]),
        (Concern::Service(service), [false, false, false]),
        (Concern::Rules, [false, false, false]),
        (Concern::Everything, [true, true, true]),
    ] {
        assert_eq!([&member, &stranger, &own].map(|inputs| concern.touches(inputs)), touched, "{concern:?}");
    }
}

#[test]
fn a_kind_is_the_stored_tag() {
    for (change, _) in changes() {
        assert_eq!(serde_json::to_value(&change).expect("plain data")["kind"], change.kind());
    }
}
