//! The form of a new token: its fields, read into what the authority creates or explains.

use ndauth_authority::{NewToken, Whose};
use ndauth_core::{
    Actions, ExpiryChoice, Grant, Grants, Lifetime, Networks, Orgs, Permission, Services,
    is_own_resource_type,
};
use ndauth_terminal::instant;

use crate::http::fields::Fields;
use crate::http::pages::parts::{FieldError, words};

/// The form of a new token as it was filled in, to show it again.
#[derive(Clone, Debug)]
pub(super) struct TypedToken {
    pub(super) name: String,
    pub(super) description: String,
    /// `RW`, `RO`, or [`NAMED`] for the chosen permissions alone.
    pub(super) scope: String,
    pub(super) permissions: Vec<String>,
    /// Further permissions, one on a line or with blanks between them.
    pub(super) more_permissions: String,
    /// [`ALL`], or [`ONLY`] the chosen orgs.
    pub(super) reach: String,
    pub(super) orgs: Vec<String>,
    pub(super) expiry: String,
    /// Another end, which replaces the chosen one.
    pub(super) expiry_other: String,
    pub(super) networks: String,
    pub(super) services: String,
    pub(super) self_rotating: bool,
    /// The end up to which the token may rotate itself.
    pub(super) until: String,
}

/// The reach of a token for all orgs of its owner, and for those that it names.
pub(super) const ALL: &str = "all";
pub(super) const ONLY: &str = "only";
/// The lifetimes to choose from.
pub(super) const EXPIRIES: [(&str, &str); 8] = [
    ("24h", "24 hours"),
    ("7d", "7 days"),
    ("30d", "30 days"),
    ("60d", "60 days"),
    ("90d", "90 days"),
    ("180d", "180 days"),
    ("365d", "365 days"),
    ("never", "Never"),
];
/// The scope of a token that carries named permissions.
pub(super) const NAMED: &str = "named";
/// The lifetimes that a new token has unless another is chosen.
const PERSONAL: &str = "90d";
const ORG: &str = "24h";

impl TypedToken {
    /// Returns an empty form. An org's token always names its permissions.
    pub(super) fn new(whose: &Whose) -> TypedToken {
        let is_org = matches!(whose, Whose::Org(_));
        TypedToken {
            name: String::new(),
            description: String::new(),
            scope: if is_org { NAMED } else { "RW" }.to_owned(),
            permissions: Vec::new(),
            more_permissions: String::new(),
            reach: ALL.to_owned(),
            orgs: Vec::new(),
            expiry: if is_org { ORG } else { PERSONAL }.to_owned(),
            expiry_other: String::new(),
            networks: String::new(),
            services: String::new(),
            self_rotating: false,
            until: String::new(),
        }
    }

    /// Returns what a form sent.
    pub(super) fn read(form: &Fields) -> TypedToken {
        let text = |name: &str| form.text(name).trim().to_owned();
        TypedToken {
            name: text("name"),
            description: text("description"),
            scope: text("scope"),
            permissions: form.all("permission").map(str::to_owned).collect(),
            more_permissions: text("grants"),
            reach: text("orgs"),
            orgs: form.all("org").map(str::to_owned).collect(),
            expiry: text("expiry"),
            expiry_other: text("expiry_other"),
            networks: form.all("network").collect::<Vec<_>>().join(" "),
            services: form.all("service").collect::<Vec<_>>().join(" "),
            self_rotating: form.get("self_rotating") == Some("yes"),
            until: text("until"),
        }
    }

    /// Fills the form from a link. A link narrows: it chooses fewer permissions, orgs, networks and services, a lower
    /// scope and an earlier end than the form does by itself, and never a later end, self-rotation or a permission that
    /// concerns ndauth itself, which the form's scopes do not include.
    pub(super) fn prefilled(whose: &Whose, query: &Fields) -> TypedToken {
        let typed = TypedToken::new(whose);
        let asked = TypedToken::read(query);
        let sooner = |text: &str| !text.is_empty() && lifetime(text) <= lifetime(&typed.expiry);
        // One of the choices, or else a text of its own.
        let (expiry, expiry_other) = match asked.expiry.as_str() {
            text if !sooner(text) => (typed.expiry.clone(), String::new()),
            text if EXPIRIES.iter().any(|(value, _)| *value == text) => (text.to_owned(), String::new()),
            text => (typed.expiry.clone(), text.to_owned()),
        };
        TypedToken {
            name: asked.name,
            description: asked.description,
            scope: match (asked.permissions.is_empty(), asked.scope.as_str()) {
                (false, _) => NAMED.to_owned(),
                (true, "RO") if typed.scope != NAMED => asked.scope,
                (true, _) => typed.scope,
            },
            permissions: asked.permissions.into_iter().filter(|text| !is_own(text)).collect(),
            reach: if asked.orgs.is_empty() { ALL } else { ONLY }.to_owned(),
            orgs: asked.orgs,
            expiry,
            expiry_other,
            networks: asked.networks,
            services: asked.services,
            ..typed
        }
    }

