//! `ndcli auth token create`.

use clap_complete::ArgValueCandidates;
use ndauth_core::{ExpiryChoice, Grants, InvalidExpiry, OrgSlug, Orgs, Permission, Scope};
use ndauth_proto::v1::{self, explain_token_request};
use ndauth_proto::{expiry_choice_to_proto, grants_to_proto, orgs_to_proto, scope_to_proto};
use ndauth_terminal::{Failure, detailed, print, print_json, shown};

use super::explain::preview;
use super::mint::{Bounds, Minting, name};
use crate::arguments::{Common, Format, org};
use crate::completion;
use crate::connection::connect;

#[derive(clap::Args)]
pub(crate) struct Create {
    /// Human-readable label for the token. Must be unique within your account
    #[arg(long)]
    name: String,

    /// RW (read and write), RO (read only), or named scopes such as read:assets,write:assets
    #[arg(long, value_name = "SCOPE", value_parser = scope, required_unless_present = "grant",
          add = ArgValueCandidates::new(completion::scopes))]
    scope: Option<Scopes>,

    /// Restrict the token to an organization; may be repeated. Omit to allow access to all orgs
    #[arg(long, value_parser = org, add = ArgValueCandidates::new(completion::orgs))]
    org: Vec<OrgSlug>,

    /// Token lifetime. One of: 30d, 60d, 90d, 180d, 365d, never; or an RFC 3339 instant
    #[arg(long, value_name = "DURATION", default_value = "90d", value_parser = expiry)]
    expiry: ExpiryChoice,

    #[command(flatten)]
    bounds: Bounds,

    /// Show what the token could do in each org, and make none
    #[arg(long)]
    preview: bool,
}

/// What `--scope` says: how much, or what by name.
#[derive(Clone)]
enum Scopes {
    Whole(Scope),
    /// Each as it was written, and what it means.
    Named(Vec<(String, Permission)>),
}

fn scope(text: &str) -> Result<Scopes, String> {
    if let Ok(scope) = text.parse() {
        return Ok(Scopes::Whole(scope));
    }
    let named = |name: &str| {
        let permission = name.parse::<Permission>();
        permission.map(|permission| (name.to_owned(), permission)).map_err(|why| format!("`{name}`: {why}"))
    };
    if text.contains(':') {
        text.split(',').map(named).collect::<Result<_, _>>().map(Scopes::Named)
    } else {
        Err("expected `RW`, `RO`, or named scopes such as `read:assets,write:assets`".to_owned())
    }
}

fn expiry(text: &str) -> Result<ExpiryChoice, InvalidExpiry> {
    ExpiryChoice::parse_preset(text)
}

/// Creates a token, and shows its secret once; or shows what it could do.
pub(crate) async fn run(common: &Common, create: &Create) -> Result<(), Failure> {
    let name = name(&create.name)?;
    let orgs =
        if create.org.is_empty() { Orgs::All } else { Orgs::Only(create.org.iter().cloned().collect()) };
    let mut server = connect(common).await?;
    let (scope, named) = match &create.scope {
        Some(Scopes::Whole(scope)) => (Some(*scope), [].as_slice()),
        Some(Scopes::Named(named)) => (None, named.as_slice()),
        None => (None, [].as_slice()),
    };
    let grants: Grants = create.bounds.grants(&server, named).await?;
    let request = v1::CreateTokenRequest {
        name: name.to_string(),
        // The server finds the least that a set of grants needs.
        scope: scope.map_or(v1::Scope::Unspecified, scope_to_proto).into(),
        orgs: Some(orgs_to_proto(&orgs)),
        grants: Some(grants_to_proto(&grants)),
        expiry: Some(expiry_choice_to_proto(create.expiry)),
        description: create.bounds.description(),
        services: Some(create.bounds.services()),
        networks: Some(create.bounds.networks()),
    };
    if create.preview {
        let planned = explain_token_request::Token::Planned(request);
        return preview(common.format, &server, planned).await;
    }
    let minted = Minting::Personal(request).make(&mut server).await?;
    match common.format {
        Format::Table => print(&minted.sentences("Personal access token", None)),
        Format::Simple => print(&minted.simple(None)),
        Format::Detailed => {
            let mut fields = vec![("Token", shown(&minted.secret))];
            fields.extend(super::list::fields(&minted.token, minted.token.created_at));
            print(&detailed(&fields))
        }
        Format::Json => print_json(&minted.flat(None)),
    }
}
