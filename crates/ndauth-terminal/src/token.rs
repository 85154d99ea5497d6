//! What there is to show, in the four formats.

use ndauth_core::{Expiry, Grants, Orgs, Timestamp};
use ndauth_proto::{expiry_from_proto, grants_from_proto, orgs_from_proto, timestamp_from_proto, v1};
use serde_json::{Value, json};
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Style, Width};

use crate::failure::Failure;
use crate::terminal::{print, shown};

/// Something to show: a column a title, a row each.
pub(crate) struct Rows<const N: usize> {
    pub(crate) titles: [&'static str; N],
    pub(crate) rows: Vec<[String; N]>,
    /// How wide the last column is at the least.
    pub(crate) last_width: usize,
}

impl<const N: usize> Rows<N> {
    /// A table with a header.
    pub(crate) fn table(&self) -> String {
        let mut builder = Builder::with_capacity(self.rows.len() + 1, N);
        builder.push_record(self.titles);
        for row in &self.rows {
            builder.push_record(row.iter().map(|cell| shown(cell)));
        }
        let mut table = builder.build();
        if self.rows.is_empty() {
            // The rule under a header would stand in for the border below it.
            table.with(Style::rounded().remove_horizontals());
        } else {
            table.with(Style::rounded());
        }
        table.modify(Columns::last(), Width::increase(self.last_width));
        format!("{table}\n")
    }
}

/// A table of two columns without a header: what it is, and what it says.
pub(crate) fn detailed(fields: &[(&str, String)]) -> String {
    let mut builder = Builder::with_capacity(fields.len(), 2);
    for (name, value) in fields {
        builder.push_record([(*name).to_owned(), shown(value)]);
    }
    let mut table = builder.build();
    table.with(Style::rounded().remove_horizontals());
    format!("{table}\n")
}

/// Prints JSON. What a terminal could obey is escaped within the texts.
pub(crate) fn print_json(value: &Value) -> Result<(), Failure> {
    let pretty = serde_json::to_string_pretty(value).expect("a value is plain data");
    let mut safe = String::with_capacity(pretty.len());
    let mut units = [0; 2];
    for c in pretty.chars() {
        if c != '\n' && ndauth_core::is_unshowable(c) {
            for unit in c.encode_utf16(&mut units) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            safe.push(c);
        }
    }
    safe.push('\n');
    print(&safe)
}

/// A token, read off the wire into what is shown of it.
pub(crate) struct TokenShown {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) prefix: String,
    pub(crate) scope: &'static str,
    pub(crate) orgs: Option<Vec<String>>,
    pub(crate) grants: Grants,
    pub(crate) token_type: &'static str,
    pub(crate) status: &'static str,
    pub(crate) created_at: Timestamp,
    pub(crate) expiry: Expiry,
    pub(crate) revoked_at: Option<Timestamp>,
    pub(crate) last_used_at: Option<Timestamp>,
    pub(crate) last_used_ip: Option<String>,
}

