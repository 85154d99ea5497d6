//! The wire: the types of `proto/ndauth/v1`, and their meaning in the terms of `ndauth-core`.
//!
//! Requests are read strictly: an absent, empty or unknown value is a [`Problem`](ndauth_core::Problem) that
//! names the field, and never a default that means more.
//!
//! ```
//! use ndauth_core::{Requirement, Scope};
//! use ndauth_proto::{requirement_from_proto, requirement_to_proto};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let asked = Requirement::Access {
//!     org: "ops".parse()?,
//!     access: Scope::Rw,
//!     permission: Some("write:assets".parse()?),
//! };
//! let mut question = requirement_to_proto("ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U", &asked, None)?;
//! assert_eq!(requirement_from_proto(&question)?, asked);
//! question.org.clear();
//! let problem = requirement_from_proto(&question).expect_err("half a question is none");
//! assert_eq!(problem.field.as_deref(), Some("org"));
//! # Ok(())
//! # }
//! ```

pub mod v1;

mod convert;
mod hidden;
mod hint;

mod catalogue;
mod concern;
mod notice;
mod policy;
mod status;

mod inputs;
mod warning;

mod tokens;
mod wire;

#[cfg(feature = "json")]
pub mod json;

pub use catalogue::{catalogue_from_proto, catalogue_to_proto};
pub use concern::{concern_from_proto, concern_to_proto};
pub use convert::{
    account_to_proto, description_from_proto, duration_from_proto, duration_to_proto, effective_to_proto,
    expiry_choice_from_proto, expiry_choice_to_proto, expiry_from_proto, expiry_to_proto, factor_from_proto,
    factor_to_proto, grants_from_proto, grants_to_proto, last_use_to_proto, membership_to_proto,
    networks_from_proto, networks_to_proto, org_slug_from_proto, org_to_proto, orgs_from_proto,
    orgs_to_proto, permission_from_proto, permission_to_proto, reason_from_proto, reason_to_proto,
    refusal_to_proto, requirement_from_proto, role_from_proto, role_to_proto, scope_from_proto,
    scope_to_proto, service_to_proto, services_from_proto, services_to_proto, session_to_proto,
    timestamp_from_proto, timestamp_to_proto, who_to_proto,
};
pub use hint::{hint, hint_for, hint_for_http};
pub use inputs::{
    head_from_proto, head_to_proto, inputs_from_proto, inputs_to_proto, requirement_to_proto,
    rules_from_proto, rules_to_proto,
};
pub use notice::{notice_kind_from_proto, notice_kind_to_proto, notice_settings_to_proto};
pub use policy::{lifetime_from_proto, lifetime_to_proto, policy_from_proto, policy_to_proto};
pub use status::{problem_from_status, status_from_problem};
pub use tokens::{
    leak_outcome_from_proto, leak_outcome_to_proto, revocation_reason_from_proto, revocation_reason_to_proto,
    secret_state_to_proto, token_to_proto,
};
pub use warning::{
    POLICY_WARNING, policy_warning_from_proto, policy_warning_from_trailer, policy_warning_to_proto,
    policy_warning_to_trailer,
};
pub use wire::{
    write_duration, write_fixed, write_message, write_number, write_outcome, write_text, write_timestamp,
};

/// The encoded descriptors of every file of the package, as reflection serves them.
pub const DESCRIPTOR: &[u8] = include_bytes!("generated/descriptor.bin");

/// The descriptors of the details of a failed call, such as `google.rpc.ErrorInfo`.
pub const DETAILS_DESCRIPTOR: &[u8] = tonic_types::pb::FILE_DESCRIPTOR_SET;

#[cfg(test)]
mod tests;
