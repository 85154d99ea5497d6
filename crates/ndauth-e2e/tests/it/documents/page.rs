//! A page whose commands a person types at a terminal, block by block.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::path::PathBuf;

use ndauth_store::Engine;

use crate::dev;
use crate::installation::{Installation, Running, on_terminal};
use crate::logins::person_at_a_browser;

/// Programs that are not run: `cargo` builds, installs, and runs these tests.
const EXEMPT: [&str; 1] = ["cargo"];

pub(crate) struct Page {
    pub(crate) at: Installation,
    text: String,
    /// The commands of each block that was not played yet.
    blocks: VecDeque<Vec<String>>,
    server: Option<Running>,
    /// The text that is typed in place of one on the page.
    samples: BTreeMap<&'static str, String>,
    variables: BTreeMap<&'static str, String>,
}

pub(crate) fn root() -> PathBuf {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../..").into()
}

/// Returns the text of a page.
pub(crate) fn read(page: &str) -> String {
    std::fs::read_to_string(root().join(page)).expect("the page")
}

/// Returns the fenced blocks of a page, each with its language.
pub(crate) fn blocks(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split("\n```").skip(1).step_by(2).map(|block| block.split_once('\n').expect("a block of lines"))
}

/// Returns the commands of a pipeline's steps.
fn steps(pipeline: &str) -> Vec<String> {
    let steps = pipeline.lines().filter_map(|line| line.trim_start().strip_prefix("- run: "));
    let unquoted = |step: &str| match step.strip_prefix('\'') {
        Some(quoted) => quoted.strip_suffix('\'').expect("a text in quotes").to_owned(),
        None => step.to_owned(),
    };
    steps.map(unquoted).collect()
}

impl Page {
    /// Opens a page beside an installation without people.
    pub(crate) async fn open(page: &str) -> Page {
        Page::open_at(page, Installation::new(Engine::Sqlite).await)
    }

