//! Events: what changed, who changed it, and the chain of hashes that holds the log together.
//!
//! ```text
//! hash = SHA-256( previous hash ‖ sequence ‖ public bytes ‖ SHA-256( salt ‖ personal bytes ) )
//!                 32 bytes        8, big-endian  as stored            32     as stored
//! ```
//!
//! Public bytes are JSON and hold ids. Personal bytes are JSON and hold names and addresses; with
//! their salt they can be erased, and since their digest is kept, the chain still verifies.

use std::collections::BTreeMap;

use rand_core::TryCryptoRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    AccountId, AnnouncedPolicy, CatalogueDocument, Expiry, Level, Lineage, OfferId, OrgId, RevocationReason,
    Role, SecretHash, SecretId, ServiceId, SessionId, Timestamp, TokenId,
};

/// Who made a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Actor {
    /// Whoever sits at the machine of the database.
    Console,
    /// ndauth itself: what it does by rule.
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
        /// Which.
        service: ServiceId,
    },
    /// An account's token, by itself.
    Token {
        /// The account.
        account: AccountId,
        /// The token.
        token: TokenId,
    },
    /// An org's token, by itself.
    OrgToken {
        /// The org.
        org: OrgId,
        /// The token.
        token: TokenId,
    },
}

impl Change {
    /// Whether the answer to whoever made it carries a new secret, which is lost where that answer is.
    pub fn brings_a_secret(&self) -> bool {
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

/// What changed: the ids of the rows to read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Change {
    /// An account was made.
    #[serde(rename = "account.created")]
    AccountCreated {
        /// Which.
        account: AccountId,
    },
    /// An account lost its power, which ended every session it had.
    #[serde(rename = "account.disabled")]
    AccountDisabled {
        /// Which.
        account: AccountId,
    },
    /// Every session of an account was ended.
    #[serde(rename = "account.signed_out")]
    AccountSignedOut {
        /// Whose.
        account: AccountId,
    },
    /// A link was made by which an account's person sets a password.
    #[serde(rename = "account.invited")]
    AccountInvited {
        /// Whose.
        account: AccountId,
    },
    /// A link was made by which an account's person signs in once.
    #[serde(rename = "account.sign_in_link_issued")]
    SignInLinkIssued {
        /// Whose.
        account: AccountId,
    },
    /// An account's person set a password, which ended every session it had.
    #[serde(rename = "account.password_set")]
    PasswordSet {
        /// Whose.
        account: AccountId,
    },
    /// A person of another identity provider became an account's.
    #[serde(rename = "account.identified")]
    AccountIdentified {
        /// Whose.
        account: AccountId,
    },
    /// An account got its power back.
    #[serde(rename = "account.enabled")]
    AccountEnabled {
        /// Which.
        account: AccountId,
    },
    /// An org was made.
    #[serde(rename = "org.created")]
    OrgCreated {
        /// Which.
        org: OrgId,
        /// Its first admin, where it was made with one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        admin: Option<AccountId>,
    },
    /// An org was deleted.
    #[serde(rename = "org.deleted")]
    OrgDeleted {
        /// Which.
        org: OrgId,
    },
    /// An org was given a policy.
    #[serde(rename = "org.policy_set")]
    PolicySet {
        /// Which.
        org: OrgId,
        /// The policy, and after it those that were announced for later and stay so. The names of their networks stand
        /// among the personal bytes.
        policies: Vec<AnnouncedPolicy>,
    },
    /// The catalogue became another.
    #[serde(rename = "catalogue.applied")]
    CatalogueApplied {
        /// All of it.
        catalogue: CatalogueDocument,
    },
    /// An account got a role in an org, or another role.
    #[serde(rename = "member.set")]
    MemberSet {
        /// Where.
        org: OrgId,
        /// Whose.
        account: AccountId,
        /// Which role.
        role: Role,
        /// The offer that ended by it, where the account had one: it accepted that, or an operator was faster.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offer: Option<OfferId>,
    },
    /// A membership was offered, in place of the former offer of the same id where there was one. The handle stands among
    /// the personal bytes.
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
        /// Which.
        org: OrgId,
        /// Who.
        account: AccountId,
    },
    /// A session began.
    #[serde(rename = "session.issued")]
    SessionIssued {
        /// Whose.
        account: AccountId,
        /// Which.
        session: SessionId,
    },
    /// A session was ended, and with it what was derived from it.
    #[serde(rename = "session.ended")]
    SessionEnded {
        /// Whose.
        account: AccountId,
        /// Which.
        session: SessionId,
        /// Whether it was for a refreshing secret that was presented twice.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        reused: bool,
    },
    /// A short-lived token was derived from a session.
    #[serde(rename = "token.derived")]
    TokenDerived {
        /// Which.
        token: TokenId,
        /// From which.
        session: SessionId,
    },
    /// A service was registered.
    #[serde(rename = "service.created")]
    ServiceCreated {
        /// Which.
        service: ServiceId,
    },
    /// A service was revoked.
    #[serde(rename = "service.revoked")]
    ServiceRevoked {
        /// Which.
        service: ServiceId,
    },
    /// A restored copy was put into service, or everything minted before an instant was revoked.
    #[serde(rename = "installation.restored")]
    Restored {
        /// Where the log of the copy ended.
        copy: u64,
        /// How many events were replayed behind it.
        replayed: u64,
        /// Every secret minted before is revoked.
        not_before: Timestamp,
    },
    /// A token was made.
    #[serde(rename = "token.created")]
    TokenCreated {
        /// Which.
        token: TokenId,
    },
    /// A token was revoked.
    #[serde(rename = "token.revoked")]
    TokenRevoked {
        /// Which.
        token: TokenId,
        /// Why. The words of whoever did it stand among the personal bytes.
        reason: RevocationReason,
    },
    /// A token's description was changed. The new one stands among the personal bytes.
    #[serde(rename = "token.updated")]
    TokenUpdated {
        /// Which.
        token: TokenId,
    },
    /// A token's end was moved.
    #[serde(rename = "token.renewed")]
    TokenRenewed {
        /// Which.
        token: TokenId,
        /// When it ends now.
        expires_at: Expiry,
    },
    /// A token lost its power for now.
    #[serde(rename = "token.suspended")]
    TokenSuspended {
        /// Which.
        token: TokenId,
        /// At which level.
        level: Level,
    },
    /// What was taken at some levels, a token got back.
    #[serde(rename = "token.resumed")]
    TokenResumed {
        /// Which.
        token: TokenId,
        /// At which.
        levels: Vec<Level>,
    },
    /// A new secret was drawn, which waits to be confirmed.
    #[serde(rename = "secret.minted")]
    SecretMinted {
        /// Whose.
        family: Lineage,
        /// Which.
        secret: SecretId,
    },
    /// A new secret took over.
    #[serde(rename = "secret.confirmed")]
    SecretConfirmed {
        /// Whose.
        family: Lineage,
        /// Which.
        secret: SecretId,
        /// Until when those before it serve at the most.
        others_end_at: Timestamp,
        /// When the token ends now.
        expires_at: Expiry,
    },
    /// A new secret was dropped before it was confirmed.
    #[serde(rename = "secret.dropped")]
    SecretDropped {
        /// Whose.
        family: Lineage,
        /// Which.
        secret: SecretId,
    },
    /// An old secret was retired before its overlap was over.
    #[serde(rename = "secret.retired")]
    SecretRetired {
        /// Whose.
        family: Lineage,
        /// Which.
        secret: SecretId,
    },
    /// A retired secret was presented: told once a day.
    #[serde(rename = "secret.reused")]
    SecretReused {
        /// Whose.
        family: Lineage,
        /// Which.
        secret: SecretId,
        /// At which levels the policies of orgs suspend the token for it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        suspended: Vec<Level>,
    },
    /// An account's tokens that were minted before an instant were revoked.
    #[serde(rename = "account.tokens_revoked")]
    AccountTokensRevoked {
        /// Whose.
        account: AccountId,
        /// Before when.
        not_before: Timestamp,
        /// Why.
        reason: RevocationReason,
    },
    /// All tokens that were minted before an instant were revoked in an org.
    #[serde(rename = "org.tokens_revoked")]
    OrgTokensRevoked {
        /// Where.
        org: OrgId,
        /// Before when.
        not_before: Timestamp,
        /// Why.
        reason: RevocationReason,
    },
    /// An org was frozen.
    #[serde(rename = "org.frozen")]
    OrgFrozen {
        /// Which.
        org: OrgId,
    },
    /// An org was unfrozen.
    #[serde(rename = "org.unfrozen")]
    OrgUnfrozen {
        /// Which.
        org: OrgId,
    },
    /// The rows of what is long dead were removed.
    #[serde(rename = "families.removed")]
    FamiliesRemoved {
        /// Tokens.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tokens: Vec<TokenId>,
        /// Sessions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        sessions: Vec<SessionId>,
        /// Services.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        services: Vec<ServiceId>,
        /// What the secrets of the tokens and services were found by.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        hashes: Vec<SecretHash>,
    },
}

