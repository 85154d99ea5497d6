//! Simulates how soon a change reaches every instance, and the effects of a failover. The small simulation of
//! instances that follow one log backs the claims of `docs/scale.md` about remote places.
//!
//! Time is in milliseconds. Random numbers come from a fixed seed, so that the output is the same on every
//! machine.

use std::fmt::Write;

/// The interval at which the end of the log is read, and the minimum interval; see `ndauth-authority`'s
/// reader.
const PERIOD: f64 = 250.0;
const SPACING: f64 = 5.0;
/// The default bound on the age of an answer.
const BOUND: f64 = 2000.0;
/// The timeout of a statement, and the interval between attempts to reconnect.
const STEP: f64 = 2000.0;
const RETRY: f64 = 1000.0;
/// The number of round trips to apply changes once their existence is known, and to connect.
const TO_APPLY: usize = 5;
const TO_CONNECT: usize = 4;
/// The mean time that the database takes for a statement.
const STATEMENT: f64 = 0.2;
/// One in this many messages is lost, within a region and beyond it, and sent again after a delay.
const LOST: (f64, f64) = (100_000.0, 2000.0);
const REGION: f64 = 5.0;
const AGAIN: f64 = 200.0;
/// The number of changes in a second, and the duration of the simulation.
const CHANGES: f64 = 20.0;
const WATCHED: f64 = 10.0 * 60.0 * 1000.0;

/// A pseudorandom number generator.
struct NumberGenerator(u64);

/// The network path between an instance and the database.
#[derive(Clone)]
struct NetworkPath {
    round_trip: f64,
    /// True if the instance receives notifications of changes.
    listens: bool,
    /// The maximum age of its answers.
    bound: f64,
    /// The outages, each with its begin and end.
    outages: Vec<(f64, f64)>,
}

/// The state that an instance answers from, beginning at a moment.
#[derive(Clone, Copy)]
struct InstanceState {
    from: f64,
    /// The number of changes that it knows.
    knows: usize,
    /// The moment at which the state was known to be complete.
    confirmed: f64,
}

/// The measured effects of changes at an instance.
struct Watched {
    /// For each change, the time until the instance knew it.
    known_after: Vec<f64>,
    /// For each change, the time during which answers could ignore it.
    wrong_for: Vec<f64>,
    /// The total time during which nothing could be decided.
    undecided: f64,
}

impl NumberGenerator {
    /// Returns an evenly distributed number between 0 and 1.
    fn even(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.0 >> 32).expect("32 bits")) / f64::from(u32::MAX)
    }

    /// Returns an exponentially distributed waiting time with this mean.
    fn waiting(&mut self, mean: f64) -> f64 {
        -mean * self.even().max(1e-9).ln()
    }
}

impl NetworkPath {
    fn of(round_trip: f64) -> NetworkPath {
        NetworkPath { round_trip, listens: true, bound: BOUND, outages: Vec::new() }
    }

    /// Returns the time at which a message arrives, or `None` if it is sent during an outage.
    fn arrives(&self, sent: f64, draw: &mut NumberGenerator) -> Option<f64> {
        let lost = self.outages.iter().any(|(from, until)| (*from..*until).contains(&sent));
        let one_in = if self.round_trip < REGION { LOST.0 } else { LOST.1 };
        let again = if draw.even() * one_in < 1.0 { AGAIN } else { 0.0 };
        let way = self.round_trip / 2.0;
        (!lost).then_some(sent + way + draw.waiting(way / 20.0) + again)
    }

    /// Returns the time at which the database executes a statement, and the time at which its response
    /// arrives.
    fn asks(&self, at: f64, draw: &mut NumberGenerator) -> Option<(f64, f64)> {
        let looks = self.arrives(at, draw)? + draw.waiting(STATEMENT);
        Some((looks, self.arrives(looks, draw)?))
    }

    /// Returns the time at which the database executes the second of several consecutive statements, and the
    /// time of the last response. The first statement only begins the transaction, and the second takes its
    /// snapshot.
    fn run_statements(&self, at: f64, often: usize, draw: &mut NumberGenerator) -> Option<(f64, f64)> {
        let (mut time, mut looked) = (at, at);
        for question in 0..often {
            let (looks, answer) = self.asks(time, draw)?;
            if question == 1 {
                looked = looks;
            }
            time = answer;
        }
        Some((looked, time))
    }
}

/// Returns the number of changes that were made until a moment.
fn made(changes: &[f64], until: f64) -> usize {
    changes.partition_point(|change| *change <= until)
}

