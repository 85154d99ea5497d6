//! `AuditService`.

use ndauth_authority::{
    ActorKind, ActorShown, AttemptKind, AttemptShown, EventQuery, EventShown, Thing, Whose,
};
use ndauth_core::{ExportedEvent, Problem, Timestamp};
use ndauth_proto::v1::audit_service_server::AuditService;
use ndauth_proto::{
    org_slug_from_proto, revocation_reason_to_proto, timestamp_from_proto, timestamp_to_proto, v1,
};
use tonic::{Request, Response, Status, async_trait};

use super::fields::{handle, label, limit, optional, which};
use super::service::{GrpcService, answer, taken};

#[async_trait]
impl AuditService for GrpcService {
    async fn list_events(
        &self,
        request: Request<v1::ListEventsRequest>,
    ) -> Result<Response<v1::ListEventsResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let (query, whose) = (query(&request)?, history(request.history)?);
            let page = self.authority.audit().list(&credential, &whose, &query).await?;
            Ok(v1::ListEventsResponse {
                events: page.rows.into_iter().map(event).collect(),
                next_page_token: page.next.map(|next| next.to_string()).unwrap_or_default(),
                through: page.through,
                evaluated_at: Some(timestamp_to_proto(page.now)),
            })
        })
        .await
    }

    async fn export_events(
        &self,
        request: Request<v1::ExportEventsRequest>,
    ) -> Result<Response<v1::ExportEventsResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let whose = history(request.history)?;
            let page = self.authority.audit().export(&credential, &whose, request.after).await?;
            Ok(v1::ExportEventsResponse {
                records: page.events.into_iter().map(record).collect(),
                pruned: page.pruned,
            })
        })
        .await
    }

    async fn list_refused_attempts(
        &self,
        request: Request<v1::ListRefusedAttemptsRequest>,
    ) -> Result<Response<v1::ListRefusedAttemptsResponse>, Status> {
        answer(async {
            let (credential, request) = taken(request)?;
            let whose = history(request.history)?;
            let since = request.since.map(|at| timestamp_from_proto("since", at)).transpose()?;
            let before = match request.page_token.as_str() {
                "" => None,
                token => Some(token.parse::<Timestamp>().map_err(|_| not_of_a_page())?),
            };
            let limit = limit(request.page_size)?;
            let page = self.authority.audit().attempts(&credential, &whose, since, before, limit).await?;
            Ok(v1::ListRefusedAttemptsResponse {
                attempts: page.rows.into_iter().map(attempt).collect(),
                next_page_token: page.next.map(|next| next.to_string()).unwrap_or_default(),
                evaluated_at: Some(timestamp_to_proto(page.now)),
            })
        })
        .await
    }
}

/// Reads whose history a request is about.
fn history(history: Option<v1::History>) -> Result<Whose, Problem> {
    use v1::history::Kind;
    match history.and_then(|history| history.kind) {
        Some(Kind::Mine(v1::Mine {})) => Ok(Whose::Mine),
        Some(Kind::Org(slug)) => org_slug_from_proto("history.org", &slug).map(Whose::Org),
        Some(Kind::Everything(v1::All {})) => Ok(Whose::Anyone),
        None => {
            Err(Problem::invalid("history", "it is missing: say `mine` or `everything`, or name an `org`"))
        }
    }
}

fn query(asked: &v1::ListEventsRequest) -> Result<EventQuery, Problem> {
    let place = match asked.page_token.as_str() {
        "" => None,
        token => Some(token.parse::<u64>().map_err(|_| not_of_a_page())?),
    };
    // A list from the oldest goes on after the last event of the page before, and one from the newest before it.
    let (after, before) = match asked.after {
        Some(after) => (Some(place.unwrap_or(after)), None),
        None => (None, place),
    };
    let instant = |field, value: Option<_>| value.map(|value| timestamp_from_proto(field, value)).transpose();
    Ok(EventQuery {
        account: optional(asked.account.as_ref(), |text| handle("account", text))?,
        token: asked.token.clone().map(|token| which(Some(token))).transpose()?,
        service: optional(asked.service.as_ref(), |text| label("service", text))?,
        kind: asked.kind.clone(),
        since: instant("since", asked.since)?,
        until: instant("until", asked.until)?,
        after,
        before,
        limit: limit(asked.page_size)?,
    })
}

fn not_of_a_page() -> Problem {
    Problem::invalid("page_token", "not the `next_page_token` of the page before")
}

fn thing(Thing { id, name }: Thing) -> v1::AuditThing {
    v1::AuditThing { id, name }
}

fn event(shown: EventShown) -> v1::AuditEvent {
    v1::AuditEvent {
        sequence: shown.sequence,
        at: shown.at.map(timestamp_to_proto),
        kind: shown.kind.to_owned(),
        text: shown.text,
        actor: shown.actor.map(actor),
        account: shown.account.map(thing),
        org: shown.org.map(thing),
        token: shown.token.map(thing),
        service: shown.service.map(thing),
        address: shown.address,
        client: shown.client,
        request_id: shown.request_id,
        reason: shown.reason.map(|reason| revocation_reason_to_proto(reason).into()),
        note: shown.note,
        erased: shown.erased,
        hash: hex::encode(shown.hash),
    }
}

fn actor(shown: ActorShown) -> v1::AuditActor {
    let kind = match shown.kind {
        ActorKind::Console => v1::AuditActorKind::Console,
        ActorKind::Authority => v1::AuditActorKind::Authority,
        ActorKind::Session => v1::AuditActorKind::Session,
        ActorKind::Token => v1::AuditActorKind::Token,
        ActorKind::OrgToken => v1::AuditActorKind::OrgToken,
        ActorKind::Service => v1::AuditActorKind::Service,
    };
    v1::AuditActor {
        kind: kind.into(),
        account: shown.account.map(thing),
        org: shown.org.map(thing),
        token: shown.token.map(thing),
        service: shown.service.map(thing),
        session_id: shown.session.map(|id| id.to_string()),
    }
}

fn record(event: ExportedEvent) -> v1::LogRecord {
    v1::LogRecord {
        sequence: event.sequence,
        previous: hex::encode(event.previous),
        public: event.public,
        personal: event.personal,
        salt: event.salt.map(hex::encode),
        personal_hash: hex::encode(event.personal_hash),
        hash: hex::encode(event.hash),
    }
}

fn attempt(shown: AttemptShown) -> v1::RefusedAttempt {
    let kind = match shown.kind {
        AttemptKind::SignIn => v1::RefusedAttemptKind::SignIn,
        AttemptKind::Change => v1::RefusedAttemptKind::Change,
        AttemptKind::Validation => v1::RefusedAttemptKind::Validation,
        AttemptKind::Others => v1::RefusedAttemptKind::Others,
    };
    v1::RefusedAttempt {
        minute: Some(timestamp_to_proto(shown.minute)),
        kind: kind.into(),
        account: shown.account.map(thing),
        token: shown.token.map(thing),
        service: shown.service.map(thing),
        org: shown.org.map(thing),
        network: shown.network,
        reason: shown.reason,
        count: shown.count,
        text: shown.text,
    }
}
