//! The mailer: makes a message of a letter, and hands it over.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::AsyncSmtpTransport;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSendmailTransport, AsyncTransport, Message, Tokio1Executor};
use ndauth_authority::{Handover, Letter};
use ndauth_core::{Causes, Email, Timestamp};
use tokio::time::timeout;

use super::plain::problem;
use super::settings::{MailRoute, MailSettings, SmtpEncryption, SmtpServer};
use super::text::{body, subject};
use crate::tls::check_certificates;

/// Hands mails over.
pub struct Mailer {
    way: Way,
    from: Mailbox,
}

/// The reason why mail cannot be sent with these settings.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// A file holds no certificates.
    #[error("`{}` holds no certificate in PEM", .0.display())]
    Authorities(PathBuf),
    /// The folder cannot be written.
    #[error("cannot write to the folder `{}`", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// A password would cross the network in plain text, or there is nobody to show it to.
    #[error("`--mail-user` is of no use without a mail server that is reached by TLS")]
    Login,
    /// The connection cannot be encrypted.
    #[error("cannot set up TLS for mail")]
    Tls(#[source] lettre::transport::smtp::Error),
    /// The mail was not taken.
    #[error("the mail was not taken: {0}")]
    NotTaken(String),
}

enum Way {
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
    Sendmail(AsyncSendmailTransport<Tokio1Executor>),
    Folder(PathBuf),
}

/// The time within which a server must answer each command, and within which a mail must be handed over.
const ANSWER: Duration = Duration::from_secs(20);
const WHOLE: Duration = Duration::from_secs(90);
/// The replies that concern the sender's login, and not the mail (RFC 4954, section 6).
const LOGIN_REPLIES: [&str; 5] = ["454", "530", "534", "535", "538"];

impl Mailer {
    /// Reads the files that the settings name. Connects to nothing.
    pub fn open(settings: &MailSettings) -> Result<Mailer, MailError> {
        let way = match &settings.route {
            MailRoute::Smtp(server) => Way::Smtp(Box::new(smtp(settings, server)?)),
            _ if settings.login.is_some() => return Err(MailError::Login),
            MailRoute::Sendmail(program) => {
                fs::metadata(program).map_err(|source| MailError::Read { path: program.clone(), source })?;
                Way::Sendmail(AsyncSendmailTransport::new_with_command(program))
            }
            MailRoute::Folder(folder) => {
                let failed = |source| MailError::Folder { path: folder.clone(), source };
                fs::create_dir_all(folder).map_err(failed)?;
                tempfile::tempfile_in(folder).map_err(failed)?;
                Way::Folder(folder.clone())
            }
        };
        Ok(Mailer { way, from: settings.from.clone() })
    }

    /// Connects to the server, if there is one, and logs in. Sends nothing.
    pub async fn check(&self) -> Result<(), MailError> {
        let Way::Smtp(server) = &self.way else { return Ok(()) };
        match timeout(WHOLE, server.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(MailError::NotTaken("the server hung up".to_owned())),
            Ok(Err(error)) => Err(MailError::NotTaken(problem(&Causes(&error).to_string()))),
            Err(_) => Err(MailError::NotTaken("the server did not answer in time".to_owned())),
        }
    }

    /// Sends a mail that tells nothing, to show that mail arrives.
    pub async fn send_test(&self, to: &Email) -> Result<(), MailError> {
        let id = format!("test-{}", uuid::Uuid::new_v4());
        let text = "This is a test of the mail of ndauth. It arrived.\n";
        match self.hand_over(to, &id, None, ("ndauth: a test", text)).await {
            Handover::Taken => Ok(()),
            Handover::Deferred(why) | Handover::Refused(why) | Handover::Unreachable(why) => {
                Err(MailError::NotTaken(why))
            }
            Handover::Untried => Err(MailError::NotTaken("it was not tried".to_owned())),
        }
    }

    /// Sends a letter.
    pub(super) async fn send(&self, letter: &Letter) -> Handover {
        let (subject, body) = (subject(letter), body(letter));
        let id = letter.id.to_string();
        self.hand_over(&letter.to.email, &id, Some(date(letter.made_at)), (&subject, &body)).await
    }

