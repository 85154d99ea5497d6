//! Events: a change, the actor who made it, and the hash chain that makes the log tamper-evident.
//!
//! ```text
//! hash = SHA-256( previous hash ‖ sequence ‖ public bytes ‖ SHA-256( salt ‖ personal bytes ) )
//!                 32 bytes        8, big-endian  as stored            32     as stored
//! ```
//!
//! Public bytes are JSON and hold ids. Personal bytes are JSON and hold names and addresses. Personal bytes
//! and their salt can be erased: their digest is kept, so the chain still verifies.

use std::collections::BTreeMap;

use rand_core::TryCryptoRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    AccountId, AnnouncedPolicy, CatalogueDocument, Expiry, Level, Lineage, NoticesOff, OfferId, OrgId, Owner,
    RevocationReason, Role, SecretHash, SecretId, ServiceId, SessionId, Timestamp, TokenId,
};

/// The actor who made a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Actor {
    /// The console, at the machine of the database.
    Console,
    /// ndauth itself, acting by rule.
    Authority,
    /// An account, through a session.
    Session {
        /// The account.
        account: AccountId,
        /// The session.
        session: SessionId,
    },
    /// A service.
    Service {
        /// The service.
        service: ServiceId,
    },
    /// An account's token, without a session.
    Token {
        /// The account.
        account: AccountId,
        /// The token.
        token: TokenId,
    },
    /// An org's token.
    OrgToken {
        /// The org.
        org: OrgId,
        /// The token.
        token: TokenId,
    },
}

impl Change {
    /// The kinds of changes, as events name them.
    pub const KINDS: [&'static str; 44] = [
        "account.created",
        "account.updated",
        "account.notices_set",
        "account.operator_set",
        "account.disabled",
        "account.signed_out",
        "account.invited",
        "account.sign_in_link_issued",
        "account.password_set",
        "account.identified",
        "account.enabled",
        "org.created",
        "org.deleted",
        "org.policy_set",
        "catalogue.applied",
        "member.set",
        "member.offered",
        "member.offer_declined",
        "member.offer_withdrawn",
        "member.removed",
        "session.issued",
        "session.ended",
        "token.derived",
        "service.created",
        "service.revoked",
        "installation.restored",
        "token.created",
        "token.revoked",
        "token.updated",
        "token.renewed",
        "token.suspended",
        "token.resumed",
        "secret.minted",
        "secret.confirmed",
        "secret.dropped",
        "secret.retired",
        "secret.reused",
        "account.tokens_revoked",
        "org.tokens_revoked",
        "org.frozen",
        "org.unfrozen",
        "families.removed",
        "account.erased",
        "log.pruned",
    ];

    /// Returns the kind of the change, as its event names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Change::AccountCreated { .. } => "account.created",
            Change::AccountUpdated { .. } => "account.updated",
            Change::NoticesSet { .. } => "account.notices_set",
            Change::OperatorSet { .. } => "account.operator_set",
            Change::AccountDisabled { .. } => "account.disabled",
            Change::AccountSignedOut { .. } => "account.signed_out",
            Change::AccountInvited { .. } => "account.invited",
            Change::SignInLinkIssued { .. } => "account.sign_in_link_issued",
            Change::PasswordSet { .. } => "account.password_set",
            Change::AccountIdentified { .. } => "account.identified",
            Change::AccountEnabled { .. } => "account.enabled",
            Change::OrgCreated { .. } => "org.created",
            Change::OrgDeleted { .. } => "org.deleted",
            Change::PolicySet { .. } => "org.policy_set",
            Change::CatalogueApplied { .. } => "catalogue.applied",
            Change::MemberSet { .. } => "member.set",
            Change::MemberOffered { .. } => "member.offered",
            Change::OfferDeclined { .. } => "member.offer_declined",
            Change::OfferWithdrawn { .. } => "member.offer_withdrawn",
            Change::MemberRemoved { .. } => "member.removed",
            Change::SessionIssued { .. } => "session.issued",
            Change::SessionEnded { .. } => "session.ended",
            Change::TokenDerived { .. } => "token.derived",
            Change::ServiceCreated { .. } => "service.created",
            Change::ServiceRevoked { .. } => "service.revoked",
            Change::Restored { .. } => "installation.restored",
            Change::TokenCreated { .. } => "token.created",
            Change::TokenRevoked { .. } => "token.revoked",
            Change::TokenUpdated { .. } => "token.updated",
            Change::TokenRenewed { .. } => "token.renewed",
            Change::TokenSuspended { .. } => "token.suspended",
            Change::TokenResumed { .. } => "token.resumed",
            Change::SecretMinted { .. } => "secret.minted",
            Change::SecretConfirmed { .. } => "secret.confirmed",
            Change::SecretDropped { .. } => "secret.dropped",
            Change::SecretRetired { .. } => "secret.retired",
            Change::SecretReused { .. } => "secret.reused",
            Change::AccountTokensRevoked { .. } => "account.tokens_revoked",
            Change::OrgTokensRevoked { .. } => "org.tokens_revoked",
            Change::OrgFrozen { .. } => "org.frozen",
            Change::OrgUnfrozen { .. } => "org.unfrozen",
            Change::FamiliesRemoved { .. } => "families.removed",
            Change::AccountErased { .. } => "account.erased",
            Change::LogPruned { .. } => "log.pruned",
        }
    }

    /// Returns true if the response to this change carries a new secret, which is lost if the response is.
    pub fn carries_new_secret(&self) -> bool {
        matches!(
            self,
            Change::TokenCreated { .. }
                | Change::TokenDerived { .. }
                | Change::SecretMinted { .. }
                | Change::SessionIssued { .. }
                | Change::ServiceCreated { .. }
                | Change::AccountInvited { .. }
                | Change::SignInLinkIssued { .. }
        )
    }
}

