//! The failures that the terminal shows for errors of the authority or the server.

use std::io::ErrorKind;

use ndauth_authority::AuthorityError;
use ndauth_core::Class;
use ndauth_proto::hint;
use ndauth_server::{CheckError, MailError, NotReady, ServeError, TlsError, TraceError};
use ndauth_terminal::{Failure, exit_code};

pub(crate) fn authority_failure(error: &AuthorityError) -> Failure {
    Failure {
        message: Failure::whole(error),
        hint: operators_hint(error),
        code: exit_code(error.reason().class()),
    }
}

pub(crate) fn trace_failure(error: &TraceError) -> Failure {
    Failure::usage(Failure::whole(error), "check `--otlp-endpoint` and the `OTEL_` variables")
}

pub(crate) fn serve_failure(error: &ServeError) -> Failure {
    let (hint, code) = match error {
        ServeError::Settings(error) => return check_failure(error),
        ServeError::Database { source, .. } | ServeError::Lost { source, .. } => {
            let other = || "check `--database`, and that this user may open it".to_owned();
            (Some(operators_hint(source).unwrap_or_else(other)), exit_code(source.reason().class()))
        }
        ServeError::Listen { source, .. } => {
            let hint = match source.kind() {
                ErrorKind::AddrNotAvailable => {
                    "set `--listen` and `--admin-listen` to addresses of this machine"
                }
                ErrorKind::PermissionDenied => {
                    "set `--listen` and `--admin-listen` to ports that this user may listen on, such as those from 1024"
                }
                _ => {
                    "another server may be running: choose other addresses with `--listen` and `--admin-listen`"
                }
            };
            (Some(hint.to_owned()), 1)
        }
        ServeError::Cut
        | ServeError::Metrics(_)
        | ServeError::Reflection(_)
        | ServeError::Signals(_)
        | ServeError::Threads(_) => (None, 1),
    };
    Failure { message: Failure::whole(error), hint, code }
}

pub(crate) fn not_ready(error: &NotReady) -> Failure {
    let hint = match error {
        NotReady::Waits(_) => "its log says more; it recovers by itself once its database answers",
        NotReady::Silent { .. } => {
            "check that it runs, and its address: `--admin-listen`, NDAUTHD_ADMIN_LISTEN"
        }
    };
    Failure { message: Failure::whole(error), hint: Some(hint.to_owned()), code: exit_code(Class::Undecided) }
}

/// Returns the failure that the terminal shows for refused settings.
pub(crate) fn check_failure(error: &CheckError) -> Failure {
    let hint = match error {
        CheckError::Plaintext(_) => {
            "give it a certificate with `--tls-certificate` and `--tls-key`; behind a proxy that speaks TLS, set \
             `--plaintext-beyond-loopback`"
        }
        CheckError::SameAddress(..) => "choose another port for `--admin-listen`",
        CheckError::Tls(TlsError::Expired { .. }) | CheckError::Database(TlsError::Expired { .. }) => {
            "put a renewed certificate there"
        }
        CheckError::Tls(TlsError::NotYetValid { .. })
        | CheckError::Database(TlsError::NotYetValid { .. }) => {
            "check this machine's clock, or wait until the certificate is valid"
        }
        CheckError::Tls(_) => "check `--tls-certificate` and `--tls-key`",
        CheckError::Mail(MailError::Login) => {
            "leave `--mail-user` out, or reach the mail server by `smtps://`, or by `smtp://` without `--mail-plaintext`"
        }
        CheckError::Mail(_) => "check `--mail`, `--mail-password-file` and `--mail-authorities`",
        CheckError::Database(_) => "check `sslrootcert`, `sslcert` and `sslkey` in `--database`",
    };
    Failure { message: Failure::whole(error), hint: Some(hint.to_owned()), code: 2 }
}

/// Returns the operator's next step: the hint of the error itself, or else that of its reason.
fn operators_hint(error: &AuthorityError) -> Option<String> {
    let general = || match error {
        AuthorityError::Copy(_) | AuthorityError::Entropy(_) => None,
        _ => hint(error.reason()).map(str::to_owned),
    };
    error.operators_hint().or_else(general)
}
