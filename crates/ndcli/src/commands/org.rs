//! `ndcli org`.

use std::cell::Cell;
use std::io::{self, IsTerminal};

use clap::Subcommand;
use ndauth_core::{OrgSlug, Reason, Role};
use ndauth_proto::{role_from_proto, role_to_proto, timestamp_from_proto, v1};
use ndauth_terminal::environment::variable;
use ndauth_terminal::{
    Failure, Rows, TokenShown, ago, aside, detailed, nonsense, print, print_json, print_message, quoted,
    required_timestamp, shown, warn,
};
use serde_json::json;

use super::listed::{done, listed};
use super::tokens::list;
use super::{candidates, offers};
use super::{config, policy};
use crate::connection::{ServerConnection, connect};
use crate::settings::values::org;
use crate::settings::{CommonOptions, Format, InOrg};
use crate::terminal::{choose, confirm};

#[derive(Subcommand)]
pub(crate) enum OrgCommand {
    /// List the orgs you are a member of
    #[command(alias = "ls")]
    List,
    /// Show an org
    Show(NamedOrg),
    /// Select the org for later commands
    Select {
        /// Org [default: ask]
        #[arg(value_name = "ORG", value_parser = org, add = clap_complete::ArgValueCandidates::new(candidates::orgs))]
        name: Option<OrgSlug>,
    },
    /// Create an org and become its first admin; operators only
    Create {
        /// Permanent name: a-z, 0-9 and inner hyphens
        #[arg(value_parser = org)]
        slug: OrgSlug,
        /// Display name
        #[arg(long)]
        name: Option<String>,
    },
    /// List the members of an org
    Members(NamedOrg),
    /// Add or remove a member, or change a role
    #[command(subcommand)]
    Member(MemberCommand),
    /// Offer a membership; the account accepts it within 7 days
    Offer {
        /// Account
        handle: String,
        /// Role to confer: RO, RW or ADMIN
        #[arg(long, value_parser = role, add = clap_complete::ArgValueCandidates::new(candidates::roles))]
        role: Role,
        #[command(flatten)]
        in_org: InOrg,
    },
    /// List and withdraw membership offers
    #[command(subcommand)]
    Offers(OrgOffersCommand),
    /// Show or set an org's limits for tokens
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// List members' personal tokens that may have power in an org
    Tokens(TokensOfOrg),
    /// Freeze an org: nothing there can change until it is unfrozen
    Freeze(Freeze),
    /// Unfreeze an org
    Unfreeze(NamedOrg),
}

#[derive(clap::Args)]
pub(crate) struct Freeze {
    #[command(flatten)]
    named: NamedOrg,

    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
}

/// An org by name, or the one that was selected.
#[derive(clap::Args)]
pub(crate) struct NamedOrg {
    /// Org [default: the selected one]
    #[arg(id = "org_name", value_name = "ORG", value_parser = org, add = clap_complete::ArgValueCandidates::new(candidates::orgs))]
    name: Option<OrgSlug>,

    #[command(flatten)]
    in_org: InOrg,
}

/// The personal tokens that may have power in an org.
#[derive(clap::Args)]
pub(crate) struct TokensOfOrg {
    #[command(flatten)]
    named: NamedOrg,

    /// List at most this many
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
}

#[derive(Subcommand)]
pub(crate) enum MemberCommand {
    /// Add an account to the org without its consent; operators only
    Add {
        /// Account
        handle: String,
        /// Role: RO, RW or ADMIN
        #[arg(value_parser = role, add = clap_complete::ArgValueCandidates::new(candidates::roles))]
        role: Role,
        #[command(flatten)]
        in_org: InOrg,
    },
    /// Change the role of a member
    Set {
        /// Account
        #[arg(add = clap_complete::ArgValueCandidates::new(candidates::members))]
        handle: String,
        /// Role: RO, RW or ADMIN
        #[arg(value_parser = role, add = clap_complete::ArgValueCandidates::new(candidates::roles))]
        role: Role,
        #[command(flatten)]
        in_org: InOrg,
    },
    /// Remove an account from the org; its tokens lose their power there
    #[command(aliases = ["rm", "delete"])]
    Remove {
        /// Account
        #[arg(add = clap_complete::ArgValueCandidates::new(candidates::members))]
        handle: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        in_org: InOrg,
    },
}

