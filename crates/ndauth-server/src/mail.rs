//! Mail: notices as plain text, and the ways to hand them over. Whom to tell what is the authority's business.

mod plain;
mod settings;
mod text;

mod mailer;

mod posting;

pub use mailer::{MailError, Mailer};
pub(crate) use posting::post;
pub use settings::{MailRoute, MailSettings, SmtpEncryption, SmtpServer, parse_mail_from, parse_mail_route};
