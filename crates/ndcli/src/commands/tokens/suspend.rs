//! Suspend and resume: of one's own tokens, of an org's, and of any token in an org.

use ndauth_terminal::{Failure, TokenShown, detailed, print, print_json, shown};

use super::aim::{Aim, ChangedToken};
use super::list::fields;
use crate::connection::connect;
use crate::settings::{CommonOptions, Format};

/// Suspends a token.
pub(crate) async fn suspend(common: &CommonOptions, aim: &Aim) -> Result<(), Failure> {
    let server = connect(common).await?;
    let seen = aim.suspend(&server).await?;
    tell(common, &seen, SUSPENDED)
}

/// Resumes a suspended token.
pub(crate) async fn resume(common: &CommonOptions, aim: &Aim) -> Result<(), Failure> {
    let server = connect(common).await?;
    let seen = aim.resume(&server).await?;
    tell(common, &seen, &resumed(&seen.token))
}

/// That a token was resumed, and who still suspends it.
pub(crate) fn resumed(token: &TokenShown) -> String {
    let left = token.suspensions.iter().map(|(by, _)| by.as_str()).collect::<Vec<_>>().join(", ");
    if left.is_empty() { "resumed".to_owned() } else { format!("resumed; still suspended by {left}") }
}

/// What a suspended token is told to be.
pub(crate) const SUSPENDED: &str = "suspended: it has no power until it is resumed";

pub(crate) fn tell(common: &CommonOptions, seen: &ChangedToken, how: &str) -> Result<(), Failure> {
    let token = &seen.token;
    match common.format {
        Format::Table => print(&format!("✓ \"{}\" {}\n", shown(&token.name), shown(how))),
        Format::Simple => {
            print(&format!("• {} [{}] {}\n", shown(&token.name), shown(&token.prefix), shown(how)))
        }
        Format::Detailed => print(&detailed(&fields(token, seen.now))),
        Format::Json => print_json(&token.json()),
    }
}
