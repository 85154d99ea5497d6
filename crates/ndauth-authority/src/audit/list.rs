//! The list of events: a page of a history, filtered, with the names of what the events mention.

use std::collections::{BTreeMap, BTreeSet};

use ndauth_core::{
    AccountId, Actor, Change, Entry, EventSubject, Handle, Label, OrgId, Owner, RevocationReason, ServiceId,
    SessionId, Timestamp, TokenId,
};
use ndauth_store::{EventNames, LogChunk, LogPart, LoggedEvent, Read};

use uuid::Uuid;

use super::reader::AuditReader;
use super::sentence::{Words, sentence};
use crate::access::{Admitted, Operation, Whose};
use crate::authority::AuditWing;
use crate::origin::{ADDRESS, CLIENT, REQUEST_ID};
use crate::tokens::NOTE;
use crate::{AuthorityError, Credential, Which};

/// The events to list. Each condition is met by every event of the list.
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    /// Made by this account, or about it or one of its tokens.
    pub account: Option<Handle>,
    /// Made by this token, or about it.
    pub token: Option<Which>,
    /// Made by this service, or about it.
    pub service: Option<Label>,
    /// Of this kind, such as `token.created`, or of all kinds of a group, such as `token`.
    pub kind: Option<String>,
    /// At this instant or later.
    pub since: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
    /// Only after this sequence, the oldest first. `None` lists the newest first.
    pub after: Option<u64>,
    /// Only before this sequence.
    pub before: Option<u64>,
    /// The most events.
    pub limit: u64,
}

/// A page of events.
#[derive(Debug)]
pub struct EventPage {
    /// The events.
    pub rows: Vec<EventShown>,
    /// The sequence after which the next page goes on, in the direction of this one; `None` on the last page. A page may
    /// be the last but one and hold few events or none: a bounded part of the log is examined for each.
    pub next: Option<u64>,
    /// Where the oldest comes first: no event up to this sequence is missing from this page and those before. Where the newest
    /// does: the end of the log on the first page, and less on each later one.
    pub through: u64,
    /// The instant of the view.
    pub now: Timestamp,
}

/// A thing that an event mentions: its id, and its name if it still has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    /// The id.
    pub id: String,
    /// The name: a handle, a slug, or the name of a token or a service.
    pub name: Option<String>,
}

/// How somebody made a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorKind {
    /// At the database's machine.
    Console,
    /// ndauth itself, by a rule.
    Authority,
    /// A person who was logged in.
    Session,
    /// A personal token.
    Token,
    /// An org's token.
    OrgToken,
    /// A service.
    Service,
}

/// Who made a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActorShown {
    /// How it acted.
    pub kind: ActorKind,
    /// The account that acted, by a session or a token.
    pub account: Option<Thing>,
    /// The org whose token acted.
    pub org: Option<Thing>,
    /// The token that acted.
    pub token: Option<Thing>,
    /// The service that acted.
    pub service: Option<Thing>,
    /// The session that acted.
    pub session: Option<SessionId>,
}

/// An event, as its reader sees it.
#[derive(Clone, Debug)]
pub struct EventShown {
    /// Its sequence.
    pub sequence: u64,
    /// The instant of the change; `None` if this version cannot read the event.
    pub at: Option<Timestamp>,
    /// Its kind, such as `token.created`.
    pub kind: &'static str,
    /// What happened, in a sentence.
    pub text: String,
    /// Who made the change.
    pub actor: Option<ActorShown>,
    /// The account that it is about.
    pub account: Option<Thing>,
    /// The org that it is about.
    pub org: Option<Thing>,
    /// The token that it is about.
    pub token: Option<Thing>,
    /// The service that it is about.
    pub service: Option<Thing>,
    /// The address from which it came.
    pub address: Option<String>,
    /// The client that made it.
    pub client: Option<String>,
    /// The id of the request that made it.
    pub request_id: Option<String>,
    /// Why something was revoked.
    pub reason: Option<RevocationReason>,
    /// What the actor wrote about it.
    pub note: Option<String>,
    /// True if its personal data was erased.
    pub erased: bool,
    /// Its hash.
    pub hash: [u8; 32],
}

