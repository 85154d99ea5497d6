//! The stream that carries changes, and confirms how fresh the cache is.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use ndauth_clock::SinceBoot;
use ndauth_core::{Class, Problem, Reason};
use ndauth_proto::v1::watch_service_client::WatchServiceClient;
use ndauth_proto::v1::{Confirmed, WatchRevocationsRequest, WatchRevocationsResponse};
use ndauth_proto::{
    concern_from_proto, duration_from_proto, head_from_proto, head_to_proto, rules_from_proto,
    timestamp_from_proto,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Streaming};

use super::state::Shared;
use crate::Call;
use crate::client::{LARGEST_RESPONSE, problem};
use crate::jitter::jitter;

/// The longest time between two probes; an eighth of the bound if that is shorter.
const PERIOD: Duration = Duration::from_millis(250);
/// The shortest time between two probes, whatever bound the server states.
const SHORTEST_PERIOD: Duration = Duration::from_millis(10);
/// The first and the longest pause before the watch is opened again.
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The most probes that may wait to be sent.
const WAITING: usize = 4;
/// The most uses that are reported in one message.
const MOST_USES: usize = 1000;

/// One stream, and its probes in flight.
struct RevocationStream {
    probe: u64,
    /// The probes without a response yet, and the instants at which they were sent.
    sent: VecDeque<(u64, SinceBoot)>,
    /// The instant at which the last answered probe was sent.
    answered: Option<SinceBoot>,
    send: mpsc::Sender<WatchRevocationsRequest>,
}

/// Watches one server after the other, until the last verifier is dropped.
pub(super) async fn watch(shared: Weak<Shared>) {
    let mut pause = PAUSE;
    while let Some(shared) = shared.upgrade() {
        let which = shared.servers.first();
        let begun = Instant::now();
        let ended = follow(&shared, which).await;
        let Err(problem) = ended;
        shared.servers.observer().report(|| Call {
            rpc: "WatchRevocations",
            request_id: None,
            took: begun.elapsed(),
            failed: Some(problem.reason),
            credential: None,
            policy_warnings: Vec::new(),
        });
        shared.servers.give_up(which);
        // After a watch that lasted, the next one starts soon; a service that may not watch waits the
        // longest.
        pause = match problem.class() {
            Class::NotAuthenticated | Class::NotPermitted => LONGEST_PAUSE,
            _ if begun.elapsed() > LONGEST_PAUSE => PAUSE,
            _ => (pause * 2).min(LONGEST_PAUSE),
        };
        drop(shared);
        sleep(jitter(pause)).await;
    }
}

/// A value that never exists.
enum Never {}

/// Watches one server until the stream fails.
async fn follow(shared: &Shared, which: usize) -> Result<Never, Problem> {
    let time_limit = shared.memory.bound() / 2;
    let (channel, bearer) = shared.servers.client(which)?.into_parts();
    let (send, sent) = mpsc::channel(WAITING);
    let mut stream = RevocationStream { probe: 0, sent: VecDeque::new(), answered: None, send };
    stream.ask(shared)?;
    let mut request = Request::new(ReceiverStream::new(sent));
    if let Some(bearer) = bearer {
        request.metadata_mut().insert("authorization", bearer);
    }
    let mut client = WatchServiceClient::new(channel).max_decoding_message_size(LARGEST_RESPONSE);
    let begun = timeout(time_limit, client.watch_revocations(request)).await.map_err(|_| silent())?;
    let mut messages: Streaming<WatchRevocationsResponse> =
        begun.map_err(|status| problem(&status))?.into_inner();
    shared.counts.watches.fetch_add(1, Ordering::Relaxed);
    let mut probes = interval(PERIOD.min(shared.memory.bound() / 8).max(SHORTEST_PERIOD));
    probes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    probes.tick().await;
    loop {
        tokio::select! {
            // Messages go first: one may carry the response that the timeout waits for.
            biased;
            message = messages.message() => match message.map_err(|status| problem(&status))? {
                Some(message) => stream.receive(shared, message)?,
                None => return Err(Problem::new(Reason::Unavailable, "the server ended the watch")),
            },
            _ = probes.tick() => {
                let now = SinceBoot::now();
                if stream.sent.front().is_some_and(|(_, sent)| now.since(*sent) > time_limit) {
                    return Err(silent());
                }
                stream.ask(shared)?;
            }
        }
    }
}

impl RevocationStream {
    /// Sends a probe, with the uses to report.
    fn ask(&mut self, shared: &Shared) -> Result<(), Problem> {
        self.probe += 1;
        let after = if self.probe == 1 { shared.memory.head().map(head_to_proto) } else { None };
        let request = WatchRevocationsRequest {
            probe: self.probe,
            after,
            uses: shared.uses().take(SinceBoot::now(), MOST_USES),
        };
        // The instant is taken before the probe is sent: the response covers every change up to then.
        self.sent.push_back((self.probe, SinceBoot::now()));
        // A full queue means that the last probes were not even sent.
        self.send.try_send(request).map_err(|_| silent())
    }

    /// Handles a message of the stream.
    fn receive(&mut self, shared: &Shared, message: WatchRevocationsResponse) -> Result<(), Problem> {
        let WatchRevocationsResponse { reset, rules, changes, confirmed } = message;
        if reset {
            shared.memory.reset();
            shared.counts.resets.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(rules) = rules {
            shared.rules.store(Some(Arc::new(rules_from_proto(&rules)?)));
        }
        let changes = changes.iter();
        let changes = changes.map(|change| (change.sequence, concern_from_proto(change.concern.as_ref())));
        shared.memory.record(changes);
        if let Some(confirmed) = confirmed {
            self.confirm(shared, &confirmed)?;
        }
        shared.news.send_replace(());
        Ok(())
    }

    /// Handles a confirmation that every change was sent.
    fn confirm(&mut self, shared: &Shared, confirmed: &Confirmed) -> Result<(), Problem> {
        let absent = |field: &str| Problem::invalid(field, "the server sent none");
        let head = confirmed.position.as_ref().ok_or_else(|| absent("position"))?;
        let age = confirmed.age.ok_or_else(|| absent("age"))?;
        let now = confirmed.now.ok_or_else(|| absent("now"))?;
        let bound = confirmed.bound.ok_or_else(|| absent("bound"))?;
        let (age, bound) = (duration_from_proto("age", age)?, duration_from_proto("bound", bound)?);
        while let Some((_, sent)) = self.sent.pop_front_if(|(probe, _)| *probe <= confirmed.probe) {
            self.answered = Some(sent);
        }
        if let Some(sent) = self.answered {
            shared.clock.set(timestamp_from_proto("now", now)?, sent);
        }
        let as_of = self.answered.map(|sent| sent.before(age));
        shared.memory.confirm(confirmed.instance, head_from_proto("position", head)?, as_of, bound);
        Ok(())
    }
}

fn silent() -> Problem {
    Problem::new(Reason::Unavailable, "the server does not answer probes")
}
