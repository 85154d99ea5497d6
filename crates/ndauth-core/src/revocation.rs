//! Why tokens are revoked.

/// Why a token was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RevocationReason {
    /// It is of no use any more.
    NoLongerNeeded,
    /// Another token took its place.
    RotatedAway,
    /// Somebody else may have its secret.
    Leaked,
    /// Its owner left.
    OwnerLeft,
    /// A policy asks for it.
    Policy,
    /// Whoever showed its secret ended it.
    Possession,
}