/// The most events that are examined for a page.
const MOST_EXAMINED: u64 = 5000;
/// The bytes of events after which no more are examined for a page, and those after which it holds no more.
const MOST_EXAMINED_BYTES: usize = 16 << 20;
const MOST_FOUND_BYTES: usize = 2 << 20;
/// The events that are read at once where a filter may leave out most of them.
const CHUNK: u64 = 500;
/// How far the instants of events may be out of the order of the log, in microseconds: a change is dated when it begins.
const DISORDER: i64 = 60 * 1_000_000;
/// The kind of an event that this version cannot read.
const UNKNOWN: &str = "unknown";

/// Checks the name of a kind of events, or of a group of kinds.
pub fn check_kind(kind: &str) -> Result<(), AuthorityError> {
    if Change::KINDS.iter().any(|known| is_of(known, kind)) {
        return Ok(());
    }
    let groups: BTreeSet<&str> = Change::KINDS.iter().filter_map(|kind| kind.split('.').next()).collect();
    let groups: Vec<String> = groups.into_iter().map(|group| format!("`{group}`")).collect();
    let why =
        format!("no event has this kind: name one such as `token.created`, or all of {}", groups.join(", "));
    Err(AuthorityError::Invalid { field: "kind", why })
}

/// Returns true if a kind is this one, or one of a thing.
fn is_of(kind: &str, asked: &str) -> bool {
    kind.strip_prefix(asked).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl AuditWing<'_> {
    /// Lists a page of a history: the caller's own, an org's, or all events.
    pub async fn list(
        self,
        credential: &Credential,
        whose: &Whose,
        query: &EventQuery,
    ) -> Result<EventPage, AuthorityError> {
        query.kind.iter().try_for_each(|kind| check_kind(kind))?;
        let (read, by) = self.0.read_as(credential, Operation::ListEvents, whose).await?;
        let reader = AuditReader::of(&by)?;
        let subjects = self.subjects(&read, &by, whose, reader, query).await?;
        page(&read, reader, EventFilter { subjects, query }).await
    }

    /// Returns everything under which the events of a query must be listed. The first one's history is read, so it is one
    /// that the reader may read, and likely the shortest of those. Whether an account or a service exists is told to those
    /// alone who read everything: for others an unknown one has no events, which takes as long to find.
    async fn subjects(
        self,
        read: &Read,
        by: &Admitted,
        whose: &Whose,
        reader: AuditReader,
        query: &EventQuery,
    ) -> Result<Vec<EventSubject>, AuthorityError> {
        let mut subjects = Vec::new();
        let own = reader.subject();
        match &query.token {
            // By its id, a token is found after its rows were removed. Only the history of the reader's own token is read.
            Some(Which::Id(id)) => {
                let owner = read.find_token(*id).await?.map(|token| match token.owner {
                    Owner::Account(account) => EventSubject::Account(account),
                    Owner::Org(org) => EventSubject::Org(org),
                });
                let token = EventSubject::Token(*id);
                if own.is_none() || own == owner {
                    subjects.push(token);
                    subjects.extend(own);
                } else {
                    subjects.extend(own);
                    subjects.push(token);
                }
            }
            Some(which) => {
                let found = self.0.tokens().find(read, by, whose, which).await.map_err(|error| match error {
                    // What is missing is a part of the filter, and not what is listed.
                    AuthorityError::NotFound { .. } => AuthorityError::invalid("token", error),
                    error => error,
                });
                subjects.push(EventSubject::Token(found?.id));
                subjects.extend(own);
            }
            None => subjects.extend(own),
        }
        if let Some(handle) = &query.account {
            let found = read.find_account_by_handle(handle).await?.map(|account| account.id);
            if found.is_none() && reader == AuditReader::All {
                return Err(AuthorityError::invalid("account", format!("there is no account `{handle}`")));
            }
            subjects.push(EventSubject::Account(found.unwrap_or(AccountId::from_uuid(Uuid::nil()))));
        }
        if let Some(name) = &query.service {
            let found = read.find_live_service(name).await?.map(|service| service.id);
            if found.is_none() && reader == AuditReader::All {
                return Err(AuthorityError::invalid("service", format!("there is no service `{name}`")));
            }
            subjects.push(EventSubject::Service(found.unwrap_or(ServiceId::from_uuid(Uuid::nil()))));
        }
        Ok(subjects)
    }
}

