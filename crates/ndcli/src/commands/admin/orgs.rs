//! `ndcli admin org` and `ndcli admin member`.

use clap::Subcommand;
use ndauth_core::{Handle, OrgSlug, Role};
use ndauth_terminal::{Failure, nonsense, required_timestamp};

use crate::commands::candidates;
use crate::commands::listed::listed;
use crate::commands::org::{add_member, create, role};
use crate::connection::connect;
use crate::settings::CommonOptions;
use crate::settings::values::{handle, org};

#[derive(Subcommand)]
pub(crate) enum AllOrgsCommand {
    /// Create an org and become its first admin
    Create {
        /// Permanent name: a-z, 0-9 and inner hyphens
        #[arg(value_parser = org)]
        slug: OrgSlug,
        /// Display name
        #[arg(long)]
        name: Option<String>,
    },
    /// List orgs
    #[command(alias = "ls")]
    List {
        /// Include deleted orgs
        #[arg(long)]
        all: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum AddMemberCommand {
    /// Add an account to an org without its consent
    Add {
        /// Org
        #[arg(value_parser = org)]
        org: OrgSlug,
        /// Account
        #[arg(value_parser = handle)]
        handle: Handle,
        /// Role: RO, RW or ADMIN
        #[arg(value_parser = role, add = clap_complete::ArgValueCandidates::new(candidates::roles))]
        role: Role,
    },
}

pub(super) async fn run(common: &CommonOptions, command: &AllOrgsCommand) -> Result<(), Failure> {
    match command {
        AllOrgsCommand::Create { slug, name } => create(common, slug, name.as_deref()).await,
        AllOrgsCommand::List { all } => list(common, *all).await,
    }
}

pub(super) async fn run_member(common: &CommonOptions, command: &AddMemberCommand) -> Result<(), Failure> {
    let AddMemberCommand::Add { org, handle, role } = command;
    add_member(common, org, handle.as_str(), *role).await
}

async fn list(common: &CommonOptions, all: bool) -> Result<(), Failure> {
    let server = connect(common).await?;
    let answer = server.ask(async |client| client.every_org(all).await).await?;
    let mut rows = Vec::new();
    for managed in &answer.orgs {
        let org = managed.org.as_ref().ok_or_else(|| nonsense("it has no org"))?;
        let created = required_timestamp("created_at", Some(org.created_at))?;
        rows.push([
            org.slug.clone(),
            if org.name.is_empty() { "-" } else { &org.name }.to_owned(),
            org.members().to_string(),
            created.date(),
            if managed.deleted_at.is_some() { "deleted" } else { "active" }.to_owned(),
        ]);
    }
    listed(common.format, &answer, "org", ["ORG", "NAME", "MEMBERS", "CREATED", "STATUS"], rows)
}
