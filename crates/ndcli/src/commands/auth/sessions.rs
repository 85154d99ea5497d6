//! `ndcli auth sessions`.

use clap::Subcommand;
use clap_complete::ArgValueCandidates;
use ndauth_core::{Expiry, Timestamp};
use ndauth_proto::v1::revoke_sessions_request::Which;
use ndauth_proto::{expiry_from_proto, timestamp_from_proto, v1};
use ndauth_terminal::{
    Failure, Rows, ago, aside, detailed, minute, print, print_message, required_timestamp, shown,
};

use super::logout::end_all;
use crate::commands::candidates;
use crate::connection::{ServerConnection, connect};
use crate::login::logins;
use crate::settings::{CommonOptions, Format};

#[derive(Subcommand)]
pub(crate) enum SessionsCommand {
    /// List your logins
    #[command(alias = "ls")]
    List,
    /// End a login, or all of them
    #[command(aliases = ["rm", "delete"])]
    Revoke(RevokeSessions),
}

#[derive(clap::Args)]
pub(crate) struct RevokeSessions {
    /// Login: its id, the beginning of its id, or its prefix
    #[arg(value_name = "SESSION", required_unless_present = "all", add = ArgValueCandidates::new(candidates::sessions))]
    id: Option<String>,

    /// End all of them, including this one
    #[arg(long, conflicts_with = "id")]
    all: bool,
}

/// A login, read off the wire into what is shown of it.
struct SessionShown {
    id: String,
    prefix: String,
    device: String,
    address: String,
    began: Timestamp,
    last_seen: Option<Timestamp>,
    expiry: Expiry,
    current: bool,
    browser: bool,
}

pub(crate) async fn run(common: &CommonOptions, sessions: &SessionsCommand) -> Result<(), Failure> {
    match sessions {
        SessionsCommand::List => list(common).await,
        SessionsCommand::Revoke(revoke) => end(common, revoke).await,
    }
}

async fn list(common: &CommonOptions) -> Result<(), Failure> {
    let server = connect(common).await?;
    let answer = server.ask(async |client| client.list_sessions().await).await?;
    let now = required_timestamp("evaluated_at", Some(answer.evaluated_at))?;
    let sessions = read(&answer)?;
    match common.format {
        Format::Table => print(&format!("{}{}", table(&sessions, now), note(&sessions))),
        Format::Simple => print(&sessions.iter().map(|session| session.line(now)).collect::<String>()),
        Format::Detailed => {
            let tables: String = sessions.iter().map(|session| detailed(&session.fields(now))).collect();
            print(&format!("{tables}Total: {} login(s)\n", sessions.len()))
        }
        Format::Json => print_message(&answer),
    }
}

fn read(answer: &v1::ListSessionsResponse) -> Result<Vec<SessionShown>, Failure> {
    answer.sessions.iter().cloned().map(SessionShown::read).collect()
}

async fn end(common: &CommonOptions, revoke: &RevokeSessions) -> Result<(), Failure> {
    let Some(id) = &revoke.id else {
        let ended = end_all(common).await?;
        // It would be refused from now on.
        logins::lock(common.timeout).await?.forget(&common.server)?;
        return show_ended(common, None, &ended);
    };
    let server = connect(common).await?;
    let id = resolve(&server, id).await?;
    let request = v1::RevokeSessionsRequest { which: Some(Which::Id(id.clone())) };
    let ended = server.ask_once(async |client| client.revoke_sessions(request.clone()).await).await?;
    show_ended(common, Some(&id), &ended)
}

/// The id of the session that a text names, and on standard error which session that is. A text that names none of
/// those listed is left for the server to judge.
async fn resolve(server: &ServerConnection, text: &str) -> Result<String, Failure> {
    let answer = server.ask(async |client| client.list_sessions().await).await?;
    let sessions = read(&answer)?;
    let meant = |session: &&SessionShown| session.id.starts_with(text) || session.prefix == text;
    let found: Vec<&SessionShown> = sessions.iter().filter(meant).collect();
    match found.as_slice() {
        [] => Ok(text.to_owned()),
        [session] => {
            if session.id != text {
                aside(&format!("ending the login {} of {}", session.id, session.device()));
            }
            Ok(session.id.clone())
        }
        _ => Err(Failure::failed(
            format!("`{text}` may be any of {} logins", found.len()),
            Some("`ndcli auth sessions list` shows their ids"),
        )),
    }
}

fn show_ended(
    common: &CommonOptions,
    id: Option<&str>,
    answer: &v1::RevokeSessionsResponse,
) -> Result<(), Failure> {
    match (common.format, id) {
        (Format::Json, _) => print_message(answer),
        (Format::Table | Format::Simple | Format::Detailed, Some(id)) => {
            print(&format!("✓ The login {} ended\n", shown(id)))
        }
        (Format::Table | Format::Simple | Format::Detailed, None) => {
            print(&format!("✓ {} login(s) ended, this one among them\n", answer.ended))
        }
    }
}

fn table(sessions: &[SessionShown], now: Timestamp) -> String {
    let row = |session: &SessionShown| {
        [
            format!("{}{}", session.id, if session.current { " *" } else { "" }),
            session.device(),
            session.address(),
            session.began.minute(),
            session.last_seen(now),
            minute(session.expiry),
        ]
    };
    let titles = ["ID", "DEVICE", "ADDRESS", "BEGAN", "LAST SEEN", "EXPIRES"];
    Rows { titles, rows: sessions.iter().map(row).collect(), last_width: 0 }.table()
}

fn note(sessions: &[SessionShown]) -> String {
    let mark = if sessions.iter().any(|session| session.current) { "; * is this one" } else { "" };
    format!("Total: {} login(s){mark}\n", sessions.len())
}

impl SessionShown {
    fn read(session: v1::Session) -> Result<SessionShown, Failure> {
        let last_seen =
            session.last_seen_at.map(|at| timestamp_from_proto("last_seen_at", at)).transpose()?;
        Ok(SessionShown {
            began: required_timestamp("created_at", Some(session.created_at))?,
            expiry: expiry_from_proto("expiry", session.expiry)?,
            last_seen,
            id: session.id,
            prefix: session.prefix,
            device: session.device,
            address: session.address,
            current: session.current,
            browser: session.browser,
        })
    }

    fn device(&self) -> String {
        match (self.device.as_str(), self.browser) {
            ("", true) => "a browser".to_owned(),
            ("", false) => "-".to_owned(),
            (device, _) => device.to_owned(),
        }
    }

    fn address(&self) -> String {
        if self.address.is_empty() { "-".to_owned() } else { self.address.clone() }
    }

    fn last_seen(&self, now: Timestamp) -> String {
        self.last_seen.map_or("-".to_owned(), |at| ago(at, now))
    }

    fn line(&self, now: Timestamp) -> String {
        format!(
            "• {} device:{} address:{} began:{} last_seen:{} expires:{}{}\n",
            shown(&self.id),
            shown(&self.device()),
            shown(&self.address()),
            self.began.minute(),
            self.last_seen(now),
            minute(self.expiry),
            if self.current { " current" } else { "" }
        )
    }

    fn fields(&self, now: Timestamp) -> Vec<(&'static str, String)> {
        vec![
            ("Id", self.id.clone()),
            ("Prefix", self.prefix.clone()),
            ("Device", self.device()),
            ("Address", self.address()),
            ("Began", self.began.to_string()),
            ("Last seen", self.last_seen(now)),
            ("Expires", minute(self.expiry)),
            ("Current", if self.current { "yes" } else { "no" }.to_owned()),
        ]
    }
}
