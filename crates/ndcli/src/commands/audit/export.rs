//! `ndcli audit export`: page by page, in constant memory.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;

use ndauth_core::ExportedEvent;
use ndauth_proto::v1;
use ndauth_terminal::{Failure, aside, nonsense};

use super::arguments::ExportArguments;
use super::csv;
use super::events::LARGEST_PAGE;
use crate::connection::{ServerConnection, connect};
use crate::settings::CommonOptions;

/// The outcome of an export: how many events were written, and the last one.
struct Written {
    events: u64,
    last: u64,
}

pub(super) async fn run(common: &CommonOptions, export: &ExportArguments) -> Result<(), Failure> {
    let server = connect(common).await?;
    let mut out: Box<dyn Write> = match &export.output {
        None => Box::new(BufWriter::new(io::stdout().lock())),
        Some(path) => {
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            let file = file.map_err(|error| {
                Failure::failed(
                    format!("cannot create `{}`: {error}", path.display()),
                    Some("name a new file"),
                )
            })?;
            Box::new(BufWriter::new(file))
        }
    };
    let mut written = Written { events: 0, last: export.after };
    let exported = match export.csv {
        true => write_csv(&server, export, &mut out, &mut written).await,
        false => write_lines(&server, export, &mut out, &mut written).await,
    };
    match exported.and_then(|()| out.flush().map_err(Failure::from)) {
        Ok(()) => {
            aside(&format!("{} events, up to event {}", written.events, written.last));
            Ok(())
        }
        Err(failure) => {
            let go_on =
                format!("go on after what was written: `ndcli audit export --after {}`", written.last);
            Err(Failure { hint: failure.hint.or(Some(go_on)), ..failure })
        }
    }
}

async fn write_lines(
    server: &ServerConnection,
    export: &ExportArguments,
    out: &mut dyn Write,
    written: &mut Written,
) -> Result<(), Failure> {
    loop {
        let page = records(server, export.history.to_proto(), written.last).await?.events;
        let Some(last) = page.last() else { return Ok(()) };
        for event in &page {
            if !write(out, &(event.to_line() + "\n"))? {
                return Ok(());
            }
        }
        written.events += page.len() as u64;
        written.last = last.sequence;
    }
}

async fn write_csv(
    server: &ServerConnection,
    export: &ExportArguments,
    out: &mut dyn Write,
    written: &mut Written,
) -> Result<(), Failure> {
    let mut request = v1::ListEventsRequest {
        history: Some(export.history.to_proto()),
        after: Some(export.after),
        page_size: LARGEST_PAGE,
        ..Default::default()
    };
    write(out, &csv::head())?;
    loop {
        let page = server.ask_anew(async |client| client.list_events(request.clone()).await).await?;
        for event in &page.events {
            if !write(out, &csv::row(event))? {
                return Ok(());
            }
        }
        written.events += page.events.len() as u64;
        written.last = page.through;
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        request.page_token = page.next_page_token;
    }
}

/// Writes a text. Returns false if nobody reads on, which is no failure.
fn write(out: &mut dyn Write, text: &str) -> Result<bool, Failure> {
    match out.write_all(text.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        written => Ok(written.map(|()| true)?),
    }
}

/// A page of a history's events.
pub(super) struct RecordPage {
    /// The events; none at the end.
    pub(super) events: Vec<ExportedEvent>,
    /// The last event that the server has removed.
    pub(super) pruned: u64,
}

/// Returns the page of a history's events after a sequence.
pub(super) async fn records(
    server: &ServerConnection,
    history: v1::History,
    after: u64,
) -> Result<RecordPage, Failure> {
    let request = v1::ExportEventsRequest { history: Some(history), after };
    let page = server.ask_anew(async |client| client.export_events(request.clone()).await).await?;
    let events = page.records.into_iter().map(exported).collect::<Result<_, _>>()?;
    Ok(RecordPage { events, pruned: page.pruned })
}

/// Reads an event off the wire.
fn exported(record: v1::LogRecord) -> Result<ExportedEvent, Failure> {
    let hash = |field: &'static str, text: String| {
        let mut bytes = [0; 32];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) => Ok(bytes),
            Err(_) => Err(Failure::from(nonsense(&format!("`{field}` is no hash")))),
        }
    };
    Ok(ExportedEvent {
        sequence: record.sequence,
        previous: hash("previous", record.previous)?,
        public: record.public,
        personal: record.personal,
        salt: record.salt.map(|salt| hash("salt", salt)).transpose()?,
        personal_hash: hash("personal_hash", record.personal_hash)?,
        hash: hash("hash", record.hash)?,
    })
}
