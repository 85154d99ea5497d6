//! Changes that require a recent login: the person logs in again, and the command continues.

use ndauth_client::Client;
use ndauth_core::Problem;
use ndauth_proto::v1;
use ndauth_terminal::{Failure, aside, hint, nonsense, shown, warn};

use super::credentials::{ResolvedCredential, keep};
use super::logins::{self, KeptIn};
use super::{browser, oauth};
use crate::settings::CommonOptions;

/// Has the same person log in again, after a call was refused because their login is not recent.
pub(crate) async fn log_in_again(
    common: &CommonOptions,
    problem: &Problem,
    client: &Client,
) -> Result<ResolvedCredential, Failure> {
    if let Some(why) = browser::missing() {
        let hint = format!("log in where there is a browser, `ndcli auth login`, and do it there: {why}");
        return Err(Failure { hint: Some(hint), ..Failure::from(problem.clone()) });
    }
    aside(&format!("this needs a recent login: {}", shown(&problem.message)));
    let before = client.who_am_i().await?;
    let issuer = oauth::discover(common).await?;
    let login = browser::log_in(common, &issuer, true).await?;
    let now = client.with_credential(login.secret()).who_am_i().await?;
    let (before, now) = (account(&before)?, account(&now)?);
    if before.id != now.id {
        if let Err(error) = oauth::revoke(common, login.secret()).await {
            warn(&format!("the new login is still valid at the server: {}", Failure::from(error).message));
            hint("`ndcli auth sessions list` shows it, and `ndcli auth sessions revoke` ends it");
        }
        let message = format!(
            "the browser logged in as {}, and this login is {}'s: nothing was done",
            shown(&now.handle),
            shown(&before.handle)
        );
        return Err(Failure::not_authenticated(message, "`ndcli auth login` logs in as somebody else"));
    }
    // The new login is stored in the same place as the old one.
    let wanted = logins::find(&common.server)?.map_or(KeptIn::File, |stored| stored.kept_in);
    keep(common, login, wanted).await
}

/// Returns the account of a response, for commands that only accounts can use.
pub(crate) fn account(who: &v1::WhoAmIResponse) -> Result<&v1::Account, Failure> {
    who.account.as_ref().ok_or_else(|| nonsense("it names no account").into())
}
