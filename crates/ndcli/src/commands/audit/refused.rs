//! `ndcli audit refused`.

use ndauth_core::Timestamp;
use ndauth_proto::{timestamp_from_proto, timestamp_to_proto, v1};
use ndauth_terminal::Failure;

use super::arguments::HistoryArguments;
use super::events::LARGEST_PAGE;
use crate::commands::listed::listed;
use crate::connection::connect;
use crate::settings::CommonOptions;

pub(super) async fn list(
    common: &CommonOptions,
    since: Option<Timestamp>,
    limit: usize,
    history: &HistoryArguments,
) -> Result<(), Failure> {
    let server = connect(common).await?;
    let mut request = v1::ListRefusedAttemptsRequest {
        history: Some(history.to_proto()),
        since: since.map(timestamp_to_proto),
        page_size: LARGEST_PAGE,
        page_token: String::new(),
    };
    let mut found = v1::ListRefusedAttemptsResponse::default();
    loop {
        let page =
            server.ask_anew(async |client| client.list_refused_attempts(request.clone()).await).await?;
        found.attempts.extend(page.attempts);
        (found.next_page_token, found.evaluated_at) = (page.next_page_token.clone(), page.evaluated_at);
        if page.next_page_token.is_empty() || found.attempts.len() >= limit {
            break;
        }
        request.page_token = page.next_page_token;
    }
    found.attempts.truncate(limit);
    let row = |attempt: &v1::RefusedAttempt| {
        let minute = attempt.minute.and_then(|minute| timestamp_from_proto("minute", minute).ok());
        [
            minute.map_or_else(|| "-".to_owned(), Timestamp::minute),
            attempt.count.to_string(),
            if attempt.reason.is_empty() { "-".to_owned() } else { attempt.reason.clone() },
            if attempt.network.is_empty() { "-".to_owned() } else { attempt.network.clone() },
            attempt.text.clone(),
        ]
    };
    let titles = ["MINUTE (UTC)", "TIMES", "REASON", "FROM", "WHAT"];
    listed(common.format, &found, "refused attempt", titles, found.attempts.iter().map(row).collect())
}
