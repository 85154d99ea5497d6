//! `ndcli token`: tokens that an org owns.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use ndauth_core::{ExpiryChoice, Grants, InvalidExpiry, InvalidName, Label, Lifetime, OrgSlug, Orgs};
use ndauth_proto::v1::{self, get_org_token_request, revoke_org_token_request};
use ndauth_proto::{expiry_choice_to_proto, grants_to_proto, orgs_to_proto};
use ndauth_terminal::{Failure, TokenShown, detailed, nonsense, print, print_json, shown, told};
use serde_json::json;

use super::list::{PAGE, fields, show};
use super::mint::{Bounds, Minting, TokenFile, name};
use crate::arguments::{Common, Format, InOrg};
use crate::connection::connect;
use crate::terminal::confirm;

#[derive(Subcommand)]
pub(crate) enum OrgToken {
    /// Make a token of the org; its value is displayed once
    Create(Create),
    /// List the tokens of the org
    List(List),
    /// Show a token of the org
    Show(Which),
    /// Revoke a token of the org
    Revoke(Revoke),
}

#[derive(clap::Args)]
pub(crate) struct Create {
    /// A name that no other token of the org has
    #[arg(long)]
    name: String,

    #[command(flatten)]
    bounds: Bounds,

    /// How long it lives: a number of h, d, w or y, up to 365 days, or an RFC 3339 instant
    #[arg(long, visible_alias = "expires_in", value_name = "DURATION", default_value = "24h", value_parser = expires_in)]
    expires_in: ExpiryChoice,

    /// Let it live until it is revoked; only with `--user`
    #[arg(long, visible_alias = "no_expiry", requires = "user", conflicts_with = "expires_in")]
    no_expiry: bool,

    /// Make a personal token of yours instead, restricted to the org
    #[arg(long)]
    user: bool,

    /// Write the token to this file, as JSON for NDCLI_TOKEN_FILE, readable by you alone
    #[arg(long, visible_alias = "token_file", value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// Write over a file that is there
    #[arg(long, requires = "token_file")]
    force: bool,

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
        OrgToken::Show(command) => show_one(common, command).await,
        OrgToken::Revoke(command) => revoke(common, command).await,
    }
}

async fn create(common: &Common, create: &Create) -> Result<(), Failure> {
    let name = name(&create.name)?;
    let org = create.in_org.require()?;
    if create.bounds.grant.is_empty() {
        return Err(Failure::usage(
            "such a token carries grants, and none is given",
            "`--grant JSON`, which may be repeated; `ndcli permissions list` shows what there is",
        ));
    }
    // Before there is a token, everything that may stand in its way is known.
    let file = create.token_file.as_deref().map(|path| TokenFile::prepare(path, create.force)).transpose()?;
    let mut server = connect(common).await?;
    let grants = create.bounds.grants(&server, &[]).await?;
    let minting = minting(create, &name, org, &grants);
    let minted = minting.make(&mut server).await.map_err(|failure| only_admins(failure, create))?;
    if let Some(file) = file {
        minting.keep(&mut server, file, &minted).await?;
    }
    let file = create.token_file.as_deref();
    let kind = if create.user { "Personal access token" } else { "Org token" };
    let output = create.output.unwrap_or(match common.format {
        Format::Json => Output::Json,
        Format::Table | Format::Simple | Format::Detailed => Output::Table,
    });
    match (output, common.format) {
        (Output::Token, _) => print(&format!("{}\n", shown(&minted.secret))),
        (Output::Json, _) => print_json(&minted.flat(file)),
        (Output::Table, Format::Simple) => print(&minted.simple(file)),
        (Output::Table, Format::Detailed) => {
            let mut told = vec![("Token", minted.whereabouts(file))];
            told.extend(fields(&minted.token, minted.token.created_at));
            print(&detailed(&told))
        }
        (Output::Table, Format::Table | Format::Json) => print(&minted.sentences(kind, file)),
    }
}

fn minting(create: &Create, name: &Label, org: &OrgSlug, grants: &Grants) -> Minting {
    let expiry = if create.no_expiry { ExpiryChoice::In(Lifetime::Endless) } else { create.expires_in };
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
            page_size: PAGE,
            page_token: page_token.clone(),
        };
        let page = server.ask(async |client| client.list_org_tokens(request.clone()).await).await?;
        for token in page.tokens {
            tokens.push(TokenShown::read(Some(token))?);
        }
        if page.next_page_token.is_empty() {
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
    fn request(&self) -> Result<v1::GetOrgTokenRequest, Failure> {
        let token = match (&self.name, &self.token_id) {
            (_, Some(id)) => get_org_token_request::Token::Id(id.clone()),
            (name, None) => {
                let name: Label =
                    name.as_deref().unwrap_or_default().parse().map_err(|why: InvalidName| {
                        Failure::usage(
                            format!("no token is called that: the name {why}"),
                            "`ndcli token list` shows the names",
                        )
                    })?;
                get_org_token_request::Token::Name(name.to_string())
            }
        };
        Ok(v1::GetOrgTokenRequest { org: self.in_org.require()?.to_string(), token: Some(token) })
    }
}

async fn show_one(common: &Common, which: &Which) -> Result<(), Failure> {
    let request = which.request()?;
    let server = connect(common).await?;
    let answer = server.ask(async |client| client.get_org_token(request.clone()).await).await?;
    let now = told("evaluated_at", Some(answer.evaluated_at))?;
    let token = TokenShown::read(answer.token)?;
    match common.format {
        Format::Table | Format::Detailed => print(&detailed(&fields(&token, now))),
        Format::Simple => show(Format::Simple, &[token], now),
        Format::Json => print_json(&token.json()),
    }
}

/// Revokes a token of an org, once the person or the flag confirms.
async fn revoke(common: &Common, revoke: &Revoke) -> Result<(), Failure> {
    let request = revoke.which.request()?;
    if !revoke.yes {
        let named = revoke.which.name.as_ref().or(revoke.which.token_id.as_ref());
        let question = format!(
            "Revoke token \"{}\" of the org \"{}\"? This cannot be undone. [y/N]:",
            named.map_or("", String::as_str),
            request.org
        );
        if !confirm(&question, "--yes")? {
            return Err(Failure::failed("aborted: nothing was revoked", None));
        }
    }
    let server = connect(common).await?;
    // By its name it is looked for, by its id it is revoked: see `ndcli auth token revoke`.
    let found = server.ask(async |client| client.get_org_token(request.clone()).await).await?;
    let id = found.token.ok_or_else(|| nonsense("the answer holds no token"))?.id;
    let request =
        v1::RevokeOrgTokenRequest { org: request.org, token: Some(revoke_org_token_request::Token::Id(id)) };
    let revoked = server.ask(async |client| client.revoke_org_token(request.clone()).await).await?;
    let token = TokenShown::read(revoked.token)?;
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
