//! The exported log, page by page. [`ExportedEvent`] says what a line of it is.

use ndauth_core::{Entry, ExportedEvent, Head};
use ndauth_store::{LogPart, LoggedEvent, StoredEvent};

use super::reader::AuditReader;
use crate::access::{Operation, Whose};
use crate::authority::AuditWing;
use crate::{AuthorityError, Credential};

/// A page of the exported log.
#[derive(Debug)]
pub struct ExportPage {
    /// The events, oldest first; none at the end of the log.
    pub events: Vec<ExportedEvent>,
    /// The last event that was pruned; 0 if none was.
    pub pruned: u64,
}

/// The most events of a page.
const PAGE: u64 = 1000;

impl AuditWing<'_> {
    /// Returns a page of the events of a history after a sequence.
    pub async fn export(
        self,
        credential: &Credential,
        whose: &Whose,
        after: u64,
    ) -> Result<ExportPage, AuthorityError> {
        let (read, by) = self.0.read_as(credential, Operation::ExportEvents, whose).await?;
        let reader = AuditReader::of(&by)?;
        let part = LogPart { after, before: None, newest_first: false, limit: PAGE };
        let chunk = read.history(reader.subject(), &part).await?;
        let events = chunk.events.iter().map(|logged| exported(logged, reader)).collect();
        Ok(ExportPage { events, pruned: read.start_of_log().await?.sequence })
    }

    /// Returns a page of all events after a sequence to the console, which nobody admits: the schema of the database may be
    /// an old one. None at the end of the log.
    pub async fn export_at_console(self, after: u64) -> Result<Vec<ExportedEvent>, AuthorityError> {
        // The event before the first one has the hash that the first one was chained to.
        let mut events = self.0.store.events_after(after.saturating_sub(1), PAGE + 1).await?;
        let mut previous = match events.first() {
            Some(known) if after > 0 && known.sequence == after => events.remove(0).hash,
            Some(first) if first.sequence == 1 => Head::EMPTY.hash,
            Some(_) => self.0.store.read().await?.start_of_log().await?.hash,
            None => return Ok(Vec::new()),
        };
        let mut exporteds = Vec::with_capacity(events.len());
        for event in events {
            let hash = event.hash;
            exporteds.push(exported(&LoggedEvent { event, previous }, AuditReader::All));
            previous = hash;
        }
        Ok(exporteds)
    }
}

/// Returns an event as a reader may take it away.
fn exported(logged: &LoggedEvent, reader: AuditReader) -> ExportedEvent {
    let LoggedEvent { event, previous } = logged;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let entry = Entry::read(&event.public);
    let sees = |may: fn(AuditReader, &Entry) -> bool| match &entry {
        Some(entry) => may(reader, entry),
        None => reader == AuditReader::All,
    };
    let public = sees(AuditReader::sees_whole).then(|| text(&event.public));
    let personal = event.personal.as_ref().filter(|_| sees(AuditReader::sees_origin));
    ExportedEvent {
        sequence: event.sequence,
        previous: *previous,
        public,
        personal: personal.map(|(bytes, _)| text(bytes)),
        salt: personal.map(|(_, salt)| *salt),
        personal_hash: event.personal_hash,
        hash: event.hash,
    }
}

/// Parses an exported log of all events.
pub fn parse_export(text: &str) -> Result<Vec<StoredEvent>, AuthorityError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let event = |(index, line): (usize, &str)| {
        let number = index + 1;
        let line = ExportedEvent::parse(line)
            .map_err(|why| AuthorityError::Export(format!("is invalid in line {number}: {why}")))?;
        let withheld =
            || AuthorityError::Export(format!("is not of the whole log: line {number} withholds an event"));
        Ok(StoredEvent {
            sequence: line.sequence,
            public: line.public.ok_or_else(withheld)?.into_bytes(),
            personal: line.personal.map(String::into_bytes).zip(line.salt),
            personal_hash: line.personal_hash,
            hash: line.hash,
        })
    };
    lines.map(event).collect()
}
