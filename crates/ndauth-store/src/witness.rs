//! The witness: a small file, apart from the database, that keeps the highest end of the log that was
//! seen. A database whose log ends before that, or reads otherwise there, is an older copy.
//!
//! ```text
//! 131 9d41…
//! ^^^ sequence
//!     ^^^^^ the event's hash
//! ```

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use ndauth_core::Head;

/// The file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness(PathBuf);

impl Witness {
    /// The witness that is kept in this file.
    pub fn at(path: PathBuf) -> Witness {
        Witness(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What was seen, if anything ever was.
    pub fn read(&self) -> io::Result<Option<Head>> {
        match std::fs::read_to_string(&self.0) {
            Ok(text) => parse(&text)
                .map(Some)
                .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "it does not hold the end of a log")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps what was seen, in place of what was kept before: whole or not at all.
    pub fn write(&self, head: &Head) -> io::Result<()> {
        let folder = self.0.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        writeln!(file, "{} {}", head.sequence, hex::encode(head.hash))?;
        file.as_file().sync_data()?;
        file.persist(&self.0).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    }
}

fn parse(text: &str) -> Option<Head> {
    let (sequence, hash) = text.strip_suffix('\n')?.split_once(' ')?;
    let mut head = Head { sequence: sequence.parse().ok()?, hash: [0; 32] };
    hex::decode_to_slice(hash, &mut head.hash).ok()?;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_reads_back_and_nothing_else_does() {
        let folder = tempfile::tempdir().expect("a folder");
        let witness = Witness::at(folder.path().join("ndauth.db.head"));
        assert_eq!(witness.read().expect("read"), None);
        let head = Head { sequence: 131, hash: [0xa7; 32] };
        witness.write(&head).expect("written");
        witness.write(&head).expect("written again");
        assert_eq!(witness.read().expect("read"), Some(head));
        let text = std::fs::read_to_string(witness.path()).expect("read");
        for (what, spoiled) in [
            ("cut", &text[..text.len() - 2]),
            ("empty", ""),
            ("more", &format!("{text}x")),
            ("a sign in a number", &text.replace("a7a7", "+7a7")),
        ] {
            std::fs::write(witness.path(), spoiled).expect("spoiled");
            assert!(witness.read().is_err(), "{what}");
        }
    }
}
