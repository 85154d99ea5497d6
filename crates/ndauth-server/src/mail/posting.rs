//! Posting: reads the log and the calendar, and sends the mails that are due, until the server stops.

use std::sync::Arc;
use std::time::Duration;

use ndauth_authority::{Authority, AuthorityError, Delivery, Handover, Letter};
use ndauth_core::Causes;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::mailer::Mailer;

/// The interval of looking for something to tell.
const LOOK: Duration = Duration::from_secs(2);
/// The longest time after which another of the claimed mails is begun. A mail takes 90 s at most, and the claim holds for
/// 5 minutes.
const LONGEST_BATCH: Duration = Duration::from_secs(2 * 60);

/// Mails that were handed over, while the database could not be told.
struct Post {
    authority: Arc<Authority>,
    mailer: Mailer,
    unsettled: Vec<Delivery>,
    /// The failure that was logged last. The same is not logged again.
    failing: Option<String>,
}

/// Notices and mails until the server stops.
pub(crate) async fn post(authority: Arc<Authority>, mailer: Mailer, mut stopped: watch::Receiver<bool>) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut post = Post { authority, mailer, unsettled: Vec::new(), failing: None };
    let stop = stopped.clone();
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            _ = looks.tick() => {}
        }
        if let Err(error) = post.round(&stop).await {
            post.note(Some(format!("cannot read what to tell: {}", Causes(&error))));
        }
    }
    if let Err(error) = post.settle().await {
        tracing::warn!(error = %Causes(&error), "mails that were sent may be sent again");
    }
}

impl Post {
    async fn round(&mut self, stopped: &watch::Receiver<bool>) -> Result<(), AuthorityError> {
        self.settle().await?;
        let authority = Arc::clone(&self.authority);
        // What is noticed already is mailed, whether or not more can be.
        let gathered = authority.notices().gather().await;
        loop {
            let claimed = Instant::now();
            let letters = authority.notices().claim().await?;
            if letters.is_empty() {
                break;
            }
            let mut letters = letters.into_iter();
            for letter in letters.by_ref() {
                let handover = self.mailer.send(&letter).await;
                let is_outage = self.log(&letter, &handover);
                self.unsettled.push(delivery(&letter, handover));
                self.settle().await?;
                if is_outage || *stopped.borrow() || claimed.elapsed() > LONGEST_BATCH {
                    break;
                }
            }
            // Another attempt now would fail as well, or the server stops, or the claim ends.
            let left: Vec<Delivery> = letters.map(|letter| delivery(&letter, Handover::Untried)).collect();
            if !left.is_empty() {
                authority.notices().settle(&left).await?;
                break;
            }
        }
        authority.notices().state().await?;
        gathered
    }

    /// Records what became of mails.
    async fn settle(&mut self) -> Result<(), AuthorityError> {
        if !self.unsettled.is_empty() {
            self.authority.notices().settle(&self.unsettled).await?;
            self.unsettled.clear();
        }
        Ok(())
    }

    /// Logs what became of a mail. Returns true if others would fare no better.
    fn log(&mut self, letter: &Letter, handover: &Handover) -> bool {
        let (mail, account) = (letter.id, letter.to.id);
        match handover {
            Handover::Taken => {
                self.note(None);
                tracing::info!(%mail, %account, notices = letter.told.len(), "mailed");
                false
            }
            Handover::Refused(problem) => {
                tracing::warn!(%mail, %account, problem, "a mail was refused");
                false
            }
            Handover::Deferred(problem) => {
                tracing::info!(%mail, %account, problem, "a mail waits");
                false
            }
            Handover::Unreachable(problem) => {
                self.note(Some(problem.clone()));
                true
            }
            Handover::Untried => false,
        }
    }

    /// Logs that mail fails, or works again, once.
    fn note(&mut self, problem: Option<String>) {
        match &problem {
            Some(problem) if self.failing.as_ref() != Some(problem) => {
                tracing::warn!(problem, "notices cannot be mailed, and wait");
            }
            None if self.failing.is_some() => tracing::info!("notices are mailed again"),
            _ => {}
        }
        self.failing = problem;
    }
}

fn delivery(letter: &Letter, handover: Handover) -> Delivery {
    let Letter { id, made_at, attempts, refusals, .. } = letter;
    Delivery { mail: *id, made_at: *made_at, attempts: *attempts, refusals: *refusals, handover }
}
