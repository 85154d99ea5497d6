//! Kinds of notices on the wire.

use ndauth_core::{NoticeKind, NoticesOff, Problem};

use crate::v1;

/// Converts a kind of notice to the wire.
pub fn notice_kind_to_proto(kind: NoticeKind) -> v1::NoticeKind {
    match kind {
        NoticeKind::Created => v1::NoticeKind::Created,
        NoticeKind::Expiring => v1::NoticeKind::Expiring,
        NoticeKind::StillTried => v1::NoticeKind::StillTried,
        NoticeKind::Rotated => v1::NoticeKind::Rotated,
        NoticeKind::Reused => v1::NoticeKind::Reused,
        NoticeKind::Revoked => v1::NoticeKind::Revoked,
        NoticeKind::Suspended => v1::NoticeKind::Suspended,
        NoticeKind::SignIn => v1::NoticeKind::SignIn,
        NoticeKind::Policy => v1::NoticeKind::Policy,
        NoticeKind::Offer => v1::NoticeKind::Offer,
    }
}

/// Converts a kind of notice from the wire.
pub fn notice_kind_from_proto(field: &str, kind: i32) -> Result<NoticeKind, Problem> {
    let known = v1::NoticeKind::try_from(kind);
    let kind = NoticeKind::ALL.into_iter().find(|kind| known == Ok(notice_kind_to_proto(*kind)));
    kind.ok_or_else(|| Problem::invalid(field, "expected a kind of notice, such as `EXPIRING`"))
}

/// Converts what an account turned off to the wire: a setting for each kind.
pub fn notice_settings_to_proto(off: &NoticesOff) -> Vec<v1::NoticeSetting> {
    let setting = |kind: NoticeKind| v1::NoticeSetting {
        kind: notice_kind_to_proto(kind).into(),
        on: !off.contains(&kind),
        security: kind.is_about_security(),
    };
    NoticeKind::ALL.map(setting).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_come_back() {
        for kind in NoticeKind::ALL {
            let wire = notice_kind_to_proto(kind);
            assert_eq!(notice_kind_from_proto("off", wire.into()), Ok(kind));
            assert_eq!(wire.as_str_name(), format!("NOTICE_KIND_{}", kind.code()), "JSON has the code");
        }
        for unknown in [0, 11, -1] {
            notice_kind_from_proto("off", unknown).expect_err("it is no kind");
        }
    }
}
