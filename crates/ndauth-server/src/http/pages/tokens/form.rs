//! The form of a new token: its fields, read into what the authority creates or explains.

use ndauth_authority::{NewToken, Whose};
use ndauth_core::{Actions, ExpiryChoice, Grant, Grants, Lifetime, Networks, Orgs, Permission, Services};

use crate::http::fields::Fields;
use crate::http::pages::parts::{FieldError, words};

/// What was typed into the form, as it is shown again.
#[derive(Clone, Debug)]
pub(super) struct TypedToken {
    pub(super) name: String,
    pub(super) description: String,
    /// `RW`, `RO`, or [`NAMED`] for the chosen permissions alone.
    pub(super) scope: String,
    pub(super) permissions: Vec<String>,
    /// Further permissions, one on a line or with blanks between them.
    pub(super) more_permissions: String,
    /// True if only the chosen orgs are meant.
    pub(super) some_orgs: bool,
    pub(super) orgs: Vec<String>,
    pub(super) expiry: String,
    pub(super) networks: String,
    pub(super) services: String,
    pub(super) self_rotating: bool,
    /// The end up to which the token may rotate itself.
    pub(super) until: String,
}

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
            some_orgs: false,
            orgs: Vec::new(),
            expiry: if is_org { ORG } else { PERSONAL }.to_owned(),
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
            some_orgs: form.get("orgs") == Some("only"),
            orgs: form.all("org").map(str::to_owned).collect(),
            expiry: Some(text("expiry_other"))
                .filter(|text| !text.is_empty())
                .unwrap_or_else(|| text("expiry")),
            networks: form.all("network").collect::<Vec<_>>().join(" "),
            services: form.all("service").collect::<Vec<_>>().join(" "),
            self_rotating: form.get("self_rotating").is_some(),
            until: text("until"),
        }
    }

    /// Fills the form from a link. A link narrows: it chooses fewer permissions, orgs, networks and services, a lower
    /// scope and an earlier end than the form does by itself, and never a later end or self-rotation.
    pub(super) fn prefilled(whose: &Whose, query: &Fields) -> TypedToken {
        let typed = TypedToken::new(whose);
        let asked = TypedToken::read(query);
        let sooner = |text: &String| lifetime(text) <= lifetime(&typed.expiry);
        TypedToken {
            name: asked.name,
            description: asked.description,
            scope: match (asked.permissions.is_empty(), asked.scope.as_str()) {
                (false, _) => NAMED.to_owned(),
                (true, "RO") if typed.scope != NAMED => asked.scope,
                (true, _) => typed.scope,
            },
            permissions: asked.permissions,
            some_orgs: !asked.orgs.is_empty(),
            orgs: asked.orgs,
            expiry: Some(asked.expiry).filter(sooner).unwrap_or(typed.expiry),
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
            _ if self.some_orgs => {
                let mut slugs = Vec::new();
                for slug in &self.orgs {
                    slugs.push(
                        slug.parse().map_err(|_| FieldError::new("orgs", &format!("`{slug}` is no org")))?,
                    );
                }
                let none = |_| FieldError::new("orgs", "choose an org, or all orgs");
                Some(Orgs::only(slugs).map_err(none)?)
            }
            _ => Some(Orgs::All),
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
            expiry: choice(&self.expiry).map_err(|why| error("expiry")(&why))?,
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

/// Parses an end: a preset, a duration, or an instant.
fn choice(text: &str) -> Result<ExpiryChoice, ndauth_core::InvalidExpiry> {
    match text {
        "never" => Ok(ExpiryChoice::In(Lifetime::Endless)),
        text => ExpiryChoice::parse_duration(text),
    }
}

/// Returns the lifetime that a text states. A text that states none counts as endless.
fn lifetime(text: &str) -> Lifetime {
    match choice(text) {
        Ok(ExpiryChoice::In(lifetime)) => lifetime,
        Ok(ExpiryChoice::At(_)) | Err(_) => Lifetime::Endless,
    }
}
