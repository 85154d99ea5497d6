//! Loading the mirror: everything as of one moment, part by part.

use std::collections::BTreeSet;
use std::time::Duration;

use ndauth_clock::SinceBoot;
use ndauth_core::{Concern, Entry, Head, Timestamp, TokenId};
use ndauth_store::{Moment, Read, RowCounts, Seen, Store, StoreError};
use tokio::time::{Instant, timeout};

use super::feed::{FeedEvent, KEPT, Recent, owners};
use super::rows::{DecisionRules, Fresh};
use super::state::{KEPT_WHOLE, State};
use crate::AuthorityError;
use crate::standing::{happened_at, seen_now};

/// The most bytes that the mirror takes for a token with its secret; see `docs/scale.md`.
pub const BYTES_PER_TOKEN: u64 = 400;
/// The most bytes that it takes for a secret that is long dead.
const BYTES_PER_DEAD_SECRET: u64 = 112;
/// The number of events that are read at once.
pub(super) const BATCH: u64 = 1000;
const _: () = assert!(BATCH <= KEPT as u64);
/// The number of tokens and accounts up to which fewer round trips save more time than cheaper decoding.
const FEW: u64 = 2000;
/// The number of rows that are loaded at once.
const PAGE: u64 = 10_000;
/// The timeout of a statement, after which the connection is given up.
const STEP: Duration = Duration::from_secs(5);
/// The timeout of loading one part.
const PAGE_STEP: Duration = Duration::from_secs(60);
/// The interval at which the progress of loading is logged.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// A state that was read as of one moment.
pub(super) struct Loaded {
    pub(super) state: State,
    pub(super) moment: Moment,
    /// The end of the log.
    pub(super) seen: Seen,
    pub(super) asked: SinceBoot,
}

/// Reads everything as of one moment.
pub(super) async fn load(
    store: &Store,
    limit: Option<u64>,
    report_progress: impl Fn(u64, u64),
) -> Result<Loaded, AuthorityError> {
    let begun = Instant::now();
    let asked = SinceBoot::now();
    let read = in_time(STEP, store.read()).await?;
    let moment = read.moment();
    read.use_simple_protocol();
    // From here on only the timeouts of this side apply.
    in_time(STEP, read.lift_timeouts()).await?;
    let (census, rules) = could_load(&read, limit).await?;
    if census.tokens.saturating_add(census.accounts) > FEW {
        read.use_prepared_statements();
    }
    let (recent, seen) = in_time(PAGE_STEP, recent(&read)).await?;
    let state = State::new(recent);
    let places = in_time(PAGE_STEP, read.every_org_with_policies()).await?;
    let services = in_time(PAGE_STEP, read.every_service()).await?;
    state.fill(Fresh {
        rules: Some(rules),
        places: Some(places),
        services: Some(services),
        ..Fresh::default()
    });
    let mut after = None;
    while let Some(page) = in_time(PAGE_STEP, read.next_accounts(after, PAGE)).await? {
        after = Some(page.last);
        state.fill(Fresh { people: Some(page.read), ..Fresh::default() });
    }
    let (mut after, mut loaded, mut reported_at) = (None, 0, begun);
    while let Some(page) = in_time(PAGE_STEP, read.next_tokens(after, PAGE)).await? {
        after = Some(page.last);
        loaded += page.read.sound.len() as u64;
        state.fill(Fresh { tokens: Some(page.read), read_at: Some(moment.now), ..Fresh::default() });
        report_progress(loaded, census.tokens);
        if reported_at.elapsed() >= PROGRESS_INTERVAL {
            reported_at = Instant::now();
            tracing::info!(loaded, tokens = census.tokens, "loading");
        }
        // Other tasks run meanwhile.
        tokio::task::yield_now().await;
    }
    tracing::info!(
        tokens = loaded,
        accounts = census.accounts,
        sequence = moment.head.sequence,
        micros = begun.elapsed().as_micros(),
        "loaded"
    );
    Ok(Loaded { state, moment, seen, asked })
}

/// Reads what a mirror cannot do without, and how much it would hold. Fails if that is more than a number of
/// bytes can hold.
async fn could_load(read: &Read, limit: Option<u64>) -> Result<(RowCounts, DecisionRules), AuthorityError> {
    let census = in_time(PAGE_STEP, read.census(KEPT_WHOLE)).await?;
    let needed =
        needed(census.tokens.saturating_sub(census.dead).saturating_add(census.accounts), census.dead);
    if let Some(limit) = limit.filter(|limit| *limit < needed) {
        return Err(AuthorityError::MirrorTooLarge { tokens: census.tokens, needed, free: limit });
    }
    Ok((census, in_time(PAGE_STEP, DecisionRules::read(read)).await?))
}

/// Fails if a database could not be loaded, as far as that is known without loading it.
pub(crate) async fn check_loading(store: &Store, limit: Option<u64>) -> Result<(), AuthorityError> {
    let read = in_time(STEP, store.read()).await?;
    in_time(STEP, read.lift_timeouts()).await?;
    could_load(&read, limit).await.map(drop)
}

/// Returns the bytes that the mirror takes for a number of tokens and of secrets that ended long ago.
pub(super) fn needed(live: u64, dead: u64) -> u64 {
    let bytes = live.saturating_mul(BYTES_PER_TOKEN);
    bytes.saturating_add(dead.saturating_mul(BYTES_PER_DEAD_SECRET))
}

/// Returns the last events and the end of the log. A watcher that received the events before them can
/// continue.
async fn recent(read: &Read) -> Result<(Recent, Seen), StoreError> {
    let first = read.head().sequence.saturating_sub(BATCH);
    let hash = read.event_hash(first).await?;
    let mut recent = Recent::after(match hash {
        Some(hash) => Head { sequence: first, hash },
        // The event was removed from the log.
        None => return Ok((Recent::after(read.head()), seen_now(read).await?)),
    });
    let events = read.events_after(first, BATCH).await?;
    let at = events.last().map_or(Timestamp::MIN, happened_at);
    let entries: Vec<_> = events.iter().map(|event| Entry::read(&event.public)).collect();
    let token = |entry: &Option<Entry>| match Concern::of(entry.as_ref()) {
        Concern::Token(token) => Some(token),
        _ => None,
    };
    let tokens: BTreeSet<TokenId> = entries.iter().filter_map(token).collect();
    let tokens = read.tokens(&tokens.into_iter().collect::<Vec<_>>()).await?;
    recent.push(FeedEvent::list(&events, &entries, &owners(&tokens.sound)));
    Ok((recent, Seen { head: read.head(), at }))
}

/// Applies a timeout, after which the connection counts as hanging.
pub(super) async fn in_time<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, AuthorityError> {
    match timeout(limit, work).await {
        Ok(done) => Ok(done?),
        Err(late) => Err(StoreError::Unavailable(late.into()).into()),
    }
}