/// A change, with the ids of the rows that have to be read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Change {
    /// An account was created.
    #[serde(rename = "account.created")]
    AccountCreated {
        /// The account.
        account: AccountId,
        /// True if it was created as an operator.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        operator: bool,
    },
    /// An account's address or name was changed. The new ones are among the personal bytes.
    #[serde(rename = "account.updated")]
    AccountUpdated {
        /// The account.
        account: AccountId,
    },
    /// An account's person chose the notices that are mailed to them.
    #[serde(rename = "account.notices_set")]
    NoticesSet {
        /// The account.
        account: AccountId,
        /// The kinds that are turned off from now on; all others are on.
        off: NoticesOff,
    },
    /// An account was made an operator, or is one no longer.
    #[serde(rename = "account.operator_set")]
    OperatorSet {
        /// The account.
        account: AccountId,
        /// True if it is an operator from now on.
        operator: bool,
    },
    /// An account was disabled, which ended all its sessions.
    #[serde(rename = "account.disabled")]
    AccountDisabled {
        /// The account.
        account: AccountId,
    },
    /// Every session of an account was ended.
    #[serde(rename = "account.signed_out")]
    AccountSignedOut {
        /// The account.
        account: AccountId,
    },
    /// An invitation link was issued, with which the account's person sets a password.
    #[serde(rename = "account.invited")]
    AccountInvited {
        /// The account.
        account: AccountId,
    },
    /// A sign-in link was issued, which works once.
    #[serde(rename = "account.sign_in_link_issued")]
    SignInLinkIssued {
        /// The account.
        account: AccountId,
    },
    /// An account's person set a password, which ended all its sessions.
    #[serde(rename = "account.password_set")]
    PasswordSet {
        /// The account.
        account: AccountId,
    },
    /// An identity at another identity provider was linked to an account.
    #[serde(rename = "account.identified")]
    AccountIdentified {
        /// The account.
        account: AccountId,
    },
    /// A disabled account was enabled again.
    #[serde(rename = "account.enabled")]
    AccountEnabled {
        /// The account.
        account: AccountId,
    },
    /// An org was created.
    #[serde(rename = "org.created")]
    OrgCreated {
        /// The org.
        org: OrgId,
        /// Its first admin, if it was created with one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        admin: Option<AccountId>,
    },
    /// An org was deleted.
    #[serde(rename = "org.deleted")]
    OrgDeleted {
        /// The org.
        org: OrgId,
    },
    /// A policy was set for an org.
    #[serde(rename = "org.policy_set")]
    PolicySet {
        /// The org.
        org: OrgId,
        /// The new policy, followed by the announced policies that stay announced. The names of their
        /// networks are among the personal bytes.
        policies: Vec<AnnouncedPolicy>,
    },
    /// The catalogue was replaced.
    #[serde(rename = "catalogue.applied")]
    CatalogueApplied {
        /// The whole new catalogue.
        catalogue: CatalogueDocument,
    },
    /// An account was given a role in an org, as a new member or in place of its former role.
    #[serde(rename = "member.set")]
    MemberSet {
        /// The org.
        org: OrgId,
        /// The account.
        account: AccountId,
        /// The role.
        role: Role,
        /// The offer that this ended, if the account had one: the account accepted it, or an operator set the
        /// role first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offer: Option<OfferId>,
    },
    /// A membership was offered, in place of an earlier offer with the same id if there was one. The handle
    /// is among the personal bytes.
    #[serde(rename = "member.offered")]
    MemberOffered {
        /// The org that made the offer.
        org: OrgId,
        /// The offer.
        offer: OfferId,
        /// The role that it confers.
        role: Role,
        /// The instant at which the offer ends.
        ends_at: Timestamp,
    },
    /// An account declined an offered membership.
    #[serde(rename = "member.offer_declined")]
    OfferDeclined {
        /// The org that made the offer.
        org: OrgId,
        /// The offer.
        offer: OfferId,
    },
    /// An admin withdrew an offered membership.
    #[serde(rename = "member.offer_withdrawn")]
    OfferWithdrawn {
        /// The org that made the offer.
        org: OrgId,
        /// The offer.
        offer: OfferId,
    },
    /// An account left an org.
    #[serde(rename = "member.removed")]
    MemberRemoved {
        /// The org.
        org: OrgId,
        /// The account.
        account: AccountId,
    },
    /// A session was issued.
    #[serde(rename = "session.issued")]
    SessionIssued {
        /// The account.
        account: AccountId,
        /// The session.
        session: SessionId,
    },
    /// A session was ended, and with it every token derived from it.
    #[serde(rename = "session.ended")]
    SessionEnded {
        /// The account.
        account: AccountId,
        /// The session.
        session: SessionId,
        /// True if it was ended because its refresh secret was presented twice.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        reused: bool,
        /// The reason, if presenting one of its secrets to end it was enough.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<RevocationReason>,
    },
    /// A short-lived token was derived from a session.
    #[serde(rename = "token.derived")]
    TokenDerived {
        /// The token.
        token: TokenId,
        /// Its owner.
        owner: Owner,
        /// The session that it was derived from.
        session: SessionId,
    },
    /// A service was registered.
    #[serde(rename = "service.created")]
    ServiceCreated {
        /// The service.
        service: ServiceId,
    },
    /// A service was revoked.
    #[serde(rename = "service.revoked")]
    ServiceRevoked {
        /// The service.
        service: ServiceId,
    },
    /// A restored copy was put into service, or every secret minted before an instant was revoked.
    #[serde(rename = "installation.restored")]
    Restored {
        /// The sequence at which the log of the copy ended.
        copy: u64,
        /// The number of events that were replayed after it.
        replayed: u64,
        /// Every secret minted before this instant is revoked.
        not_before: Timestamp,
    },
    /// A token was created.
    #[serde(rename = "token.created")]
    TokenCreated {
        /// The token.
        token: TokenId,
        /// Its owner.
        owner: Owner,
    },
    /// A token was revoked.
    #[serde(rename = "token.revoked")]
    TokenRevoked {
        /// The token.
        token: TokenId,
        /// Its owner.
        owner: Owner,
        /// The reason. The note of the actor is among the personal bytes.
        reason: RevocationReason,
        /// The secret whose possession was enough to revoke it. `None` if somebody with a right to it did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        presented: Option<SecretId>,
    },
    /// A token's description was changed. The new one is among the personal bytes.
    #[serde(rename = "token.updated")]
    TokenUpdated {
        /// The token.
        token: TokenId,
        /// Its owner.
        owner: Owner,
    },
    /// A token's expiry was moved.
    #[serde(rename = "token.renewed")]
    TokenRenewed {
        /// The token.
        token: TokenId,
        /// Its owner.
        owner: Owner,
        /// Its new expiry.
        expires_at: Expiry,
    },
    /// A token was suspended.
    #[serde(rename = "token.suspended")]
    TokenSuspended {
        /// The token.
        token: TokenId,
        /// Its owner.
        owner: Owner,
        /// The level at which it was suspended.
        level: Level,
    },
    /// A token was resumed.
    #[serde(rename = "token.resumed")]
    TokenResumed {
        /// The token.
        token: TokenId,
        /// Its owner.
        owner: Owner,
        /// The levels at which its suspensions were lifted.
        levels: Vec<Level>,
    },
    /// A new secret was minted, which awaits confirmation.
    #[serde(rename = "secret.minted")]
    SecretMinted {
        /// The family.
        family: Lineage,
        /// The owner, if the family is a token\'s.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<Owner>,
        /// The secret.
        secret: SecretId,
    },
    /// A new secret was confirmed and replaced the current one.
    #[serde(rename = "secret.confirmed")]
    SecretConfirmed {
        /// The family.
        family: Lineage,
        /// The owner, if the family is a token\'s.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<Owner>,
        /// The secret.
        secret: SecretId,
        /// The latest instant at which the earlier secrets stop working.
        others_end_at: Timestamp,
        /// The token's expiry from now on.
        expires_at: Expiry,
    },
    /// A pending secret was dropped.
    #[serde(rename = "secret.dropped")]
    SecretDropped {
        /// The family.
        family: Lineage,
        /// The owner, if the family is a token\'s.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<Owner>,
        /// The secret.
        secret: SecretId,
        /// The reason, if presenting the secret was enough to end it. `None` if somebody with a right to it did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<RevocationReason>,
    },
    /// An old secret was retired before its overlap ended.
    #[serde(rename = "secret.retired")]
    SecretRetired {
        /// The family.
        family: Lineage,
        /// The owner, if the family is a token\'s.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<Owner>,
        /// The secret.
        secret: SecretId,
        /// The reason, if presenting the secret was enough to end it. `None` if somebody with a right to it did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<RevocationReason>,
    },
    /// A retired secret was presented. Recorded once a day.
    #[serde(rename = "secret.reused")]
    SecretReused {
        /// The family.
        family: Lineage,
        /// The owner, if the family is a token\'s.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<Owner>,
        /// The secret.
        secret: SecretId,
        /// The levels at which orgs' policies suspend the token for it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        suspended: Vec<Level>,
        /// True if it was reported as leaked, and not used.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        reported: bool,
    },
    /// All tokens of an account that were minted before an instant were revoked.
    #[serde(rename = "account.tokens_revoked")]
    AccountTokensRevoked {
        /// The account.
        account: AccountId,
        /// The instant.
        not_before: Timestamp,
        /// The reason.
        reason: RevocationReason,
    },
    /// All tokens that were minted before an instant lost their power in an org.
    #[serde(rename = "org.tokens_revoked")]
    OrgTokensRevoked {
        /// The org.
        org: OrgId,
        /// The instant.
        not_before: Timestamp,
        /// The reason.
        reason: RevocationReason,
    },
    /// An org was frozen.
    #[serde(rename = "org.frozen")]
    OrgFrozen {
        /// The org.
        org: OrgId,
    },
    /// An org was unfrozen.
    #[serde(rename = "org.unfrozen")]
    OrgUnfrozen {
        /// The org.
        org: OrgId,
    },
    /// The rows of families that died long ago were removed.
    #[serde(rename = "families.removed")]
    FamiliesRemoved {
        /// The tokens.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tokens: Vec<TokenId>,
        /// The sessions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        sessions: Vec<SessionId>,
        /// The services.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        services: Vec<ServiceId>,
        /// The hashes of the secrets of those tokens and services.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        hashes: Vec<SecretHash>,
    },
    /// A person's personal data was erased: the account's own, and that of all events which it made or which are
    /// about it.
    #[serde(rename = "account.erased")]
    AccountErased {
        /// The account.
        account: AccountId,
    },
    /// The beginning of the log was pruned.
    #[serde(rename = "log.pruned")]
    LogPruned {
        /// The sequence of the last event that was removed.
        through: u64,
        /// Its hash, from which the rest of the chain still verifies.
        #[serde(with = "hex::serde")]
        hash: [u8; 32],
    },
}

