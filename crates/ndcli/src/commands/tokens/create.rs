//! `ndcli auth token create` and `ndcli token create`.

use clap_complete::ArgValueCandidates;
use ndauth_core::{ExpiryChoice, Grants, Lifetime, Orgs, Permission, Scope};
use ndauth_proto::v1::{self, explain_token_request};
use ndauth_proto::{expiry_choice_to_proto, grants_to_proto, orgs_to_proto, scope_to_proto};
use ndauth_terminal::{Failure, detailed, json_text, nonsense, print, shown, warn};
use prost_types::{Duration, Timestamp};

use super::aim::{Aim, OwnerArguments, OwnerChoice};
use super::explain::preview;
use super::list::fields;
use super::mint::{Bounds, CreatedToken, Minting, SecretOutput, name};
use super::sink::{Sink, SinkArgs};
use crate::commands::candidates;
use crate::connection::{ServerConnection, connect};
use crate::settings::values::expiry;
use crate::settings::{CommonOptions, Format};

#[derive(clap::Args)]
pub(crate) struct Create<C: OwnerArguments> {
    /// Name, unique among its owner's tokens
    #[arg(long, required_unless_present_any = ["like", "label"])]
    name: Option<String>,

    /// The name, as other tools take it
    #[arg(hide = true, conflicts_with = "name")]
    label: Option<String>,

    /// RW, RO, or permissions such as read:assets,write:assets
    #[arg(long, value_name = "SCOPE", value_parser = scopes, required_unless_present_any = ["grant", "like"],
          add = ArgValueCandidates::new(candidates::scopes))]
    scope: Option<Scopes>,

    /// Lifetime or end: 30d, 12h, never, 2027-01-31 [default: 90d; 24h for an org's token]
    ///
    /// A number of h, d, w or y, up to 365 days; `never`, which an org's token cannot have; a day or an RFC 3339
    /// instant.
    #[arg(long, visible_alias = "expires-in", aliases = ["expires_in", "ttl"], value_name = "WHEN", value_parser = expiry)]
    expiry: Option<ExpiryChoice>,

    /// The same as `--expiry never`
    #[arg(long, alias = "no_expiry", conflicts_with = "expiry", hide = true)]
    no_expiry: bool,

    /// Copy the settings of this token, dead or alive
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["scope", "grant", "allow_from", "for_service"],
          add = ArgValueCandidates::new(candidates::token_names))]
    like: Option<String>,

    #[command(flatten)]
    bounds: Bounds,

    #[command(flatten)]
    owner: C,

    #[command(flatten)]
    sink: SinkArgs,

    /// Replace the file if it exists
    #[arg(long)]
    force: bool,

    /// Output: table, json, or token for the secret alone
    #[arg(short, long, value_name = "FORMAT", hide_possible_values = true)]
    output: Option<SecretOutput>,

    /// Show what the token could do in each org; create nothing
    #[arg(long)]
    preview: bool,
}

/// A parsed `--scope`: RW or RO, and named permissions.
#[derive(Clone, Default)]
struct Scopes {
    whole: Option<Scope>,
    /// Each as it was typed, and parsed.
    named: Vec<(String, Permission)>,
}

fn scopes(text: &str) -> Result<Scopes, String> {
    let mut scopes = Scopes::default();
    for part in text.split(',') {
        match (part.parse::<Scope>(), scopes.whole) {
            (Ok(scope), None) => scopes.whole = Some(scope),
            (Ok(_), Some(_)) => return Err("expected `RW` or `RO` once".to_owned()),
            (Err(_), _) if !part.contains(':') => {
                let why = "expected `RW`, `RO`, or permissions such as `read:assets,write:assets`";
                return Err(format!("{why}\nhint: `ndcli permissions list` shows the permissions"));
            }
            (Err(_), _) => {
                let permission = part.parse::<Permission>().map_err(|why| format!("`{part}`: {why}"))?;
                scopes.named.push((part.to_owned(), permission));
            }
        }
    }
    Ok(scopes)
}

/// Creates a token, and shows its secret once; or shows what it could do.
pub(crate) async fn run<C: OwnerArguments>(
    common: &CommonOptions,
    create: &Create<C>,
) -> Result<(), Failure> {
    let whose = create.owner.whose()?;
    // A sink that cannot be used is found before there is a token.
    let sink = create.sink.prepare(&common.server, create.force)?;
    let mut server = connect(common).await?;
    let new = new_token(create, &server, &whose).await?;
    if create.preview {
        return preview(common.format, &server, whose.to_proto(), explain_token_request::Token::Planned(new))
            .await;
    }
    let sent = sink.as_ref().map(Sink::whereabouts);
    let minting = Minting { whose, new };
    let minted = match sink {
        Some(sink) => minting.clone().make_into(common, &mut server, sink).await,
        None => minting.make(&mut server).await,
    };
    let minted = minted.map_err(|failure| only_admins(failure, &minting.whose))?;
    let text = text(common, create, &minting, &minted, sent.as_deref());
    match sent {
        // It is in a file, or was given to a command.
        Some(_) => print(&text?)?,
        None => minting.print(&mut server, &minted, text).await?,
    }
    if let Some(refused) = &minted.answer.powerless {
        warn(&format!("the token can do nothing at present: {}", refused.message));
    }
    Ok(())
}

