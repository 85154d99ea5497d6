//! `ndcli admin status`.

use ndauth_core::Lifetime;
use ndauth_proto::{duration_from_proto, timestamp_from_proto, v1};
use ndauth_terminal::{Failure, detailed, nonsense, print, print_message, shown};

use crate::connection::connect;
use crate::settings::{CommonOptions, Format};

/// Shows the counts and the health of the installation.
pub(super) async fn status(common: &CommonOptions) -> Result<(), Failure> {
    let server = connect(common).await?;
    let request = v1::GetInstallationRequest {};
    let answer = server.ask(async |client| client.get_installation(request).await).await?;
    if common.format == Format::Json {
        return print_message(&answer);
    }
    let counts = answer.counts.ok_or_else(|| nonsense("it has no counts"))?;
    let changes = match answer.changes_failing_for {
        None => "working".to_owned(),
        Some(time) => {
            let time = duration_from_proto("changes_failing_for", time)?;
            format!("failing for {} s", time.as_secs())
        }
    };
    let age = answer.mirror_age.map(|age| duration_from_proto("mirror_age", age)).transpose()?;
    let bound = answer.mirror_bound.map(|bound| duration_from_proto("mirror_bound", bound)).transpose()?;
    let freshness = match (age, bound) {
        (Some(age), Some(bound)) => format!(
            "event {}, confirmed {} ms ago (at most {})",
            answer.mirror_sequence,
            age.as_millis(),
            Lifetime::For(bound)
        ),
        _ => "not loaded yet".to_owned(),
    };
    let instant = |field, at: Option<_>| -> Result<Option<String>, Failure> {
        Ok(at.map(|at| timestamp_from_proto(field, at)).transpose()?.map(|at| at.to_string()))
    };
    let engine = match answer.engine() {
        v1::DatabaseEngine::Sqlite => "SQLite",
        v1::DatabaseEngine::Postgresql => "PostgreSQL",
        v1::DatabaseEngine::Unspecified => "unknown",
    };
    if common.format == Format::Simple {
        return print(&format!(
            "• ndauthd {} {engine} event:{} changes:{changes} accounts:{} orgs:{} tokens:{} sessions:{} services:{}\n",
            shown(&answer.version),
            answer.sequence,
            counts.accounts,
            counts.orgs,
            counts.tokens,
            counts.sessions,
            counts.services
        ));
    }
    let accounts = format!(
        "{} ({} disabled, {} operator(s))",
        counts.accounts, counts.disabled_accounts, counts.operators
    );
    let mut fields = vec![
        ("Server", format!("ndauthd {}", answer.version)),
        ("Database", engine.to_owned()),
        ("Changes", changes),
        ("Last event", answer.sequence.to_string()),
        ("Mirror", freshness),
        ("Accounts", accounts),
        ("Orgs", counts.orgs.to_string()),
        ("Live tokens", counts.tokens.to_string()),
        ("Sessions", counts.sessions.to_string()),
        ("Services", counts.services.to_string()),
    ];
    fields.extend(instant("settled_at", answer.settled_at)?.map(|at| ("Restored copy settled", at)));
    let before = instant("secrets_revoked_before", answer.secrets_revoked_before)?;
    fields.extend(before.map(|at| ("Secrets revoked before", at)));
    print(&detailed(&fields))
}
