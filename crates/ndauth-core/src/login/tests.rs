use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use super::*;

#[test]
fn a_password_is_long_and_not_common_and_nothing_else() {
    for (text, verdict) in [
        ("elevenchars", Some(InvalidPassword::TooShort)),
        ("äöüäöüäöüäö", Some(InvalidPassword::TooShort)),
        ("äöüßäöüßäöüß", None),
        ("password1234", Some(InvalidPassword::Common)),
        ("PassWord1234", Some(InvalidPassword::Common)),
        ("aaaaaaaaaaaaaaaa", Some(InvalidPassword::Common)),
        ("correcthorsebatterystaple", Some(InvalidPassword::Common)),
        ("a walk in the woods", None),
        ("            x", None),
        (&"long".repeat(256), None),
        (&"long".repeat(257), Some(InvalidPassword::TooLong)),
    ] {
        assert_eq!(text.parse::<Password>().err(), verdict, "{text}");
    }
    let shown = format!("{:?}", "a walk in the woods".parse::<Password>().expect("a password"));
    assert_eq!(shown, "Password(…)");
}

#[test]
fn common_passwords_are_sorted_and_long_enough() {
    assert!(COMMON.lines().is_sorted());
    assert!(COMMON.lines().all(|common| common.chars().count() >= LEAST && common == common.to_lowercase()));
}

#[test]
fn a_user_code_is_read_as_people_type_it() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let Ok(code) = UserCode::mint(&mut rng);
    let shown = code.to_string();
    assert_eq!((shown.len(), shown.as_bytes()[4]), (9, b'-'));
    for typed in [shown.clone(), shown.to_lowercase(), shown.replace('-', ""), format!(" {shown} ")] {
        assert_eq!(typed.parse(), Ok(code), "{typed}");
    }
    for bad in ["", "BCDF-GHJ", "BCDF-GHJKL", "ACDF-GHJK", "BCDF-GHJ1", "BCDF_GHJK"] {
        assert_eq!(bad.parse::<UserCode>(), Err(InvalidUserCode), "{bad}");
    }
}

/// The example of RFC 7636, appendix B.
#[test]
fn a_challenge_is_that_of_its_verifier() {
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let challenge: Challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".parse().expect("a challenge");
    assert_eq!(Challenge::of(verifier), Some(challenge));
    assert_eq!(challenge.to_string(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    assert_eq!(Challenge::of("short"), None);
    assert_eq!(Challenge::of(&"é".repeat(30)), None);
    assert!(verifier[..42].parse::<Challenge>().is_err());
}

#[test]
fn one_time_codes_are_never_repeated() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let Ok(first) = OneTime::mint(&mut rng);
    let Ok(second) = OneTime::mint(&mut rng);
    assert_eq!(first.expose().len(), 43);
    assert_ne!(first.expose(), second.expose());
    assert_ne!(OneTime::hash_of(first.expose()), OneTime::hash_of(second.expose()));
    assert_eq!(format!("{first:?}"), "OneTime(…)");
}
