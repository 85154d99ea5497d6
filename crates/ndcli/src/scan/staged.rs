//! The search through what is staged in git for the next commit. The contents come from git's index, whatever the work
//! tree holds.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use ndauth_core::Class;
use ndauth_terminal::{Failure, exit_code};

use super::exemptions::{EXEMPTING, Exemptions};
use super::report::ScanReport;
use super::searcher::Searcher;

/// A file that the next commit adds or changes.
struct StagedFile {
    path: PathBuf,
    /// The id of its contents, or `None` if git has several.
    contents: Option<String>,
}

/// `git cat-file --batch`, which returns contents by their id.
struct Contents {
    child: Child,
    ids: ChildStdin,
    contents: BufReader<ChildStdout>,
}

/// The mode of a submodule: its contents are another repository's.
const SUBMODULE: &str = "160000";

/// Searches the files that the next commit adds or changes, whole. Paths limit the search.
pub(crate) fn search_staged(paths: &[PathBuf]) -> Result<ScanReport, Failure> {
    let (mut report, mut searcher) = (ScanReport::default(), Searcher::new());
    let staged = list(paths)?;
    let mut contents = Contents::open()?;
    let mut exemptions = Exemptions::default();
    for StagedFile { path, contents: id } in staged {
        let exempt = exemptions.hold(&path, |folder| {
            let id = format!(":{}", folder.join(EXEMPTING).display());
            contents.read(&id, |reader| {
                let mut text = String::new();
                reader.read_to_string(&mut text).map(|_| text)
            })
        })?;
        if exempt {
            continue;
        }
        let Some(id) = id else {
            report.add(&path, Err("it has conflicts that are not resolved"));
            continue;
        };
        match contents.read(&id, |reader| searcher.search(reader))? {
            Some(leaks) => report.add(&path, Ok::<_, String>(leaks)),
            None => report.add(&path, Err("git does not have its contents here")),
        }
    }
    contents.close()?;
    Ok(report.sorted())
}

/// Lists the files that the next commit adds or changes.
fn list(paths: &[PathBuf]) -> Result<Vec<StagedFile>, Failure> {
    let mut diff =
        git("diff --cached --raw -z --no-abbrev --no-renames --no-ext-diff --no-textconv --diff-filter=d --");
    diff.args(paths).env("GIT_LITERAL_PATHSPECS", "1");
    let listed = diff.stdin(Stdio::null()).output().map_err(|error| undecided(&error.to_string()))?;
    if !listed.status.success() {
        let why = String::from_utf8_lossy(&listed.stderr);
        let why = why.lines().find(|line| !line.trim().is_empty()).unwrap_or("git failed");
        return Err(undecided(why.trim_start_matches("error: ").trim_start_matches("fatal: ")));
    }
    // `:MODE MODE ID ID STATUS`, and the path behind a NUL.
    let mut parts = listed.stdout.split(|byte| *byte == 0).filter(|part| !part.is_empty());
    let mut staged = Vec::new();
    while let Some(about) = parts.next() {
        let (about, path) = (String::from_utf8_lossy(about), parts.next());
        let words: Vec<&str> = about.split(' ').collect();
        let ([_, mode, _, id, _], Some(path)) = (&words[..], path) else {
            return Err(undecided("it lists the staged files in an unknown form"));
        };
        if *mode != SUBMODULE {
            let contents = Some((*id).to_owned()).filter(|id| id.bytes().any(|digit| digit != b'0'));
            staged.push(StagedFile { path: path_of(path), contents });
        }
    }
    // A file with conflicts may be listed a second time, with the contents of the work tree.
    staged.dedup_by(|later, earlier| later.path == earlier.path);
    Ok(staged)
}

impl Contents {
    fn open() -> Result<Contents, Failure> {
        let mut command = git("cat-file --batch");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| undecided(&error.to_string()))?;
        let (ids, contents) = child.stdin.take().zip(child.stdout.take()).expect("both are pipes");
        Ok(Contents { child, ids, contents: BufReader::new(contents) })
    }

    /// Reads the contents with an id, or at a place of the index; none if git has none.
    fn read<T>(
        &mut self,
        id: &str,
        read: impl FnOnce(&mut dyn Read) -> std::io::Result<T>,
    ) -> Result<Option<T>, Failure> {
        // One line is one request, so a name with a line break cannot be requested.
        if id.contains('\n') {
            return Ok(None);
        }
        let failed = |error: std::io::Error| undecided(&error.to_string());
        writeln!(self.ids, "{id}").map_err(failed)?;
        self.ids.flush().map_err(failed)?;
        // `ID TYPE SIZE`, or `ID missing`.
        let mut head = String::new();
        self.contents.read_line(&mut head).map_err(failed)?;
        let Some(size) = head.trim_end().rsplit_once(" blob ").and_then(|(_, size)| size.parse().ok()) else {
            let known = head.ends_with(" missing\n") || head.ends_with(" ambiguous\n");
            return if known { Ok(None) } else { Err(undecided("it returned contents in an unknown form")) };
        };
        let mut whole = (&mut self.contents).take(size);
        let value = read(&mut whole).map_err(failed)?;
        if whole.limit() != 0 {
            return Err(undecided("it ended within a file"));
        }
        let mut end = [0];
        self.contents.read_exact(&mut end).map_err(failed)?;
        Ok(Some(value))
    }

    fn close(mut self) -> Result<(), Failure> {
        drop(self.ids);
        self.child.wait()?;
        Ok(())
    }
}

/// Returns a command of git, of these words.
fn git(words: &str) -> Command {
    let mut git = Command::new("git");
    git.args(words.split(' '));
    git
}

/// Returns the failure of a search that git did not let finish.
fn undecided(why: &str) -> Failure {
    Failure {
        message: format!("git does not show what is staged: {why}"),
        hint: Some("run it in the work tree of a git repository".to_owned()),
        code: exit_code(Class::Undecided),
    }
}

fn path_of(bytes: &[u8]) -> PathBuf {
    Path::new(OsStr::from_bytes(bytes)).to_owned()
}
