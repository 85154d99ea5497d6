//! `ndcli token`: tokens that an org owns.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use ndauth_core::{ExpiryChoice, Grants, InvalidExpiry, Label, Lifetime, OrgSlug, Orgs};
use ndauth_proto::v1;
use ndauth_proto::{expiry_choice_to_proto, grants_to_proto, orgs_to_proto};
use ndauth_terminal::{Failure, TokenShown, detailed, print, print_json, shown, told};
use serde_json::json;

use super::aim::{Aim, Named, label};
use super::create::{find, lifetime};
use super::list::{Listing, fields, show};
use super::mint::{Bounds, Minting, name};
use super::renew::Renewal;
use super::rotate::Rotation;
use super::sink::{SinkArgs, TokenFile};
use super::{renew, rotate, suspend};
use crate::connection::{Connection, connect};
use crate::settings::{Common, Format, InOrg};
use crate::terminal::confirm;

#[derive(Subcommand)]
pub(crate) enum OrgToken {
    /// Make a token of the org; its value is displayed once
    Create(Create),
    /// List the tokens of the org
    List(List),
    /// Show a token of the org: its secrets, and from where it is used
    Show(Which),
    /// Give a token of the org a new secret; the old one retires once the new one is used
    Rotate(Rotate),
    /// Move the end of a standard token of the org by 30 days; `refresh` is the same
    #[command(alias = "refresh")]
    Renew(Renew),
    /// Revoke a token of the org
    Revoke(Revoke),
    /// Take the power of a token of the org for now
    Suspend(Which),
    /// Give it back
    Resume(Which),
}

#[derive(clap::Args)]
pub(crate) struct Rotate {
    #[command(flatten)]
    which: Which,

    #[command(flatten)]
    rotation: Rotation,
}

#[derive(clap::Args)]
pub(crate) struct Renew {
    #[command(flatten)]
    which: Which,

    #[command(flatten)]
    renewal: Renewal,
}

#[derive(clap::Args)]
pub(crate) struct Create {
    /// A name that no other token of the org has
    #[arg(long, required_unless_present = "like")]
    name: Option<String>,

    /// Take the settings of this token of the org, dead or alive, and its name where no other is given; a revoked one
    /// goes by its id
    #[arg(long, value_name = "NAME", conflicts_with_all = ["grant", "allow_from", "for_service", "user"])]
    like: Option<String>,

    #[command(flatten)]
    bounds: Bounds,

    /// How long it lives: a number of h, d, w or y, up to 365 days, or an RFC 3339 instant [default: 24h]
    #[arg(long, visible_alias = "expires_in", value_name = "DURATION", value_parser = expires_in)]
    expires_in: Option<ExpiryChoice>,

    /// Let it live until it is revoked; only with `--user`
    #[arg(long, visible_alias = "no_expiry", requires = "user", conflicts_with = "expires_in")]
    no_expiry: bool,

    /// Make a personal token of yours instead, restricted to the org
    #[arg(long)]
    user: bool,

    /// Write the token to this file, as JSON for NDCLI_TOKEN_FILE, readable by you alone
    #[arg(long, visible_alias = "token_file", value_name = "FILE", conflicts_with_all = ["to_file", "to_command"])]
    token_file: Option<PathBuf>,

    /// Write over a file that is there
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    sink: SinkArgs,

    /// How to print it: a table, an object, or the token's value alone
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<Output>,

    #[command(flatten)]
    in_org: InOrg,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Table,
    /// For programs
    Json,
    /// The value and nothing else
    Token,
}

#[derive(Clone, Copy, ValueEnum)]
enum ListOutput {
    /// For people
    Table,
    /// For programs
    Json,
}

#[derive(clap::Args)]
pub(crate) struct List {
    /// List revoked tokens too
    #[arg(long, visible_aliases = ["include-revoked", "include_revoked"])]
    all: bool,

    #[command(flatten)]
    listing: Listing,

    /// How to print them
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<ListOutput>,

    #[command(flatten)]
    in_org: InOrg,
}

/// Which token of an org.
#[derive(clap::Args)]
pub(crate) struct Which {
    /// Its name, as `ndcli token list` shows it
    #[arg(required_unless_present = "token_id")]
    name: Option<String>,

    /// Its id
    #[arg(long, visible_alias = "token_id", value_name = "ID", conflicts_with = "name")]
    token_id: Option<String>,

    #[command(flatten)]
    in_org: InOrg,
}

#[derive(clap::Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    which: Which,

    /// Why, in your words: the org's admins are told
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Skip the confirmation prompt
    #[arg(long)]
    yes: bool,
}

