//! The witness: a small file, apart from the database, that records the highest end of the log that was seen.
//! A database whose log ends before it, or has another hash there, is an older copy.
//!
//! ```text
//! 131 9d41… 1764331200000000
//! ^^^ the last event that was seen, its hash, and when it was: in microseconds since 1970
//! ```

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use ndauth_core::{Head, Timestamp};

/// An end of a log that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The last event.
    pub head: Head,
    /// The instant of that event, as the event states it.
    pub at: Timestamp,
}

/// The witness file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness(PathBuf);

impl Witness {
    /// Returns the witness in this file.
    pub fn at(path: PathBuf) -> Witness {
        Witness(path)
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the recorded end of the log, or `None` if none was recorded.
    pub fn read(&self) -> io::Result<Option<Seen>> {
        match std::fs::read_to_string(&self.0) {
            Ok(text) => parse(&text).map(Some).ok_or_else(|| {
                io::Error::new(ErrorKind::InvalidData, "it does not contain the end of a log")
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Records an end of the log in place of the former one, atomically.
    pub fn write(&self, seen: &Seen) -> io::Result<()> {
        let folder = self.0.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        let Seen { head, at } = seen;
        writeln!(file, "{} {} {}", head.sequence, hex::encode(head.hash), at.micros())?;
        file.as_file().sync_data()?;
        file.persist(&self.0).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    }
}

fn parse(text: &str) -> Option<Seen> {
    let mut words = text.strip_suffix('\n')?.split(' ');
    let mut head = Head { sequence: words.next()?.parse().ok()?, hash: [0; 32] };
    hex::decode_to_slice(words.next()?, &mut head.hash).ok()?;
    let at = Timestamp::from_micros(words.next()?.parse().ok()?).ok()?;
    words.next().is_none().then_some(Seen { head, at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_reads_back_and_refuses_anything_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let witness = Witness::at(folder.path().join("ndauth.db.head"));
        assert_eq!(witness.read().expect("read"), None);
        let at = Timestamp::from_micros(1_764_331_200_000_000).expect("an instant");
        let seen = Seen { head: Head { sequence: 131, hash: [0xa7; 32] }, at };
        witness.write(&seen).expect("written");
        witness.write(&seen).expect("written again");
        assert_eq!(witness.read().expect("read"), Some(seen));
        let text = std::fs::read_to_string(witness.path()).expect("read");
        for (what, spoiled) in [
            ("cut", &text[..text.len() - 1]),
            ("empty", ""),
            ("more", &format!("{text}x")),
            ("a sign in a number", &text.replace("a7a7", "+7a7")),
            ("a word too many", &text.replace('\n', " 1\n")),
            ("half of it", &format!("{}\n", &text[..68])),
        ] {
            std::fs::write(witness.path(), spoiled).expect("spoiled");
            assert!(witness.read().is_err(), "{what}");
        }
    }
}
