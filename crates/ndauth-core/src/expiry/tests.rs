use super::*;

const HOUR: u64 = 60 * 60;

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

#[test]
fn expired_at_the_instant() {
    let end = at("2027-01-31T12:00:00Z");
    let (before, after) = (end.micros() - 1, end.micros() + 1);
    let past = |micros| Expiry::At(end).is_past(Timestamp::from_micros(micros).expect("an instant"));
    assert!(!past(before));
    assert!(past(end.micros()));
    assert!(past(after));
    assert!(!Expiry::Never.is_past(Timestamp::MAX));
    assert!(Expiry::At(Timestamp::MAX) < Expiry::Never);
}

#[test]
fn presets() {
    let days = |n: u64| Ok(ExpiryChoice::In(Lifetime::For(Duration::from_secs(n * 24 * HOUR))));
    for (text, expected) in [
        ("30d", days(30)),
        ("60d", days(60)),
        ("90d", days(90)),
        ("180d", days(180)),
        ("365d", days(365)),
        ("never", Ok(ExpiryChoice::In(Lifetime::Endless))),
        ("2027-01-31T12:00:00Z", Ok(ExpiryChoice::At(at("2027-01-31T12:00:00Z")))),
        ("45d", Err(InvalidExpiry::Preset)),
        ("90", Err(InvalidExpiry::Preset)),
        ("", Err(InvalidExpiry::Preset)),
        ("NEVER ", Err(InvalidExpiry::Preset)),
    ] {
        assert_eq!(ExpiryChoice::parse_preset(text), expected, "{text}");
    }
    assert_eq!(Ok(ExpiryChoice::PERSONAL), days(90));
}

#[test]
fn durations() {
    let hours = |n: u64| Ok(ExpiryChoice::In(Lifetime::For(Duration::from_secs(n * HOUR))));
    for (text, expected) in [
        ("1h", hours(1)),
        ("24h", hours(24)),
        ("7d", hours(7 * 24)),
        ("1w", hours(7 * 24)),
        ("52w", hours(364 * 24)),
        ("1y", hours(365 * 24)),
        ("365d", hours(365 * 24)),
        ("8760h", hours(365 * 24)),
        ("8761h", Err(InvalidExpiry::TooLong)),
        ("366d", Err(InvalidExpiry::TooLong)),
        ("2y", Err(InvalidExpiry::TooLong)),
        ("99999999999999999999h", Err(InvalidExpiry::TooLong)),
        ("0h", Err(InvalidExpiry::Past)),
        ("30m", Err(InvalidExpiry::Duration)),
        ("30", Err(InvalidExpiry::Duration)),
        ("h", Err(InvalidExpiry::Duration)),
        ("-1h", Err(InvalidExpiry::Duration)),
        ("+1h", Err(InvalidExpiry::Duration)),
        ("1.5h", Err(InvalidExpiry::Duration)),
        ("", Err(InvalidExpiry::Duration)),
        ("1é", Err(InvalidExpiry::Duration)),
    ] {
        assert_eq!(ExpiryChoice::parse_duration(text), expected, "{text}");
    }
}

#[test]
fn instants_are_bounded_too() {
    let now = at("2026-11-22T00:00:00Z");
    let lifetime = |text: &str| ExpiryChoice::At(at(text)).lifetime(now);
    assert_eq!(lifetime("2026-11-22T00:00:00Z"), Err(InvalidExpiry::Past));
    assert_eq!(lifetime("2020-01-01T00:00:00Z"), Err(InvalidExpiry::Past));
    assert_eq!(lifetime("2026-11-22T00:00:01Z"), Ok(Lifetime::For(Duration::from_secs(1))));
    assert_eq!(lifetime("2027-11-22T00:00:00Z"), Ok(Lifetime::For(MAX_LIFETIME)));
    assert_eq!(lifetime("2027-11-22T00:00:01Z"), Err(InvalidExpiry::TooLong));
    let chosen = lifetime("2026-12-22T00:00:00Z").expect("a lifetime");
    assert_eq!(chosen.expiry(now), Expiry::At(at("2026-12-22T00:00:00Z")));
}
