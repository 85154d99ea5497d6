//! Warnings of announced policies, from the mirror: they cost no statement, and may be as old as it is.

use std::net::IpAddr;

use ndauth_core::{PolicyWarning, SecretRecord, Token};

use crate::ValidationWing;
use crate::validation::mirror::asking;

impl ValidationWing<'_> {
    /// Returns the announced policies under which a token will be refused, if it is used from this address. None where the
    /// mirror does not know.
    pub(crate) fn policy_warnings(
        self,
        token: &Token,
        record: &SecretRecord,
        address: Option<IpAddr>,
    ) -> Vec<PolicyWarning> {
        let (moment, state) = self.0.mirror.confirmed_state();
        let warnings = asking(|view, _| view.policy_warnings(token, record, address));
        self.0.mirror.look(&state, moment, warnings, |_| {}).unwrap_or_default()
    }
}
