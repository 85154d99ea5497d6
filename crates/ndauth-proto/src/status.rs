//! Conversions between a [`Problem`] and a gRPC status, in this one place.
//!
//! The reason travels as `google.rpc.ErrorInfo` under the domain `ndauth`, a wrong field as `google.rpc.BadRequest`,
//! and a time to wait as `google.rpc.RetryInfo`. The hint follows from the reason, so it does not travel.

use std::collections::HashMap;
use std::time::Duration;

use ndauth_core::{Class, Problem, Reason, redact};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

const DOMAIN: &str = "ndauth";
/// A key in the metadata of the `ErrorInfo`: the permissions that the caller's credential lacks, separated by
/// blanks.
const MISSING: &str = "missing_permissions";

/// Keys for the token that has the requested name already: its id, and its creation in RFC 3339.
const HOLDER: &str = "holder_id";
const HOLDER_MADE: &str = "holder_created_at";

/// Returns the status of a failure.
pub fn status_from_problem(problem: &Problem) -> Status {
    let missing = problem.missing_permissions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let missing = Some(missing).filter(|missing| !missing.is_empty());
    let holder = problem.holder;
    let metadata = [
        (MISSING, missing),
        (HOLDER, holder.map(|(id, _)| id.to_string())),
        (HOLDER_MADE, holder.map(|(_, made)| made.to_string())),
    ];
    let metadata: HashMap<String, String> =
        metadata.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
    let mut details = ErrorDetails::with_error_info(problem.reason.code(), DOMAIN, metadata);
    if let Some(after) = problem.retry_after {
        details.set_retry_info(Some(Duration::from_secs(after.get().into())));
    }
    // A caller may have put a secret where a name belongs.
    let message = redact(&problem.message);
    if let Some(field) = &problem.field {
        details.add_bad_request_violation(redact(field), &*message);
    }
    Status::with_error_details(code(problem.reason), &*message, details)
}

/// Returns the failure that a status stands for. A status that ndauth did not write is judged by its code.
pub fn problem_from_status(status: &Status) -> Problem {
    let info = status.get_details_error_info().filter(|info| info.domain == DOMAIN);
    let metadata = |key| info.as_ref().and_then(|info| info.metadata.get(key)).map_or("", String::as_str);
    let missing_permissions = metadata(MISSING).split(' ').filter_map(|text| text.parse().ok()).collect();
    let holder = metadata(HOLDER).parse().ok().zip(metadata(HOLDER_MADE).parse().ok());
    let reason = info
        .as_ref()
        .and_then(|info| Reason::from_code(&info.reason))
        .unwrap_or_else(|| foreign_reason(status));
    let field = status
        .get_details_bad_request()
        .and_then(|bad| bad.field_violations.into_iter().next())
        .map(|violation| violation.field);
    let message = match status.code() {
        // The transport's own message begins with a capital.
        Code::Cancelled if status.message() == "Timeout expired" => "no response arrived in time".to_owned(),
        _ => status.message().to_owned(),
    };
    let retry_after = status.get_details_retry_info().and_then(|info| info.retry_delay);
    let problem = Problem { field, missing_permissions, holder, ..Problem::new(reason, message) };
    match retry_after {
        Some(after) => problem.with_retry_after(after),
        None => problem,
    }
}

fn code(reason: Reason) -> Code {
    match reason {
        Reason::RequestTooLarge => return Code::OutOfRange,
        Reason::DeadlineExceeded => return Code::DeadlineExceeded,
        _ => {}
    }
    match reason.class() {
        Class::NotAuthenticated => Code::Unauthenticated,
        Class::NotPermitted => Code::PermissionDenied,
        Class::Invalid => Code::InvalidArgument,
        Class::NotFound => Code::NotFound,
        Class::Conflict => Code::AlreadyExists,
        Class::Precondition => Code::FailedPrecondition,
        Class::Exhausted => Code::ResourceExhausted,
        Class::Unimplemented => Code::Unimplemented,
        Class::Undecided => Code::Unavailable,
        Class::Internal => Code::Internal,
        // No common retry policy repeats a call that ended with this code, so the change is not made twice.
        Class::Unconfirmed => Code::Unknown,
    }
}

/// Returns the reason for a status of a proxy or of the transport: never that a secret is not valid.
fn foreign_reason(status: &Status) -> Reason {
    match status.code() {
        Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition => Reason::InvalidArgument,
        Code::NotFound => Reason::NotFound,
        Code::AlreadyExists => Reason::NameTaken,
        Code::PermissionDenied | Code::Unauthenticated => Reason::NotPermitted,
        Code::ResourceExhausted => Reason::Overloaded,
        Code::Unimplemented => Reason::CallUnknown,
        Code::Internal | Code::DataLoss => Reason::Internal,
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::Unavailable => Reason::Unavailable,
    }
}
