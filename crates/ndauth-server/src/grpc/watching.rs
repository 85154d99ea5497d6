//! `WatchService`.

use std::time::Duration;

use ndauth_authority::{News, ReportedUse, Watcher};
use ndauth_core::{ClientName, Concern, Counts, LastUse, OrgSlug, Problem, Reason, SecretHash};
use ndauth_proto::v1::watch_service_server::WatchService;
use ndauth_proto::v1::{self, WatchRevocationsRequest, WatchRevocationsResponse};
use ndauth_proto::{
    concern_to_proto, duration_to_proto, head_from_proto, head_to_proto, org_slug_from_proto, rules_to_proto,
    timestamp_from_proto, timestamp_to_proto,
};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::grpc::fields::address_from_proto;
use crate::grpc::service::{GrpcService, credential, refused, status};

/// The most messages that are queued for a slow client.
const WAITING: usize = 8;
/// The most uses in one message.
const MOST_USES: usize = 1000;
/// The most bounds that may pass between two probes.
const BOUNDS_BETWEEN_PROBES: u32 = 10;

/// A watching service, and the stream to it.
struct WatcherStream {
    watcher: Watcher,
    /// The last probe that was received.
    probe: u64,
    sender: mpsc::Sender<Result<WatchRevocationsResponse, Status>>,
    /// The longest delay of a change, and the timeout of a client that reads slowly.
    bound: Duration,
}

#[async_trait]
impl WatchService for GrpcService {
    type WatchRevocationsStream = ReceiverStream<Result<WatchRevocationsResponse, Status>>;

    async fn watch_revocations(
        &self,
        request: Request<Streaming<WatchRevocationsRequest>>,
    ) -> Result<Response<Self::WatchRevocationsStream>, Status> {
        // Unauthenticated callers take no permit.
        let watcher = self.authority.watch(&credential(&request)?).await;
        let mut watcher = watcher.map_err(|error| status(&error))?;
        let mut requests = request.into_inner();
        let first = timeout(self.client_timeout, requests.message()).await.map_err(|_| silent())??;
        let first = first.ok_or_else(|| refused(Problem::invalid("probe", "it is missing")))?;
        if let Some(after) = &first.after {
            let position = head_from_proto("after", after).map_err(refused)?;
            watcher.resume_after(position).await.map_err(|error| status(&error))?;
        }
        let (sender, receiver) = mpsc::channel(WAITING);
        let mut stream = WatcherStream { watcher, probe: 0, sender, bound: self.authority.bound() };
        stream.handle_request(&first)?;
        stream.send_changes(true).await?;
        let mut stopped = self.stopped.clone();
        tokio::spawn(async move {
            let ended = tokio::select! {
                ended = stream.run(requests) => ended,
                _ = stopped.wait_for(|stopped| *stopped) => {
                    Err(refused(Problem::new(Reason::Unavailable, "the server is stopping")))
                }
            };
            if let Err(why) = ended {
                let _ = timeout(stream.bound, stream.sender.send(Err(why))).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

impl WatcherStream {
    /// Sends changes until the client disconnects.
    async fn run(&mut self, mut requests: Streaming<WatchRevocationsRequest>) -> Result<(), Status> {
        loop {
            let asked = tokio::select! {
                request = timeout(self.bound * BOUNDS_BETWEEN_PROBES, requests.message()) => {
                    match request.map_err(|_| silent())?? {
                        Some(request) => self.handle_request(&request)?,
                        None => return Ok(()),
                    }
                    true
                }
                () = self.watcher.changed() => false,
            };
            self.send_changes(asked).await?;
        }
    }

    /// Handles a request of the client.
    fn handle_request(&mut self, request: &WatchRevocationsRequest) -> Result<(), Status> {
        self.probe = request.probe;
        if request.uses.len() > MOST_USES {
            let why = format!("there are {}: report at most {MOST_USES} at once", request.uses.len());
            return Err(refused(Problem::invalid("uses", why)));
        }
        let uses: Result<Vec<_>, Problem> = request
            .uses
            .iter()
            .map(|reported| {
                let hash = reported.secret_hash.as_slice().try_into();
                let hash = hash.map_err(|_| Problem::invalid("uses.secret_hash", "expected 32 bytes"))?;
                let at = reported.at.ok_or_else(|| Problem::invalid("uses.at", "it is missing"))?;
                let address = address_from_proto("uses.address", &reported.address)?;
                Ok(ReportedUse {
                    secret: SecretHash::from_bytes(hash),
                    org: org_of_use(&reported.org)?,
                    client: ClientName::of_user_agent(&reported.client),
                    last: LastUse { at: timestamp_from_proto("uses.at", at)?, address },
                    counts: Counts { reads: reported.reads, writes: reported.writes },
                })
            })
            .collect();
        self.watcher.note(&uses.map_err(refused)?);
        Ok(())
    }

    /// Sends the changes that the client has not received yet. Sends nothing if the client sent no probe and
    /// no change concerns it.
    async fn send_changes(&mut self, asked: bool) -> Result<(), Status> {
        let News { reset, rules, changes, head, age, now, state } =
            self.watcher.catch_up().map_err(|error| status(&error))?;
        if !asked && !reset && rules.is_none() && changes.is_empty() {
            return Ok(());
        }
        let confirmed = v1::Confirmed {
            probe: self.probe,
            position: Some(head_to_proto(head)),
            age: Some(duration_to_proto(age)),
            now: Some(timestamp_to_proto(now)),
            bound: Some(duration_to_proto(self.bound)),
            instance: state,
        };
        let response = WatchRevocationsResponse {
            reset,
            rules: rules.as_ref().map(rules_to_proto),
            changes: changes.into_iter().filter_map(change_to_proto).collect(),
            confirmed: Some(confirmed),
        };
        match timeout(self.bound, self.sender.send(Ok(response))).await {
            Ok(Ok(())) => Ok(()),
            // The client is gone, or reads too slowly. It resumes from its position when it connects again.
            Ok(Err(_)) | Err(_) => {
                Err(refused(Problem::new(Reason::DeadlineExceeded, "the stream was not read in time")))
            }
        }
    }
}

/// Returns the org in which a secret was used; `None` if the text is empty.
fn org_of_use(slug: &str) -> Result<Option<OrgSlug>, Problem> {
    if slug.is_empty() { Ok(None) } else { org_slug_from_proto("uses.org", slug).map(Some) }
}

fn change_to_proto((sequence, concern): (u64, Concern)) -> Option<v1::Change> {
    concern_to_proto(concern).map(|concern| v1::Change { sequence, concern: Some(concern) })
}

fn silent() -> Status {
    refused(Problem::new(Reason::DeadlineExceeded, "no probe arrived in time"))
}