/// Returns the page of a filter, as a reader sees it.
pub(crate) async fn page(
    read: &Read,
    reader: AuditReader,
    filter: EventFilter<'_>,
) -> Result<EventPage, AuthorityError> {
    let (found, next) = examine(read, &filter).await?;
    let entries = found.iter().filter_map(|(_, entry)| entry.as_ref());
    let mentioned: BTreeSet<EventSubject> = entries.flat_map(Entry::subjects).collect();
    let names = read.name_all(mentioned).await?;
    let rows = found.iter().map(|(logged, entry)| shown(logged, entry.as_ref(), &names, reader)).collect();
    let through = match (filter.query.after, filter.query.before, next) {
        (Some(_), _, Some(next)) => next,
        (None, Some(before), _) => before.saturating_sub(1),
        _ => read.head().sequence,
    };
    Ok(EventPage { rows, next, through, now: read.now() })
}

/// The conditions of a list.
pub(crate) struct EventFilter<'q> {
    /// Everything under which an event must be listed. The history of the first is read.
    pub(crate) subjects: Vec<EventSubject>,
    pub(crate) query: &'q EventQuery,
}

impl EventFilter<'_> {
    fn passes(&self, entry: Option<&Entry>) -> bool {
        let EventQuery { kind, since, until, .. } = self.query;
        // An event that cannot be read is listed under nothing, and has no kind and no instant.
        let Some(entry) = entry else {
            return self.subjects.is_empty() && kind.is_none() && since.is_none() && until.is_none();
        };
        let listed = entry.subjects();
        self.subjects.iter().all(|subject| listed.contains(subject))
            && kind.as_ref().is_none_or(|kind| is_of(entry.change.kind(), kind))
            && since.is_none_or(|since| entry.at >= since)
            && until.is_none_or(|until| entry.at < until)
    }

    /// Returns true if every event under the first subject passes.
    fn is_trivial(&self) -> bool {
        self.subjects.len() <= 1
            && self.query.kind.is_none()
            && self.query.since.is_none()
            && self.query.until.is_none()
    }
}

/// Examines a bounded part of the log. Returns the events that pass, and the sequence after which to go on.
async fn examine(
    read: &Read,
    filter: &EventFilter<'_>,
) -> Result<(Vec<(LoggedEvent, Option<Entry>)>, Option<u64>), AuthorityError> {
    let query = filter.query;
    let mut part = LogPart {
        after: query.after.unwrap_or(0),
        before: query.before,
        newest_first: query.after.is_none(),
        limit: if filter.is_trivial() { query.limit + 1 } else { CHUNK.max(query.limit + 1) },
    };
    if let Some(since) = query.since {
        part.after = part.after.max(read.sequence_before(moved(since, -DISORDER)).await?);
    }
    if let Some(until) = query.until {
        let end = read.sequence_before(moved(until, DISORDER)).await? + 1;
        part.before = Some(part.before.map_or(end, |before| before.min(end)));
    }
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let (mut found, mut last) = (Vec::new(), None);
    let (mut examined, mut bytes, mut found_bytes) = (0, 0, 0);
    loop {
        let LogChunk { events, is_end } = read.history(filter.subjects.first().copied(), &part).await?;
        for logged in events {
            let entry = Entry::read(&logged.event.public);
            let (sequence, size) = (logged.event.sequence, logged.event.size());
            if filter.passes(entry.as_ref()) {
                if found.len() == limit || found_bytes > MOST_FOUND_BYTES {
                    return Ok((found, last));
                }
                found.push((logged, entry));
                found_bytes += size;
            }
            last = Some(sequence);
            (examined, bytes) = (examined + 1, bytes + size);
        }
        if is_end {
            return Ok((found, None));
        }
        if examined >= MOST_EXAMINED || bytes > MOST_EXAMINED_BYTES {
            return Ok((found, last));
        }
        match (part.newest_first, last) {
            (true, Some(last)) => part.before = Some(last),
            (false, Some(last)) => part.after = last,
            (_, None) => return Ok((found, None)),
        }
    }
}

fn moved(instant: Timestamp, micros: i64) -> Timestamp {
    let end = if micros < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_micros(instant.micros().saturating_add(micros)).unwrap_or(end)
}

/// Returns the personal data of an event, by key.
pub(super) fn personal(logged: &LoggedEvent) -> BTreeMap<String, String> {
    let bytes = logged.event.personal.as_ref().map(|(bytes, _)| bytes.as_slice()).unwrap_or_default();
    serde_json::from_slice(bytes).unwrap_or_default()
}

