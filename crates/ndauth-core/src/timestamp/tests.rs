use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn parse_after_print_is_identity(micros in 0..=Timestamp::MAX.micros()) {
        let instant = Timestamp::from_micros(micros).expect("in range");
        prop_assert_eq!(instant.to_string().parse(), Ok(instant));
    }
}

#[test]
fn an_offset_names_the_same_instant() {
    assert_eq!("2027-01-31T14:00:00+02:00".parse::<Timestamp>(), "2027-01-31T12:00:00Z".parse());
}

#[test]
fn instants_out_of_range_are_refused() {
    for text in ["1969-12-31T23:59:59Z", "2027-01-31", "2027-02-30T00:00:00Z", "", "tomorrow"] {
        assert_eq!(text.parse::<Timestamp>(), Err(InvalidTimestamp), "{text}");
    }
    assert_eq!(Timestamp::from_micros(-1), Err(InvalidTimestamp));
    assert_eq!(Timestamp::from_micros(i64::MAX), Err(InvalidTimestamp));
}

#[test]
fn since_never_runs_backwards() {
    let [early, late] = [5, 9].map(|micros| Timestamp::from_micros(micros).expect("an instant"));
    assert_eq!(late.since(early), Duration::from_micros(4));
    assert_eq!(early.since(late), Duration::ZERO);
}
