//! One file a command.

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod revoke;
pub(crate) mod status;
pub(crate) mod validate;
pub(crate) mod whoami;

use ndauth_core::Class;

use crate::credentials::Credential;
use crate::failure::Failure;

/// Tells of a refused credential by where it was found, so that the right one is mended.
fn refused(credential: &Credential) -> impl Fn(ndauth_core::Problem) -> Failure {
    let source = credential.source;
    move |problem| match problem.class() {
        Class::NotAuthenticated => Failure::from(problem).of(&format!("{source} was refused")),
        _ => problem.into(),
    }
}
