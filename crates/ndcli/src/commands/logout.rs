//! `ndcli auth logout`.

use ndauth_terminal::{Failure, aside, print, print_json};
use serde_json::json;

use crate::arguments::{Common, Format};
use crate::credentials::forget;

/// Forgets the stored credential for the server. What it was stays valid until it expires.
pub(crate) fn run(common: &Common) -> Result<(), Failure> {
    let had = forget(&common.server)?;
    match common.format {
        Format::Json => print_json(&json!({ "logged_out": had, "server": common.server.to_string() })),
        Format::Table | Format::Simple | Format::Detailed if had => {
            aside("what was stored is gone from this machine; it stays valid until it expires or is revoked");
            print(&format!("✓ Logged out of {}\n", common.server))
        }
        Format::Table | Format::Simple | Format::Detailed => {
            print(&format!("There was no login to {}\n", common.server))
        }
    }
}
