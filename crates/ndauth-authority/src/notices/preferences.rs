//! Preferences: the notices that an account turned off, and the mails that did not reach it.

use ndauth_core::{Change, NoticeKind, NoticesOff, Personal, Timestamp};
use ndauth_store::UndeliveredMail;

use crate::access::{Operation, Whose};
use crate::change::{Changed, change};
use crate::{AuthorityError, Credential, NoticeWing};

/// An account's notices.
#[derive(Debug)]
pub struct NoticePreferences {
    /// The kinds that are turned off.
    pub off: NoticesOff,
    /// The mails that were given up within the last 30 days, the newest first.
    pub undelivered: Vec<UndeliveredMail>,
    /// True if this server sends mail.
    pub mailed: bool,
    /// The instant of the response.
    pub now: Timestamp,
}

impl NoticeWing<'_> {
    /// Returns the notices of the caller's account.
    pub async fn get_preferences(self, credential: &Credential) -> Result<NoticePreferences, AuthorityError> {
        let (read, by) = self.0.read_as(credential, Operation::GetNotices, &Whose::Mine).await?;
        let account = by.account()?.id;
        Ok(NoticePreferences {
            off: read.notices_off(account).await?,
            undelivered: read.list_undelivered(account).await?,
            mailed: self.0.mails,
            now: read.now(),
        })
    }

    /// Turns kinds of notices off and on. Those about security cannot be turned off.
    pub async fn set_preferences(
        self,
        credential: &Credential,
        off: &NoticesOff,
        on: &NoticesOff,
    ) -> Result<Changed<NoticesOff>, AuthorityError> {
        if let Some(kind) = off.iter().find(|kind| kind.is_about_security()) {
            let why = format!("`{kind}` is about your account's security, and cannot be turned off");
            return Err(AuthorityError::invalid("off", why));
        }
        if let Some(kind) = off.intersection(on).next() {
            return Err(AuthorityError::invalid("off", format!("`{kind}` is turned on as well")));
        }
        if off.is_empty() && on.is_empty() {
            return Err(AuthorityError::invalid("off", "name a kind to turn off, or one to turn on in `on`"));
        }
        change(self.0, credential, Operation::SetNotices, &Whose::Mine, |changing| async move {
            let account = changing.by.account()?.id;
            let before = changing.notices_off(account).await?;
            let after: NoticesOff = before.union(off).copied().filter(|kind| !on.contains(kind)).collect();
            if after == before {
                return Ok(changing.unchanged(after));
            }
            changing.set_notices_off(account, &after).await?;
            let change = Change::NoticesSet { account, off: after.clone() };
            Ok(changing.done(change, Personal::new(), after))
        })
        .await
    }
}

/// Returns true if an account is told of a kind.
pub(super) fn is_on(off: &NoticesOff, kind: NoticeKind) -> bool {
    kind.is_about_security() || !off.contains(&kind)
}