/// A change as an event's public bytes record it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The instant of the change.
    pub at: Timestamp,
    /// The actor who made it.
    pub actor: Actor,
    /// The change.
    #[serde(flatten)]
    pub change: Change,
}

/// Names and addresses that belong to an event, each under the name of its field.
pub type Personal = BTreeMap<&'static str, String>;

/// An event as it is stored, before it has a sequence in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The entry, as JSON.
    pub public: Vec<u8>,
    /// Names and addresses, as JSON.
    pub personal: Vec<u8>,
    /// The salt that keeps the personal bytes from being guessed from their digest.
    pub salt: [u8; 32],
}

/// The end of the log: the sequence of its last event and that event's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of events, which is also the sequence of the last one: the first is 1.
    pub sequence: u64,
    /// The hash of the last event.
    pub hash: [u8; 32],
}

impl Entry {
    /// Parses the public bytes of an event. Returns `None` if this version cannot read them.
    pub fn read(public: &[u8]) -> Option<Entry> {
        serde_json::from_slice(public).ok()
    }
}

impl Event {
    /// Serializes an entry and its personal data, with a fresh salt.
    pub fn new<R: TryCryptoRng>(entry: &Entry, personal: &Personal, rng: &mut R) -> Result<Event, R::Error> {
        let mut salt = [0; 32];
        rng.try_fill_bytes(&mut salt)?;
        Ok(Event {
            public: serde_json::to_vec(entry).expect("an entry is plain data"),
            personal: serde_json::to_vec(personal).expect("a map of texts is plain data"),
            salt,
        })
    }
}

