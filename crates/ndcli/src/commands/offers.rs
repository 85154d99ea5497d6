//! `ndcli offers`, and what `ndcli org offer` and `ndcli org offers` do.

use clap::Subcommand;
use ndauth_core::{OrgSlug, Role, Timestamp};
use ndauth_proto::{role_from_proto, role_to_proto, v1};
use ndauth_terminal::{
    Failure, TokenShown, aside, nonsense, print, print_message, required_timestamp, shown,
};

use super::listed::{done, listed};
use super::tokens::list;
use crate::connection::{ServerConnection, connect};
use crate::settings::values::org;
use crate::settings::{CommonOptions, Format};
use crate::terminal::confirm;

#[derive(Subcommand)]
pub(crate) enum OffersCommand {
    /// List membership offers to you
    #[command(alias = "ls")]
    List,
    /// Accept a membership; shows which tokens gain power, and asks
    Accept {
        /// Org that made the offer
        #[arg(value_parser = org)]
        org: OrgSlug,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// Decline a membership
    Decline {
        /// Org that made the offer
        #[arg(value_parser = org)]
        org: OrgSlug,
    },
}

/// Carries out a command on the memberships that orgs offer.
pub(crate) async fn run(common: &CommonOptions, command: &OffersCommand) -> Result<(), Failure> {
    match command {
        OffersCommand::List => list(common).await,
        OffersCommand::Accept { org, yes } => accept(common, org, *yes).await,
        OffersCommand::Decline { org } => decline(common, org).await,
    }
}

/// Offers a membership of an org.
pub(crate) async fn offer(
    common: &CommonOptions,
    org: &OrgSlug,
    handle: &str,
    role: Role,
) -> Result<(), Failure> {
    let server = connect(common).await?;
    let request = v1::OfferMembershipRequest {
        org: org.to_string(),
        handle: handle.to_owned(),
        role: role_to_proto(role).into(),
    };
    let made = server.ask(async |client| client.offer_membership(request.clone()).await).await?;
    let offer = made.offer.as_ref().ok_or_else(|| nonsense("it has no offer"))?;
    let ends_at = required_timestamp("ends_at", Some(offer.ends_at))?;
    match common.format {
        Format::Json => print_message(&made),
        Format::Table | Format::Simple | Format::Detailed => {
            print(&format!(
                "✓ A membership of {org} is offered to {}, with the role {role}\n",
                shown(handle)
            ))?;
            aside(&format!(
                "it takes effect when they accept it, `ndcli offers accept {org}`, before {}",
                ends_at.minute()
            ));
            Ok(())
        }
    }
}

/// Lists the memberships that an org offers.
pub(crate) async fn list_of(common: &CommonOptions, org: &OrgSlug) -> Result<(), Failure> {
    let server = connect(common).await?;
    let whose = v1::Whose::org(org);
    let mut rows = Vec::new();
    let answer = server.ask(async |client| client.every_membership_offer(whose.clone()).await).await?;
    for offer in &answer.offers {
        let (role, made_at, ends_at) = read(offer)?;
        let (handle, made_by) = (offer.handle.clone(), offer.made_by.clone());
        rows.push([handle, role.to_string(), made_by, made_at.minute(), ends_at.minute()]);
    }
    let titles = ["ACCOUNT", "ROLE", "OFFERED BY", "OFFERED AT", "ENDS AT"];
    listed(common.format, &answer, "offer", titles, rows)
}

/// Withdraws a membership that an org offers.
pub(crate) async fn withdraw(common: &CommonOptions, org: &OrgSlug, handle: &str) -> Result<(), Failure> {
    let server = connect(common).await?;
    let request = v1::WithdrawMembershipOfferRequest { org: org.to_string(), handle: handle.to_owned() };
    let answer =
        server.ask_once(async |client| client.withdraw_membership_offer(request.clone()).await).await?;
    done(common.format, &answer, &format!("The offer to {} is withdrawn", shown(handle)))
}

async fn mine(server: &ServerConnection) -> Result<v1::ListMembershipOffersResponse, Failure> {
    server.ask(async |client| client.every_membership_offer(v1::Whose::mine()).await).await
}

async fn list(common: &CommonOptions) -> Result<(), Failure> {
    let server = connect(common).await?;
    let mut rows = Vec::new();
    let answer = mine(&server).await?;
    for offer in &answer.offers {
        let (role, _, ends_at) = read(offer)?;
        let name = if offer.org_name.is_empty() { "-" } else { &offer.org_name }.to_owned();
        rows.push([offer.org.clone(), name, role.to_string(), offer.made_by.clone(), ends_at.minute()]);
    }
    let titles = ["ORG", "NAME", "ROLE", "OFFERED BY", "ENDS AT"];
    listed(common.format, &answer, "offer", titles, rows)
}

/// Accepts the offer of an org as it was shown: where it is another by then, nothing is accepted.
async fn accept(common: &CommonOptions, org: &OrgSlug, yes: bool) -> Result<(), Failure> {
    let server = connect(common).await?;
    let offer = mine(&server).await?.offers.into_iter().find(|offer| offer.org == org.as_str());
    let Some(offer) = offer else {
        let message = format!("no membership of an org `{org}` is offered to you");
        return Err(Failure::failed(message, Some("`ndcli offers list` shows those that are")));
    };
    let (role, ..) = read(&offer)?;
    let request =
        |dry_run| v1::AcceptMembershipOfferRequest { org: org.to_string(), role: offer.role, dry_run };
    if !yes {
        let preview = request(true);
        let preview =
            server.ask(async |client| client.accept_membership_offer(preview.clone()).await).await?;
        aside(&format!("{} offers you the role {role} in {org}", shown(&offer.made_by)));
        show_gaining(org, &list::read(&preview.tokens)?);
        if !confirm(
            &format!("Become a member of {org}, whose admins then see these tokens? [y/N]:"),
            "--yes",
        )? {
            return Err(Failure::failed("aborted: nothing was accepted", None));
        }
    }
    let request = request(false);
    let accepted =
        server.ask_once(async |client| client.accept_membership_offer(request.clone()).await).await?;
    let gaining = list::read(&accepted.tokens)?;
    match common.format {
        Format::Json => print_message(&accepted),
        Format::Table | Format::Simple | Format::Detailed => {
            print(&format!("✓ You are a member of {org}, with the role {role}\n"))?;
            if yes {
                show_gaining(org, &gaining);
            }
            Ok(())
        }
    }
}

async fn decline(common: &CommonOptions, org: &OrgSlug) -> Result<(), Failure> {
    let server = connect(common).await?;
    let request = v1::DeclineMembershipOfferRequest { org: org.to_string() };
    let answer =
        server.ask_once(async |client| client.decline_membership_offer(request.clone()).await).await?;
    done(common.format, &answer, &format!("The offer of {org} is declined"))
}

/// Names the tokens that gain power in an org.
fn show_gaining(org: &OrgSlug, tokens: &[TokenShown]) {
    if tokens.is_empty() {
        aside(&format!("none of your tokens gains power in {org}"));
        return;
    }
    aside(&format!("these of your tokens gain power in {org}, as far as its policy admits them:"));
    for token in tokens {
        aside(&format!("  {} {} {}", shown(&token.name), token.prefix, token.held()));
    }
}

/// The role that an offer confers, when it was made, and when it ends.
fn read(offer: &v1::MembershipOffer) -> Result<(Role, Timestamp, Timestamp), Failure> {
    let role = role_from_proto("role", offer.role)?;
    Ok((
        role,
        required_timestamp("made_at", Some(offer.made_at))?,
        required_timestamp("ends_at", Some(offer.ends_at))?,
    ))
}
