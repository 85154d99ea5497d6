//! The result of a search.

use std::path::Path;

use ndauth_core::redact;

use super::searcher::{Leak, Leaks};

/// A leak and its file. A secret in the file's name is cut down to its prefix.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LeakInFile {
    pub(crate) file: String,
    pub(crate) leak: Leak,
}

/// The result of a search.
#[derive(Debug, Default)]
pub(crate) struct ScanReport {
    /// The leaks, by file and place once they are sorted.
    pub(crate) leaks: Vec<LeakInFile>,
    /// The number of leaks that are not listed.
    pub(crate) more: u64,
    /// The number of files that were searched.
    pub(crate) files: u64,
    /// What could not be searched, and the reasons.
    pub(crate) unread: Vec<(String, String)>,
}

/// The most leaks that are listed of all files.
const MOST: usize = 10_000;

impl ScanReport {
    /// Adds the result of a file.
    pub(crate) fn add(&mut self, file: &Path, searched: Result<Leaks, impl ToString>) {
        let file = name(file);
        match searched {
            Ok(Leaks { listed, more }) => {
                let room = MOST.saturating_sub(self.leaks.len());
                self.more += more + listed.len().saturating_sub(room) as u64;
                let listed = listed.into_iter().take(room);
                self.leaks.extend(listed.map(|leak| LeakInFile { file: file.clone(), leak }));
                self.files += 1;
            }
            Err(why) => self.unread.push((file, why.to_string())),
        }
    }

    /// Sorts the result, which threads put together in any order.
    pub(crate) fn sorted(mut self) -> ScanReport {
        self.leaks.sort_unstable();
        self.unread.sort_unstable();
        self
    }
}

/// Returns the name of a file, without a secret that may be part of it.
pub(crate) fn name(file: &Path) -> String {
    let file = file.strip_prefix("./").unwrap_or(file);
    redact(&file.to_string_lossy()).into_owned()
}