/// Follows the log as the reader does, and returns every state that answers could come from.
fn follow(way: &NetworkPath, changes: &[f64], until: f64, draw: &mut NumberGenerator) -> Vec<InstanceState> {
    let notified: Vec<f64> =
        changes.iter().filter_map(|change| way.arrives(*change, draw).filter(|_| way.listens)).collect();
    let (mut states, mut received, mut at) =
        (vec![InstanceState { from: 0.0, knows: 0, confirmed: 0.0 }], 0, 0.0);
    while at < until {
        let asked = at;
        let Some(now) = step(way, changes, &mut states, asked, draw) else {
            at = asked + STEP;
            at = loop {
                match way.run_statements(at, TO_CONNECT, draw) {
                    Some((_, connected)) => break connected,
                    None => at += RETRY,
                }
            };
            continue;
        };
        // A notification during the step wakes the reader at once, and so does one before the period ends.
        let next = notified[received..]
            .iter()
            .position(|moment| *moment > asked)
            .map_or(notified.len(), |n| received + n);
        let woken = notified.get(next).copied().unwrap_or(f64::INFINITY).max(asked + SPACING);
        received = next;
        at = woken.min(asked + PERIOD).max(now);
    }
    // The last state holds until then.
    states.extend(states.last().copied().map(|last| InstanceState { from: at, ..last }));
    states
}

/// Reads the end of the log, applies new changes, and confirms the state. Returns the time at which that is
/// done, or `None` during an outage.
fn step(
    way: &NetworkPath,
    changes: &[f64],
    states: &mut Vec<InstanceState>,
    asked: f64,
    draw: &mut NumberGenerator,
) -> Option<f64> {
    let (looked, mut now) = way.asks(asked, draw)?;
    let mut knows = states.last().map_or(0, |state| state.knows);
    let mut confirmed = states.last().map_or(0.0, |state| state.confirmed);
    if made(changes, looked) > knows {
        let (looked, applied) = way.run_statements(now, TO_APPLY, draw)?;
        (knows, now) = (made(changes, looked), applied);
    }
    confirmed = asked.max(confirmed);
    states.push(InstanceState { from: now, knows, confirmed });
    Some(now)
}

fn watch(states: &[InstanceState], changes: &[f64], bound: f64) -> Watched {
    let mut watched =
        Watched { known_after: Vec::new(), wrong_for: vec![0.0; changes.len()], undecided: 0.0 };
    let mut known = 0;
    for (state, next) in states.iter().zip(&states[1..]) {
        let answers_until = next.from.min(state.confirmed + bound);
        watched.undecided += next.from - answers_until.max(state.from).min(next.from);
        for (wrong, change) in watched.wrong_for.iter_mut().zip(changes).skip(state.knows) {
            if *change > answers_until {
                break;
            }
            *wrong = wrong.max(answers_until - change);
        }
        for change in changes.get(known..next.knows).unwrap_or_default() {
            watched.known_after.push(next.from - change);
        }
        known = known.max(next.knows);
    }
    watched
}