    /// Opens a page beside an installation.
    pub(super) fn open_at(page: &str, at: Installation) -> Page {
        let text = read(page);
        let commands = |(language, block): (&str, &str)| match language {
            "sh" => Some(block.replace("\\\n", "").lines().map(str::to_owned).collect()),
            "yaml" => Some(steps(block)),
            _ => None,
        };
        let blocks = blocks(&text).filter_map(commands).collect();
        let person = at.home().join("person");
        std::fs::write(&person, person_at_a_browser()).expect("written");
        std::fs::set_permissions(&person, std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .expect("made runnable");
        let variables = BTreeMap::from([
            ("NDAUTHD_DATABASE", at.database()),
            ("BROWSER", person.display().to_string()),
            ("NO_COLOR", "1".to_owned()),
        ]);
        Page { at, text, blocks, server: None, samples: BTreeMap::new(), variables }
    }

    pub(crate) fn set(&mut self, variable: &'static str, value: impl Into<String>) {
        self.variables.insert(variable, value.into());
    }

    /// Types a sample in place of a text on the page.
    pub(crate) fn replace(&mut self, text: &'static str, sample: impl Into<String>) {
        self.samples.insert(text, sample.into());
    }

    pub(crate) fn server(&self) -> &Running {
        self.server.as_ref().expect("a server runs")
    }

    /// Starts a server, to which `ndcli` is connected from now on.
    pub(crate) fn serve(&mut self, more: &[&str]) {
        let mut command = self.at.command("NDAUTH_TEST_NDAUTHD");
        command.current_dir(self.at.home());
        let server = self.at.serve_as(command, more);
        self.set("NDCLI_SERVER", server.url.to_string());
        self.server = Some(server);
    }

    /// Returns the commands of the next block.
    pub(crate) fn lines(&mut self) -> Vec<String> {
        self.blocks.pop_front().expect("a block of commands")
    }

    /// Returns the commands of all further blocks.
    pub(super) fn rest(&mut self) -> Vec<String> {
        self.blocks.drain(..).flatten().collect()
    }

    /// Plays the next block. Returns what the terminal shows.
    pub(crate) fn play(&mut self) -> String {
        let mut lines = self.lines();
        lines.retain(|line| !line.split(' ').any(|word| EXEMPT.contains(&word)));
        // A server runs until the page ends, so it is the last of its block.
        let serves =
            |line: &mut String| ["ndauthd serve", "ndauthd dev"].iter().any(|of| line.starts_with(of));
        let last = lines.pop_if(serves);
        let shown = self.type_in(&lines.join("\n"));
        let words: Vec<&str> = last.as_deref().unwrap_or_default().split_whitespace().collect();
        match words.as_slice() {
            ["ndauthd", "dev", more @ ..] => dev::end(dev::dev(&self.at, more)),
            ["ndauthd", "serve", more @ ..] => self.serve(more),
            _ => {}
        }
        shown
    }

    /// Types commands at a terminal, where a person answers each question with yes. Returns what it shows.
    pub(crate) fn type_in(&self, commands: &str) -> String {
        let (shown, succeeded) = self.try_typing(commands);
        assert!(succeeded, "{commands}\n{shown}");
        shown
    }

    /// Plays the next block, which must fail, and show a text that the page quotes.
    pub(super) fn play_in_vain(&mut self, quoted: &str) {
        let commands = self.lines().join("\n");
        let (shown, succeeded) = self.try_typing(&commands);
        assert!(!succeeded && shown.contains(quoted), "{commands}\n{shown}");
        self.quotes(quoted);
    }

    /// Fails unless the page quotes this text.
    pub(super) fn quotes(&self, text: &str) {
        assert!(self.text.contains(text), "the page does not say `{text}`");
    }

    fn try_typing(&self, commands: &str) -> (String, bool) {
        let replaced = |typed: String, (text, sample): (&&str, &String)| typed.replace(*text, sample);
        let commands = self.samples.iter().fold(commands.to_owned(), replaced);
        std::fs::write(self.at.home().join("typed"), &commands).expect("written");
        let mut command = on_terminal(
            &self.at,
            200,
            &format!("cd '{}' && bash -e -o pipefail typed", self.at.home().display()),
        );
        command.current_dir(self.at.home()).envs(&self.variables);
        let (stdin, mut keyboard) = std::io::pipe().expect("a pipe");
        keyboard.write_all("y\n".repeat(5).as_bytes()).expect("typed ahead");
        // At the end of its input, `script` would wait for two seconds.
        let ended = command.stdin(stdin).output().expect("the terminal opens");
        drop(keyboard);
        let shown = String::from_utf8(ended.stdout).expect("text");
        (shown, ended.status.success())
    }

    /// Returns the commands that a section names between backticks.
    pub(super) fn named(&self, section: &str) -> Vec<String> {
        let (_, section) = self.text.split_once(&format!("\n## {section}\n")).expect("the section");
        let section = section.split("\n## ").next().unwrap_or_default();
        // Every other part is a block.
        let prose: String = section.split("\n```").step_by(2).collect();
        let quoted =
            prose.split('`').skip(1).step_by(2).map(|text| text.split_whitespace().collect::<Vec<_>>());
        let is_command = |words: &Vec<&str>| {
            let binary = words.iter().position(|word| ["ndcli", "ndauthd"].contains(word));
            binary.is_some_and(|at| at + 1 < words.len())
        };
        quoted.filter(is_command).map(|words| words.join(" ")).collect()
    }

    /// Logs `ada` in, if she has no session.
    pub(crate) fn log_in(&self) {
        if self.at.ndcli(self.server(), &["auth", "sessions", "list"]).code != 0 {
            self.at.log_in(self.server());
        }
    }

    /// Fails if a block of the page was not played.
    pub(crate) fn close(self) {
        assert_eq!(self.blocks, VecDeque::<Vec<String>>::new());
    }
}

/// Returns the word that begins so: letters, digits, `-` and `_`.
pub(super) fn word(shown: &str, beginning: &str) -> String {
    let (_, rest) = shown.split_once(beginning).unwrap_or_else(|| panic!("no {beginning}: {shown}"));
    let rest = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c));
    beginning.chars().chain(rest).collect()
}