#[derive(Subcommand)]
pub(crate) enum OrgOffersCommand {
    /// List membership offers of an org
    #[command(alias = "ls")]
    List(NamedOrg),
    /// Withdraw a membership offer
    Withdraw {
        /// Account that it was offered to
        handle: String,
        #[command(flatten)]
        in_org: InOrg,
    },
}

/// Parses a role.
pub(crate) fn role(text: &str) -> Result<Role, String> {
    text.parse().map_err(|why: ndauth_core::InvalidAccess| why.to_string())
}

impl NamedOrg {
    fn require(&self) -> Result<&OrgSlug, Failure> {
        match &self.name {
            Some(name) => Ok(name),
            None => self.in_org.require(),
        }
    }
}

/// Carries out a command on orgs.
pub(crate) async fn run(common: &CommonOptions, command: &OrgCommand) -> Result<(), Failure> {
    match command {
        OrgCommand::List => list(common).await,
        OrgCommand::Show(named) => show(common, named.require()?).await,
        OrgCommand::Select { name } => select(common, name.as_ref()).await,
        OrgCommand::Create { slug, name } => create(common, slug, name.as_deref()).await,
        OrgCommand::Members(named) => members(common, named.require()?).await,
        OrgCommand::Member(MemberCommand::Add { handle, role, in_org }) => {
            add_member(common, in_org.require()?, handle, *role).await
        }
        OrgCommand::Offer { handle, role, in_org } => {
            offers::offer(common, in_org.require()?, handle, *role).await
        }
        OrgCommand::Offers(OrgOffersCommand::List(named)) => offers::list_of(common, named.require()?).await,
        OrgCommand::Offers(OrgOffersCommand::Withdraw { handle, in_org }) => {
            offers::withdraw(common, in_org.require()?, handle).await
        }
        OrgCommand::Member(MemberCommand::Set { handle, role, in_org }) => {
            set_member(common, in_org.require()?, handle, *role).await
        }
        OrgCommand::Member(MemberCommand::Remove { handle, yes, in_org }) => {
            remove_member(common, in_org.require()?, handle, *yes).await
        }
        OrgCommand::Policy(command) => policy::run(common, command).await,
        OrgCommand::Tokens(listed) => tokens(common, listed.named.require()?, listed.limit).await,
        OrgCommand::Freeze(freeze) => set_frozen(common, freeze.named.require()?, true, freeze.yes).await,
        OrgCommand::Unfreeze(named) => set_frozen(common, named.require()?, false, true).await,
    }
}

/// Lists the personal tokens that may have power in an org, and whose they are.
async fn tokens(common: &CommonOptions, org: &OrgSlug, limit: Option<usize>) -> Result<(), Failure> {
    let server = connect(common).await?;
    let limit = limit.unwrap_or(usize::MAX);
    let listed = server.ask(async |client| client.every_personal_token(org, limit).await).await;
    let listed = listed.map_err(|failure| list::shorter(failure, "list fewer: `--limit COUNT`"))?;
    let tokens = list::read(&listed.tokens)?;
    let now = required_timestamp("evaluated_at", Some(listed.evaluated_at))?;
    let row = |token: &TokenShown| {
        [
            token.owner.clone().unwrap_or("-".to_owned()),
            token.name.clone(),
            token.prefix.clone(),
            token.held(),
            token.expires(),
            token.last_used_at.map_or("Never".to_owned(), |at| ago(at, now)),
            if token.suspensions.is_empty() { token.status.to_owned() } else { "suspended".to_owned() },
        ]
    };
    match common.format {
        Format::Table => {
            let titles = ["OWNER", "NAME", "PREFIX", "SCOPE", "EXPIRES", "LAST USED", "STATUS"];
            let table = Rows { titles, rows: tokens.iter().map(row).collect(), last_width: 0 }.table();
            print(&format!("{table}Total: {} token(s)\n", tokens.len()))
        }
        format => list::show(format, &listed, &tokens, now),
    }
}

