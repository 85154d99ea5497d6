//! `ndcli auth token show` and `ndcli token show`.

use ndauth_terminal::{Failure, Rows, ago, detailed, minute, print, print_message, shown};

use super::aim::{Aim, TokenSnapshot};
use super::list::{fields, line};
use crate::connection::connect;
use crate::settings::{CommonOptions, Format};

/// Shows all that is known of a token: its secrets, and from where it is used.
pub(crate) async fn run(common: &CommonOptions, aim: &Aim) -> Result<(), Failure> {
    let server = connect(common).await?;
    let answer = aim.find(&server).await?;
    match common.format {
        Format::Table | Format::Detailed => print(&whole(&TokenSnapshot::read(answer)?)),
        Format::Simple => print(&line(&TokenSnapshot::read(answer)?.token)),
        Format::Json => print_message(&answer),
    }
}

fn whole(TokenSnapshot { token, now }: &TokenSnapshot) -> String {
    let mut text = detailed(&fields(token, *now));
    if token.secrets.len() > 1 || token.secrets.iter().any(|secret| secret.reused_at.is_some()) {
        let row = |secret: &ndauth_terminal::SecretShown| {
            let used = secret.last_use.as_ref();
            [
                shown(&secret.prefix),
                secret.state.to_owned(),
                secret.minted_at.minute(),
                minute(secret.ends),
                used.map_or("Never".to_owned(), |(at, _)| ago(*at, *now)),
                used.and_then(|(_, from)| from.clone()).unwrap_or("-".to_owned()),
                secret.reused_at.map_or("-".to_owned(), ndauth_core::Timestamp::date),
            ]
        };
        let titles = ["SECRET", "STATE", "MADE", "ENDS", "LAST USED", "FROM", "PRESENTED SINCE"];
        let rows = token.secrets.iter().rev().map(row).collect();
        text += &format!("\n{}", Rows { titles, rows, last_width: 0 }.table());
    }
    if !token.used_from.is_empty() {
        let row = |place: &ndauth_terminal::PlaceShown| {
            [
                place.address.clone().unwrap_or("-".to_owned()),
                place.client.clone().unwrap_or("-".to_owned()),
                place.first_at.date(),
                ago(place.last_at, *now),
                place.reads.to_string(),
                place.writes.to_string(),
            ]
        };
        let titles = ["USED FROM", "CLIENT", "FIRST", "LAST", "READS", "WRITES"];
        let rows = token.used_from.iter().map(row).collect();
        text += &format!("\n{}", Rows { titles, rows, last_width: 0 }.table());
    }
    text
}