fn expires_in(text: &str) -> Result<ExpiryChoice, InvalidExpiry> {
    ExpiryChoice::parse_duration(text)
}

/// Carries out a command on an org's tokens.
pub(crate) async fn run(common: &Common, command: &OrgToken) -> Result<(), Failure> {
    match command {
        OrgToken::Create(command) => create(common, command).await,
        OrgToken::List(command) => list(common, command).await,
        OrgToken::Show(which) => super::show::run(common, &which.aim()?).await,
        OrgToken::Rotate(command) => rotate::run(common, &command.which.aim()?, &command.rotation).await,
        OrgToken::Renew(command) => renew::run(common, &command.which.aim()?, &command.renewal).await,
        OrgToken::Revoke(command) => revoke(common, command).await,
        OrgToken::Suspend(which) => suspend::suspend(common, &which.aim()?).await,
        OrgToken::Resume(which) => suspend::resume(common, &which.aim()?).await,
    }
}

async fn create(common: &Common, create: &Create) -> Result<(), Failure> {
    let name = create.name.as_deref().map(name).transpose()?;
    let org = create.in_org.require()?;
    if create.bounds.grant.is_empty() && create.like.is_none() {
        return Err(Failure::usage(
            "such a token carries grants, and none is given",
            "`--grant JSON`, which may be repeated; `ndcli permissions list` shows what there is",
        ));
    }
    // Before there is a token, everything that may stand in its way is known.
    let file = create.token_file.as_deref().map(|path| TokenFile::prepare(path, create.force)).transpose()?;
    let sink = create.sink.prepare(create.force)?;
    let mut server = connect(common).await?;
    let minting = match (&create.like, &name) {
        (Some(like), _) => like_another(create, &server, name.as_ref(), org, like).await?,
        (None, Some(name)) => minting(create, name, org, &create.bounds.grants(&server, &[]).await?),
        (None, None) => return Err(Failure::usage("it has no name", "say `--name`")),
    };
    let sent = match (&sink, &create.token_file) {
        (Some(sink), _) => Some(sink.whereabouts()),
        (None, Some(path)) => Some(format!("written to {}", shown(&path.display().to_string()))),
        (None, None) => None,
    };
    let minted = match sink {
        Some(sink) => minting.make_into(common, &mut server, sink).await,
        None => match minting.make(&mut server).await {
            Ok(minted) => {
                if let Some(file) = file {
                    minting.keep(&mut server, file, &minted).await?;
                }
                Ok(minted)
            }
            Err(failure) => Err(failure),
        },
    };
    let minted = minted.map_err(|failure| only_admins(failure, create))?;
    let sent = sent.as_deref();
    let kind = if create.user { "Personal access token" } else { "Org token" };
    let output = create.output.unwrap_or(match common.format {
        Format::Json => Output::Json,
        Format::Table | Format::Simple | Format::Detailed => Output::Table,
    });
    match (output, common.format) {
        (Output::Token, _) => print(&format!("{}\n", shown(&minted.secret))),
        (Output::Json, _) => {
            let file = create.token_file.as_ref().map(|path| ("token_file", path.display().to_string()));
            print_json(&minted.flat(file.or_else(|| sent.map(|sent| ("secret", sent.to_owned())))))
        }
        (Output::Table, Format::Simple) => print(&minted.simple(sent)),
        (Output::Table, Format::Detailed) => {
            let mut told = vec![("Token", minted.whereabouts(sent))];
            told.extend(fields(&minted.token, minted.token.created_at));
            print(&detailed(&told))
        }
        (Output::Table, Format::Table | Format::Json) => {
            let file = create.token_file.as_deref().or(create.sink.file());
            print(&minted.sentences(kind, sent, file))
        }
    }
}

/// A token with the settings of another.
async fn like_another(
    create: &Create,
    server: &Connection,
    name: Option<&Label>,
    org: &OrgSlug,
    like: &str,
) -> Result<Minting, Failure> {
    let like = find(server, Some(org), like).await?;
    Ok(Minting::Org(v1::CreateOrgTokenRequest {
        org: org.to_string(),
        name: name.map_or(like.name, ToString::to_string),
        description: create.bounds.description.as_ref().map_or(like.description, ToString::to_string),
        grants: like.grants,
        expiry: Some(create.expires_in.map_or_else(|| lifetime(like.lifetime), expiry_choice_to_proto)),
        services: like.services,
        networks: like.networks,
        self_rotating: like.self_rotating || create.bounds.self_rotating,
        pending: false,
    }))
}

