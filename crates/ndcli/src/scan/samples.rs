//! The secrets that ndauth's own documents publish. Nobody was ever given one of them, so they are no leaks.

use ndauth_core::Secret;

/// The number of characters before the body of a secret.
const MARKER: usize = 6;

/// The bodies of the test vectors in `docs/token-format.md`. Documents and tests use them with every marker.
pub(crate) const BODIES: [&str; 7] = [
    "Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U",
    "pU3KGCUwux1tEyze1iN7LtkeP3IfyxlxF0SU1kk8nVw",
    "9fefK0k0r4f1UgtpuUsNmC6Fu1W2cqhyY3rNdGb8tg4",
    "zStRV0EOTe5K8rNPQwoHNEfeY2wOgGyVe6aE1kMfteo",
    "jzm6dv74yQxRAfvmz5pI1bDAoT2pAKatyz1kBpSBviE",
    "uvIP0n7PFMAR7SAfg2MgrbmLqxaGoo2YASEMdzbz7sU",
    "-__7__v_-__7__v_-__7__v_-__7__v_-__7__v_-_8",
];

/// Returns true for a published sample, and for a body that repeats one character, which is a placeholder.
pub(crate) fn is_sample(secret: &Secret) -> bool {
    let body = &secret.expose()[MARKER..];
    let mut characters = body.bytes();
    let first = characters.next();
    BODIES.contains(&body) || characters.all(|character| Some(character) == first)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The published vectors are the samples, and no others.
    #[test]
    fn the_samples_are_the_published_vectors() {
        let page = include_str!("../../../../docs/token-format.md");
        let (_, vectors) = page.split_once("## Test vectors").expect("the page has vectors");
        let (vectors, _) = vectors.split_once("Strings that are not secrets").expect("and others");
        let published: BTreeSet<&str> = vectors
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
            .map(|secret| &secret[MARKER..])
            .collect();
        assert_eq!(published, BODIES.into());
        for body in BODIES {
            assert!(is_sample(&format!("ndsvc_{body}").parse().expect("a secret")));
        }
        assert!(is_sample(&format!("ndpat_{}", "0".repeat(43)).parse().expect("a secret")));
        let other = format!("ndpat_{}I", &BODIES[0][..42]);
        assert!(!is_sample(&other.parse().expect("a secret")));
    }
}