/// Freezes an org, or ends that.
async fn set_frozen(common: &CommonOptions, org: &OrgSlug, frozen: bool, yes: bool) -> Result<(), Failure> {
    if !yes {
        let question = format!(
            "Freeze the org \"{org}\"? Until it is unfrozen every pipeline that changes something there fails. [y/N]:"
        );
        if !confirm(&question, "--yes")? {
            return Err(Failure::failed("aborted: nothing was frozen", None));
        }
    }
    let server = connect(common).await?;
    let slug = org.to_string();
    let sentence = |changed: bool| {
        let already = if changed { "" } else { "was already " };
        format!("Org \"{org}\" {already}{}", if frozen { "frozen" } else { "unfrozen" })
    };
    if frozen {
        let request = v1::FreezeOrgRequest { org: slug };
        let answer = server.ask(async |client| client.freeze_org(request.clone()).await).await?;
        done(common.format, &answer, &sentence(answer.changed))
    } else {
        let request = v1::UnfreezeOrgRequest { org: slug };
        let answer = server.ask(async |client| client.unfreeze_org(request.clone()).await).await?;
        done(common.format, &answer, &sentence(answer.changed))
    }
}

async fn memberships(server: &ServerConnection) -> Result<v1::ListOrgsResponse, Failure> {
    server.ask(async |client| client.list_orgs().await).await
}

async fn list(common: &CommonOptions) -> Result<(), Failure> {
    let server = connect(common).await?;
    let answer = memberships(&server).await?;
    let mut rows = Vec::new();
    for org in &answer.orgs {
        let role = role_from_proto("role", org.role)?.as_str().to_owned();
        let name = if org.name.is_empty() { "-" } else { &org.name }.to_owned();
        rows.push([org.slug.clone(), name, role]);
    }
    listed(common.format, &answer, "org", ["ORG", "NAME", "ROLE"], rows)
}

async fn show(common: &CommonOptions, org: &OrgSlug) -> Result<(), Failure> {
    let server = connect(common).await?;
    let request = v1::GetOrgRequest { org: org.to_string() };
    let answer = server.ask(async |client| client.get_org(request.clone()).await).await?;
    let role = role_from_proto("role", answer.role)?.as_str();
    let details = answer.org.as_ref().ok_or_else(|| nonsense("it has no org"))?;
    let created = details.created_at.map(|at| timestamp_from_proto("created_at", at)).transpose()?;
    let created = created.map(|at| at.to_string()).unwrap_or_default();
    let frozen = details.frozen_at.map(|at| timestamp_from_proto("frozen_at", at)).transpose()?;
    let frozen = frozen.map(|at| at.to_string());
    let members = details.members();
    match common.format {
        Format::Simple => {
            let frozen = frozen.map(|at| format!(" frozen:{at}")).unwrap_or_default();
            print(&format!("• {} role:{role} members:{}{frozen}\n", shown(&details.slug), members))
        }
        Format::Table | Format::Detailed => print(&detailed(&[
            ("Org", details.slug.clone()),
            ("Id", details.id.clone()),
            ("Name", if details.name.is_empty() { "-" } else { &details.name }.to_owned()),
            ("Your role", role.to_owned()),
            ("Members", members.to_string()),
            ("Created", created),
            ("Frozen", frozen.unwrap_or("no".to_owned())),
        ])),
        Format::Json => print_message(&answer),
    }
}

/// Keeps which org later commands act in. It must be one that the person is a member of.
async fn select(common: &CommonOptions, name: Option<&OrgSlug>) -> Result<(), Failure> {
    let server = connect(common).await?;
    let orgs: Vec<String> = memberships(&server).await?.orgs.into_iter().map(|org| org.slug).collect();
    let chosen = match name {
        Some(name) if orgs.iter().any(|org| org == name.as_str()) => name.to_string(),
        Some(name) => {
            let meant = ndauth_terminal::nearest(name.as_str(), orgs.iter().map(String::as_str));
            let hint = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if orgs.is_empty() => "ask an admin of the org to offer you a membership".to_owned(),
                None => format!("you are a member of: {}", orgs.join(", ")),
            };
            return Err(Failure::usage(format!("you are not a member of an org `{name}`"), hint));
        }
        None if orgs.is_empty() => {
            return Err(Failure::failed(
                "you are a member of no org",
                Some("`ndcli offers list` shows the memberships that are offered to you"),
            ));
        }
        None if !io::stdin().is_terminal() => {
            let hint = format!("`ndcli org select NAME`: you are a member of {}", orgs.join(", "));
            return Err(Failure::usage("there is no terminal to choose on", hint));
        }
        None => choose("Select an org", &orgs)?
            .ok_or_else(|| Failure::failed("aborted: nothing was selected", None))?,
    };
    let file = config::keep(common, "org", &chosen)?;
    match common.format {
        Format::Json => print_json(&json!({ "org": chosen, "file": file.display().to_string() })),
        Format::Table | Format::Simple | Format::Detailed => {
            print(&format!("✓ Commands that act in an org act in {} from now on\n", shown(&chosen)))?;
            aside("personal tokens are not restricted by it: `ndcli auth token create --org` does that");
            if variable("NDCLI_ORG").is_some() {
                warn("NDCLI_ORG is set, and overrides the selected org");
            }
            Ok(())
        }
    }
}

