//! The search through folders and files, as `grep` goes through them: links are not followed, and what ignore files
//! name is left out.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ignore::{DirEntry, WalkBuilder, WalkState};
use ndauth_terminal::Failure;

use super::exemptions::{EXEMPTING, Exemptions};
use super::report::{ScanReport, name};
use super::searcher::{Leaks, Searcher};

/// The path that stands for standard input.
const STANDARD_INPUT: &str = "-";

/// Searches files and folders. A file that is named is searched unless an `.ndauthignore` exempts it; in a folder, the
/// ignore files of git count, too.
pub(crate) fn search_paths(paths: &[PathBuf]) -> Result<ScanReport, Failure> {
    let mut report = ScanReport::default();
    let (mut folders, mut exemptions) = (Vec::new(), Exemptions::default());
    let mut searcher = Searcher::new();
    for path in paths {
        if path.as_os_str() == STANDARD_INPUT {
            report.add(Path::new("standard input"), searcher.search(io::stdin().lock()));
            continue;
        }
        // A path that is named may be a link.
        match fs::metadata(path) {
            Ok(about) if about.is_dir() => folders.push(path),
            Ok(_) if is_exempt(&mut exemptions, path)? => {}
            Ok(_) => report.add(path, File::open(path).and_then(|file| searcher.search(file))),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let message = format!("there is no file or folder `{}`", name(path));
                return Err(Failure::usage(message, "name files or folders that exist"));
            }
            Err(error) => report.add(path, Err(error)),
        }
    }
    if let Some((first, others)) = folders.split_first() {
        report = search_folders(first, others, &searcher, report);
    }
    Ok(report.sorted())
}

fn search_folders(first: &Path, others: &[&PathBuf], searcher: &Searcher, report: ScanReport) -> ScanReport {
    let mut walk = WalkBuilder::new(first);
    for folder in others {
        walk.add(folder);
    }
    // Hidden files are where secrets lie. What git keeps in `.git` is compressed.
    walk.hidden(false).require_git(false).add_custom_ignore_filename(EXEMPTING);
    walk.filter_entry(|entry| entry.file_name() != ".git" || entry.depth() == 0);
    let report = Mutex::new(report);
    walk.build_parallel().run(|| {
        let (mut searcher, report) = (searcher.clone(), &report);
        Box::new(move |entry| {
            let locked = || report.lock().unwrap_or_else(PoisonError::into_inner);
            match entry {
                Ok(entry) => {
                    if let Some(searched) = search_entry(&mut searcher, &entry) {
                        locked().add(entry.path(), searched);
                    }
                }
                Err(error) if is_gone(&error) => {}
                Err(error) => {
                    let (path, why) = place(&error);
                    locked().unread.push((path, why));
                }
            }
            WalkState::Continue
        })
    });
    report.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Searches a file; none for anything else, and for a file that is gone.
fn search_entry(searcher: &mut Searcher, entry: &DirEntry) -> Option<io::Result<Leaks>> {
    if !entry.file_type().is_some_and(|kind| kind.is_file()) {
        return None;
    }
    match File::open(entry.path()) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        file => Some(file.and_then(|file| searcher.search(file))),
    }
}

fn is_gone(error: &ignore::Error) -> bool {
    error.io_error().is_some_and(|error| error.kind() == ErrorKind::NotFound)
}

/// Returns the path that an error concerns, and the error without it.
fn place(error: &ignore::Error) -> (String, String) {
    match error {
        ignore::Error::WithPath { path, err } => (name(path), place(err).1),
        ignore::Error::WithDepth { err, .. } => place(err),
        ignore::Error::Io(error) => ("a folder".to_owned(), error.to_string()),
        other => ("a folder".to_owned(), other.to_string()),
    }
}

/// Returns true if an `.ndauthignore` above a file exempts it, up to the root of its work tree.
fn is_exempt(exemptions: &mut Exemptions, file: &Path) -> Result<bool, Failure> {
    let file = fs::canonicalize(file)?;
    let root = file.ancestors().skip(1).find(|folder| folder.join(".git").exists());
    let root = root.unwrap_or_else(|| file.parent().unwrap_or(&file)).to_owned();
    exemptions.hold(&file, |folder| {
        if !folder.starts_with(&root) {
            return Ok(None);
        }
        let mut text = String::new();
        match File::open(folder.join(EXEMPTING)) {
            Ok(mut file) => file.read_to_string(&mut text)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(Some(text))
    })
}
