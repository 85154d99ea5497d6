//! `ndcli audit list`, `tail` and `show`.

use std::time::Duration;

use ndauth_core::Timestamp;
use ndauth_proto::{timestamp_from_proto, timestamp_to_proto, v1};
use ndauth_terminal::{Failure, Rows, detailed, message_json, print, print_message, shown};

use super::arguments::{FilterArguments, HistoryArguments, ListArguments, TailArguments};
use crate::connection::{ServerConnection, connect};
use crate::settings::{CommonOptions, Format};

/// The pause between two requests of a tail.
const PAUSE: Duration = Duration::from_secs(2);
/// The most events of a request.
pub(super) const LARGEST_PAGE: i32 = 1000;

impl FilterArguments {
    fn request(&self) -> v1::ListEventsRequest {
        use v1::which::Kind;
        v1::ListEventsRequest {
            history: Some(self.history.to_proto()),
            account: self.account.as_ref().map(ToString::to_string),
            token: self.of_token.clone().map(|name| v1::Which { kind: Some(Kind::Name(name)) }),
            service: self.service.clone(),
            kind: self.kind.clone(),
            since: self.since.map(timestamp_to_proto),
            until: self.until.map(timestamp_to_proto),
            after: None,
            page_size: LARGEST_PAGE,
            page_token: String::new(),
        }
    }
}

pub(super) async fn list(common: &CommonOptions, list: &ListArguments) -> Result<(), Failure> {
    let server = connect(common).await?;
    let request = v1::ListEventsRequest { after: list.after, ..list.filter.request() };
    let found = gather(&server, request, list.limit).await?;
    match common.format {
        Format::Table => {
            let row = |event: &v1::AuditEvent| {
                [event.sequence.to_string(), second(event), from(event), event.text.clone()]
            };
            let titles = ["EVENT", "WHEN", "FROM", "WHAT"];
            let table = Rows { titles, rows: found.events.iter().map(row).collect(), last_width: 0 }.table();
            print(&format!("{table}Total: {} event(s)\n", found.events.len()))
        }
        Format::Simple => print(&found.events.iter().map(line).collect::<String>()),
        Format::Detailed => {
            let all: String = found.events.iter().map(|event| detailed(&fields(event))).collect();
            print(&format!("{all}Total: {} event(s)\n", found.events.len()))
        }
        Format::Json => print_message(&found),
    }
}

/// Returns up to a number of events, from as many pages as that takes.
async fn gather(
    server: &ServerConnection,
    mut request: v1::ListEventsRequest,
    limit: usize,
) -> Result<v1::ListEventsResponse, Failure> {
    let mut found = v1::ListEventsResponse::default();
    loop {
        let left = limit - found.events.len();
        request.page_size = i32::try_from(left).unwrap_or(LARGEST_PAGE).clamp(1, LARGEST_PAGE);
        let page = server.ask_anew(async |client| client.list_events(request.clone()).await).await?;
        found.events.extend(page.events.into_iter().take(left));
        // The first page of the newest is the latest view. What is committed meanwhile is in no later page.
        (found.through, found.evaluated_at) = (found.through.max(page.through), page.evaluated_at);
        found.next_page_token.clone_from(&page.next_page_token);
        if page.next_page_token.is_empty() || found.events.len() == limit {
            return Ok(found);
        }
        request.page_token = page.next_page_token;
    }
}

