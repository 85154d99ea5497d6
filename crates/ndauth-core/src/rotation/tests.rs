use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{AccountId, Grants, Networks, Orgs, Owner, Scope, SecretId, Services, WholeSecond};

const DAY: u64 = 24 * 60 * 60;

fn days(count: u64) -> Lifetime {
    Lifetime::For(Duration::from_secs(count * DAY))
}

fn day(count: u64) -> Timestamp {
    Timestamp::MIN.checked_add(Duration::from_secs(count * DAY)).expect("an instant")
}

fn token(lifetime: Lifetime) -> Token {
    Token {
        id: TokenId::from_uuid(Uuid::nil()),
        owner: Owner::Account(AccountId::from_uuid(Uuid::nil())),
        name: "ci".parse().expect("a name"),
        description: None,
        scope: Scope::Rw,
        grants: Grants::All,
        orgs: Orgs::All,
        services: Services::All,
        networks: Networks::All,
        created_at: day(0),
        lifetime,
        expires_at: lifetime.expiry(day(0)),
        revoked_at: None,
        self_rotating_until: None,
        suspensions: [].into(),
    }
}

fn secret(confirmed: bool, ends_at: Expiry) -> SecretRecord {
    let prefix = "ndpat_Jj8IYR".parse().expect("a prefix");
    let first = SecretRecord::first(SecretId::from_uuid(Uuid::nil()), prefix, day(0));
    SecretRecord { confirmed_at: first.confirmed_at.filter(|_| confirmed), ends_at, ..first }
}

#[test]
fn one_rotation_comes_after_the_other() {
    let (current, retired) = (secret(true, Expiry::Never), secret(true, Expiry::At(day(4))));
    let (retiring, pending) = (secret(true, Expiry::At(day(6))), secret(false, Expiry::At(day(7))));
    let expired = secret(false, Expiry::At(day(4)));
    for (secrets, not_before, expected) in [
        (vec![&current], day(0), Ok(())),
        (vec![&current, &retired, &expired], day(0), Ok(())),
        (vec![&current, &retiring], day(0), Err(Unready::Overlap(day(6)))),
        (vec![&current, &pending], day(0), Err(Unready::Pending(day(7)))),
        (vec![&current, &retiring], day(1), Ok(())),
    ] {
        assert_eq!(may_rotate(secrets, not_before, day(5)), expected);
    }
}

#[test]
fn an_old_secret_ends_by_the_overlap_or_as_it_would_have() {
    let overlap = Duration::from_secs(2 * DAY);
    for (ends_at, token_ends, expected) in [
        (Expiry::Never, Expiry::Never, day(7)),
        (Expiry::Never, Expiry::At(day(6)), day(6)),
        (Expiry::Never, Expiry::At(day(30)), day(7)),
        (Expiry::At(day(6)), Expiry::Never, day(6)),
    ] {
        let end = secret(true, ends_at).retires_at(token_ends, overlap, day(5));
        assert_eq!(end, Expiry::At(expected));
    }
}

#[test]
fn a_rotation_gives_the_chosen_lifetime_again_and_no_longer() {
    let token = token(days(90));
    let choose = |count| Some(ExpiryChoice::In(days(count)));
    for (choice, admitted, expected) in [
        (None, Lifetime::Endless, Ok(Expiry::At(day(150)))),
        (None, days(30), Ok(Expiry::At(day(90)))),
        (choose(30), Lifetime::Endless, Ok(Expiry::At(day(90)))),
        (choose(91), Lifetime::Endless, Err(InvalidExpiry::Widens(days(90)))),
        (Some(ExpiryChoice::In(Lifetime::Endless)), Lifetime::Endless, Err(InvalidExpiry::Widens(days(90)))),
        (Some(ExpiryChoice::At(day(60))), Lifetime::Endless, Err(InvalidExpiry::Past)),
    ] {
        assert_eq!(token.rotated_expiry(choice, admitted, day(60)), expected, "{choice:?} {admitted:?}");
    }
}

#[test]
fn standard_tokens_renew_by_thirty_days_within_a_year() {
    let standard = token(days(90));
    assert_eq!(standard.renewed_expiry(day(0), Lifetime::Endless), Ok(Expiry::At(day(120))));
    assert_eq!(standard.renewed_expiry(day(0), days(100)), Ok(Expiry::At(day(100))), "as far as is admitted");
    assert_eq!(standard.renewed_expiry(day(0), days(90)), Err(NotRenewable::Policy));
    let old = Token { expires_at: Expiry::At(day(350)), ..token(days(90)) };
    assert_eq!(old.renewed_expiry(day(300), Lifetime::Endless), Ok(Expiry::At(day(365))), "and no further");
    let oldest = Token { expires_at: Expiry::At(day(365)), ..token(days(90)) };
    assert_eq!(oldest.renewed_expiry(day(300), Lifetime::Endless), Err(NotRenewable::Age));
    assert_eq!(token(days(91)).renewed_expiry(day(0), Lifetime::Endless), Err(NotRenewable::LongLived));
    let reads = Token { scope: Scope::Ro, ..token(days(90)) };
    assert_eq!(reads.renewed_expiry(day(0), Lifetime::Endless), Err(NotRenewable::ReadOnly));
}

#[test]
fn a_renewal_by_itself_says_which_end_it_reached() {
    let until = |count| Token { self_rotating_until: Some(WholeSecond::of(day(count))), ..token(days(90)) };
    for (token, now, expected) in [
        (until(120), 80, Ok(Expiry::At(day(120)))),
        (until(90), 80, Err(NotRenewable::Until)),
        (Token { expires_at: Expiry::At(day(365)), ..until(365) }, 350, Err(NotRenewable::Age)),
    ] {
        assert_eq!(token.self_renewed_expiry(day(0), Lifetime::Endless, day(now)), expected);
    }
}

proptest! {
    /// For any choice and any admitted lifetime, no expiry is later than the chosen lifetime from now, nor
    /// than the admitted one. A renewal stays within its bounds.
    #[test]
    fn no_lifetime_exceeds_its_limits(
        made in 1_u64..400, chosen in proptest::option::of(1_u64..400), admitted in proptest::option::of(1_u64..400),
        now in 0_u64..400, minted in 0_u64..400, ends in 1_u64..400,
    ) {
        let limit = admitted.map_or(Lifetime::Endless, days);
        let choice = chosen.map(|count| ExpiryChoice::In(days(count)));
        let token = Token { expires_at: Expiry::At(day(ends)), ..token(days(made)) };
        if let Ok(end) = token.rotated_expiry(choice, limit, day(now)) {
            prop_assert!(end <= token.lifetime.expiry(day(now)) && end <= limit.expiry(day(now)));
        }
        if let Ok(end) = token.renewed_expiry(day(minted), limit) {
            prop_assert!(end > token.expires_at && end <= Expiry::At(day(ends + 30)));
            prop_assert!(end <= Expiry::At(day(365)) && end <= limit.expiry(day(minted)) && made <= 90);
        }
    }
}
