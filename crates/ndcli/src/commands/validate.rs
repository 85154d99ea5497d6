//! `ndcli validate`.

use std::net::IpAddr;

use clap::ValueEnum;
use clap_complete::ArgValueCandidates;
use ndauth_core::{OrgSlug, Permission};
use ndauth_proto::v1::validate_token_response::Outcome;
use ndauth_proto::{
    expiry_from_proto, permission_to_proto, reason_from_proto, role_from_proto, scope_from_proto,
    timestamp_from_proto, v1,
};
use ndauth_terminal::{
    Failure, Rows, detailed, minute, nonsense, print, print_message, required_timestamp, shown,
};

use super::candidates;
use super::tokens::explain::factor_name;
use crate::connection::connect;
use crate::settings::values::{org, permission};
use crate::settings::{CommonOptions, Format};
use crate::terminal::secret_from_stdin;

/// Validate a secret, as a service does; the credential is the service's own
#[derive(clap::Args)]
pub(crate) struct Validate {
    /// Read the secret to validate from standard input
    #[arg(long, required = true)]
    secret_stdin: bool,

    /// Org in which access is needed
    #[arg(long, value_parser = org, add = ArgValueCandidates::new(candidates::orgs))]
    org: Option<OrgSlug>,

    /// Access needed; `identity` asks only whose secret it is
    #[arg(
        long,
        ignore_case = true,
        default_value = "identity",
        default_value_if("org", clap::builder::ArgPredicate::IsPresent, "ro")
    )]
    access: ValidateAccess,

    /// Permission needed, such as write:assets or write:assets:ID
    #[arg(long, value_parser = permission, requires = "org",
          add = ArgValueCandidates::new(candidates::permissions))]
    permission: Option<Permission>,

    /// Address from which the secret was used; the service must be registered as stating one
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,
}

#[derive(Clone, Copy, ValueEnum)]
enum ValidateAccess {
    /// List and query
    Ro,
    /// Also change
    Rw,
    /// None: only whose secret it is
    Identity,
}

/// Asks, and says what the server answers. A refusal is the answer, and exit code 1.
pub(crate) async fn run(common: &CommonOptions, validate: &Validate) -> Result<(), Failure> {
    let secret = secret_from_stdin()?;
    let server = connect(common).await?;
    let request = v1::ValidateTokenRequest {
        secret,
        org: validate.org.as_ref().map(ToString::to_string).unwrap_or_default(),
        required_access: match validate.access {
            ValidateAccess::Ro => v1::Access::Ro,
            ValidateAccess::Rw => v1::Access::Rw,
            ValidateAccess::Identity => v1::Access::Identity,
        }
        .into(),
        required_permission: validate.permission.as_ref().map(permission_to_proto),
        client_address: validate.from.map(|address| address.to_string()).unwrap_or_default(),
        client: String::new(),
    };
    let answer = server.ask(async |client| client.validate_token(request.clone()).await).await?;
    match answer.outcome.clone().ok_or_else(|| nonsense("it is neither a yes nor a no"))? {
        Outcome::Allowed(allowed) => show_allowed(common.format, allowed, &answer),
        Outcome::Refused(refused) => show_refused(common.format, &refused, &answer),
    }
}

/// Returns the event and the instant of an answer, and how long it may be cached, for people.
fn evaluation(answer: &v1::ValidateTokenResponse) -> Result<[(&'static str, String); 3], Failure> {
    let evaluated_at = required_timestamp("evaluated_at", Some(answer.evaluated_at))?;
    let millis = |age: prost_types::Duration| age.seconds * 1000 + i64::from(age.nanos / 1_000_000);
    Ok([
        ("Sequence", answer.sequence.to_string()),
        ("Evaluated", evaluated_at.to_string()),
        ("May be kept for", format!("{} ms", answer.max_cache_age.map_or(0, millis))),
    ])
}

fn show_allowed(
    format: Format,
    allowed: v1::Allowed,
    answer: &v1::ValidateTokenResponse,
) -> Result<(), Failure> {
    let expiry = expiry_from_proto("expiry", allowed.expiry)?;
    let owner = allowed.owner.and_then(|owner| owner.kind);
    let owner = match owner.ok_or_else(|| nonsense("the token has no owner"))? {
        v1::owner::Kind::Account(account) => account.handle,
        v1::owner::Kind::Org(org) => org.slug,
    };
    let (mut org, mut access, mut role) = ("-".to_owned(), "-", "-");
    if let Some(granted) = allowed.effective {
        access = scope_from_proto("access", granted.access)?.as_str();
        role = role_from_proto("role", granted.role)?.as_str();
        org = granted.org_slug;
    }
    let name = allowed.token_name;
    match format {
        Format::Table => print(
            &Rows {
                titles: ["RESULT", "TOKEN", "OWNER", "ORG", "ACCESS", "ROLE", "EXPIRES"],
                rows: vec![[
                    "allowed".to_owned(),
                    name,
                    owner,
                    org,
                    access.to_owned(),
                    role.to_owned(),
                    minute(expiry),
                ]],
                last_width: 0,
            }
            .table(),
        ),
        Format::Simple => print(&format!(
            "• allowed token:{} owner:{} org:{} access:{access} role:{role}\n",
            shown(&name),
            shown(&owner),
            shown(&org)
        )),
        Format::Detailed => {
            let mut fields = vec![
                ("Result", "allowed".to_owned()),
                ("Token", name),
                ("Token id", allowed.token_id),
                ("Owner", owner),
                ("Org", org),
                ("Access", access.to_owned()),
                ("Role", role.to_owned()),
                ("Expires", minute(expiry)),
            ];
            fields.extend(evaluation(answer)?);
            print(&detailed(&fields))
        }
        Format::Json => print_message(answer),
    }
}

fn show_refused(
    format: Format,
    refused: &v1::Refused,
    answer: &v1::ValidateTokenResponse,
) -> Result<(), Failure> {
    let reason = reason_from_proto(refused.reason).map_or("UNKNOWN", |reason| reason.code());
    let factor = factor_name(refused.factor);
    let since = refused.since.map(|at| timestamp_from_proto("since", at)).transpose()?;
    match format {
        Format::Table => print(
            &Rows {
                titles: ["RESULT", "REASON", "FACTOR", "MESSAGE"],
                rows: vec![["refused".to_owned(), reason.to_owned(), factor, refused.message.clone()]],
                last_width: 0,
            }
            .table(),
        )?,
        Format::Simple => {
            print(&format!("• refused reason:{reason} factor:{factor} {}\n", shown(&refused.message)))?;
        }
        Format::Detailed => {
            let mut fields = vec![
                ("Result", "refused".to_owned()),
                ("Reason", reason.to_owned()),
                ("Factor", factor),
                ("Message", refused.message.clone()),
                ("Since", since.map_or("-".to_owned(), |at| at.to_string())),
            ];
            fields.extend(evaluation(answer)?);
            print(&detailed(&fields))?;
        }
        Format::Json => print_message(answer)?,
    }
    Err(Failure::without_message(Some(refused.hint.as_str()).filter(|hint| !hint.is_empty())))
}