/// Creates an org.
pub(crate) async fn create(
    common: &CommonOptions,
    slug: &OrgSlug,
    name: Option<&str>,
) -> Result<(), Failure> {
    let server = connect(common).await?;
    let request = v1::CreateOrgRequest { slug: slug.to_string(), name: name.unwrap_or_default().to_owned() };
    let made = server.ask_once(async |client| client.create_org(request.clone()).await).await?;
    done(common.format, &made, &format!("Org \"{slug}\" created; you are its admin"))
}

async fn members(common: &CommonOptions, org: &OrgSlug) -> Result<(), Failure> {
    let server = connect(common).await?;
    let mut rows = Vec::new();
    let answer = server.ask(async |client| client.every_member(org).await).await?;
    for member in &answer.members {
        let since = member.since.map(|at| timestamp_from_proto("since", at)).transpose()?;
        let role = role_from_proto("role", member.role)?.as_str().to_owned();
        rows.push([member.handle.clone(), role, since.map_or("-".to_owned(), ndauth_core::Timestamp::date)]);
    }
    listed(common.format, &answer, "member", ["ACCOUNT", "ROLE", "SINCE"], rows)
}

async fn set_member(common: &CommonOptions, org: &OrgSlug, handle: &str, role: Role) -> Result<(), Failure> {
    let server = connect(common).await?;
    let request = v1::SetMemberRequest {
        org: org.to_string(),
        handle: handle.to_owned(),
        role: role_to_proto(role).into(),
    };
    let no_member = Cell::new(false);
    let set = server.ask(async |client| {
        let set = client.set_member(request.clone()).await;
        no_member.set(set.as_ref().is_err_and(|problem| problem.reason == Reason::NotFound));
        set
    });
    let answer = set.await.map_err(|failure| {
        let offer =
            || format!("`ndcli org offer {} --role {role} --org {org}` offers a membership", quoted(handle));
        if no_member.get() { Failure { hint: Some(offer()), ..failure } } else { failure }
    })?;
    done(common.format, &answer, &has_role(org, handle, role))
}

/// Gives an account a role in an org without its consent.
pub(crate) async fn add_member(
    common: &CommonOptions,
    org: &OrgSlug,
    handle: &str,
    role: Role,
) -> Result<(), Failure> {
    let server = connect(common).await?;
    let request = v1::AddMemberRequest {
        org: org.to_string(),
        handle: handle.to_owned(),
        role: role_to_proto(role).into(),
    };
    let answer = server.ask(async |client| client.add_member(request.clone()).await).await?;
    done(common.format, &answer, &has_role(org, handle, role))
}

fn has_role(org: &OrgSlug, handle: &str, role: Role) -> String {
    format!("{} has the role {role} in {org}", shown(handle))
}

async fn remove_member(
    common: &CommonOptions,
    org: &OrgSlug,
    handle: &str,
    yes: bool,
) -> Result<(), Failure> {
    if !yes {
        let question = format!("Remove {handle} from {org}? Their tokens then have no power there. [y/N]:");
        if !confirm(&question, "--yes")? {
            return Err(Failure::failed("aborted: nobody was removed", None));
        }
    }
    let server = connect(common).await?;
    let request = v1::RemoveMemberRequest { org: org.to_string(), handle: handle.to_owned() };
    let answer = server.ask_once(async |client| client.remove_member(request.clone()).await).await?;
    done(common.format, &answer, &format!("{} is no longer a member of {org}", shown(handle)))
}
