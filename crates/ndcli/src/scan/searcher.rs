//! The search through a stream of bytes, in a fixed amount of memory.
//!
//! A secret is found wherever its marker is followed by a canonical body that no letter or digit continues: in text,
//! in a URL, within a binary file. In UTF-16 each character takes two bytes, so it is searched for in that form, too.

use std::io::{self, ErrorKind, Read};

use aho_corasick::{AhoCorasick, MatchKind};
use ndauth_core::{Secret, SecretKind, SecretPrefix};

use super::samples::is_sample;

/// A line with this text may hold secrets: a person put it there.
pub(crate) const ALLOW: &str = "ndauth:allow";

/// The most leaks of one file that are listed.
pub(crate) const MOST_LISTED: usize = 1000;

/// The bytes that are read at once.
const CHUNK: usize = 256 * 1024;
/// The length of a secret.
const LEN: usize = 49;
/// The bytes that decide whether a secret begins at a place: in UTF-16, with the character after it.
const DECIDING: usize = 2 * (LEN + 1);

/// A secret at a place of a file. Only its prefix is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Leak {
    /// The line, from 1.
    pub(crate) line: u64,
    /// The column in bytes, from 1.
    pub(crate) column: u64,
    /// The first characters of the secret.
    pub(crate) prefix: SecretPrefix,
}

/// The leaks of one file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Leaks {
    /// The first of them.
    pub(crate) listed: Vec<Leak>,
    /// The number of those that are not listed.
    pub(crate) more: u64,
}

/// A search, for all files: it holds the patterns and a buffer.
#[derive(Clone)]
pub(crate) struct Searcher {
    needles: AhoCorasick,
    buffer: Vec<u8>,
}

/// The place in a file, and what is known of its line.
#[derive(Default)]
struct Position {
    /// The number of line breaks before it.
    breaks: u64,
    /// The offset of the line in the file.
    line: u64,
    /// True once the line says that it may hold secrets.
    is_allowed: bool,
    /// The leaks of the line so far.
    of_line: Leaks,
}

impl Searcher {
    pub(crate) fn new() -> Searcher {
        let narrow = SecretKind::ALL.map(|kind| kind.marker().as_bytes().to_vec());
        let wide = SecretKind::ALL.map(|kind| kind.marker().bytes().flat_map(|byte| [byte, 0]).collect());
        let allow = [ALLOW.as_bytes().to_vec(), ALLOW.bytes().flat_map(|byte| [byte, 0]).collect()];
        let needles: Vec<Vec<u8>> = narrow.into_iter().chain(wide).chain(allow).collect();
        let needles = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(needles);
        Searcher { needles: needles.expect("a few short patterns"), buffer: vec![0; CHUNK] }
    }

    /// Returns the leaks of a stream.
    pub(crate) fn search(&mut self, mut reader: impl Read) -> io::Result<Leaks> {
        let (mut leaks, mut position) = (Leaks::default(), Position::default());
        // The bytes at the buffer's beginning that were read before, and their offset in the file.
        let (mut kept, mut offset) = (0, 0);
        loop {
            let read = match reader.read(&mut self.buffer[kept..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => read?,
            };
            let bytes = &self.buffer[..kept + read];
            // A needle is decided once all that decides it was read.
            let decided = if read == 0 { bytes.len() } else { (bytes.len() + 1).saturating_sub(DECIDING) };
            let mut passed = 0;
            for needle in self.needles.find_iter(bytes) {
                let at = needle.start();
                if at >= decided {
                    break;
                }
                let pattern = needle.pattern().as_usize();
                position.pass(&bytes[passed..at], offset + passed as u64, &mut leaks);
                passed = at;
                if pattern >= 2 * SecretKind::ALL.len() {
                    position.is_allowed = true;
                } else if let Some(secret) = secret_at(&bytes[at..], pattern >= SecretKind::ALL.len())
                    && !is_sample(&secret)
                {
                    let column = offset + at as u64 - position.line + 1;
                    let leak = Leak { line: position.breaks + 1, column, prefix: secret.prefix() };
                    position.of_line.add(leak);
                }
            }
            position.pass(&bytes[passed..decided], offset + passed as u64, &mut leaks);
            if read == 0 {
                position.end_line(&mut leaks);
                return Ok(leaks);
            }
            self.buffer.copy_within(decided..kept + read, 0);
            kept = kept + read - decided;
            offset += decided as u64;
        }
    }
}

impl Leaks {
    fn add(&mut self, leak: Leak) {
        if self.listed.len() < MOST_LISTED {
            self.listed.push(leak);
        } else {
            self.more += 1;
        }
    }
}

impl Position {
    /// Passes bytes that hold no needle, which begin at an offset.
    fn pass(&mut self, bytes: &[u8], offset: u64, leaks: &mut Leaks) {
        let mut breaks = memchr::memchr_iter(b'\n', bytes);
        if let Some(last) = breaks.next_back() {
            self.end_line(leaks);
            self.breaks += 1 + breaks.count() as u64;
            self.line = offset + last as u64 + 1;
        }
    }

    /// Ends a line: its leaks are leaks unless the line allows them.
    fn end_line(&mut self, leaks: &mut Leaks) {
        let of_line = std::mem::take(&mut self.of_line);
        if !std::mem::take(&mut self.is_allowed) {
            leaks.more += of_line.more;
            of_line.listed.into_iter().for_each(|leak| leaks.add(leak));
        }
    }
}

/// Returns the secret at the beginning of these bytes, in which each character takes one byte, or two if they are wide.
fn secret_at(bytes: &[u8], is_wide: bool) -> Option<Secret> {
    let step = if is_wide { 2 } else { 1 };
    let mut text = [0; LEN];
    for (number, character) in text.iter_mut().enumerate() {
        *character = *bytes.get(number * step)?;
        // The high byte of the character before, in either byte order.
        if is_wide && number > 0 && bytes[number * step - 1] != 0 {
            return None;
        }
    }
    let continues = match bytes.get(LEN * step) {
        Some(next) => next.is_ascii_alphanumeric() && !(is_wide && bytes[LEN * step - 1] != 0),
        None => false,
    };
    let text = str::from_utf8(&text).ok()?;
    text.parse().ok().filter(|_| !continues)
}

#[cfg(test)]
mod tests;
