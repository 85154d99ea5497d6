//! Waits for a server to come back.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use ndauth_terminal::{shown, warn};
use tokio::time::{Instant, sleep};

use crate::terminal;

/// The retries while a server cannot be reached.
pub(crate) struct Wait {
    give_up: Instant,
    pause: Duration,
    shown: Option<ProgressBar>,
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl Wait {
    pub(crate) fn until(give_up: Instant) -> Wait {
        Wait { give_up, pause: FIRST_PAUSE, shown: None }
    }

    /// Pauses before the next retry, and shows the reason: by a spinner on a terminal, else by one line.
    /// Returns `false` once the timeout is over.
    pub(crate) async fn longer(&mut self, why: &str) -> bool {
        let left = self.give_up.saturating_duration_since(Instant::now());
        if left < self.pause {
            return false;
        }
        // A server's text must not control the terminal.
        let why = shown(why);
        let spinner = self.shown.get_or_insert_with(|| spinner(&why));
        spinner.set_message(format!("trying for {} s more, Ctrl-C stops: {why}", left.as_secs()));
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(spinner) = &self.shown {
            spinner.finish_and_clear();
        }
    }
}

fn spinner(why: &str) -> ProgressBar {
    if !terminal::moves() {
        warn(&format!("{why}; trying again"));
        return ProgressBar::hidden();
    }
    let spinner = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
        spinner.set_style(style);
    }
    spinner.enable_steady_tick(FIRST_PAUSE);
    spinner
}