    /// Returns the chosen permissions, with those that were typed.
    fn all_permissions(&self) -> impl Iterator<Item = &str> {
        self.permissions.iter().map(String::as_str).chain(words(&self.more_permissions))
    }

    /// Reads the token to create, or the first error.
    pub(super) fn parse(&self, whose: &Whose) -> Result<NewToken, FieldError> {
        let error = |field| move |why: &dyn std::fmt::Display| FieldError::new(field, &why.to_string());
        let (scope, grants) = match self.scope.as_str() {
            // The least access that the permissions need.
            NAMED => (None, self.grants()?),
            text => {
                let unknown = |_| FieldError::new("scope", "choose `RW`, `RO` or named permissions");
                (Some(text.parse().map_err(unknown)?), Grants::All)
            }
        };
        let orgs = match whose {
            Whose::Org(_) => None,
            _ if self.reach == ONLY => {
                let mut slugs = Vec::new();
                for slug in &self.orgs {
                    slugs.push(
                        slug.parse().map_err(|_| FieldError::new("orgs", &format!("`{slug}` is no org")))?,
                    );
                }
                let none = |_| FieldError::new("orgs", "choose an org, or all orgs");
                Some(Orgs::only(slugs).map_err(none)?)
            }
            _ if self.reach == ALL => Some(Orgs::All),
            _ => return Err(FieldError::new("orgs", "choose all orgs, or some")),
        };
        let services = match words(&self.services).map(str::parse).collect::<Result<Vec<_>, _>>() {
            Ok(none) if none.is_empty() => Services::All,
            Ok(some) => Services::only(some).map_err(|why| error("service")(&why))?,
            Err(why) => return Err(error("service")(&why)),
        };
        let networks = match words(&self.networks).map(str::parse).collect::<Result<Vec<_>, _>>() {
            Ok(none) if none.is_empty() => Networks::All,
            Ok(some) => Networks::only(some).map_err(|why| error("network")(&why))?,
            Err(why) => return Err(error("network")(&why)),
        };
        let self_rotating_until = match (self.self_rotating, self.until.as_str()) {
            (false, _) => None,
            (true, "") => Some(ExpiryChoice::In(Lifetime::For(ndauth_core::MAX_LIFETIME))),
            (true, text) => Some(choice(text).map_err(|why| error("until")(&why))?),
        };
        Ok(NewToken {
            name: self.name.parse().map_err(|why| FieldError::new("name", &format!("the name {why}")))?,
            description: match self.description.as_str() {
                "" => None,
                text => {
                    let why = |why| FieldError::new("description", &format!("the description {why}"));
                    Some(text.parse().map_err(why)?)
                }
            },
            scope,
            grants,
            orgs,
            services,
            networks,
            expiry: match self.expiry_other.as_str() {
                "" => choice(&self.expiry).map_err(|why| error("expiry")(&why))?,
                other => choice(other).map_err(|why| error("expiry_other")(&why))?,
            },
            self_rotating_until,
            pending: false,
        })
    }

    fn grants(&self) -> Result<Grants, FieldError> {
        let error = |text: &str| FieldError::new("permission", text);
        let mut grants = Vec::new();
        for text in self.all_permissions() {
            let permission: Permission =
                text.parse().map_err(|why| error(&format!("`{text}` is no permission: {why}")))?;
            grants.push(Grant {
                resource_type: permission.resource_type,
                resource_ids: permission.resource_ids,
                actions: Actions::Only([permission.action].into()),
            });
        }
        if grants.is_empty() {
            return Err(error("choose a permission, or all permissions"));
        }
        Grants::only(grants).map_err(|why| error(&why.to_string()))
    }
}

/// Parses an end: a preset, a duration, an instant, or a day.
fn choice(text: &str) -> Result<ExpiryChoice, ndauth_core::InvalidExpiry> {
    match text {
        "never" => Ok(ExpiryChoice::In(Lifetime::Endless)),
        text => ExpiryChoice::parse_duration(text)
            .or_else(|why| instant(text).map(ExpiryChoice::At).map_err(|_| why)),
    }
}

/// Returns true if a permission concerns ndauth itself. A text that is none is shown with its error.
fn is_own(text: &str) -> bool {
    text.parse().is_ok_and(|permission: Permission| is_own_resource_type(&permission.resource_type))
}

/// Returns the lifetime that a text states. A text that states none counts as endless.
fn lifetime(text: &str) -> Lifetime {
    match choice(text) {
        Ok(ExpiryChoice::In(lifetime)) => lifetime,
        Ok(ExpiryChoice::At(_)) | Err(_) => Lifetime::Endless,
    }
}
