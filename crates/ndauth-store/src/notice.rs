//! The notices that PostgreSQL sends beside a response. If the wait for a synchronous standby is cancelled,
//! the commit succeeds with a warning, and must not be taken for a success.
//!
//! sqlx reports notices only to its log, so they are collected from there, for one piece of work at a time.

use std::cell::RefCell;
use std::fmt::Debug;
use std::sync::OnceLock;

use tracing::field::{Field, Visit};
use tracing::instrument::WithSubscriber;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

tokio::task_local! {
    /// The first warning that came with the work of this task.
    static WARNING: RefCell<Option<String>>;
}

/// The target under which sqlx logs notices.
const TARGET: &str = "sqlx::postgres::notice";

/// Runs a piece of work, and returns the first warning that came with it, if any.
pub(crate) async fn with_warnings<T>(work: impl Future<Output = T>) -> (T, Option<String>) {
    static LISTENER: OnceLock<Dispatch> = OnceLock::new();
    let listener = LISTENER.get_or_init(|| Dispatch::new(NoticeSubscriber)).clone();
    let collecting = async {
        let done = work.with_subscriber(listener).await;
        (done, WARNING.with(RefCell::take))
    };
    WARNING.scope(RefCell::default(), collecting).await
}

/// A subscriber that collects warnings only.
struct NoticeSubscriber;

impl Subscriber for NoticeSubscriber {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !metadata.is_span() && metadata.target() == TARGET && *metadata.level() <= Level::WARN
    }

    /// Without it, every event of the process would be checked, at any level.
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        // Outside of such work there is no task-local, and nobody to report to.
        let _ = WARNING.try_with(|warning| warning.borrow_mut().get_or_insert(message.0).len());
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.0);
        }
    }
}
