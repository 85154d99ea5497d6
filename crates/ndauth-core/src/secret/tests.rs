use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use super::*;

/// The sample secret of the documentation.
const SAMPLE: &str = "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U";

fn minted(kind: SecretKind, seed: u64) -> Secret {
    let Ok(secret) = Secret::mint(kind, &mut ChaCha20Rng::seed_from_u64(seed));
    secret
}

fn any_secret() -> impl Strategy<Value = Secret> {
    let kind = proptest::sample::select(SecretKind::ALL.to_vec());
    (kind, any::<[u8; 32]>()).prop_map(|(kind, bytes)| {
        let text = format!("{}{}", kind.marker(), URL_SAFE_NO_PAD.encode(bytes));
        text.parse().expect("canonical base64url of 32 bytes is a secret")
    })
}

#[test]
fn the_sample_of_the_documentation_parses() {
    let secret: Secret = SAMPLE.parse().expect("a secret");
    assert_eq!(secret.kind(), SecretKind::Personal);
    assert_eq!(secret.prefix().as_str(), "ndpat_Jj8IYR");
    assert_eq!(secret.expose(), SAMPLE);
}

/// The vectors of `docs/token-format.md`.
#[test]
fn the_published_vectors_hold() {
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let document = include_str!("../../../../docs/token-format.md");
    let vectors: Vec<(&str, &str)> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.strip_suffix("` |")?.split_once("` | `"))
        .filter(|(_, outcome)| outcome.len() == 64)
        .collect();
    assert!(vectors.len() >= 6, "the document lists a vector for each kind");
    for (text, hash) in vectors {
        let secret: Secret = text.parse().expect("a published vector is a secret");
        assert_eq!(hex(secret.hash().bytes()), hash, "{text}");
    }
}

proptest! {
    #[test]
    fn parse_after_print_is_identity(secret in any_secret()) {
        let again: Secret = secret.expose().parse().expect("what was printed parses");
        prop_assert_eq!(again.expose(), secret.expose());
        prop_assert_eq!(again.kind(), secret.kind());
        prop_assert_eq!(secret.prefix().as_str().parse(), Ok(secret.prefix()));
    }

    /// Parsing does not decode the text, but accepts exactly what decodes.
    #[test]
    fn parsing_accepts_exactly_what_decodes(body in "[A-Za-z0-9_-]{42}[A-Za-z0-9_=+/ -]") {
        let decodes = URL_SAFE_NO_PAD.decode(&body).is_ok_and(|bytes| bytes.len() == 32);
        prop_assert_eq!(format!("ndpat_{body}").parse::<Secret>().is_ok(), decodes);
    }

    #[test]
    fn every_proper_prefix_is_malformed(secret in any_secret(), cut in 0..LEN) {
        prop_assert!(secret.expose()[..cut].parse::<Secret>().is_err());
    }

    #[test]
    fn every_extension_is_malformed(secret in any_secret(), more in "\\PC{1,20}|[\\s\\x00-\\x1f]{1,3}") {
        let (before, after) = (format!("{more}{}", secret.expose()), format!("{}{more}", secret.expose()));
        prop_assert!(before.parse::<Secret>().is_err());
        prop_assert!(after.parse::<Secret>().is_err());
    }

    #[test]
    fn a_changed_character_makes_it_malformed_or_another(secret in any_secret(), at in 0..LEN, to in any::<char>()) {
        let mut changed: Vec<char> = secret.expose().chars().collect();
        prop_assume!(changed[at] != to);
        changed[at] = to;
        let changed: String = changed.into_iter().collect();
        if let Ok(other) = changed.parse::<Secret>() {
            prop_assert_ne!(other.hash(), secret.hash());
            prop_assert_eq!(other.expose(), changed);
        }
    }

    #[test]
    fn redaction_leaves_no_secret(secret in any_secret(), before in "[^A-Za-z0-9_-]{0,9}", after in "[^A-Za-z0-9_-]{0,9}") {
        let text = format!("{before}{}{after}{}", secret.expose(), secret.expose());
        let clean = redact(&text);
        prop_assert!(!clean.contains(&secret.expose()[..13]));
        prop_assert!(clean.contains(&secret.expose()[..12]));
        prop_assert_eq!(redact(&before), before.as_str());
    }
}

#[test]
fn minting_is_alphanumeric_and_never_repeats() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let secret = minted(SecretKind::ALL[seed as usize % 6], seed);
        let body = &secret.expose()[KIND_LEN..];
        assert!(body.bytes().all(|b| b.is_ascii_alphanumeric()), "{body}");
        assert!(secret.expose().parse::<Secret>().is_ok());
        assert!(seen.insert(body.to_owned()));
    }
}

#[test]
fn each_fault_is_named() {
    let row = |text: &str, expected| assert_eq!(text.parse::<Secret>().err(), Some(expected), "{text:?}");
    row("", InvalidSecret::Empty);
    row(&format!("{SAMPLE}\n"), InvalidSecret::TrailingLineBreak);
    row(&format!("{SAMPLE}\r\n"), InvalidSecret::TrailingLineBreak);
    row(&format!("{}\n{}\n", &SAMPLE[..20], &SAMPLE[20..]), InvalidSecret::WhiteSpace);
    row(&format!("\"{SAMPLE}\""), InvalidSecret::Quoted);
    row(&format!("'{SAMPLE}'"), InvalidSecret::Quoted);
    row("${{ secrets.NDCLI_TOKEN }}", InvalidSecret::Unexpanded);
    row("$NDCLI_TOKEN", InvalidSecret::Unexpanded);
    row("%NDCLI_TOKEN%", InvalidSecret::Unexpanded);
    row("\"", InvalidSecret::Kind);
    row(&format!(" {SAMPLE}"), InvalidSecret::WhiteSpace);
    row(&format!("{SAMPLE}\0"), InvalidSecret::WhiteSpace);
    row("ghp_0123456789", InvalidSecret::Kind);
    row(&SAMPLE.to_uppercase(), InvalidSecret::Kind);
    row("ndpat_", InvalidSecret::TooShort(6));
    row(&SAMPLE[..40], InvalidSecret::TooShort(40));
    row(&format!("{SAMPLE}{SAMPLE}"), InvalidSecret::TooLong);
    row(&SAMPLE.replace('Q', "+"), InvalidSecret::Body);
    // The last character encodes four bits, so its two lowest must be zero.
    row(&format!("{}V", &SAMPLE[..LEN - 1]), InvalidSecret::Body);
}

#[test]
fn debug_hides_a_secret() {
    let secret: Secret = SAMPLE.parse().expect("a secret");
    assert_eq!(format!("{secret:?}"), "Secret(ndpat_Jj8IYR…)");
    assert_eq!(format!("{:?}", secret.hash()).len(), "SecretHash(0000…)".len());
}

#[test]
fn redaction_cuts_pieces_too() {
    let row = |text: &str, expected: &str| assert_eq!(redact(text), expected);
    row("nothing here, nd nothing", "nothing here, nd nothing");
    row("prefix ndpat_Jj8IYR stays", "prefix ndpat_Jj8IYR stays");
    row(&format!("token={SAMPLE}&x"), "token=ndpat_Jj8IYR…&x");
    row(&SAMPLE[..30], "ndpat_Jj8IYR…");
    row(&format!("{SAMPLE}{SAMPLE}"), "ndpat_Jj8IYR…");
}