    async fn hand_over(
        &self,
        to: &Email,
        id: &str,
        date: Option<SystemTime>,
        (subject, body): (&str, &str),
    ) -> Handover {
        let message = match self.message(to, id, date, (subject, body)) {
            Ok(message) => message,
            Err(why) => return Handover::Refused(why),
        };
        match &self.way {
            Way::Smtp(server) => match timeout(WHOLE, server.send(message)).await {
                Ok(Ok(_)) => Handover::Taken,
                Ok(Err(error)) => {
                    let why = problem(&Causes(&error).to_string());
                    let of_login = |code: &str| LOGIN_REPLIES.contains(&code);
                    match error.status().map(|status| status.to_string()) {
                        Some(code) if !of_login(&code) && error.is_permanent() => Handover::Refused(why),
                        Some(code) if !of_login(&code) => Handover::Deferred(why),
                        // This server cannot be sent this mail, such as one to an address that is not ASCII.
                        None if error.is_client() && !to.as_str().is_ascii() => Handover::Refused(why),
                        _ => Handover::Unreachable(why),
                    }
                }
                Err(_) => Handover::Unreachable("the mail server did not answer in time".to_owned()),
            },
            Way::Sendmail(program) => match timeout(WHOLE, program.send(message)).await {
                Ok(Ok(())) => Handover::Taken,
                Ok(Err(error)) => Handover::Deferred(problem(&Causes(&error).to_string())),
                Err(_) => Handover::Unreachable("the program for mail did not end in time".to_owned()),
            },
            Way::Folder(folder) => match write(folder, id, &message.formatted()) {
                Ok(()) => Handover::Taken,
                Err(error) => Handover::Unreachable(problem(&error.to_string())),
            },
        }
    }

    fn message(
        &self,
        to: &Email,
        id: &str,
        date: Option<SystemTime>,
        (subject, body): (&str, &str),
    ) -> Result<Message, String> {
        let to = to.as_str().parse().map_err(|_| "no mail can be sent to this address".to_owned())?;
        let generated = HeaderName::new_from_ascii_str("Auto-Submitted");
        let message = Message::builder();
        // Without a date, it is that of now.
        let message = date.into_iter().fold(message, lettre::message::MessageBuilder::date);
        message
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .raw_header(HeaderValue::new(generated, "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN)
            // The protocol ends the last line.
            .body(body.trim_end().to_owned())
            .map_err(|error| problem(&error.to_string()))
    }
}

fn smtp(
    settings: &MailSettings,
    server: &SmtpServer,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, MailError> {
    let encryption = settings.encryption(server);
    let tls = match encryption {
        SmtpEncryption::None => Tls::None,
        SmtpEncryption::Implicit => Tls::Wrapper(parameters(settings, server)?),
        SmtpEncryption::StartTls => Tls::Required(parameters(settings, server)?),
    };
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.host)
        .port(server.port)
        .timeout(Some(ANSWER))
        .tls(tls);
    let Some((user, file)) = &settings.login else { return Ok(transport.build()) };
    if encryption == SmtpEncryption::None && !server.is_local() {
        return Err(MailError::Login);
    }
    let password = read(file)?;
    let password = String::from_utf8_lossy(&password).trim_end_matches(['\r', '\n']).to_owned();
    Ok(transport.credentials(Credentials::new(user.clone(), password)).build())
}

fn parameters(settings: &MailSettings, server: &SmtpServer) -> Result<TlsParameters, MailError> {
    let mut parameters = TlsParameters::builder(server.host.clone());
    if let Some(file) = &settings.authorities {
        let none = || MailError::Authorities(file.clone());
        let certificate = Certificate::from_pem(&read(file)?).map_err(|_| none())?;
        check_certificates(file).map_err(|_| none())?;
        parameters = parameters.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    parameters.build_rustls().map_err(MailError::Tls)
}

fn read(file: &Path) -> Result<Vec<u8>, MailError> {
    fs::read(file).map_err(|source| MailError::Read { path: file.to_owned(), source })
}

/// Writes a mail to a file whose name begins with its id. The file is there whole or not at all.
fn write(folder: &Path, id: &str, mail: &[u8]) -> io::Result<()> {
    let file = tempfile::NamedTempFile::new_in(folder)?;
    fs::write(file.path(), [mail, b"\n"].concat())?;
    file.persist(folder.join(format!("{id}.eml")))?;
    Ok(())
}

fn date(at: Timestamp) -> SystemTime {
    let since = Duration::from_micros(u64::try_from(at.micros()).unwrap_or_default());
    SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
}
