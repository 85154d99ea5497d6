//! The outcome of ending what a presented secret belongs to.

/// The outcome of presenting one secret in order to end what it belongs to. It names neither the owner nor the
/// token, because possession of a secret is enough to learn it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PresentedOutcome {
    /// Its token was revoked.
    Revoked,
    /// An old secret was retired before its overlap ended. The token and its new secret live on.
    Retired,
    /// A new secret was dropped, and with it its rotation. The token and its secret live on.
    RotationDropped,
    /// Its session was ended.
    SessionEnded,
    /// It had ended before.
    AlreadyDead,
    /// It was retired before, and the presentation is recorded as reuse.
    ReuseRecorded,
    /// It is a service's, which lives on. It was reported to the operator.
    ServiceReported,
    /// No secret here is or was this one, or it was removed long ago.
    Unknown,
    /// It is not a secret.
    Malformed,
}

impl PresentedOutcome {
    /// Every outcome.
    pub const ALL: [PresentedOutcome; 9] = [
        PresentedOutcome::Revoked,
        PresentedOutcome::Retired,
        PresentedOutcome::RotationDropped,
        PresentedOutcome::SessionEnded,
        PresentedOutcome::AlreadyDead,
        PresentedOutcome::ReuseRecorded,
        PresentedOutcome::ServiceReported,
        PresentedOutcome::Unknown,
        PresentedOutcome::Malformed,
    ];

    /// Returns true if the secret works nowhere from now on.
    pub const fn is_dead(self) -> bool {
        match self {
            PresentedOutcome::Revoked
            | PresentedOutcome::Retired
            | PresentedOutcome::RotationDropped
            | PresentedOutcome::SessionEnded
            | PresentedOutcome::AlreadyDead
            | PresentedOutcome::ReuseRecorded => true,
            PresentedOutcome::ServiceReported | PresentedOutcome::Unknown | PresentedOutcome::Malformed => {
                false
            }
        }
    }
}