fn minting(create: &Create, name: &Label, org: &OrgSlug, grants: &Grants) -> Minting {
    let chosen = create.expires_in.unwrap_or(ExpiryChoice::ORG);
    let expiry = if create.no_expiry { ExpiryChoice::In(Lifetime::Endless) } else { chosen };
    let expiry = Some(expiry_choice_to_proto(expiry));
    let (services, networks) = (Some(create.bounds.services()), Some(create.bounds.networks()));
    let description = create.bounds.description();
    let (name, grants_told) = (name.to_string(), Some(grants_to_proto(grants)));
    if create.user {
        let orgs = Orgs::Only([org.clone()].into());
        Minting::Personal(v1::CreateTokenRequest {
            name,
            scope: v1::Scope::Unspecified.into(),
            orgs: Some(orgs_to_proto(&orgs)),
            grants: grants_told,
            expiry,
            description,
            services,
            networks,
            self_rotating: create.bounds.self_rotating,
            pending: false,
        })
    } else {
        let org = org.to_string();
        Minting::Org(v1::CreateOrgTokenRequest {
            org,
            name,
            description,
            grants: grants_told,
            expiry,
            services,
            networks,
            self_rotating: create.bounds.self_rotating,
            pending: false,
        })
    }
}

/// Who is no admin is told of the way that is open.
fn only_admins(failure: Failure, create: &Create) -> Failure {
    if create.user || failure.hint.as_deref() != ndauth_core::Reason::RoleTooLow.hint() {
        return failure;
    }
    let hint = "only admins of the org make its tokens; `--user` makes one of yours, restricted to the org";
    Failure { hint: Some(hint.to_owned()), ..failure }
}

async fn list(common: &Common, list: &List) -> Result<(), Failure> {
    let org = list.in_org.require()?;
    let server = connect(common).await?;
    let mut tokens = Vec::new();
    let mut page_token = String::new();
    let now = loop {
        let request = v1::ListOrgTokensRequest {
            org: org.to_string(),
            include_revoked: list.all,
            page_size: list.listing.page_size(tokens.len()),
            page_token: page_token.clone(),
            unused_for: list.listing.unused_for(),
            expiring_within: list.listing.expiring_within(),
            order: list.listing.order(),
            reverse: list.listing.reverse(),
        };
        let page = server.ask(async |client| client.list_org_tokens(request.clone()).await).await?;
        for token in page.tokens {
            tokens.push(TokenShown::read(Some(token))?);
        }
        if page.next_page_token.is_empty() || list.listing.is_enough(tokens.len()) {
            break told("evaluated_at", Some(page.evaluated_at))?;
        }
        page_token = page.next_page_token;
    };
    let format = match list.output {
        None => common.format,
        Some(ListOutput::Table) => Format::Table,
        Some(ListOutput::Json) => Format::Json,
    };
    show(format, &tokens, now)
}

impl Which {
    fn aim(&self) -> Result<Aim, Failure> {
        let token = match (&self.name, &self.token_id) {
            (_, Some(id)) => Named::Id(id.clone()),
            (name, None) => Named::Name(label(name.as_deref().unwrap_or_default(), "ndcli token list")?),
        };
        Ok(Aim { org: Some(self.in_org.require()?.clone()), token })
    }
}

/// Revokes a token of an org, once the person or the flag confirms.
async fn revoke(common: &Common, revoke: &Revoke) -> Result<(), Failure> {
    let aim = revoke.which.aim()?;
    if !revoke.yes {
        let question = format!(
            "Revoke token \"{}\" of the org \"{}\"? This cannot be undone. [y/N]:",
            aim.shown(),
            aim.org.as_ref().map_or("", OrgSlug::as_str)
        );
        if !confirm(&question, "--yes")? {
            return Err(Failure::failed("aborted: nothing was revoked", None));
        }
    }
    let server = connect(common).await?;
    // By its name it is looked for, by its id it is revoked: see `ndcli auth token revoke`.
    let aim = aim.by_id(&aim.get(&server).await?.token);
    let token = aim.revoke(&server, revoke.reason.as_deref().unwrap_or_default()).await?;
    match common.format {
        Format::Table => print(&format!("✓ Org token \"{}\" revoked\n", shown(&token.name))),
        Format::Simple => print(&format!("• {} [{}] revoked\n", shown(&token.name), shown(&token.prefix))),
        Format::Detailed => print(&detailed(&fields(&token, token.created_at))),
        Format::Json => print_json(&json!({
            "revoked": true,
            "name": token.name,
            "id": token.id,
            "org": token.owner_org,
            "revoked_at": token.revoked_at.map(|at| at.to_string()),
        })),
    }
}
