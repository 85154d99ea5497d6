//! The exported log: a line of JSON for each event, and the check of its chain.
//!
//! ```json
//! {"sequence":7,"previous":"c3…","public":"{\"at\":…}","personal":"{…}","salt":"9f…","personal_hash":"51…","hash":"a0…"}
//! ```
//!
//! `public` and `personal` are texts that hold JSON, byte for byte as they are stored in the log, because the
//! hash covers them. `personal` and `salt` are null once they were erased, and where the reader may not see them.
//! `public` is null where it names an org that is none of the reader's business.

use hex::FromHex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Change, Entry, Head, chain_hash, personal_hash};

/// An event as an export holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedEvent {
    /// Its sequence.
    pub sequence: u64,
    /// The hash of the event before it.
    #[serde(with = "hex::serde")]
    pub previous: [u8; 32],
    /// Its public bytes, or `None` if they are withheld.
    pub public: Option<String>,
    /// Its personal bytes, or `None` if they were erased or are withheld.
    pub personal: Option<String>,
    /// Their salt.
    #[serde(with = "hex_or_null")]
    pub salt: Option<[u8; 32]>,
    /// The digest of the two.
    #[serde(with = "hex::serde")]
    pub personal_hash: [u8; 32],
    /// Its hash.
    #[serde(with = "hex::serde")]
    pub hash: [u8; 32],
}

/// A fault of an exported log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainFault {
    /// An event's bytes are not those that its hash was computed from.
    #[error("event {0} was altered")]
    Altered(u64),
    /// Events are missing.
    #[error("event {0} is missing")]
    Missing(u64),
    /// An event is there twice, or where another one belongs.
    #[error("event {0} was inserted or moved: an event with that number or a later one comes before it")]
    Inserted(u64),
}

/// The check of an exported log, event by event.
#[derive(Debug)]
pub struct ChainCheck {
    coverage: Coverage,
    first: Option<ExportedStart>,
    last: Option<Head>,
    events: u64,
    /// The end of the part that was pruned, as the log itself records it.
    pruned: Option<Head>,
}

/// The events that an export holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// All events after a sequence.
    After(u64),
    /// Some events: those of an org or of an account. What lies between them is unknown.
    Some,
}

/// The first event of an export, and the hash that it states for the one before.
type ExportedStart = Head;

impl ExportedEvent {
    /// Parses a line.
    pub fn parse(line: &str) -> Result<ExportedEvent, serde_json::Error> {
        serde_json::from_str(line)
    }

    /// Returns the line, without a line break.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("a line is plain data")
    }

    /// Returns true if the event's hash is that of its bytes, as far as they are there.
    fn is_intact(&self) -> bool {
        let kept = match (&self.personal, &self.salt) {
            (Some(bytes), Some(salt)) => personal_hash(salt, bytes.as_bytes()) == self.personal_hash,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        kept && self.public.as_ref().is_none_or(|public| {
            chain_hash(&self.previous, self.sequence, public.as_bytes(), &self.personal_hash) == self.hash
        })
    }
}

impl ChainCheck {
    /// Begins the check of an export.
    pub fn new(coverage: Coverage) -> ChainCheck {
        ChainCheck { coverage, first: None, last: None, events: 0, pruned: None }
    }

    /// Checks the next event. Returns the first fault.
    pub fn next(&mut self, event: &ExportedEvent) -> Result<(), ChainFault> {
        // Only from a reader of a part are events withheld. A line without content is chained to nothing.
        let intact = event.is_intact() && (event.public.is_some() || self.coverage == Coverage::Some);
        if let Some(last) = self.last {
            if event.sequence <= last.sequence {
                return Err(ChainFault::Inserted(event.sequence));
            }
            let follows = event.sequence == last.sequence + 1;
            if !follows && self.coverage != Coverage::Some {
                return Err(ChainFault::Missing(last.sequence + 1));
            }
            if follows && event.previous != last.hash {
                // An event that is intact was chained to what its predecessor was.
                return Err(ChainFault::Altered(if intact { last.sequence } else { event.sequence }));
            }
        }
        if !intact || event.sequence == 0 {
            return Err(ChainFault::Altered(event.sequence));
        }
        if event.sequence == 1 && event.previous != Head::EMPTY.hash {
            return Err(ChainFault::Altered(1));
        }
        let entry = event.public.as_ref().and_then(|public| Entry::read(public.as_bytes()));
        if let Some(Change::LogPruned { through, hash }) = entry.map(|entry| entry.change) {
            self.pruned = Some(Head { sequence: through, hash });
        }
        self.first.get_or_insert(Head { sequence: event.sequence - 1, hash: event.previous });
        self.last = Some(Head { sequence: event.sequence, hash: event.hash });
        self.events += 1;
        Ok(())
    }

    /// Ends the check. Returns the number of events and the last one.
    pub fn end(self) -> Result<(u64, Option<Head>), ChainFault> {
        if let (Coverage::After(after), Some(first)) = (self.coverage, self.first)
            && first.sequence != after
        {
            // The beginning may have been pruned, which the log records with the hash.
            match self.pruned {
                Some(pruned) if pruned == first => {}
                Some(pruned) if pruned.sequence == first.sequence => {
                    return Err(ChainFault::Altered(first.sequence + 1));
                }
                _ if first.sequence > after => return Err(ChainFault::Missing(after + 1)),
                _ => return Err(ChainFault::Inserted(first.sequence + 1)),
            }
        }
        Ok((self.events, self.last))
    }
}

mod hex_or_null {
    use super::{Deserialize, Deserializer, FromHex, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &Option<[u8; 32]>, out: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => hex::serde::serialize(bytes, out),
            None => out.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<[u8; 32]>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| <[u8; 32]>::from_hex(text).map_err(serde::de::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests;
