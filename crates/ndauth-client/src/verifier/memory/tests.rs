//! Checks the freshness of cache entries against a model: a log that is written to and rewound, two instances
//! that read it at any time, a stream that is delayed and cut, and responses that arrive at any time.

use std::collections::VecDeque;

use ndauth_core::{
    AccountId, Expiry, Grants, InputOwner, Lifetime, Networks, Orgs, Owner, Scope, SecretId, SecretRecord,
    Services, Timestamp, Token, TokenId,
};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

/// The events of the model, in any order.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Time passes, in milliseconds.
    Pass(i64),
    /// A token is revoked, or restored.
    Turn(usize),
    /// The log loses its last events, as in an asynchronous failover.
    Rewind(usize),
    /// An instance reads the log to its end.
    Read(usize),
    /// The client sends a probe.
    Probe,
    /// The watched instance sends its state.
    Send,
    /// The client receives the next message.
    Receive,
    /// The stream is cut; the next one goes to this instance.
    Cut(usize),
    /// The client asks an instance about a token.
    Ask(usize, usize),
    /// The instance answers the oldest request.
    Answer,
    /// The oldest response arrives.
    Arrive,
    /// The entry of a token is used.
    Use(usize),
}

const TOKENS: usize = 3;
const BOUND_MILLIS: i64 = 500;

/// An event: its number among all events ever, and the token that it turns.
type Event = (u64, usize);

#[derive(Default)]
struct Instance {
    history: Vec<Event>,
    confirmed: Option<i64>,
}

/// A message of an instance over the stream.
struct Message {
    reset: bool,
    changes: Vec<(u64, Concern)>,
    instance: u64,
    head: Head,
    probe: Option<i64>,
    age: i64,
}

/// A request and its response.
#[derive(Clone, Copy)]
struct Question {
    token: usize,
    instance: usize,
    asked: Asked,
    sent: i64,
}

struct World {
    now: i64,
    events: u64,
    log: Vec<Event>,
    /// The power of each token over time: the instant from which it has had it.
    truth: [Vec<(i64, bool)>; TOKENS],
    instances: [Instance; 2],
    memory: Memory,
    kept: [Option<(Stamp, bool)>; TOKENS],
    watched: usize,
    /// The last head that the instance sent over this stream.
    cursor: Option<Head>,
    probes: VecDeque<i64>,
    /// The time at which the last received probe was sent.
    last_probe: Option<i64>,
    messages: VecDeque<Message>,
    questions: VecDeque<Question>,
    answers: VecDeque<(Question, bool, u64, i64)>,
    used: u64,
    inputs: [Inputs; TOKENS],
}

fn moment(millis: i64) -> SinceBoot {
    SinceBoot::from_micros(millis * 1000)
}

fn id(n: usize) -> TokenId {
    TokenId::from_uuid(Uuid::from_u128(n as u128 + 1))
}

fn inputs(token: usize) -> Inputs {
    let account = AccountId::from_uuid(Uuid::from_u128(9));
    let at = Timestamp::MIN;
    Inputs {
        secret: SecretRecord::first(
            SecretId::from_uuid(Uuid::from_u128(8)),
            "ndpat_Jj8IYR".parse().expect("a prefix"),
            at,
        ),
        token: Token {
            id: id(token),
            owner: Owner::Account(account),
            name: "ci".parse().expect("a name"),
            description: None,
            scope: Scope::Rw,
            grants: Grants::All,
            orgs: Orgs::All,
            services: Services::All,
            networks: Networks::All,
            created_at: at,
            lifetime: Lifetime::Endless,
            expires_at: Expiry::Never,
            revoked_at: None,
            self_rotating_until: None,
            suspensions: [].into(),
        },
        owner: InputOwner::Account {
            id: account,
            handle: "ada".parse().expect("a handle"),
            disabled_at: None,
            last_login_at: None,
            not_before: Timestamp::MIN,
        },
        places: Vec::new(),
    }
}

