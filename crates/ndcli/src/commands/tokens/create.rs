//! `ndcli auth token create`.

use clap_complete::ArgValueCandidates;
use ndauth_core::{Class, ExpiryChoice, Grants, InvalidExpiry, OrgSlug, Orgs, Permission, Scope};
use ndauth_proto::v1::{self, explain_token_request, get_org_token_request, get_token_request};
use ndauth_proto::{expiry_choice_to_proto, grants_to_proto, orgs_to_proto, scope_to_proto};
use ndauth_terminal::{Failure, detailed, nonsense, print, print_json};

use super::mint::{Bounds, Minting, name};
use super::sink::{Sink, SinkArgs};
use crate::commands::candidates;
use crate::commands::explain::preview;
use crate::connection::{Connection, connect};
use crate::settings::values::org;
use crate::settings::{Common, Format};

#[derive(clap::Args)]
pub(crate) struct Create {
    /// Human-readable label for the token. Must be unique within your account
    #[arg(long, required_unless_present = "like")]
    name: Option<String>,

    /// Take the settings of this token, dead or alive, and its name where no other is given; a revoked one goes by its id
    #[arg(long, value_name = "NAME", conflicts_with_all = ["scope", "org", "grant", "allow_from", "for_service"])]
    like: Option<String>,

    /// RW (read and write), RO (read only), or named scopes such as read:assets,write:assets
    #[arg(long, value_name = "SCOPE", value_parser = scope, required_unless_present_any = ["grant", "like"],
          add = ArgValueCandidates::new(candidates::scopes))]
    scope: Option<Scopes>,

    /// Restrict the token to an organization; may be repeated. Omit to allow access to all orgs
    #[arg(long, value_parser = org, add = ArgValueCandidates::new(candidates::orgs))]
    org: Vec<OrgSlug>,

    /// Token lifetime. One of: 30d, 60d, 90d, 180d, 365d, never; or an RFC 3339 instant [default: 90d]
    #[arg(long, value_name = "DURATION", value_parser = expiry)]
    expiry: Option<ExpiryChoice>,

    #[command(flatten)]
    bounds: Bounds,

    #[command(flatten)]
    sink: SinkArgs,

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
    let name = create.name.as_deref().map(name).transpose()?;
    let orgs =
        if create.org.is_empty() { Orgs::All } else { Orgs::Only(create.org.iter().cloned().collect()) };
    // Before there is a token, everything that may stand in its way is known.
    let sink = create.sink.prepare(false)?;
    let mut server = connect(common).await?;
    if let Some(like) = &create.like {
        let like = find(&server, None, like).await?;
        let request = v1::CreateTokenRequest {
            name: name.map_or(like.name, |name| name.to_string()),
            scope: like.scope,
            orgs: like.orgs,
            grants: like.grants,
            expiry: Some(create.expiry.map_or_else(|| lifetime(like.lifetime), expiry_choice_to_proto)),
            description: create.bounds.description.as_ref().map_or(like.description, ToString::to_string),
            services: like.services,
            networks: like.networks,
            self_rotating: like.self_rotating || create.bounds.self_rotating,
            pending: false,
        };
        return make(common, create, &mut server, request, sink).await;
    }
    let (scope, named) = match &create.scope {
        Some(Scopes::Whole(scope)) => (Some(*scope), [].as_slice()),
        Some(Scopes::Named(named)) => (None, named.as_slice()),
        None => (None, [].as_slice()),
    };
    let grants: Grants = create.bounds.grants(&server, named).await?;
    let request = v1::CreateTokenRequest {
        name: name.as_ref().map(ToString::to_string).unwrap_or_default(),
        // The server finds the least that a set of grants needs.
        scope: scope.map_or(v1::Scope::Unspecified, scope_to_proto).into(),
        orgs: Some(orgs_to_proto(&orgs)),
        grants: Some(grants_to_proto(&grants)),
        expiry: Some(expiry_choice_to_proto(create.expiry.unwrap_or(ExpiryChoice::PERSONAL))),
        description: create.bounds.description(),
        services: Some(create.bounds.services()),
        networks: Some(create.bounds.networks()),
        self_rotating: create.bounds.self_rotating,
        pending: false,
    };
    make(common, create, &mut server, request, sink).await
}

/// Has the token made; or shows what it could do.
async fn make(
    common: &Common,
    create: &Create,
    server: &mut Connection,
    request: v1::CreateTokenRequest,
    sink: Option<Sink>,
) -> Result<(), Failure> {
    if create.preview {
        let planned = explain_token_request::Token::Planned(request);
        return preview(common.format, server, planned).await;
    }
    let minting = Minting::Personal(request);
    let sent = sink.as_ref().map(Sink::whereabouts);
    let minted = match sink {
        Some(sink) => minting.make_into(common, server, sink).await?,
        None => minting.make(server).await?,
    };
    let sent = sent.as_deref();
    match common.format {
        Format::Table => print(&minted.sentences("Personal access token", sent, create.sink.file())),
        Format::Simple => print(&minted.simple(sent)),
        Format::Detailed => {
            let mut fields = vec![("Token", minted.whereabouts(sent))];
            fields.extend(super::list::fields(&minted.token, minted.token.created_at));
            print(&detailed(&fields))
        }
        Format::Json => print_json(&minted.flat(sent.map(|sent| ("secret", sent.to_owned())))),
    }
}

/// A token by its name or its id, dead or alive.
pub(crate) async fn find(
    server: &Connection,
    org: Option<&OrgSlug>,
    which: &str,
) -> Result<v1::Token, Failure> {
    let by_name = get(server, org, false, which).await;
    let found = match by_name {
        Err(failure) if failure.code == Class::NotFound.exit_code() => {
            match get(server, org, true, which).await {
                Err(_) => Err(Failure {
                    hint: Some(
                        "a revoked one goes by its id: `list --all --format detailed` shows it".to_owned(),
                    ),
                    ..failure
                }),
                found => found,
            }
        }
        found => found,
    };
    found?.ok_or_else(|| nonsense("the answer holds no token").into())
}

async fn get(
    server: &Connection,
    org: Option<&OrgSlug>,
    by_id: bool,
    which: &str,
) -> Result<Option<v1::Token>, Failure> {
    let which = which.to_owned();
    Ok(match org {
        None => {
            use get_token_request::Token;
            let token = Some(if by_id { Token::Id(which) } else { Token::Name(which) });
            let request = v1::GetTokenRequest { token };
            server.ask(async |client| client.get_token(request.clone()).await).await?.token
        }
        Some(org) => {
            use get_org_token_request::Token;
            let token = Some(if by_id { Token::Id(which) } else { Token::Name(which) });
            let request = v1::GetOrgTokenRequest { org: org.to_string(), token };
            server.ask(async |client| client.get_org_token(request.clone()).await).await?.token
        }
    })
}

/// A lifetime that was chosen once, chosen again.
pub(crate) fn lifetime(told: Option<v1::Lifetime>) -> v1::ExpiryChoice {
    let kind = told.and_then(|told| told.kind).map(|kind| match kind {
        v1::lifetime::Kind::AtMost(duration) => v1::expiry_choice::Kind::Lifetime(duration),
        v1::lifetime::Kind::NeverEnds(never) => v1::expiry_choice::Kind::Never(never),
    });
    v1::ExpiryChoice { kind }
}
