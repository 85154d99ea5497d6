//! `ndcli whoami`.

use ndauth_core::{Expiry, Timestamp};
use ndauth_proto::v1::who_am_i_response::Credential as Known;
use ndauth_proto::{expiry_from_proto, orgs_from_proto, role_from_proto, v1};
use ndauth_terminal::{
    Failure, Rows, TokenShown, detailed, message_json, minute, names_or_all, nonsense, print, print_json,
    required_timestamp, shown,
};
use serde_json::{Map, Value};

use crate::connection::{ServerConnection, connect};
use crate::settings::{CommonOptions, Format};

/// The responses about the identity behind a credential.
pub(crate) struct CallerAnswers {
    who: v1::WhoAmIResponse,
    /// Absent for a service, which is a member of no org.
    orgs: Option<v1::ListOrgsResponse>,
}

/// The identity behind a credential, as it is shown.
pub(crate) struct CallerShown {
    pub(crate) account: Option<v1::Account>,
    pub(crate) known: KnownBy,
    /// The account's orgs, and its role in each.
    orgs: Vec<(String, &'static str)>,
    /// The instant of the response.
    pub(crate) now: Timestamp,
}

/// The kind of credential that identifies the caller.
pub(crate) enum KnownBy {
    Session { prefix: String, expiry: Expiry },
    Token(Box<TokenShown>),
    Service { name: String, orgs: Option<Vec<String>> },
}

/// Shows the identity behind the current credential.
pub(crate) async fn run(common: &CommonOptions) -> Result<(), Failure> {
    let (answers, _) = ask(common).await?;
    let who = CallerShown::read(&answers)?;
    match common.format {
        Format::Table => print(&who.table()),
        Format::Simple => print(&format!(
            "• {} [{}] orgs:{}\n",
            shown(&who.name()),
            shown(&who.known.credential()),
            shown(&who.org_list())
        )),
        Format::Detailed => print(&detailed(&who.fields())),
        Format::Json => print_json(&answers.json()?.into()),
    }
}

/// Asks the server for the identity behind the current credential, and its orgs.
pub(crate) async fn ask(common: &CommonOptions) -> Result<(CallerAnswers, ServerConnection), Failure> {
    let server = connect(common).await?;
    let who = server.ask(async |client| client.who_am_i().await).await?;
    let orgs = match who.credential {
        Some(Known::Service(_)) => None,
        _ => Some(server.ask(async |client| client.list_orgs().await).await?),
    };
    Ok((CallerAnswers { who, orgs }, server))
}

impl CallerAnswers {
    /// Returns the responses as JSON, by the names of their RPCs.
    pub(crate) fn json(&self) -> Result<Map<String, Value>, Failure> {
        let mut answers = Map::from_iter([("who_am_i".to_owned(), message_json(&self.who)?)]);
        if let Some(orgs) = &self.orgs {
            answers.insert("list_orgs".to_owned(), message_json(orgs)?);
        }
        Ok(answers)
    }
}

impl KnownBy {
    /// Returns its kind and its name or prefix.
    pub(crate) fn credential(&self) -> String {
        match self {
            KnownBy::Session { prefix, .. } => format!("session {prefix}"),
            KnownBy::Token(token) => format!("token {}", token.name),
            KnownBy::Service { name, .. } => format!("service {name}"),
        }
    }

    /// Returns its end.
    pub(crate) fn expiry(&self) -> Expiry {
        match self {
            KnownBy::Session { expiry, .. } => *expiry,
            KnownBy::Token(token) => token.expiry,
            KnownBy::Service { .. } => Expiry::Never,
        }
    }
}

impl CallerShown {
    pub(crate) fn read(answers: &CallerAnswers) -> Result<CallerShown, Failure> {
        let who = answers.who.clone();
        let known = match who.credential.ok_or_else(|| nonsense("it names no credential"))? {
            Known::Session(session) => KnownBy::Session {
                prefix: session.prefix,
                expiry: expiry_from_proto("expiry", session.expiry)?,
            },
            Known::Token(token) => KnownBy::Token(Box::new(TokenShown::read(Some(token))?)),
            Known::Service(service) => KnownBy::Service {
                name: service.name,
                orgs: match orgs_from_proto("orgs", service.orgs)? {
                    ndauth_core::Orgs::All => None,
                    ndauth_core::Orgs::Only(slugs) => Some(slugs.iter().map(ToString::to_string).collect()),
                },
            },
        };
        let orgs = answers.orgs.iter().flat_map(|listed| &listed.orgs);
        let role = |org: &v1::Membership| Ok((org.slug.clone(), role_from_proto("role", org.role)?.as_str()));
        Ok(CallerShown {
            account: who.account,
            known,
            orgs: orgs.map(role).collect::<Result<_, ndauth_core::Problem>>()?,
            now: required_timestamp("evaluated_at", Some(who.evaluated_at))?,
        })
    }

    /// The account's handle, the org's slug, or the service's name.
    pub(crate) fn name(&self) -> String {
        match (&self.account, &self.known) {
            (Some(account), _) => account.handle.clone(),
            (None, KnownBy::Service { name, .. }) => name.clone(),
            (None, KnownBy::Token(token)) => token.owner_org.clone().unwrap_or("-".to_owned()),
            (None, KnownBy::Session { .. }) => "-".to_owned(),
        }
    }

    fn email(&self) -> String {
        self.account.as_ref().map_or("-".to_owned(), |account| account.email.clone())
    }

    /// Returns the permissions or the scope of a token; sessions and services have none.
    pub(crate) fn scope(&self) -> String {
        match &self.known {
            KnownBy::Token(token) => token.held(),
            KnownBy::Session { .. } | KnownBy::Service { .. } => "-".to_owned(),
        }
    }

    pub(crate) fn org_list(&self) -> String {
        let named: Vec<String> = match &self.known {
            KnownBy::Service { orgs, .. } => return names_or_all(orgs.as_deref()),
            _ => self.orgs.iter().map(|(slug, role)| format!("{slug} ({role})")).collect(),
        };
        if named.is_empty() { "-".to_owned() } else { named.join(", ") }
    }

    fn table(&self) -> String {
        Rows {
            titles: ["ACCOUNT", "EMAIL", "CREDENTIAL", "SCOPE", "ORGS", "EXPIRES"],
            rows: vec![[
                self.name(),
                self.email(),
                self.known.credential(),
                self.scope(),
                self.org_list(),
                minute(self.known.expiry()),
            ]],
            last_width: 0,
        }
        .table()
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("Account", self.name())];
        if let Some(account) = &self.account {
            fields.push(("Account id", account.id.clone()));
            fields.push(("Email", account.email.clone()));
            if !account.name.is_empty() {
                fields.push(("Name", account.name.clone()));
            }
            fields.push(("Operator", if account.operator { "yes" } else { "no" }.to_owned()));
        }
        fields.push(("Credential", self.known.credential()));
        fields.push(("Scope", self.scope()));
        fields.push(("Orgs", self.org_list()));
        fields.push(("Expires", minute(self.known.expiry())));
        fields
    }
}
