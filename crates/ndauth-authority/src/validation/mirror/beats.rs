//! From when a primary is known to be the primary still, where that takes a commit.

use std::collections::VecDeque;

use ndauth_clock::SinceBoot;
use ndauth_store::{ACKNOWLEDGED_WITHIN, Beat};

/// The beats that were seen through one connection's eyes.
///
/// A beat is visible once a standby's acknowledgement of it has come back. So one that a question does not show yet was
/// acknowledged after that question was sent, or so much earlier as an acknowledgement may take: from that moment on it
/// counts, once it is proven.
#[derive(Debug, Default)]
pub(super) struct Beats {
    /// Which server it is, and the last beat that it showed.
    seen: Option<(i64, i64)>,
    /// When the last question was sent.
    asked: Option<SinceBoot>,
    /// Beats that wait to be proven, and from when they count.
    waiting: VecDeque<(i64, SinceBoot)>,
}

/// So many wait at the most: the older are worth no more than the newer.
const MOST: usize = 64;

impl Beats {
    /// Takes in what a question showed that was sent at a moment. Says from when the database is known to be the primary,
    /// where that shows anew.
    pub(super) fn hear(&mut self, beat: Option<Beat>, asked: SinceBoot) -> Option<SinceBoot> {
        let Some(Beat { server, number, proven }) = beat else {
            // Nothing is replicated synchronously: whoever answers as a primary is believed.
            *self = Beats::default();
            return Some(asked);
        };
        let before = match (self.seen, self.asked) {
            (Some((same, last)), Some(before)) if same == server && last <= number => {
                if last < number {
                    self.waiting.push_back((number, before.before(ACKNOWLEDGED_WITHIN)));
                }
                before
            }
            _ => {
                // Another server: how its beats lie in time is not known yet.
                self.waiting.clear();
                asked
            }
        };
        debug_assert!(before <= asked, "time goes on");
        (self.seen, self.asked) = (Some((server, number)), Some(asked));
        while self.waiting.len() > MOST {
            self.waiting.pop_front();
        }
        let mut since = None;
        while let Some((_, from)) = self.waiting.pop_front_if(|(number, _)| *number <= proven) {
            since = Some(from);
        }
        since
    }

    /// Forgets what was seen: another connection may lead elsewhere.
    pub(super) fn forget(&mut self) {
        *self = Beats::default();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(micros: i64) -> SinceBoot {
        SinceBoot::from_micros(micros)
    }

    fn beat(server: i64, number: i64, proven: i64) -> Option<Beat> {
        Some(Beat { server, number, proven })
    }

    /// A row an answer: when it was asked for, what it showed, and from when the database is known to be the primary.
    #[test]
    fn a_beat_counts_from_the_last_question_that_did_not_show_it() {
        let mut beats = Beats::default();
        for (asked, shown, since) in [
            (10, None, Some(10)),
            // The first says nothing: it may have been committed long ago.
            (20, beat(1, 7, 7), None),
            (30, beat(1, 7, 7), None),
            (40, beat(1, 8, 8), Some(30)),
            // Visible and not proven: its wait was cancelled, or its writer is about to say so.
            (50, beat(1, 9, 8), None),
            (60, beat(1, 9, 8), None),
            (70, beat(1, 9, 9), Some(40)),
            // Two at once count from when neither was seen.
            (80, beat(1, 11, 11), Some(70)),
            (90, beat(1, 12, 11), None),
            (100, beat(1, 13, 12), Some(80)),
            (110, beat(1, 13, 13), Some(90)),
            // A number that is proven is of no use where it was not seen to become visible.
            (120, beat(1, 13, 13), None),
            // Another server, with a newer beat: when that was committed nobody knows.
            (130, beat(2, 20, 20), None),
            (140, beat(2, 21, 21), Some(130)),
            // It was rewound.
            (150, beat(2, 3, 3), None),
            (160, beat(2, 4, 4), Some(150)),
            (170, None, Some(170)),
        ] {
            let early = if shown.is_some() { ACKNOWLEDGED_WITHIN } else { Duration::ZERO };
            let since = since.map(|since| at(since).before(early));
            assert_eq!(beats.hear(shown, at(asked)), since, "asked at {asked}");
        }
        assert_eq!(beats.hear(beat(2, 5, 5), at(180)), None);
        beats.forget();
        assert_eq!(beats.hear(beat(2, 6, 6), at(190)), None, "a connection that is new");
    }
}