fn power(history: &[Event], token: usize) -> bool {
    history.iter().filter(|(_, turned)| *turned == token).count() % 2 == 0
}

fn head(history: &[Event], length: usize) -> Head {
    let last = length.checked_sub(1).map_or(0, |last| history[last].0);
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&last.to_be_bytes());
    Head { sequence: length as u64, hash }
}

impl World {
    fn new() -> World {
        World {
            now: 1000,
            events: 0,
            log: Vec::new(),
            truth: std::array::from_fn(|_| vec![(0, true)]),
            instances: Default::default(),
            memory: Memory::new(),
            kept: Default::default(),
            watched: 0,
            cursor: None,
            probes: VecDeque::new(),
            last_probe: None,
            messages: VecDeque::new(),
            questions: VecDeque::new(),
            answers: VecDeque::new(),
            used: 0,
            inputs: std::array::from_fn(inputs),
        }
    }

    /// Records the tokens' power from now on.
    fn record_truth(&mut self) {
        for token in 0..TOKENS {
            let power = power(&self.log, token);
            if self.truth[token].last().is_some_and(|(_, last)| *last != power) {
                self.truth[token].push((self.now, power));
            }
        }
    }

    /// Returns true if a token had a power at some time within the bound.
    fn was(&self, token: usize, power: bool) -> bool {
        let since = self.now - BOUND_MILLIS;
        let truth = &self.truth[token];
        (0..truth.len()).any(|index| {
            let until = truth.get(index + 1).map_or(i64::MAX, |(next, _)| *next);
            truth[index].1 == power && until >= since
        })
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Pass(millis) => self.now += millis,
            Step::Turn(token) => {
                self.events += 1;
                self.log.push((self.events, token));
                self.record_truth();
            }
            Step::Rewind(events) => {
                self.log.truncate(self.log.len().saturating_sub(events));
                self.record_truth();
            }
            Step::Read(instance) => {
                self.instances[instance] = Instance { history: self.log.clone(), confirmed: Some(self.now) };
            }
            Step::Probe => self.probes.push_back(self.now),
            Step::Send => self.send(),
            Step::Receive => self.receive(),
            Step::Cut(instance) => {
                self.watched = instance;
                self.messages.clear();
                self.probes.clear();
                self.last_probe = None;
                self.cursor = self.memory.head();
            }
            Step::Ask(token, instance) => {
                let asked = self.memory.ask();
                self.questions.push_back(Question { token, instance, asked, sent: self.now });
            }
            Step::Answer => self.answer(),
            Step::Arrive => {
                let Some((question, power, sequence, until)) = self.answers.pop_front() else { return };
                let Question { token, instance, asked, .. } = question;
                let stamp = self.memory.stamp(asked, instance as u64, sequence, moment(until));
                let stamp = stamp.filter(|stamp| {
                    self.memory.judge(stamp, &self.inputs[token], moment(self.now)) != Validity::Nothing
                });
                if let Some(stamp) = stamp {
                    self.kept[token] = Some((stamp, power));
                }
            }
            Step::Use(token) => self.use_kept(token),
        }
    }

    fn send(&mut self) {
        let Instance { history, confirmed } = &self.instances[self.watched];
        let Some(confirmed) = confirmed else { return };
        if let Some(sent) = self.probes.pop_front() {
            self.last_probe = Some(sent);
        }
        let known = self.cursor.filter(|cursor| {
            let length = usize::try_from(cursor.sequence).expect("a small number");
            length <= history.len() && head(history, length) == *cursor
        });
        let behind = known.map_or(0, |known| usize::try_from(known.sequence).expect("a small number"));
        let changes = (behind..history.len()).map(|at| (at as u64 + 1, Concern::Token(id(history[at].1))));
        let message = Message {
            reset: known.is_none(),
            changes: if known.is_none() { Vec::new() } else { changes.collect() },
            instance: self.watched as u64,
            head: head(history, history.len()),
            probe: self.last_probe,
            age: self.now - confirmed,
        };
        self.cursor = Some(message.head);
        self.messages.push_back(message);
    }

    fn receive(&mut self) {
        let Some(Message { reset, changes, instance, head, probe, age }) = self.messages.pop_front() else {
            return;
        };
        if reset {
            self.memory.reset();
        }
        self.memory.record(changes);
        let as_of = probe.map(|sent| moment(sent - age));
        self.memory.confirm(instance, head, as_of, Duration::from_millis(BOUND_MILLIS.unsigned_abs()));
    }

    fn answer(&mut self) {
        let Some(question) = self.questions.pop_front() else { return };
        let at_least = usize::try_from(question.asked.at_least).expect("a small number");
        let instance = &mut self.instances[question.instance];
        if instance.history.len() < at_least
            || instance.confirmed.is_none_or(|at| self.now - at > BOUND_MILLIS)
        {
            // The instance first reads the log to its end.
            *instance = Instance { history: self.log.clone(), confirmed: Some(self.now) };
        }
        let Instance { history, confirmed } = instance;
        let age = confirmed.map_or(i64::MAX, |at| self.now - at);
        let until = question.sent + BOUND_MILLIS - age;
        self.answers.push_back((question, power(history, question.token), history.len() as u64, until));
    }

    fn use_kept(&mut self, token: usize) {
        let Some((stamp, power)) = &self.kept[token] else { return };
        let power = *power;
        match self.memory.judge(stamp, &self.inputs[token], moment(self.now)) {
            Validity::Good => {
                self.used += 1;
                assert!(self.was(token, power), "token {token} had {power} longer ago than the bound");
            }
            Validity::Unproven => {}
            Validity::Nothing => self.kept[token] = None,
        }
    }

    /// Lets everything that is due happen, with one instance.
    fn settle(&mut self) {
        self.step(Step::Cut(0));
        for step in [Step::Read(0), Step::Probe, Step::Send, Step::Receive] {
            self.step(step);
        }
        for token in 0..TOKENS {
            self.kept[token] = None;
            self.questions.clear();
            self.answers.clear();
            for step in [Step::Ask(token, 0), Step::Answer, Step::Arrive] {
                self.step(step);
            }
            let used = self.used;
            self.use_kept(token);
            assert_eq!(self.used, used + 1, "what was answered by the instance that is watched is kept");
            assert_eq!(self.kept[token].as_ref().map(|(_, power)| *power), Some(power(&self.log, token)));
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let (token, instance) = (0..TOKENS, 0..2_usize);
    prop_oneof![
        4 => (1..200_i64).prop_map(Step::Pass),
        2 => token.clone().prop_map(Step::Turn),
        1 => (1..4_usize).prop_map(Step::Rewind),
        4 => instance.clone().prop_map(Step::Read),
        4 => Just(Step::Probe),
        5 => Just(Step::Send),
        6 => Just(Step::Receive),
        1 => instance.clone().prop_map(Step::Cut),
        5 => (token.clone(), instance).prop_map(|(token, instance)| Step::Ask(token, instance)),
        5 => Just(Step::Answer),
        5 => Just(Step::Arrive),
        8 => token.prop_map(Step::Use),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn no_entry_is_staler_than_the_bound(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.settle();
    }
}

/// Checks that the model caches and uses entries.
#[test]
fn the_model_is_not_empty() {
    let mut world = World::new();
    world.settle();
    for step in [Step::Turn(0), Step::Read(0), Step::Send, Step::Receive, Step::Use(0), Step::Use(1)] {
        world.step(step);
    }
    assert!(world.kept[0].is_none() && world.kept[1].is_some(), "one was revoked, and one was not");
}

/// An entry is invalid if more changes have been received since than are remembered.
#[test]
fn an_entry_checked_too_long_ago_is_invalid() {
    let mut world = World::new();
    world.settle();
    for _ in 0..REMEMBERED + 1 {
        world.memory.record([(1000, Concern::Token(id(7)))]);
    }
    world.step(Step::Use(0));
    assert!(world.kept[0].is_none());
}
