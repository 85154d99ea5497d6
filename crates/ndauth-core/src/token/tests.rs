use uuid::Uuid;

use super::*;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).expect("an instant")
}

fn token() -> Token {
    Token {
        id: TokenId::from_uuid(Uuid::nil()),
        owner: Owner::Account(AccountId::from_uuid(Uuid::nil())),
        name: "ci".parse().expect("a name"),
        scope: Scope::Rw,
        grants: Grants::All,
        orgs: Orgs::All,
        services: Services::All,
        networks: Networks::All,
        description: None,
        created_at: at(0),
        lifetime: Lifetime::For(Duration::from_micros(100)),
        expires_at: Expiry::At(at(100)),
        revoked_at: None,
        self_rotating_until: None,
        suspensions: [].into(),
    }
}

#[test]
fn revoked_before_expired_before_active() {
    let live = token();
    let revoked = Token { revoked_at: Some(at(50)), ..token() };
    assert_eq!(live.status(at(99)), TokenStatus::Active);
    assert_eq!(live.status(at(100)), TokenStatus::Expired);
    assert_eq!(revoked.status(at(99)), TokenStatus::Revoked);
    assert_eq!(revoked.status(at(100)), TokenStatus::Revoked);
}

#[test]
fn types_are_derived_from_scope_and_chosen_lifetime() {
    let of = |scope, lifetime| Token { scope, lifetime, ..token() }.token_type();
    let days = |days: u64| Lifetime::For(Duration::from_secs(days * 24 * 60 * 60));
    assert_eq!(of(Scope::Ro, Lifetime::Endless), TokenType::ReadOnly);
    assert_eq!(of(Scope::Ro, days(30)), TokenType::ReadOnly);
    assert_eq!(of(Scope::Rw, days(90)), TokenType::Standard);
    assert_eq!(of(Scope::Rw, days(91)), TokenType::LongLived);
    assert_eq!(of(Scope::Rw, Lifetime::Endless), TokenType::LongLived);
}

#[test]
fn secrets_succeed_each_other() {
    let prefix: SecretPrefix = "ndpat_Jj8IYR".parse().expect("a prefix");
    let first = SecretRecord::first(SecretId::from_uuid(Uuid::nil()), prefix, at(1));
    let pending = SecretRecord { confirmed_at: None, ends_at: Expiry::At(at(10)), ..first.clone() };
    let retiring = SecretRecord { ends_at: Expiry::At(at(10)), ..first.clone() };
    for (secret, now, state) in [
        (&first, 99, SecretState::Current),
        (&pending, 9, SecretState::Pending),
        (&pending, 10, SecretState::Expired(at(10))),
        (&retiring, 9, SecretState::Retiring),
        (&retiring, 10, SecretState::Retired(at(10))),
    ] {
        assert_eq!(secret.state(at(now)), state);
    }
}

/// A token that ends at 100, with all secrets minted before 5 revoked. Each row has its secrets (the instant
/// of minting, true if confirmed, and the end) and the expected status at 20.
#[test]
fn a_token_status_follows_its_usable_secrets() {
    let never = Expiry::Never;
    let ends = |micros| Expiry::At(at(micros));
    for (what, secrets, status) in [
        ("in force", &[(5, true, never)][..], TokenStatus::Active),
        ("its first waits", &[(5, false, ends(21))], TokenStatus::Pending),
        ("its first was not used in time", &[(5, false, ends(20))], TokenStatus::Expired),
        ("a rotation waits", &[(5, true, never), (6, false, ends(21))], TokenStatus::Active),
        ("a rotation was not used in time", &[(5, true, never), (6, false, ends(20))], TokenStatus::Active),
        ("minted before", &[(4, true, never)], TokenStatus::Revoked),
        ("minted before, and not used in time", &[(4, false, ends(20))], TokenStatus::Revoked),
        ("rotated since", &[(4, true, ends(20)), (6, true, never)], TokenStatus::Active),
        ("the new one waits", &[(4, true, never), (6, false, ends(21))], TokenStatus::Pending),
        ("the new one was not used in time", &[(4, true, never), (6, false, ends(20))], TokenStatus::Revoked),
    ] {
        let secret = |(minted_at, confirmed, ends_at): &(i64, bool, Expiry)| SecretView {
            record: SecretRecord {
                id: SecretId::from_uuid(Uuid::nil()),
                prefix: "ndpat_Jj8IYR".parse().expect("a prefix"),
                minted_at: at(*minted_at),
                authorized_at: at(*minted_at),
                confirmed_at: confirmed.then(|| at(*minted_at)),
                ends_at: *ends_at,
            },
            last_use: None,
            reused_at: None,
            succession: None,
        };
        let mut view = TokenView {
            token: token(),
            owner_org: None,
            orgs: Orgs::All,
            services: Services::All,
            owner_account: None,
            suspended_in: Vec::new(),
            secrets: secrets.iter().map(secret).collect(),
            not_before: at(5),
            revocation: None,
            used_from: Vec::new(),
            policy_warnings: Vec::new(),
            uses: VisibleUses::All,
        };
        assert_eq!(view.status(at(20)), status, "{what}");
        assert_eq!(view.status(at(100)), TokenStatus::Expired, "{what}");
        view.token.suspensions = [Suspension { level: Level::Owner, since: at(7) }].into();
        let held_up = if status.is_dead() { status } else { TokenStatus::Suspended };
        assert_eq!(view.status(at(20)), held_up, "{what}");
    }
}