/// What is told of a change in an event's public bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub actor: Actor,
    /// What.
    #[serde(flatten)]
    pub change: Change,
}

/// Names and addresses that belong to an event, by what they are.
pub type Personal = BTreeMap<&'static str, String>;

/// An event as it is stored, before it has its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The entry, as JSON.
    pub public: Vec<u8>,
    /// Names and addresses, as JSON.
    pub personal: Vec<u8>,
    /// What keeps the digest of the personal bytes from being guessed.
    pub salt: [u8; 32],
}

/// The end of the log: the sequence of its last event and that event's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many events there are: the number of the last, counting from 1.
    pub sequence: u64,
    /// The hash of the last.
    pub hash: [u8; 32],
}

impl Entry {
    /// Reads the public bytes of an event. `None` where this version does not know what they say.
    pub fn read(public: &[u8]) -> Option<Entry> {
        serde_json::from_slice(public).ok()
    }
}

impl Event {
    /// Writes the bytes of an event, with a fresh salt.
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

    /// The end of the log once an event with these bytes was appended.
    pub fn next(&self, public: &[u8], personal_hash: &[u8; 32]) -> Head {
        let sequence = self.sequence + 1;
        Head { sequence, hash: chain_hash(&self.hash, sequence, public, personal_hash) }
    }
}