impl TokenShown {
    /// Reads a token off the wire.
    pub(crate) fn read(token: Option<v1::Token>) -> Result<TokenShown, Failure> {
        let token = token.ok_or_else(|| Failure::from(nonsense("the answer holds no token")))?;
        let instant =
            |field, instant: Option<_>| instant.map(|at| timestamp_from_proto(field, at)).transpose();
        Ok(TokenShown {
            scope: match token.scope() {
                v1::Scope::Ro => "RO",
                v1::Scope::Rw => "RW",
                v1::Scope::Unspecified => "?",
            },
            token_type: match token.r#type() {
                v1::TokenType::Standard => "standard",
                v1::TokenType::LongLived => "long-lived",
                v1::TokenType::ReadOnly => "read-only",
                v1::TokenType::Unspecified => "?",
            },
            status: match token.status() {
                v1::TokenStatus::Active => "active",
                v1::TokenStatus::Expired => "expired",
                v1::TokenStatus::Revoked => "revoked",
                v1::TokenStatus::Unspecified => "?",
            },
            orgs: match orgs_from_proto("orgs", token.orgs)? {
                Orgs::All => None,
                Orgs::Only(slugs) => Some(slugs.iter().map(ToString::to_string).collect()),
            },
            grants: grants_from_proto("grants", token.grants)?,
            created_at: instant("created_at", token.created_at)?
                .ok_or_else(|| nonsense("the token has no time of creation"))?,
            expiry: expiry_from_proto("expiry", token.expiry)?,
            revoked_at: instant("revoked_at", token.revoked_at)?,
            last_used_at: instant("last_use", token.last_use.as_ref().and_then(|last| last.at))?,
            last_used_ip: token.last_use.map(|last| last.address).filter(|address| !address.is_empty()),
            id: token.id,
            name: token.name,
            prefix: token.prefix,
        })
    }

    /// The orgs by name, or `-` for all.
    pub(crate) fn org(&self) -> String {
        self.orgs.as_ref().map_or("-".to_owned(), |orgs| orgs.join(", "))
    }

    /// The day it ends, or `Never`.
    pub(crate) fn expires(&self) -> String {
        match self.expiry {
            Expiry::At(end) => end.date(),
            Expiry::Never => "Never".to_owned(),
        }
    }

    /// The permissions it carries, for people.
    pub(crate) fn granted(&self) -> String {
        match &self.grants {
            Grants::All => "all".to_owned(),
            Grants::Only(set) => {
                let lines = set.iter().map(|(resource_type, ids, actions)| match actions {
                    ndauth_core::Actions::Any => format!("*:{resource_type}:{ids}"),
                    ndauth_core::Actions::Only(actions) => {
                        let actions: Vec<&str> = actions.iter().map(ndauth_core::Action::as_str).collect();
                        format!("{}:{resource_type}:{ids}", actions.join("+"))
                    }
                });
                lines.collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// What programs are told of a token.
    pub(crate) fn json(&self) -> Value {
        json!({
            "name": self.name,
            "token_prefix": self.prefix,
            "scope": self.scope,
            "org": self.single_org(),
            "expires_at": expiry_json(self.expiry),
            "created_at": self.created_at.to_string(),
            "last_used_at": self.last_used_at.map(|at| at.to_string()),
            "last_used_ip": self.last_used_ip,
            "status": self.status,
            "id": self.id,
            "type": self.token_type,
            "orgs": self.orgs,
            "grants": grants_json(&self.grants),
            "revoked_at": self.revoked_at.map(|at| at.to_string()),
        })
    }

    /// The org where there is exactly one.
    fn single_org(&self) -> Option<&String> {
        self.orgs.as_ref().filter(|orgs| orgs.len() == 1).and_then(|orgs| orgs.first())
    }
}

/// An end as programs are told of it: `null` for none.
pub(crate) fn expiry_json(expiry: Expiry) -> Value {
    match expiry {
        Expiry::At(end) => Value::from(end.to_string()),
        Expiry::Never => Value::Null,
    }
}

/// Permissions as programs are told of them: `"all"`, or a list of grants.
pub(crate) fn grants_json(grants: &Grants) -> Value {
    match grants {
        Grants::All => Value::from("all"),
        Grants::Only(set) => set
            .iter()
            .map(|(resource_type, ids, actions)| {
                let actions: Vec<&str> = match actions {
                    ndauth_core::Actions::Any => vec!["*"],
                    ndauth_core::Actions::Only(actions) => {
                        actions.iter().map(ndauth_core::Action::as_str).collect()
                    }
                };
                json!({ "resource_type": resource_type.as_str(), "resource_id": ids.to_string(), "actions": actions })
            })
            .collect(),
    }
}

/// How long ago something was, as the lists show it: `now`, `2m`, `3h`, `6d`, and then its day.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.since(then).as_secs();
    match seconds {
        0..60 => "now".to_owned(),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        86_400..604_800 => format!("{}d", seconds / 86_400),
        _ if then.to_utc().year() == now.to_utc().year() => then.date()[5..].to_owned(),
        _ => then.date(),
    }
}

/// An instant that the server must have told.
pub(crate) fn told(
    field: &str,
    instant: Option<impl Into<Option<prost_types::Timestamp>>>,
) -> Result<Timestamp, Failure> {
    let instant = instant.and_then(Into::into).ok_or_else(|| nonsense("the answer tells no time"))?;
    Ok(timestamp_from_proto(field, instant)?)
}

/// An answer that no server of ndauth gives.
pub(crate) fn nonsense(what: &str) -> ndauth_core::Problem {
    ndauth_core::Problem::new(
        ndauth_core::Reason::Internal,
        format!("the server's answer makes no sense: {what}"),
    )
}

#[cfg(test)]
mod tests;
