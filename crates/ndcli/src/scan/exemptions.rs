//! The files that a tree exempts from the search, in files named `.ndauthignore`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// The name of the files that exempt others. Their lines are as those of `.gitignore`.
pub(crate) const EXEMPTING: &str = ".ndauthignore";

/// The exemptions of each folder, read when they are first needed.
#[derive(Default)]
pub(crate) struct Exemptions(HashMap<PathBuf, Option<Gitignore>>);

impl Exemptions {
    /// Returns true if a file is exempt. `load` returns the text of a folder's file, if it has one; the nearest folder
    /// decides.
    pub(crate) fn hold<E>(
        &mut self,
        file: &Path,
        mut load: impl FnMut(&Path) -> Result<Option<String>, E>,
    ) -> Result<bool, E> {
        for folder in file.ancestors().skip(1) {
            if !self.0.contains_key(folder) {
                let text = load(folder)?;
                self.0.insert(folder.to_owned(), text.map(|text| parse(folder, &text)));
            }
            let Some(Some(lines)) = self.0.get(folder) else { continue };
            match lines.matched_path_or_any_parents(file, false) {
                Match::Ignore(_) => return Ok(true),
                Match::Whitelist(_) => return Ok(false),
                Match::None => {}
            }
        }
        Ok(false)
    }
}

/// Parses the lines of a folder's file. A line that is no pattern exempts nothing.
fn parse(folder: &Path, text: &str) -> Gitignore {
    let mut builder = GitignoreBuilder::new(folder);
    for line in text.lines() {
        let _ = builder.add_line(None, line);
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_folder_decides() {
        let mut exemptions = Exemptions::default();
        let mut is_exempt = |file: &str| {
            let load = |folder: &Path| {
                Ok::<_, ()>(match folder.to_str().expect("plain") {
                    "" => Some("*.pem\n/fixtures/\n# a comment\n[\n".to_owned()),
                    "kept" => Some("!wanted.pem\n".to_owned()),
                    _ => None,
                })
            };
            exemptions.hold(Path::new(file), load).expect("loaded")
        };
        for (file, expected) in [
            ("a.pem", true),
            ("deep/a.pem", true),
            ("fixtures/deep/a.txt", true),
            ("deep/fixtures/a.txt", false),
            ("kept/wanted.pem", false),
            ("kept/other.pem", true),
            ("a.txt", false),
        ] {
            assert_eq!(is_exempt(file), expected, "{file}");
        }
    }
}
