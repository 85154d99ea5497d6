//! The witness: a small file, apart from the database, that keeps the highest end of the log that was
//! seen. A database whose log ends before that, or reads otherwise there, is an older copy.
//!
//! ```text
//! 7f0c…-installation-id 131 9d41…-hash-of-event-131
//! ```

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use ndauth_core::{Head, InstallationId};

/// An end of the log of an installation, as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Whose log.
    pub installation: InstallationId,
    /// Its end.
    pub head: Head,
}

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
    pub fn read(&self) -> io::Result<Option<Sighting>> {
        match std::fs::read_to_string(&self.0) {
            Ok(text) => Sighting::parse(&text)
                .map(Some)
                .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "it does not hold the end of a log")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps what was seen, in place of what was kept before: whole or not at all.
    pub fn write(&self, sighting: &Sighting) -> io::Result<()> {
        let folder = self.0.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        writeln!(file, "{sighting}")?;
        file.as_file().sync_data()?;
        file.persist(&self.0).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    }
}

impl Sighting {
    fn parse(text: &str) -> Option<Sighting> {
        let mut words = text.strip_suffix('\n')?.split(' ');
        let sighting = Sighting {
            installation: words.next()?.parse().ok()?,
            head: Head { sequence: words.next()?.parse().ok()?, hash: from_hex(words.next()?)? },
        };
        words.next().is_none().then_some(sighting)
    }
}

impl std::fmt::Display for Sighting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.installation, self.head.sequence, hex::encode(self.head.hash))
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_reads_back_and_nothing_else_does() {
        let folder = tempfile::tempdir().expect("a folder");
        let witness = Witness::at(folder.path().join("ndauth.db.head"));
        assert_eq!(witness.read().expect("read"), None);
        let id = "019a8b2e-7c00-7000-8000-000000000000".parse().expect("an id");
        let sighting = Sighting { installation: id, head: Head { sequence: 131, hash: [0xa7; 32] } };
        witness.write(&sighting).expect("written");
        witness.write(&sighting).expect("written again");
        assert_eq!(witness.read().expect("read"), Some(sighting));
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
