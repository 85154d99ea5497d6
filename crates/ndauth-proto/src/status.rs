//! A [`Problem`] as a gRPC status, and back: the one place where either is made of the other.
//!
//! The reason travels as `google.rpc.ErrorInfo` under the domain `ndauth`, a wrong field as
//! `google.rpc.BadRequest`. What to do next follows from the reason, so it does not travel.

use std::collections::HashMap;

use ndauth_core::{Class, Problem, Reason};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

const DOMAIN: &str = "ndauth";
/// In the metadata of the `ErrorInfo`: permissions that the caller's credential lacks, with blanks between.
const MISSING: &str = "missing_permissions";

/// The id of the token that holds a name which was asked for, and when that was made, as RFC 3339 writes it.
const HOLDER: &str = "holder_id";
const HOLDER_MADE: &str = "holder_created_at";

/// The status that tells of a failure.
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
    if let Some(field) = &problem.field {
        details.add_bad_request_violation(field, &problem.message);
    }
    Status::with_error_details(code(problem.reason), &problem.message, details)
}

/// The failure that a status tells of. One that ndauth did not write is judged by its code.
pub fn problem_from_status(status: &Status) -> Problem {
    let info = status.get_details_error_info().filter(|info| info.domain == DOMAIN);
    let told = |key| info.as_ref().and_then(|info| info.metadata.get(key)).map_or("", String::as_str);
    let missing_permissions = told(MISSING).split(' ').filter_map(|text| text.parse().ok()).collect();
    let holder = told(HOLDER).parse().ok().zip(told(HOLDER_MADE).parse().ok());
    let reason = info
        .as_ref()
        .and_then(|info| Reason::from_code(&info.reason))
        .unwrap_or_else(|| foreign_reason(status));
    let field = status
        .get_details_bad_request()
        .and_then(|bad| bad.field_violations.into_iter().next())
        .map(|violation| violation.field);
    let message = match status.code() {
        // As the transport says it, with a capital.
        Code::Cancelled if status.message() == "Timeout expired" => "no answer came in time".to_owned(),
        _ => status.message().to_owned(),
    };
    Problem { reason, message, field, missing_permissions, holder }
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
        // No retry policy in use repeats a call that ended so; what was done is not done twice.
        Class::Unconfirmed => Code::Unknown,
    }
}

/// What a status from a proxy or from the transport says: never that a secret is not valid.
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