/// Prints the last events, and then each new one, until it is interrupted.
pub(super) async fn tail(common: &CommonOptions, tail: &TailArguments) -> Result<(), Failure> {
    let server = connect(common).await?;
    let request = tail.filter.request();
    let mut after = match tail.after {
        Some(after) => after,
        None => {
            let mut found = gather(&server, request.clone(), tail.lines).await?;
            found.events.reverse();
            print_each(common.format, &found.events)?;
            found.through
        }
    };
    loop {
        let next = v1::ListEventsRequest { after: Some(after), ..request.clone() };
        let page = server.ask_anew(async |client| client.list_events(next.clone()).await).await?;
        print_each(common.format, &page.events)?;
        after = page.through;
        if page.next_page_token.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn print_each(format: Format, events: &[v1::AuditEvent]) -> Result<(), Failure> {
    for event in events {
        match format {
            Format::Table | Format::Simple => print(&line(event))?,
            Format::Detailed => print(&detailed(&fields(event)))?,
            Format::Json => print(&format!("{}\n", message_json(event)?))?,
        }
    }
    Ok(())
}

pub(super) async fn show(
    common: &CommonOptions,
    sequence: u64,
    history: &HistoryArguments,
) -> Result<(), Failure> {
    let server = connect(common).await?;
    let request = v1::ListEventsRequest {
        history: Some(history.to_proto()),
        after: Some(sequence.saturating_sub(1)),
        page_size: 1,
        ..Default::default()
    };
    let page = server.ask_anew(async |client| client.list_events(request.clone()).await).await?;
    let Some(event) = page.events.into_iter().find(|event| event.sequence == sequence) else {
        let hint = "list what there is: `ndcli audit list`";
        return Err(Failure::failed(format!("this history has no event {sequence}"), Some(hint)));
    };
    match common.format {
        Format::Table | Format::Detailed => print(&detailed(&fields(&event))),
        Format::Simple => print(&line(&event)),
        Format::Json => print_message(&event),
    }
}

/// An event in one line.
fn line(event: &v1::AuditEvent) -> String {
    let from = match from(event).as_str() {
        "-" => String::new(),
        from => format!(" (from {from})"),
    };
    format!("{} #{} {}{}\n", second(event), event.sequence, shown(&event.text), shown(&from))
}

fn at(event: &v1::AuditEvent) -> Option<Timestamp> {
    event.at.and_then(|at| timestamp_from_proto("at", at).ok())
}

/// The second at which an event happened, for lists.
fn second(event: &v1::AuditEvent) -> String {
    let second =
        |at: Timestamp| Timestamp::from_micros(at.micros() - at.micros().rem_euclid(1_000_000)).unwrap_or(at);
    at(event).map_or_else(|| "-".to_owned(), |at| second(at).to_string())
}

fn from(event: &v1::AuditEvent) -> String {
    match (&event.address, &event.client) {
        (Some(address), Some(client)) => format!("{address}, {client}"),
        (Some(from), None) | (None, Some(from)) => from.clone(),
        (None, None) => "-".to_owned(),
    }
}

/// Every field of an event that is there.
pub(super) fn fields(event: &v1::AuditEvent) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("Event", event.sequence.to_string()),
        ("When", at(event).map_or_else(|| "-".to_owned(), |at| at.to_string())),
        ("Kind", event.kind.clone()),
        ("What", event.text.clone()),
        ("Outcome", "succeeded".to_owned()),
    ];
    let named = |thing: &v1::AuditThing| match &thing.name {
        Some(name) => format!("{name} ({})", thing.id),
        None => thing.id.clone(),
    };
    let mut put = |name, value: Option<String>| fields.extend(value.map(|value| (name, value)));
    if let Some(actor) = &event.actor {
        let kind = v1::AuditActorKind::try_from(actor.kind).unwrap_or_default();
        let kind =
            kind.as_str_name().trim_start_matches("AUDIT_ACTOR_KIND_").to_lowercase().replace('_', " ");
        put("By", Some(kind));
        put("By account", actor.account.as_ref().map(named));
        put("By org", actor.org.as_ref().map(named));
        put("By token", actor.token.as_ref().map(named));
        put("By service", actor.service.as_ref().map(named));
        put("By session", actor.session_id.clone());
    }
    put("Account", event.account.as_ref().map(named));
    put("Org", event.org.as_ref().map(named));
    put("Token", event.token.as_ref().map(named));
    put("Service", event.service.as_ref().map(named));
    put("Reason", event.reason.map(reason));
    put("Note", event.note.clone());
    put("Address", event.address.clone());
    put("Client", event.client.clone());
    put("Request", event.request_id.clone());
    put("Erased", event.erased.then(|| "its personal data was erased".to_owned()));
    put("Hash", Some(event.hash.clone()));
    fields
}

pub(super) fn reason(code: i32) -> String {
    let reason = v1::RevocationReason::try_from(code).unwrap_or_default();
    reason.as_str_name().trim_start_matches("REVOCATION_REASON_").to_lowercase().replace('_', "-")
}
