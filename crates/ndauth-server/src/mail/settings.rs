//! Settings of mail: the way it goes, and whom it comes from.

use std::net::IpAddr;
use std::path::PathBuf;

use axum::http::Uri;
use axum::http::uri::Authority;
use lettre::message::Mailbox;

/// The settings of mail.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// The way that mails go.
    pub route: MailRoute,
    /// The sender.
    pub from: Mailbox,
    /// The name to authenticate by at the server, and the file with its password.
    pub login: Option<(String, PathBuf)>,
    /// The file with the certificates of the authorities that may have signed the server's; those of the system if there
    /// is none.
    pub authorities: Option<PathBuf>,
    /// True if mails may cross the network unencrypted.
    pub plaintext: bool,
}

/// The way that mails go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailRoute {
    /// To a server.
    Smtp(SmtpServer),
    /// To a program that takes what `sendmail` takes.
    Sendmail(PathBuf),
    /// To files in a folder.
    Folder(PathBuf),
}

/// A mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpServer {
    /// Its name, or its address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// True if TLS begins with the connection (`smtps`), and not by `STARTTLS`.
    pub implicit_tls: bool,
}

/// The encryption of the connection to a mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpEncryption {
    /// TLS from the beginning.
    Implicit,
    /// `STARTTLS`, which the server must offer.
    StartTls,
    /// None.
    None,
}

const FORMS: &str = "expected `smtp://HOST:PORT`, `smtps://HOST:PORT`, `sendmail:PROGRAM` or `folder:FOLDER`";

/// Parses the way that mails go: `smtp://HOST[:PORT]` (by `STARTTLS`), `smtps://HOST[:PORT]`, `sendmail:PROGRAM` or
/// `folder:FOLDER`.
pub fn parse_mail_route(text: &str) -> Result<MailRoute, String> {
    let path = |text: &str| match text {
        "" => Err(FORMS.to_owned()),
        path => Ok(PathBuf::from(path)),
    };
    if let Some(program) = text.strip_prefix("sendmail:") {
        return path(program).map(MailRoute::Sendmail);
    }
    if let Some(folder) = text.strip_prefix("folder:") {
        return path(folder).map(MailRoute::Folder);
    }
    let uri: Uri = text.parse().map_err(|_| FORMS.to_owned())?;
    let (implicit_tls, port) = match uri.scheme_str() {
        Some("smtp") => (false, 587),
        Some("smtps") => (true, 465),
        _ => return Err(FORMS.to_owned()),
    };
    let authority = uri.authority().map(Authority::as_str).unwrap_or_default();
    if authority.contains('@') {
        return Err("a URL with a name or a password is shown to everyone: use `--mail-user` and \
                    `--mail-password-file`"
            .to_owned());
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(FORMS.to_owned());
    }
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| FORMS.to_owned())?;
    // What follows the host is a port, or it is no number of one.
    if host.len() < authority.len() && uri.port_u16().is_none() {
        return Err(FORMS.to_owned());
    }
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(MailRoute::Smtp(SmtpServer { host, port: uri.port_u16().unwrap_or(port), implicit_tls }))
}

/// Parses a sender: an address, or `Name <address>`.
pub fn parse_mail_from(text: &str) -> Result<Mailbox, String> {
    text.parse().map_err(|_| "expected an address, such as `ndauth <ndauth@example.org>`".to_owned())
}

impl SmtpServer {
    /// Returns true if it is on this machine.
    pub(super) fn is_local(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl MailSettings {
    /// Returns the encryption of the connection to a server. Only to this machine, or where the operator permits it, is
    /// there none; and even there if the server's authority is named.
    pub(super) fn encryption(&self, server: &SmtpServer) -> SmtpEncryption {
        let may_be_plain = self.plaintext || server.is_local();
        match (server.implicit_tls, may_be_plain && self.authorities.is_none()) {
            (true, _) => SmtpEncryption::Implicit,
            (false, false) => SmtpEncryption::StartTls,
            (false, true) => SmtpEncryption::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smtp(host: &str, port: u16, implicit_tls: bool) -> MailRoute {
        MailRoute::Smtp(SmtpServer { host: host.to_owned(), port, implicit_tls })
    }

    #[test]
    fn routes_are_parsed() {
        for (text, route) in [
            ("smtp://mail.example.org", smtp("mail.example.org", 587, false)),
            ("smtp://mail.example.org:25/", smtp("mail.example.org", 25, false)),
            ("smtps://[::1]:4650", smtp("::1", 4650, true)),
            ("smtps://mail", smtp("mail", 465, true)),
            ("sendmail:/usr/sbin/sendmail", MailRoute::Sendmail("/usr/sbin/sendmail".into())),
            ("folder:mails", MailRoute::Folder("mails".into())),
        ] {
            assert_eq!(parse_mail_route(text), Ok(route), "{text}");
        }
        for text in [
            "",
            "mail.example.org",
            "http://mail",
            "smtp://",
            "smtp://ada:secret@mail",
            "smtp://ada@mail",
            "smtp://mail/x",
            "smtp://mail?tls=no",
            "sendmail:",
            "folder:",
            "smtp://mail:99999",
        ] {
            let why = parse_mail_route(text).expect_err(text);
            assert!(!why.contains("secret"), "{why}");
        }
    }

    #[test]
    fn mail_is_encrypted_beyond_this_machine() {
        let settings = |plaintext, authorities: bool| MailSettings {
            route: smtp("x", 25, false),
            from: parse_mail_from("ndauth <ndauth@example.org>").expect("a sender"),
            login: None,
            authorities: authorities.then(|| "ca.pem".into()),
            plaintext,
        };
        for (host, implicit_tls, plaintext, authorities, encryption) in [
            ("mail.example.org", false, false, false, SmtpEncryption::StartTls),
            ("mail.example.org", false, true, false, SmtpEncryption::None),
            ("mail.example.org", true, true, false, SmtpEncryption::Implicit),
            ("127.0.0.1", false, false, false, SmtpEncryption::None),
            ("::1", false, false, false, SmtpEncryption::None),
            ("localhost", false, false, true, SmtpEncryption::StartTls),
            ("localhost.example.org", false, false, false, SmtpEncryption::StartTls),
            ("10.0.0.1", false, false, false, SmtpEncryption::StartTls),
        ] {
            let MailRoute::Smtp(server) = smtp(host, 25, implicit_tls) else { panic!("a server") };
            assert_eq!(settings(plaintext, authorities).encryption(&server), encryption, "{host}");
        }
    }

    #[test]
    fn senders_are_one_address() {
        assert!(parse_mail_from("ndauth@example.org").is_ok());
        for text in ["", "ndauth", "a@b, c@d", "a@b\r\nBcc: c@d"] {
            parse_mail_from(text).expect_err(text);
        }
    }
}