/// The hash of an event, from that of the one before it.
pub fn chain_hash(previous: &[u8; 32], sequence: u64, public: &[u8], personal_hash: &[u8; 32]) -> [u8; 32] {
    Sha256::new()
        .chain_update(previous)
        .chain_update(sequence.to_be_bytes())
        .chain_update(public)
        .chain_update(personal_hash)
        .finalize()
        .into()
}

/// The digest of an event's personal bytes, which stays when they are erased.
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
            change: Change::TokenCreated { token: TokenId::from_uuid(Uuid::from_u128(3)) },
        }
    }

    /// The bytes are a format: rows written once are read for ever.
    #[test]
    fn public_bytes_are_fixed() {
        let personal = Personal::from([("name", "github-ci".to_owned())]);
        let Ok(event) = Event::new(&entry(), &personal, &mut ChaCha20Rng::seed_from_u64(1));
        assert_eq!(
            String::from_utf8_lossy(&event.public),
            "{\"at\":1795305600000000,\"actor\":{\"by\":\"session\",\
             \"account\":\"00000000-0000-0000-0000-000000000001\",\
             \"session\":\"00000000-0000-0000-0000-000000000002\"},\
             \"kind\":\"token.created\",\"token\":\"00000000-0000-0000-0000-000000000003\"}"
        );
        assert_eq!(String::from_utf8_lossy(&event.personal), "{\"name\":\"github-ci\"}");
    }

    /// These, too: a reason, a policy, a catalogue, and hashes.
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
        let change = Change::TokenRevoked { token, reason: RevocationReason::OwnerLeft };
        assert_eq!(
            serde_json::to_string(&change).expect("plain data"),
            "{\"kind\":\"token.revoked\",\"token\":\"00000000-0000-0000-0000-000000000003\",\"reason\":\"OWNER_LEFT\"}"
        );
        let org = OrgId::from_uuid(Uuid::from_u128(1));
        let policies = vec![AnnouncedPolicy { takes_hold_at: entry().at, policy }];
        let change = Change::PolicySet { org, policies };
        let told = serde_json::to_string(&change).expect("plain data");
        assert_eq!(
            told,
            "{\"kind\":\"org.policy_set\",\"org\":\"00000000-0000-0000-0000-000000000001\",\
             \"policies\":[{\"takes_hold_at\":1795305600000000,\"policy\":{\"longest_lifetime\":{\"for\":{\"secs\":30,\"nanos\":0}},\
             \"personal_tokens\":false,\"networks\":{\"only\":[]},\"login_within\":\"endless\"}}]}"
        );
        assert_eq!(serde_json::from_str::<Change>(&told).expect("it reads"), change);
        let text = "{\"kind\":\"catalogue.applied\",\"catalogue\":{\"types\":{\"assets\":{\"description\":\"A\",\
                    \"actions\":{\"read\":{\"role\":\"RO\",\"description\":\"R\",\"formerly\":[\"view:assets\"]}}}}}}";
        let change: Change = serde_json::from_str(text).expect("it reads");
        assert_eq!(serde_json::to_string(&change).expect("plain data"), text);
        let hashes = vec![SecretHash::from_bytes([0xa5; 32])];
        let change = Change::FamiliesRemoved { tokens: vec![], sessions: vec![], services: vec![], hashes };
        let told = serde_json::to_string(&change).expect("plain data");
        assert_eq!(told, format!("{{\"kind\":\"families.removed\",\"hashes\":[\"{}\"]}}", "a5".repeat(32)));
        assert_eq!(serde_json::from_str::<Change>(&told).expect("it reads"), change);
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
