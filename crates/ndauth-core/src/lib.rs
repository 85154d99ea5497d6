//! The rules of a token: its parts, and what it may do.

mod timestamp;

mod id;
mod name;
mod secret;

mod access;
mod among;
mod expiry;
mod network;
mod permission;
mod policy;

mod own;

mod grants;

mod account;
mod catalogue;
mod causes;
mod client;
mod factor;
mod login;
mod nearest;
mod noted;
mod notice;
mod presented;
mod revocation;
mod since;
mod succession;
mod suspension;

mod reason;
mod refusal;
mod warning;

mod token;

mod decide;
mod event;
mod inputs;
mod problem;
mod rotation;

mod announced;

mod concern;
mod event_subject;
mod exported;

pub use access::{InvalidAccess, Role, Scope};
pub use account::{Account, AccountView, Identity, Installation, Membership, Org, Service, Session};
pub use among::{Among, InvalidSet, Networks, Orgs, Services, Several};
pub use catalogue::change::{CatalogueChange, InvalidChange};
pub use catalogue::{
    ActionDocument, Catalogue, CatalogueDocument, InvalidCatalogue, Listed, PermissionName, TypeDocument,
    UnknownGrant,
};
pub use causes::Causes;
pub use client::ClientName;
pub use concern::Concern;
pub use decide::{
    Allowance, Allowed, Asker, Case, Effective, Finding, OrgView, OwnerView, Requirement, decide, explain,
    permit,
};
pub use event::{Actor, Change, Entry, Event, Head, Personal, chain_hash, personal_hash};
pub use event_subject::EventSubject;
pub use expiry::{Expiry, ExpiryChoice, InvalidExpiry, Lifetime, MAX_LIFETIME};
pub use exported::{ChainCheck, ChainFault, Coverage, ExportedEvent};
pub use factor::Factor;
pub use grants::{EffectiveGrants, Grant, GrantSet, Grants, InvalidGrants};
pub use id::{
    AccountId, InstallationId, InvalidId, MailId, OfferId, OrgId, SecretId, ServiceId, SessionId, TokenId,
};
pub use inputs::{DECISION_VERSION, InputOwner, InputPlace, Inputs, OrgWithPolicies, Rules, RulesVersion};
pub use login::{
    Challenge, InvalidChallenge, InvalidPassword, InvalidUserCode, OneTime, Password, RECENT, UserCode,
    is_recent,
};
pub use name::{Description, DisplayName, Email, Handle, InvalidName, Label, OrgSlug, is_unshowable};
pub use nearest::nearest;
pub use network::{InvalidNetwork, Network};
pub use noted::{COUNTED_FOR, Counts, Noting, RecordedUses, UseTally};
pub use notice::{EXPIRY_LEADS, InvalidNoticeKind, NoticeKind, NoticesOff, expiry_lead, expiry_leads};
pub use own::is_own_resource_type;
pub use permission::{Action, Actions, InvalidPermission, Permission, ResourceIds, ResourceType};
pub use policy::{AnnouncedPolicy, DatedPolicy, OrgPolicy, Policies};
pub use presented::PresentedOutcome;
pub use problem::Problem;
pub use reason::{Class, Reason, Who};
pub use refusal::Refusal;
pub use revocation::{InvalidRevocationReason, Revocation, RevocationReason};
pub use rotation::{Lineage, NotRenewable, OVERLAP, RENEWAL, Unready, may_rotate};
pub use secret::{InvalidSecret, Secret, SecretHash, SecretKind, SecretPrefix, redact};
pub use since::Since;
pub use succession::{LastUse, PENDING_FOR, Retirement, Succession};
pub use suspension::{Level, Suspension};
pub use timestamp::{InvalidTimestamp, Timestamp, WholeSecond};
pub use token::{
    Names, Owner, Rotation, SecretRecord, SecretState, SecretView, Token, TokenStatus, TokenType, TokenView,
    UsedFrom, Viewer, VisibleUses,
};
pub use warning::PolicyWarning;