fn text<C: OwnerArguments>(
    common: &CommonOptions,
    create: &Create<C>,
    minting: &Minting,
    minted: &CreatedToken,
    sent: Option<&str>,
) -> Result<String, Failure> {
    Ok(match (SecretOutput::chosen(create.output, common.format), common.format) {
        (SecretOutput::Token, _) if sent.is_none() => format!("{}\n", shown(&minted.answer.secret)),
        (SecretOutput::Json, _) => json_text(&minted.json(&create.sink)?),
        (SecretOutput::Table | SecretOutput::Token, Format::Simple) => minted.simple(sent),
        (SecretOutput::Table | SecretOutput::Token, Format::Detailed) => {
            let mut rows = vec![("Token", minted.whereabouts(sent))];
            rows.extend(fields(&minted.token, minted.token.created_at));
            detailed(&rows)
        }
        (SecretOutput::Table | SecretOutput::Token, Format::Table | Format::Json) => {
            minted.sentences(minting.whose.noun(), sent, create.sink.file())
        }
    })
}

/// The token to be made: as it was said, or with the settings of another.
async fn new_token<C: OwnerArguments>(
    create: &Create<C>,
    server: &ServerConnection,
    whose: &OwnerChoice,
) -> Result<v1::NewToken, Failure> {
    let given = create.name.as_deref().or(create.label.as_deref());
    let name = given.map(name).transpose()?.map(|name| name.to_string());
    let description = create.bounds.description.as_ref().map(ToString::to_string);
    let chosen = if create.no_expiry { Some(ExpiryChoice::In(Lifetime::Endless)) } else { create.expiry };
    let until = create.bounds.self_rotating.then(|| create.bounds.until.unwrap_or(ExpiryChoice::LONGEST));
    let until = until.map(expiry_choice_to_proto);
    if let Some(like) = &create.like {
        let aim = Aim { whose: whose.clone(), which: v1::which::Kind::Name(like.clone()) };
        let like = aim.find(server).await?.token.ok_or_else(|| nonsense("it has no token"))?;
        return Ok(v1::NewToken {
            name: name.unwrap_or(like.name),
            scope: Some(like.scope),
            orgs: like.orgs.filter(|_| *whose == OwnerChoice::Mine),
            grants: like.grants,
            expiry: Some(chosen.map_or_else(|| lifetime(like.lifetime), expiry_choice_to_proto)),
            description: description.or(Some(like.description).filter(|text| !text.is_empty())),
            services: like.services,
            networks: like.networks,
            self_rotating_until: until.or_else(|| span(like.created_at, like.self_rotating_until)),
            pending: false,
        });
    }
    let scopes = create.scope.clone().unwrap_or_default();
    let grants: Grants = create.bounds.grants(server, &scopes.named).await?;
    let (orgs, default): (Option<Orgs<_>>, _) = match whose {
        OwnerChoice::Mine => (Some(create.owner.orgs()), ExpiryChoice::PERSONAL),
        OwnerChoice::Org(_) => (None, ExpiryChoice::ORG),
    };
    Ok(v1::NewToken {
        name: name.unwrap_or_default(),
        // The server finds the least that a set of grants needs.
        scope: scopes.whole.map(|scope| scope_to_proto(scope).into()),
        orgs: orgs.as_ref().map(orgs_to_proto),
        grants: Some(grants_to_proto(&grants)),
        expiry: Some(expiry_choice_to_proto(chosen.unwrap_or(default))),
        description,
        services: Some(create.bounds.services()),
        networks: Some(create.bounds.networks()),
        self_rotating_until: until,
        pending: false,
    })
}

/// The span over which a token may extend itself, chosen again.
fn span(created_at: Option<Timestamp>, until: Option<Timestamp>) -> Option<v1::ExpiryChoice> {
    let seconds = until?.seconds.saturating_sub(created_at?.seconds);
    let duration = Duration { seconds, nanos: 0 };
    Some(v1::ExpiryChoice { kind: Some(v1::expiry_choice::Kind::Lifetime(duration)) })
}

/// A lifetime that was chosen once, chosen again.
fn lifetime(message: Option<v1::Lifetime>) -> v1::ExpiryChoice {
    let kind = message.and_then(|message| message.kind).map(|kind| match kind {
        v1::lifetime::Kind::AtMost(duration) => v1::expiry_choice::Kind::Lifetime(duration),
        v1::lifetime::Kind::Never(never) => v1::expiry_choice::Kind::Never(never),
    });
    v1::ExpiryChoice { kind }
}

/// A member who is no admin learns what they can do instead.
fn only_admins(failure: Failure, whose: &OwnerChoice) -> Failure {
    if *whose == OwnerChoice::Mine
        || failure.hint.as_deref() != ndauth_proto::hint(ndauth_core::Reason::RoleTooLow)
    {
        return failure;
    }
    let hint = "only admins of the org make its tokens; `--user` makes one of yours, restricted to the org";
    Failure { hint: Some(hint.to_owned()), ..failure }
}
