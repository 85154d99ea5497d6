use super::*;

fn head(sequence: u64) -> Head {
    let mut hash = [7; 32];
    hash[..8].copy_from_slice(&sequence.to_be_bytes());
    Head { sequence, hash }
}

/// Returns a feed of a number of events after the first 10.
fn feed(events: u64) -> Recent {
    let mut recent = Recent::after(head(10));
    for batch in (11..11 + events).collect::<Vec<_>>().chunks(1000) {
        let received =
            |sequence: &u64| FeedEvent { hash: head(*sequence).hash, concern: Concern::Nothing, owner: None };
        recent.push(batch.iter().map(received).collect());
    }
    recent
}

/// One row per case: the number of events, the event before the news, the last event of the view, and the
/// first and the last event of the news.
#[test]
fn a_watcher_receives_each_event_after_its_own() {
    let kept = KEPT as u64;
    for (events, after, until, expected) in [
        (0, head(10), 10, Some(None)),
        (0, head(9), 10, None),
        (0, head(11), 11, None),
        (5, head(10), 15, Some(Some((11, 15)))),
        (5, head(12), 15, Some(Some((13, 15)))),
        // The view is older than the feed.
        (5, head(12), 14, Some(Some((13, 14)))),
        (5, head(15), 15, Some(None)),
        (5, head(15), 14, None),
        (5, Head { hash: [1; 32], ..head(12) }, 15, None),
        (5, Head { hash: [1; 32], ..head(10) }, 15, None),
        (kept, head(10), 10 + kept, Some(Some((11, 10 + kept)))),
        (kept + 1, head(10), 11 + kept, None),
        (kept + 1, head(11), 11 + kept, Some(Some((12, 11 + kept)))),
        (2 * kept, head(10 + kept), 10 + 2 * kept, Some(Some((11 + kept, 10 + 2 * kept)))),
    ] {
        let recent = feed(events);
        assert_eq!(recent.events.capacity(), KEPT, "it never grows");
        let received = recent.between(after, until).map(|received| {
            let received: Vec<_> = received.collect();
            assert!(received.iter().all(|(sequence, received)| received.hash == head(*sequence).hash));
            received.first().zip(received.last()).map(|((first, _), (last, _))| (*first, *last))
        });
        assert_eq!(received, expected, "{events} events, {after:?} to {until}");
    }
}
