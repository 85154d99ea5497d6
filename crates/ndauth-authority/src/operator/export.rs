//! The exported log: a line of JSON for each event.
//!
//! ```json
//! {"sequence":7,"public":"{\"at\":…}","personal":"{…}","salt":"9f…","personal_hash":"51…","hash":"a0…"}
//! ```
//!
//! `public` and `personal` are texts that hold JSON, byte for byte as they are stored in the log, because the
//! hash covers them. `personal` and `salt` are null once they were erased.

use ndauth_store::StoredEvent;
use serde::{Deserialize, Serialize};

use crate::access::{Operation, Whose};
use crate::{AuthorityError, Credential, OperatorWing};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    sequence: u64,
    public: String,
    personal: Option<String>,
    #[serde(with = "hex_or_null")]
    salt: Option<[u8; 32]>,
    #[serde(with = "hex::serde")]
    personal_hash: [u8; 32],
    #[serde(with = "hex::serde")]
    hash: [u8; 32],
}

/// The number of events that are read at once.
const PAGE: u64 = 1000;

impl OperatorWing<'_> {
    /// Returns the events after a sequence as lines, and the sequence of the last, up to a page of them. None
    /// at the end of the log.
    pub async fn export_events(
        self,
        credential: &Credential,
        after: u64,
    ) -> Result<Option<(String, u64)>, AuthorityError> {
        match credential {
            // The console is not looked up in the database, whose schema may be an old one.
            Credential::Console => {}
            _ => {
                self.0.read_as(credential, Operation::ExportEvents, &Whose::Anyone).await?;
            }
        }
        let events = self.0.store.events_after(after, PAGE).await?;
        let Some(last) = events.last().map(|event| event.sequence) else { return Ok(None) };
        Ok(Some((events.iter().map(line).collect(), last)))
    }
}

fn line(event: &StoredEvent) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let line = Line {
        sequence: event.sequence,
        public: text(&event.public),
        personal: event.personal.as_ref().map(|(bytes, _)| text(bytes)),
        salt: event.personal.as_ref().map(|(_, salt)| *salt),
        personal_hash: event.personal_hash,
        hash: event.hash,
    };
    let mut line = serde_json::to_string(&line).expect("a line is plain data");
    line.push('\n');
    line
}

/// Parses an exported log.
pub fn parse_export(text: &str) -> Result<Vec<StoredEvent>, AuthorityError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let event = |(index, line): (usize, &str)| {
        let line: Line = serde_json::from_str(line)
            .map_err(|why| AuthorityError::Export(format!("is invalid in line {}: {why}", index + 1)))?;
        Ok(StoredEvent {
            sequence: line.sequence,
            public: line.public.into_bytes(),
            personal: line.personal.map(String::into_bytes).zip(line.salt),
            personal_hash: line.personal_hash,
            hash: line.hash,
        })
    };
    lines.map(event).collect()
}

mod hex_or_null {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &Option<[u8; 32]>, out: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => hex::serde::serialize(bytes, out),
            None => out.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<[u8; 32]>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| <[u8; 32] as hex::FromHex>::from_hex(text).map_err(serde::de::Error::custom))
            .transpose()
    }
}