/// Returns the percentile of some values.
fn percentile(values: &mut [f64], percent: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    #[expect(clippy::cast_precision_loss, reason = "a rank")]
    let index = (values.len() as f64 * percent / 100.0) as usize;
    values.get(index.min(values.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

fn poisson(draw: &mut NumberGenerator, until: f64) -> Vec<f64> {
    let (mut changes, mut at) = (Vec::new(), 0.0);
    loop {
        at += draw.waiting(1000.0 / CHANGES);
        if at > until {
            return changes;
        }
        changes.push(at);
    }
}

/// Returns the places of instances with their network paths. A place with several paths is measured by the
/// last instance to know.
fn places() -> Vec<(&'static str, Vec<NetworkPath>)> {
    let patient = |round_trip| NetworkPath { bound: 5000.0, ..NetworkPath::of(round_trip) };
    let deaf = |round_trip| NetworkPath { listens: false, ..NetworkPath::of(round_trip) };
    let broken = |round_trip| {
        let outages = (1..=3).map(|n| f64::from(n) * 120_000.0).map(|from| (from, from + 20_000.0));
        NetworkPath { outages: outages.collect(), ..NetworkPath::of(round_trip) }
    };
    vec![
        ("beside the database, 0.5 ms away", vec![NetworkPath::of(0.5)]),
        ("the same region, 2 ms", vec![NetworkPath::of(2.0)]),
        ("the next region, 20 ms", vec![NetworkPath::of(20.0)]),
        ("another continent, 100 ms", vec![NetworkPath::of(100.0)]),
        ("the far side, 250 ms", vec![NetworkPath::of(250.0)]),
        ("the same region, LISTEN lost", vec![deaf(2.0)]),
        ("another continent, LISTEN lost", vec![deaf(100.0)]),
        ("the same region, cut off for 20 s, three times", vec![broken(2.0)]),
        ("the far side, 250 ms, with a bound of 5 s", vec![patient(250.0)]),
        ("ten regions, 2 to 250 ms, with a bound of 5 s: the last to know", {
            [2.0, 10.0, 20.0, 40.0, 70.0, 100.0, 130.0, 170.0, 210.0, 250.0].map(patient).into()
        }),
    ]
}

/// Formats one row: the median, the 99th percentile and the maximum delay; the latest wrong answer; the share
/// of undecided time.
fn propagation(what: &str, ways: &[NetworkPath], draw: &mut NumberGenerator) -> String {
    let changes = poisson(draw, WATCHED);
    let mut last: Vec<f64> = vec![0.0; changes.len()];
    let (mut wrong, mut undecided): (f64, f64) = (0.0, 0.0);
    for way in ways {
        // Follow the log for longer than there are changes, so that every change becomes known.
        let watched = watch(&follow(way, &changes, WATCHED + 60_000.0, draw), &changes, way.bound);
        for (last, known) in last.iter_mut().zip(&watched.known_after) {
            *last = last.max(*known);
        }
        wrong = watched.wrong_for.iter().copied().fold(wrong, f64::max);
        assert!(wrong <= way.bound, "an answer was wrong for {wrong} ms");
        undecided = undecided.max(watched.undecided);
    }
    let (middle, most, latest) =
        (percentile(&mut last, 50.0), percentile(&mut last, 99.0), percentile(&mut last, 100.0));
    let share = 100.0 * undecided / WATCHED;
    format!("| {what} | {middle:.0} | {most:.0} | {latest:.0} | {wrong:.0} | {share:.1} % |")
}

/// Formats one row for a failover: the primary dies and a replica takes its place, whose data lagged behind.
fn failover(what: &str, takes: f64, lag: f64, draw: &mut NumberGenerator) -> String {
    const TRIALS: usize = 500;
    const INSTANCES: usize = 3;
    let (mut undecided, mut lost, mut losses, mut noticed) = (Vec::new(), 0, 0, 0);
    for _ in 0..TRIALS {
        let dies = 10_000.0 + draw.even() * 1000.0;
        let changes = poisson(draw, dies);
        let kept = made(&changes, dies - draw.waiting(lag).min(lag * 3.0));
        lost += changes.len() - kept;
        losses += usize::from(kept < changes.len());
        let way = NetworkPath { outages: vec![(dies, dies + takes)], ..NetworkPath::of(2.0) };
        let mut all_notice = true;
        for _ in 0..INSTANCES {
            let states = follow(&way, &changes, dies + takes + 10_000.0, draw);
            undecided.push(watch(&states, &changes, BOUND).undecided);
            // The instance knows an event that the log no longer holds.
            let knew = states.iter().filter(|state| state.from <= dies).map(|state| state.knows).max();
            all_notice &= knew.is_some_and(|knew| knew > kept);
        }
        noticed += usize::from(kept < changes.len() && all_notice);
    }
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    let (each, share) = (lost as f64 / TRIALS as f64, 100.0 * noticed as f64 / losses.max(1) as f64);
    let share = if losses == 0 { "-".to_owned() } else { format!("{share:.0} %") };
    let (middle, latest) =
        (percentile(&mut undecided, 50.0) / 1000.0, percentile(&mut undecided, 100.0) / 1000.0);
    format!("| {what} | {middle:.1} s | {latest:.1} s | {each:.1} | {share} |")
}

fn main() {
    print!("{}", tables());
}

/// Formats both tables.
fn tables() -> String {
    let mut draw = NumberGenerator(20_261_122);
    let mut text = String::from(
        "| an instance | half know after, ms | 99 of 100 | all | latest wrong answer | undecided |\n|---|---|---|---|---|---|\n",
    );
    for (what, ways) in places() {
        let _ = writeln!(text, "{}", propagation(what, &ways, &mut draw));
    }
    text.push_str(
        "\n| a failover of the database | undecided, half | at most | acknowledged changes lost | all three instances notice |\n\
         |---|---|---|---|---|\n",
    );
    for (what, takes, lag) in [
        ("10 s, replicated synchronously", 10_000.0, 0.0),
        ("30 s, replicated synchronously", 30_000.0, 0.0),
        ("30 s, a replica 100 ms behind", 30_000.0, 100.0),
        ("30 s, a replica 1 s behind", 30_000.0, 1000.0),
    ] {
        let _ = writeln!(text, "{}", failover(what, takes, lag, &mut draw));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every number in the document can be reproduced.
    #[test]
    fn the_document_says_what_the_simulation_says() {
        let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/scale.md");
        let document = std::fs::read_to_string(document).expect("it is there");
        for line in tables().lines().filter(|line| !line.is_empty()) {
            assert!(
                document.contains(line),
                "`docs/scale.md` lacks this line of `cargo xtask simulate`:\n{line}"
            );
        }
    }

    #[test]
    fn an_instance_that_is_cut_off_for_good_is_wrong_for_no_longer_than_the_bound() {
        let mut draw = NumberGenerator(7);
        let changes = poisson(&mut draw, 5000.0);
        let way = NetworkPath { outages: vec![(2500.0, 30_000.0)], ..NetworkPath::of(2.0) };
        let states = follow(&way, &changes, 20_000.0, &mut draw);
        let watched = watch(&states, &changes, BOUND);
        let latest = watched.wrong_for.iter().copied().fold(0.0, f64::max);
        assert!((BOUND / 2.0..=BOUND).contains(&latest), "{latest}");
        assert!(watched.undecided > 20_000.0, "{}", watched.undecided);
    }
}
