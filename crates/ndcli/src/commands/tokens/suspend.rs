//! Suspend and resume: of one's own tokens, of an org's, and of any token in an org.

use ndauth_terminal::{Failure, TokenShown, detailed, print, print_json, shown};

use super::aim::{Aim, Seen};
use super::list::fields;
use crate::connection::connect;
use crate::settings::{Common, Format};

/// Takes a token's power for now.
pub(crate) async fn suspend(common: &Common, aim: &Aim) -> Result<(), Failure> {
    let server = connect(common).await?;
    let seen = aim.suspend(&server).await?;
    tell(common, &seen, "suspended: it has no power until it is resumed")
}

/// Gives it back.
pub(crate) async fn resume(common: &Common, aim: &Aim) -> Result<(), Failure> {
    let server = connect(common).await?;
    let seen = aim.resume(&server).await?;
    let left = others(&seen.token);
    let told =
        if left.is_empty() { "resumed".to_owned() } else { format!("resumed; still suspended by {left}") };
    tell(common, &seen, &told)
}

fn others(token: &TokenShown) -> String {
    token.suspensions.iter().map(|(by, _)| by.as_str()).collect::<Vec<_>>().join(", ")
}

fn tell(common: &Common, seen: &Seen, how: &str) -> Result<(), Failure> {
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
