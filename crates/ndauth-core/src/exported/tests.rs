use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;
use uuid::Uuid;

use super::*;
use crate::{AccountId, Actor, Event, Personal, Timestamp};

/// Returns a log of some events, as an export holds it.
fn log(events: u64) -> Vec<ExportedEvent> {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut head = Head::EMPTY;
    let account = AccountId::from_uuid(Uuid::from_u128(1));
    let next = |_| {
        let change = Change::AccountUpdated { account };
        let entry = Entry { at: Timestamp::MIN, actor: Actor::Console, change };
        exported(&mut head, &entry, &mut rng)
    };
    (0..events).map(next).collect()
}

fn exported(head: &mut Head, entry: &Entry, rng: &mut ChaCha20Rng) -> ExportedEvent {
    let personal = Personal::from([("name", "ci".to_owned())]);
    let Ok(event) = Event::new(entry, &personal, rng);
    let digest = personal_hash(&event.salt, &event.personal);
    let previous = head.hash;
    *head = head.next(&event.public, &digest);
    let text = |bytes| String::from_utf8(bytes).expect("JSON is text");
    ExportedEvent {
        sequence: head.sequence,
        previous,
        public: Some(text(event.public)),
        personal: Some(text(event.personal)),
        salt: Some(event.salt),
        personal_hash: digest,
        hash: head.hash,
    }
}

fn check(coverage: Coverage, events: &[ExportedEvent]) -> Result<u64, ChainFault> {
    let mut check = ChainCheck::new(coverage);
    events.iter().try_for_each(|event| check.next(event))?;
    check.end().map(|(events, _)| events)
}

const WHOLE: Coverage = Coverage::After(0);

#[test]
fn a_line_is_read_as_it_was_written() {
    for event in log(2) {
        assert_eq!(ExportedEvent::parse(&event.to_line()).expect("a line"), event);
        let erased = ExportedEvent { personal: None, salt: None, ..event };
        assert_eq!(ExportedEvent::parse(&erased.to_line()).expect("a line"), erased);
    }
    assert!(ExportedEvent::parse("{}").is_err() && ExportedEvent::parse("").is_err());
}

/// One row per way to tamper with five events: the fault that it shows.
#[test]
fn the_first_tampered_event_is_named() {
    type Tamper = fn(&mut Vec<ExportedEvent>);
    let rows: [(&str, Tamper, Result<u64, ChainFault>); 17] = [
        ("nothing", |_| {}, Ok(5)),
        ("nothing is left", Vec::clear, Ok(0)),
        ("erased", |log| (log[2].personal, log[2].salt) = (None, None), Ok(5)),
        ("an end is cut off", |log| log.truncate(3), Ok(3)),
        (
            "public bytes",
            |log| log[2].public = log[2].public.take().map(|text| text + " "),
            Err(ChainFault::Altered(3)),
        ),
        ("personal bytes", |log| log[2].personal = Some("{}".to_owned()), Err(ChainFault::Altered(3))),
        ("a salt", |log| log[2].salt = None, Err(ChainFault::Altered(3))),
        ("a digest", |log| log[2].personal_hash = [0; 32], Err(ChainFault::Altered(3))),
        ("a hash", |log| log[2].hash = [0; 32], Err(ChainFault::Altered(3))),
        ("rewritten with its hash", |log| rewrite(&mut log[2]), Err(ChainFault::Altered(3))),
        ("left empty", |log| log[2].public = None, Err(ChainFault::Altered(3))),
        ("rewritten up to an empty one", |log| rewrite_up_to_an_empty_one(log), Err(ChainFault::Altered(3))),
        ("another beginning", |log| log[0].previous = [1; 32], Err(ChainFault::Altered(1))),
        ("one is taken out", |log| drop(log.remove(2)), Err(ChainFault::Missing(3))),
        ("the first is taken out", |log| drop(log.remove(0)), Err(ChainFault::Missing(1))),
        ("one is there twice", |log| log.insert(2, log[1].clone()), Err(ChainFault::Inserted(2))),
        ("two are swapped", |log| log.swap(1, 2), Err(ChainFault::Missing(2))),
    ];
    for (what, tamper, expected) in rows {
        let mut log = log(5);
        tamper(&mut log);
        assert_eq!(check(WHOLE, &log), expected, "{what}");
    }
}

/// Alters an event and computes its hash anew, as somebody would who knows the format.
fn rewrite(event: &mut ExportedEvent) {
    let public = event.public.take().map(|text| text + " ").unwrap_or_default();
    event.hash = chain_hash(&event.previous, event.sequence, public.as_bytes(), &event.personal_hash);
    event.public = Some(public);
}

/// Rewrites the first two events, and joins them to the third by taking out what its hash was computed from.
fn rewrite_up_to_an_empty_one(log: &mut [ExportedEvent]) {
    rewrite(&mut log[0]);
    log[1].previous = log[0].hash;
    rewrite(&mut log[1]);
    let hash = log[1].hash;
    let joined = &mut log[2];
    (joined.previous, joined.public, joined.personal, joined.salt) = (hash, None, None, None);
}

#[test]
fn an_export_of_some_events_may_have_gaps() {
    let whole = log(5);
    let some = [whole[0].clone(), whole[1].clone(), whole[4].clone()];
    assert_eq!(check(Coverage::Some, &some), Ok(3));
    assert_eq!(check(WHOLE, &some), Err(ChainFault::Missing(3)));
    let mut altered = some.clone();
    rewrite(&mut altered[0]);
    assert_eq!(check(Coverage::Some, &altered), Err(ChainFault::Altered(1)));
    let withheld = [ExportedEvent { public: None, ..some[2].clone() }];
    assert_eq!(check(Coverage::Some, &withheld), Ok(1), "the server answers for what it withholds");
}

/// A log that was pruned begins where one of its events says.
#[test]
fn a_pruned_log_verifies_from_its_checkpoint() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let mut log = log(5);
    let last = log.last().expect("an event");
    let mut head = Head { sequence: last.sequence, hash: last.hash };
    let change = Change::LogPruned { through: 3, hash: log[2].hash };
    let entry = Entry { at: Timestamp::MIN, actor: Actor::Console, change };
    log.push(exported(&mut head, &entry, &mut rng));
    assert_eq!(check(WHOLE, &log[3..]), Ok(3));
    assert_eq!(check(WHOLE, &log[4..]), Err(ChainFault::Missing(1)));
    assert_eq!(check(Coverage::After(4), &log[4..]), Ok(2));
    let mut moved = log[3..].to_vec();
    moved[0].previous = [7; 32];
    let public = moved[0].public.clone().expect("text");
    moved[0].hash = chain_hash(&[7; 32], 4, public.as_bytes(), &moved[0].personal_hash);
    assert_eq!(check(WHOLE, &moved[..1]), Err(ChainFault::Missing(1)));
    assert_eq!(check(WHOLE, &moved), Err(ChainFault::Altered(4)));
}