/// Returns an event as a reader sees it.
fn shown(logged: &LoggedEvent, entry: Option<&Entry>, names: &EventNames, reader: AuditReader) -> EventShown {
    let event = &logged.event;
    let Some(entry) = entry else {
        return EventShown {
            sequence: event.sequence,
            at: None,
            kind: UNKNOWN,
            text: "A later version of ndauth made an event that this one cannot read.".to_owned(),
            actor: None,
            account: None,
            org: None,
            token: None,
            service: None,
            address: None,
            client: None,
            request_id: None,
            reason: None,
            note: None,
            erased: event.personal.is_none(),
            hash: event.hash,
        };
    };
    let mut personal = personal(logged);
    if !reader.sees_origin(entry) {
        personal.retain(|key, _| ![ADDRESS, CLIENT, REQUEST_ID].contains(&key.as_str()));
    }
    let things = Things { names, reader };
    let mut about = About::default();
    for subject in entry.change.subjects() {
        things.put(subject, &mut about);
    }
    let text = sentence(entry, &Words { names, personal: &personal, reader });
    EventShown {
        sequence: event.sequence,
        at: Some(entry.at),
        kind: entry.change.kind(),
        text,
        actor: Some(things.actor(entry.actor)),
        account: about.account,
        org: about.org,
        token: about.token,
        service: about.service,
        address: personal.remove(ADDRESS),
        client: personal.remove(CLIENT),
        request_id: personal.remove(REQUEST_ID),
        reason: reason(&entry.change),
        note: personal.remove(NOTE),
        erased: event.personal.is_none(),
        hash: event.hash,
    }
}

fn reason(change: &Change) -> Option<RevocationReason> {
    match change {
        Change::TokenRevoked { reason, .. }
        | Change::AccountTokensRevoked { reason, .. }
        | Change::OrgTokensRevoked { reason, .. } => Some(*reason),
        _ => None,
    }
}

/// The things that an event is about.
#[derive(Default)]
struct About {
    account: Option<Thing>,
    org: Option<Thing>,
    token: Option<Thing>,
    service: Option<Thing>,
}

struct Things<'a> {
    names: &'a EventNames,
    reader: AuditReader,
}

impl Things<'_> {
    fn account(&self, id: AccountId) -> Thing {
        Thing { id: id.to_string(), name: self.names.accounts.get(&id).map(ToString::to_string) }
    }

    fn org(&self, id: OrgId) -> Thing {
        Thing { id: id.to_string(), name: self.names.orgs.get(&id).map(ToString::to_string) }
    }

    fn token(&self, id: TokenId) -> Thing {
        Thing { id: id.to_string(), name: self.names.tokens.get(&id).map(ToString::to_string) }
    }

    fn service(&self, id: ServiceId) -> Thing {
        Thing { id: id.to_string(), name: self.names.services.get(&id).map(ToString::to_string) }
    }

    /// Puts a subject in its place. An org's reader is told of no other org.
    fn put(&self, subject: EventSubject, about: &mut About) {
        match subject {
            EventSubject::Account(id) => about.account = Some(self.account(id)),
            EventSubject::Token(id) => about.token = Some(self.token(id)),
            EventSubject::Service(id) => about.service = Some(self.service(id)),
            EventSubject::Org(id) if matches!(self.reader, AuditReader::Org(own) if own != id) => {}
            EventSubject::Org(id) => about.org = Some(self.org(id)),
        }
    }

    fn actor(&self, actor: Actor) -> ActorShown {
        let none = ActorShown {
            kind: ActorKind::Console,
            account: None,
            org: None,
            token: None,
            service: None,
            session: None,
        };
        match actor {
            Actor::Console => none,
            Actor::Authority => ActorShown { kind: ActorKind::Authority, ..none },
            Actor::Session { account, session } => ActorShown {
                kind: ActorKind::Session,
                account: Some(self.account(account)),
                session: Some(session),
                ..none
            },
            Actor::Service { service } => {
                ActorShown { kind: ActorKind::Service, service: Some(self.service(service)), ..none }
            }
            Actor::Token { account, token } => ActorShown {
                kind: ActorKind::Token,
                account: Some(self.account(account)),
                token: Some(self.token(token)),
                ..none
            },
            Actor::OrgToken { org, token } => ActorShown {
                kind: ActorKind::OrgToken,
                org: Some(self.org(org)),
                token: Some(self.token(token)),
                ..none
            },
        }
    }
}
