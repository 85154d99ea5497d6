//! The proof that a primary is still the primary, if that takes a commit.

use std::collections::VecDeque;

use ndauth_clock::SinceBoot;
use ndauth_store::{ACKNOWLEDGED_WITHIN, Beat};

/// The beats that one connection has shown.
///
/// A beat is visible once a standby's acknowledgement of it has come back. So a beat that a query does not
/// show yet was acknowledged after that query was sent, or earlier by at most the time that an
/// acknowledgement may take. It counts from that moment on, once it is proven.
#[derive(Debug, Default)]
pub(super) struct Beats {
    /// The server, and the last beat that it showed.
    seen: Option<(i64, i64)>,
    /// The moment at which the last query was sent.
    asked: Option<SinceBoot>,
    /// The beats that wait to be proven, and the moments from which they count.
    waiting: VecDeque<(i64, SinceBoot)>,
}

/// The most beats that wait. Older ones are worth no more than newer ones.
const MOST: usize = 64;

impl Beats {
    /// Records the beat that a query showed, which was sent at `asked`. Returns the moment as of which the
    /// database is newly known to be the primary, if any.
    pub(super) fn record(&mut self, beat: Option<Beat>, asked: SinceBoot) -> Option<SinceBoot> {
        let Some(Beat { server, number, proven }) = beat else {
            // Without synchronous replication, a server that answers as a primary is trusted.
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
                // Another server: the moments of its beats are not known yet.
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

    /// Forgets the beats, because another connection may lead to another server.
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

    /// One row per answer: when it was queried, the beat that it showed, and the moment as of which the
    /// database is known to be the primary.
    #[test]
    fn a_beat_counts_from_the_last_query_that_did_not_show_it() {
        let mut beats = Beats::default();
        for (asked, shown, since) in [
            (10, None, Some(10)),
            // The first proves nothing, because it may have been committed long ago.
            (20, beat(1, 7, 7), None),
            (30, beat(1, 7, 7), None),
            (40, beat(1, 8, 8), Some(30)),
            // Visible and not proven: its wait was cancelled, or its writer is about to report the proof.
            (50, beat(1, 9, 8), None),
            (60, beat(1, 9, 8), None),
            (70, beat(1, 9, 9), Some(40)),
            // Two at once count from the query that showed neither.
            (80, beat(1, 11, 11), Some(70)),
            (90, beat(1, 12, 11), None),
            (100, beat(1, 13, 12), Some(80)),
            (110, beat(1, 13, 13), Some(90)),
            // A proven number is of no use if it was not seen to become visible.
            (120, beat(1, 13, 13), None),
            // Another server, with a newer beat: its moment is not known.
            (130, beat(2, 20, 20), None),
            (140, beat(2, 21, 21), Some(130)),
            // The log was rewound.
            (150, beat(2, 3, 3), None),
            (160, beat(2, 4, 4), Some(150)),
            (170, None, Some(170)),
        ] {
            let early = if shown.is_some() { ACKNOWLEDGED_WITHIN } else { Duration::ZERO };
            let since = since.map(|since| at(since).before(early));
            assert_eq!(beats.record(shown, at(asked)), since, "asked at {asked}");
        }
        assert_eq!(beats.record(beat(2, 5, 5), at(180)), None);
        beats.forget();
        assert_eq!(beats.record(beat(2, 6, 6), at(190)), None, "a connection that is new");
    }
}
