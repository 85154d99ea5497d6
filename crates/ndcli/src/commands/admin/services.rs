//! `ndcli admin service`.

use std::time::Duration;

use clap::Subcommand;
use ndauth_core::{Label, Lifetime, OrgSlug, Orgs, Reason};
use ndauth_proto::{duration_to_proto, expiry_from_proto, orgs_from_proto, orgs_to_proto, v1};
use ndauth_terminal::{Failure, minute, names_or_all, nonsense, quoted, required_timestamp};

use super::printed::PrintedOnce;
use crate::commands::listed::{done, listed};
use crate::connection::{ServerConnection, connect};
use crate::settings::CommonOptions;
use crate::settings::values::{org, service, span};
use crate::terminal::confirm;

#[derive(Subcommand)]
pub(crate) enum ServiceCommand {
    /// Register a service, and print its secret
    Create {
        /// Name
        #[arg(value_parser = service)]
        name: Label,
        /// Org that it may ask about; repeatable [default: all]
        #[arg(long, value_name = "SLUG", value_parser = org)]
        org: Vec<OrgSlug>,
        /// Trust the client addresses that it states, for tokens bound to networks
        #[arg(long)]
        states_client_address: bool,
    },
    /// List services
    #[command(alias = "ls")]
    List {
        /// Include revoked services
        #[arg(long)]
        all: bool,
    },
    /// Give a service a new secret, and print it
    Rotate {
        /// Service: its name, its id, the beginning of its id, or the prefix of its secret
        service: String,
        /// How long the old secret stays valid once the new one is used, such as 24h, 30m or 0
        #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = span)]
        overlap: Duration,
    },
    /// Finish or undo a rotation
    #[command(subcommand)]
    Rotation(ServiceRotationCommand),
    /// Revoke a service
    #[command(aliases = ["rm", "delete"])]
    Revoke {
        /// Service: its name, its id, the beginning of its id, or the prefix of its secret
        service: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum ServiceRotationCommand {
    /// Let the new secret take over now
    Confirm {
        /// Service: its name, its id, the beginning of its id, or the prefix of its secret
        service: String,
    },
    /// Drop the new secret before it takes over; the old one stays valid
    Drop {
        /// Service: its name, its id, the beginning of its id, or the prefix of its secret
        service: String,
    },
    /// End the old secret before its overlap is over
    Retire {
        /// Service: its name, its id, the beginning of its id, or the prefix of its secret
        service: String,
        /// Retire it even where it is still in use
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(common: &CommonOptions, command: &ServiceCommand) -> Result<(), Failure> {
    match command {
        ServiceCommand::Create { name, org, states_client_address } => {
            create(common, name, org, *states_client_address).await
        }
        ServiceCommand::List { all } => list(common, *all).await,
        ServiceCommand::Rotate { service, overlap } => rotate(common, service, *overlap).await,
        ServiceCommand::Rotation(step) => settle(common, step).await,
        ServiceCommand::Revoke { service, yes } => revoke(common, service, *yes).await,
    }
}

async fn create(
    common: &CommonOptions,
    name: &Label,
    orgs: &[OrgSlug],
    states_address: bool,
) -> Result<(), Failure> {
    let server = connect(common).await?;
    let orgs = if orgs.is_empty() { Orgs::All } else { Orgs::Only(orgs.iter().cloned().collect()) };
    let (name, orgs) = (name.to_string(), Some(orgs_to_proto(&orgs)));
    let request = v1::CreateServiceRequest { name: name.clone(), orgs, states_address };
    let answer = server.ask_once(async |client| client.create_service(request.clone()).await).await?;
    let if_lost = format!("draw another: `ndcli admin service rotate {}`", quoted(&name));
    let aside = "store it where the service reads it: it is not shown again";
    PrintedOnce { text: &answer.secret, aside, if_lost: &if_lost }.print(common.format, &answer)
}

async fn list(common: &CommonOptions, all: bool) -> Result<(), Failure> {
    let server = connect(common).await?;
    let answer = server.ask(async |client| client.every_service(all).await).await?;
    let mut rows = Vec::new();
    for managed in &answer.services {
        let service = named(managed)?;
        let orgs = match orgs_from_proto("orgs", service.orgs.clone())? {
            Orgs::All => None,
            Orgs::Only(slugs) => Some(slugs.iter().map(ToString::to_string).collect::<Vec<_>>()),
        };
        let mut secrets = Vec::new();
        for secret in &managed.secrets {
            secrets.push(format!("{} ({})", secret.prefix, state(secret)?));
        }
        rows.push([
            service.name.clone(),
            names_or_all(orgs.as_deref()),
            if secrets.is_empty() { "-".to_owned() } else { secrets.join(", ") },
            required_timestamp("created_at", Some(managed.created_at))?.date(),
            if managed.revoked_at.is_some() { "revoked" } else { "active" }.to_owned(),
        ]);
    }
    let titles = ["SERVICE", "ORGS", "SECRETS", "CREATED", "STATUS"];
    listed(common.format, &answer, "service", titles, rows)
}

/// Returns the state of a secret in words.
fn state(secret: &v1::ServiceSecret) -> Result<String, Failure> {
    Ok(match secret.state() {
        v1::SecretState::Current => "current".to_owned(),
        v1::SecretState::Pending => "pending".to_owned(),
        v1::SecretState::Retiring => {
            format!("until {}", minute(expiry_from_proto("ends_at", secret.ends_at)?))
        }
        v1::SecretState::Retired | v1::SecretState::Expired => "retired".to_owned(),
        v1::SecretState::Unspecified => return Err(nonsense("it has a secret without a state").into()),
    })
}

async fn rotate(common: &CommonOptions, text: &str, overlap: Duration) -> Result<(), Failure> {
    let server = connect(common).await?;
    let (name, _) = find(&server, text).await?;
    let overlap_sent = Some(duration_to_proto(overlap));
    let request = v1::RotateServiceRequest { name: name.clone(), overlap: overlap_sent };
    let answer = server.ask_once(async |client| client.rotate_service(request.clone()).await).await?;
    let then = if overlap.is_zero() {
        "its previous secret ends then".to_owned()
    } else {
        format!("its previous secret stays valid for {} then", Lifetime::For(overlap))
    };
    let until = required_timestamp("pending_until", Some(answer.pending_until))?.minute();
    let name = quoted(&name);
    let aside = format!(
        "it takes over at its first use, or by `ndcli admin service rotation confirm {name}`, and {then}; \
         unused it expires at {until}"
    );
    let if_lost = format!("drop it, and rotate again: `ndcli admin service rotation drop {name}`");
    PrintedOnce { text: &answer.secret, aside: &aside, if_lost: &if_lost }.print(common.format, &answer)
}

async fn settle(common: &CommonOptions, step: &ServiceRotationCommand) -> Result<(), Failure> {
    let server = connect(common).await?;
    let (ServiceRotationCommand::Confirm { service }
    | ServiceRotationCommand::Drop { service }
    | ServiceRotationCommand::Retire { service, .. }) = step;
    let (name, _) = find(&server, service).await?;
    let sentence = |which: &str, how: &str| format!("The {which} secret of the service \"{name}\" is {how}");
    match step {
        ServiceRotationCommand::Confirm { .. } => {
            let request = v1::ConfirmServiceRotationRequest { name: name.clone() };
            let confirm =
                async |client: &ndauth_client::Client| client.confirm_service_rotation(request.clone()).await;
            done(common.format, &server.ask_once(confirm).await?, &sentence("new", "confirmed"))
        }
        ServiceRotationCommand::Drop { .. } => {
            let request = v1::DropServiceRotationRequest { name: name.clone() };
            let dropped = server.ask_once(async |client| client.drop_service_rotation(request.clone()).await);
            done(common.format, &dropped.await?, &sentence("new", "dropped"))
        }
        ServiceRotationCommand::Retire { yes, .. } => {
            let request = v1::RetireServiceSecretRequest { name: name.clone(), anyway: *yes };
            let retired = server.ask_once(async |client| client.retire_service_secret(request.clone()).await);
            let answer = retired.await.map_err(|failure| {
                let unsafe_yet = failure.hint.as_deref() == ndauth_proto::hint(Reason::NotSafeYet);
                let hint = || Some("`--yes` retires it anyway".to_owned());
                if unsafe_yet { Failure { hint: hint(), ..failure } } else { failure }
            })?;
            done(common.format, &answer, &sentence("old", "retired"))
        }
    }
}

async fn revoke(common: &CommonOptions, text: &str, yes: bool) -> Result<(), Failure> {
    let server = connect(common).await?;
    let (name, exists) = find(&server, text).await?;
    // The server reports a service that does not exist.
    if exists && !yes {
        let question = format!(
            "Revoke the service \"{name}\"? It can ask nothing from then on, and that cannot be undone. [y/N]:"
        );
        if !confirm(&question, "--yes")? {
            return Err(Failure::failed("aborted: nothing was revoked", None));
        }
    }
    let request = v1::RevokeServiceRequest { name: name.clone() };
    let answer = server.ask_once(async |client| client.revoke_service(request.clone()).await).await?;
    done(common.format, &answer, &format!("Service \"{name}\" revoked"))
}

/// Returns the name of a service, which is found by its name, its id, the beginning of its id, or the prefix of a
/// secret, and true if there is one. A text that names none is left for the server to judge.
async fn find(server: &ServerConnection, text: &str) -> Result<(String, bool), Failure> {
    let answer = server.ask(async |client| client.every_service(false).await).await?;
    let mut begun = Vec::new();
    for managed in &answer.services {
        let service = named(managed)?;
        if service.name == text || managed.secrets.iter().any(|secret| secret.prefix == text) {
            return Ok((service.name.clone(), true));
        }
        if text.len() >= 4 && service.id.starts_with(text) {
            begun.push(&service.name);
        }
    }
    match begun.as_slice() {
        [] => Ok((text.to_owned(), false)),
        [name] => Ok(((*name).clone(), true)),
        many => Err(Failure::failed(
            format!("`{text}` may be any of {} services", many.len()),
            Some("`ndcli admin service list -f json` shows their ids"),
        )),
    }
}

fn named(managed: &v1::ManagedService) -> Result<&v1::Service, Failure> {
    Ok(managed.service.as_ref().ok_or_else(|| nonsense("it has no service"))?)
}
