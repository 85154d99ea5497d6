//! Reads the calendar: whose tokens end soon, and which ended tokens are still tried.

use std::time::Duration;

use ndauth_core::{AccountId, EXPIRY_LEADS, Lifetime, NoticeKind, Timestamp, TokenView, expiry_lead};
use ndauth_store::{EndingToken, Notice, NoticePosition, Read, UNUSED};

use super::log::{MOST_AT_ONCE, Noticed, people};
use crate::access::Operation;
use crate::{AuthorityError, NoticeWing};

/// A line on the calendar that tokens' ends cross as time passes.
#[derive(Clone, Copy, Debug)]
enum Line {
    /// So long before the end.
    Before(Duration),
    /// [`AFTER`] the end.
    After,
}

/// The time after its end at which a token is looked at that is still tried.
const AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// A token counts as still tried if it was tried so long after its end or later.
const STILL: Duration = Duration::from_secs(60 * 60);
/// The most tokens that are read at once.
const BATCH: u64 = 500;

impl Line {
    /// Returns all of them.
    fn all() -> impl Iterator<Item = Line> {
        EXPIRY_LEADS.into_iter().map(Line::Before).chain([Line::After])
    }

    /// Returns the name of its cursor.
    fn name(self) -> String {
        match self {
            Line::Before(lead) => format!("ends-in-{}", lead.as_secs()),
            Line::After => "ended".to_owned(),
        }
    }

    /// Returns the latest end that has crossed it.
    fn through(self, now: Timestamp) -> Timestamp {
        match self {
            Line::Before(lead) => now.checked_add(lead).unwrap_or(Timestamp::MAX),
            Line::After => now.checked_sub(AFTER).unwrap_or(Timestamp::MIN),
        }
    }

    /// Returns the latest end that is not looked at, if nothing was so far: everything that ended.
    fn begin(self, now: Timestamp) -> Timestamp {
        match self {
            Line::Before(_) => now,
            Line::After => self.through(now),
        }
    }
}

impl NoticeWing<'_> {
    /// Reads the next ends of tokens that crossed a line. Returns true if there may be more.
    pub(super) async fn read_calendar(self) -> Result<bool, AuthorityError> {
        let mut more = false;
        for line in Line::all() {
            more |= self.read_line(line).await?;
        }
        Ok(more)
    }

    async fn read_line(self, line: Line) -> Result<bool, AuthorityError> {
        let read = self.0.store.read().await?;
        self.0.standing.admit(Operation::Mail, read.installation())?;
        let (name, now) = (line.name(), read.now());
        let known = read.notice_position(&name).await?;
        let from = known.unwrap_or(NoticePosition::behind(line.begin(now).micros()));
        let ending = read.tokens_ending(from, line.through(now), BATCH).await?;
        let (mut found, mut through, mut looked_at) = (Noticed::default(), from, 0);
        for token in &ending {
            let wanted = match line {
                Line::Before(lead) => self.ends_soon(&read, token, lead).await?,
                Line::After => is_still_tried(&read, token).await?,
            };
            if wanted {
                let people = people(&read, token.owner).await?.into_iter();
                found.notices.extend(people.map(|account| line.notice(token, account, now)));
            }
            through = NoticePosition { number: token.ends_at.micros(), id: token.id.uuid() };
            looked_at += 1;
            if found.notices.len() >= MOST_AT_ONCE {
                break;
            }
        }
        drop(read);
        // No row is written while nothing ends.
        if ending.is_empty() && known.is_some() {
            return Ok(false);
        }
        let recorded = self.record(&name, known, through, &found).await?;
        Ok(recorded && (looked_at < ending.len() || ending.len() as u64 == BATCH))
    }

    /// Returns true if the owner of a token is told of its end now.
    async fn ends_soon(
        self,
        read: &Read,
        token: &EndingToken,
        lead: Duration,
    ) -> Result<bool, AuthorityError> {
        let now = read.now();
        let is_used = |at: Timestamp| now.since(at) < UNUSED;
        // Few are read whole: those whose lead may have come, and that somebody uses.
        if token.last_used_at.is_none_or(|at| !is_used(at)) {
            return Ok(false);
        }
        let Some(whole) = read.find_token(token.id).await? else { return Ok(false) };
        let Some(view) = read.view_tokens(vec![whole]).await?.pop() else { return Ok(false) };
        let left = token.ends_at.since(now);
        Ok(!view.status(now).is_dead() && expiry_lead(life(&view, now), left) == Some(lead))
    }
}

impl Line {
    fn notice(self, token: &EndingToken, account: AccountId, now: Timestamp) -> Notice {
        let (kind, lead) = match self {
            Line::Before(lead) => (NoticeKind::Expiring, lead),
            Line::After => (NoticeKind::StillTried, Duration::ZERO),
        };
        let (subject, occasion) = (token.id.uuid(), token.ends_at.micros());
        Notice { account, kind, subject, occasion, lead, noticed_at: now }
    }
}

/// Returns the life of a token's present secret, from its minting to its end.
fn life(view: &TokenView, now: Timestamp) -> Duration {
    match view.shown(now).record.span(&view.token) {
        Lifetime::For(life) => life,
        Lifetime::Endless => Duration::MAX,
    }
}

/// Returns true if a token that ended is still tried.
async fn is_still_tried(read: &Read, token: &EndingToken) -> Result<bool, AuthorityError> {
    let Some(since) = token.ends_at.checked_add(STILL) else { return Ok(false) };
    Ok(read.late_tries(token.id, since).await?.is_some())
}