impl Head {
    /// The end of an empty log.
    pub const EMPTY: Head = Head { sequence: 0, hash: [0; 32] };

    /// Returns the end of the log after an event with these bytes is appended.
    pub fn next(&self, public: &[u8], personal_hash: &[u8; 32]) -> Head {
        let sequence = self.sequence + 1;
        Head { sequence, hash: chain_hash(&self.hash, sequence, public, personal_hash) }
    }
}

/// Returns the hash of an event, computed from the previous event's hash.
pub fn chain_hash(previous: &[u8; 32], sequence: u64, public: &[u8], personal_hash: &[u8; 32]) -> [u8; 32] {
    Sha256::new()
        .chain_update(previous)
        .chain_update(sequence.to_be_bytes())
        .chain_update(public)
        .chain_update(personal_hash)
        .finalize()
        .into()
}

/// Returns the digest of an event's personal bytes, which is kept when they are erased.
pub fn personal_hash(salt: &[u8; 32], personal: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(personal).finalize().into()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::ChaCha20Rng;
    use uuid::Uuid;

    use super::*;
    use crate::OrgPolicy;

    fn entry() -> Entry {
        let account = AccountId::from_uuid(Uuid::from_u128(1));
        Entry {
            at: "2026-11-22T00:00:00Z".parse().expect("an instant"),
            actor: Actor::Session { account, session: SessionId::from_uuid(Uuid::from_u128(2)) },
            change: Change::TokenCreated {
                token: TokenId::from_uuid(Uuid::from_u128(3)),
                owner: Owner::Account(account),
            },
        }
    }

    /// The bytes are a stored format: rows that were written once are read for ever.
    #[test]
    fn public_bytes_are_fixed() {
        let personal = Personal::from([("name", "github-ci".to_owned())]);
        let Ok(event) = Event::new(&entry(), &personal, &mut ChaCha20Rng::seed_from_u64(1));
        assert_eq!(
            String::from_utf8_lossy(&event.public),
            "{\"at\":1795305600000000,\"actor\":{\"by\":\"session\",\
             \"account\":\"00000000-0000-0000-0000-000000000001\",\
             \"session\":\"00000000-0000-0000-0000-000000000002\"},\
             \"kind\":\"token.created\",\"token\":\"00000000-0000-0000-0000-000000000003\",\
             \"owner\":{\"account\":\"00000000-0000-0000-0000-000000000001\"}}"
        );
        assert_eq!(String::from_utf8_lossy(&event.personal), "{\"name\":\"github-ci\"}");
    }

    /// The same holds for a reason, a policy, a catalogue and hashes.
    #[test]
    fn public_bytes_of_documents_are_fixed() {
        let policy = OrgPolicy {
            longest_lifetime: crate::Lifetime::For(std::time::Duration::from_secs(30)),
            personal_tokens: false,
            networks: crate::Networks::Only([].into()),
            login_within: crate::Lifetime::Endless,
            ..OrgPolicy::OPEN
        };
        let token = TokenId::from_uuid(Uuid::from_u128(3));
        let owner = Owner::Org(OrgId::from_uuid(Uuid::from_u128(4)));
        let reason = RevocationReason::OwnerLeft;
        let change = Change::TokenRevoked { token, owner, reason, presented: None };
        assert_eq!(
            serde_json::to_string(&change).expect("plain data"),
            "{\"kind\":\"token.revoked\",\"token\":\"00000000-0000-0000-0000-000000000003\",\
             \"owner\":{\"org\":\"00000000-0000-0000-0000-000000000004\"},\"reason\":\"OWNER_LEFT\"}"
        );
        let secret = SecretId::from_uuid(Uuid::from_u128(5));
        let (family, leaked) = (Lineage::Token(token), Some(RevocationReason::Leaked));
        for (change, expected) in [
            (
                Change::SecretRetired { family, owner: None, secret, reason: None },
                "{\"kind\":\"secret.retired\",\"family\":{\"token\":\"00000000-0000-0000-0000-000000000003\"},\
                 \"secret\":\"00000000-0000-0000-0000-000000000005\"}",
            ),
            (
                Change::SecretDropped { family, owner: None, secret, reason: leaked },
                "{\"kind\":\"secret.dropped\",\"family\":{\"token\":\"00000000-0000-0000-0000-000000000003\"},\
                 \"secret\":\"00000000-0000-0000-0000-000000000005\",\"reason\":\"LEAKED\"}",
            ),
        ] {
            let json = serde_json::to_string(&change).expect("plain data");
            assert_eq!(json, expected);
            assert_eq!(serde_json::from_str::<Change>(&json).expect("it reads"), change);
        }
        let org = OrgId::from_uuid(Uuid::from_u128(1));
        let policies = vec![AnnouncedPolicy { takes_hold_at: entry().at, policy }];
        let change = Change::PolicySet { org, policies };
        let json = serde_json::to_string(&change).expect("plain data");
        assert_eq!(
            json,
            "{\"kind\":\"org.policy_set\",\"org\":\"00000000-0000-0000-0000-000000000001\",\
             \"policies\":[{\"takes_hold_at\":1795305600000000,\"policy\":{\"longest_lifetime\":{\"for\":{\"secs\":30,\"nanos\":0}},\
             \"personal_tokens\":false,\"networks\":{\"only\":[]},\"login_within\":\"endless\"}}]}"
        );
        assert_eq!(serde_json::from_str::<Change>(&json).expect("it reads"), change);
        let text = "{\"kind\":\"catalogue.applied\",\"catalogue\":{\"types\":{\"assets\":{\"description\":\"A\",\
                    \"actions\":{\"read\":{\"role\":\"RO\",\"description\":\"R\",\"formerly\":[\"view:assets\"]}}}}}}";
        let change: Change = serde_json::from_str(text).expect("it reads");
        assert_eq!(serde_json::to_string(&change).expect("plain data"), text);
        let hashes = vec![SecretHash::from_bytes([0xa5; 32])];
        let change = Change::FamiliesRemoved { tokens: vec![], sessions: vec![], services: vec![], hashes };
        let json = serde_json::to_string(&change).expect("plain data");
        assert_eq!(json, format!("{{\"kind\":\"families.removed\",\"hashes\":[\"{}\"]}}", "a5".repeat(32)));
        assert_eq!(serde_json::from_str::<Change>(&json).expect("it reads"), change);
    }

    /// Two links, computed by another program from the definition above.
    #[test]
    fn the_chain_is_the_one_that_is_documented() {
        let hex = |bytes: [u8; 32]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let digest = personal_hash(&[7; 32], b"{}");
        let first = Head::EMPTY.next(b"first", &digest);
        let second = first.next(b"second", &digest);
        assert_eq!(hex(digest), "605dcbfd3c387c45b6db7e7b1fb961bdd75d762260c4879b3c3b4f15edacad42");
        assert_eq!(
            (first.sequence, hex(first.hash).as_str()),
            (1, "c6e0f2681fea39c693cf6b46f5c780be9900c3d01a8333ed78ffc853e9990e58")
        );
        assert_eq!(
            (second.sequence, hex(second.hash).as_str()),
            (2, "10de26ddae0d4ba413f1ad97fa49c93420253f2a6f87459b0728915522a588c3")
        );
    }
}
