//! `ndcli org policy`.

use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use ndauth_core::{ExpiryChoice, Lifetime, Network, Networks, OrgPolicy, OrgSlug, Timestamp};
use ndauth_proto::{
    duration_to_proto, policy_from_proto, policy_to_proto, reason_from_proto, timestamp_from_proto, v1,
};
use ndauth_terminal::{
    Failure, Rows, ago, aside, detailed, message_json, nonsense, print, print_json, print_message,
    required_timestamp,
};
use serde_json::json;

use crate::connection::{ServerConnection, connect};
use crate::settings::values::network;
use crate::settings::{CommonOptions, Format, InOrg};
use crate::terminal::confirm;

#[derive(Subcommand)]
pub(crate) enum PolicyCommand {
    /// Show the policy in force, and announced ones
    Show {
        #[command(flatten)]
        in_org: InOrg,
    },
    /// Set limits; what is not stated stays as it is
    Set(Set),
    /// Withdraw announced policies
    Withdraw {
        #[command(flatten)]
        in_org: InOrg,
    },
}

/// A limit that is on or off.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    /// Yes
    On,
    /// No
    Off,
}

#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("limits").required(true).multiple(true)
          .args(["longest_lifetime", "personal_tokens", "allow_from", "allow_from_anywhere", "login_within",
                 "suspend_on_reuse", "require_grants", "no_all_org_tokens"]))]
pub(crate) struct Set {
    /// Longest lifetime of a token, such as 90d, or never for no limit
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    longest_lifetime: Option<Lifetime>,

    /// Admit personal tokens: allowed or barred
    #[arg(long, value_name = "WHICH", hide_possible_values = true)]
    personal_tokens: Option<PersonalTokens>,

    /// Allow use from this network, such as 10.0.0.0/8; repeatable
    #[arg(long, value_name = "CIDR", value_parser = network)]
    allow_from: Vec<Network>,

    /// Allow use from anywhere
    #[arg(long, conflicts_with = "allow_from")]
    allow_from_anywhere: bool,

    /// Require a login of the owner within this time, such as 30d, or never
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    login_within: Option<Lifetime>,

    /// Suspend a token when one of its retired secrets is used: on or off
    #[arg(long, value_name = "SWITCH", hide_possible_values = true)]
    suspend_on_reuse: Option<Switch>,

    /// Admit only tokens with grants: on or off
    #[arg(long, value_name = "SWITCH", hide_possible_values = true)]
    require_grants: Option<Switch>,

    /// Admit only tokens restricted to named orgs: on or off
    #[arg(long, value_name = "SWITCH", hide_possible_values = true)]
    no_all_org_tokens: Option<Switch>,

    /// Announce the policy: it takes effect after this time, such as 14d
    #[arg(long, value_name = "DURATION", value_parser = notice)]
    effective_in: Option<Duration>,

    /// Show which tokens it would break; set nothing
    #[arg(long)]
    dry_run: bool,

    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    in_org: InOrg,
}

#[derive(Clone, Copy, ValueEnum)]
enum PersonalTokens {
    /// They have what their owners may
    Allowed,
    /// They have none
    Barred,
}

/// The number of broken tokens that a table shows.
const SHOWN: usize = 20;
/// The most that the server returns.
const MOST: i32 = 10_000;

fn lifetime(text: &str) -> Result<Lifetime, String> {
    if text == "never" {
        return Ok(Lifetime::Endless);
    }
    match ExpiryChoice::parse_duration(text) {
        Ok(ExpiryChoice::In(lifetime)) => Ok(lifetime),
        Err(ndauth_core::InvalidExpiry::TooLong) => Err("it is at most 365 days".to_owned()),
        Ok(ExpiryChoice::At(_)) | Err(_) => {
            Err("expected a number of h, d, w or y, such as `90d`, or `never`".to_owned())
        }
    }
}

fn notice(text: &str) -> Result<Duration, String> {
    match lifetime(text)? {
        Lifetime::For(duration) => Ok(duration),
        Lifetime::Endless => Err("a policy must take effect at some time".to_owned()),
    }
}

/// Carries out a command on an org's policy.
pub(crate) async fn run(common: &CommonOptions, command: &PolicyCommand) -> Result<(), Failure> {
    match command {
        PolicyCommand::Show { in_org } => show(common, in_org.require()?).await,
        PolicyCommand::Set(set) => self::set(common, set).await,
        PolicyCommand::Withdraw { in_org } => withdraw(common, in_org.require()?).await,
    }
}

/// The policy in force, and those announced.
struct Present {
    answer: v1::GetOrgPolicyResponse,
    ruling: OrgPolicy,
    set_at: Option<Timestamp>,
    to_come: Vec<(Timestamp, OrgPolicy)>,
    now: Timestamp,
}

async fn present(server: &ServerConnection, org: &OrgSlug) -> Result<Present, Failure> {
    let request = v1::GetOrgPolicyRequest { org: org.to_string() };
    let answer = server.ask(async |client| client.get_org_policy(request.clone()).await).await?;
    Ok(Present {
        ruling: policy_from_proto("policy", answer.policy.clone())?,
        set_at: answer.set_at.map(|at| timestamp_from_proto("set_at", at)).transpose()?,
        to_come: answer.to_come.iter().map(to_come).collect::<Result<_, Failure>>()?,
        now: required_timestamp("evaluated_at", Some(answer.evaluated_at))?,
        answer,
    })
}

/// The instant from which an announced policy holds, and the policy.
fn to_come(policy: &v1::PolicyToCome) -> Result<(Timestamp, OrgPolicy), Failure> {
    let at = required_timestamp("takes_hold_at", Some(policy.takes_hold_at))?;
    Ok((at, policy_from_proto("policy", policy.policy.clone())?))
}

async fn show(common: &CommonOptions, org: &OrgSlug) -> Result<(), Failure> {
    let server = connect(common).await?;
    let Present { answer, ruling, set_at, to_come, .. } = present(&server, org).await?;
    match common.format {
        Format::Table | Format::Detailed => {
            let mut fields = vec![("Org", org.to_string())];
            fields.extend(limits(&ruling));
            fields.push(("Set", set_at.map_or("never: no limits".to_owned(), |at| at.to_string())));
            print(&detailed(&fields))?;
            for (at, policy) in &to_come {
                let mut fields = vec![("Takes hold", at.to_string())];
                fields.extend(limits(policy));
                print(&detailed(&fields))?;
            }
            Ok(())
        }
        Format::Simple => {
            print(&format!("• {org} {}\n", line(&ruling)))?;
            print(
                &to_come
                    .iter()
                    .map(|(at, policy)| format!("• {org} from:{at} {}\n", line(policy)))
                    .collect::<String>(),
            )
        }
        Format::Json => print_message(&answer),
    }
}

fn limits(policy: &OrgPolicy) -> Vec<(&'static str, String)> {
    let limit = |lifetime: Lifetime| match lifetime {
        Lifetime::For(_) => lifetime.to_string(),
        Lifetime::Endless => "any".to_owned(),
    };
    let switch = |on| if on { "on" } else { "off" }.to_owned();
    vec![
        ("Longest lifetime", limit(policy.longest_lifetime)),
        ("Personal tokens", if policy.personal_tokens { "allowed" } else { "barred" }.to_owned()),
        ("Networks", networks(policy)),
        ("Login within", limit(policy.login_within)),
        ("Suspend on reuse", switch(policy.suspend_on_reuse)),
        ("Require grants", switch(policy.require_grants)),
        ("No all-org tokens", switch(policy.no_all_org_tokens)),
    ]
}

fn networks(policy: &OrgPolicy) -> String {
    match &policy.networks {
        Networks::All => "any".to_owned(),
        Networks::Only(some) => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn line(policy: &OrgPolicy) -> String {
    let words = [
        "longest-lifetime",
        "personal-tokens",
        "allow-from",
        "login-within",
        "suspend-on-reuse",
        "require-grants",
        "no-all-org-tokens",
    ];
    let limits = words
        .iter()
        .zip(limits(policy))
        .map(|(word, (_, limit))| format!("{word}:{}", limit.replace(", ", ",")));
    limits.collect::<Vec<_>>().join(" ")
}

impl Set {
    /// Changes what is stated.
    fn change(&self, policy: &OrgPolicy) -> OrgPolicy {
        let networks = match self.allow_from.as_slice() {
            _ if self.allow_from_anywhere => Networks::All,
            [] => policy.networks.clone(),
            some => Networks::Only(some.iter().copied().collect()),
        };
        OrgPolicy {
            longest_lifetime: self.longest_lifetime.unwrap_or(policy.longest_lifetime),
            personal_tokens: self
                .personal_tokens
                .map_or(policy.personal_tokens, |personal| matches!(personal, PersonalTokens::Allowed)),
            networks,
            login_within: self.login_within.unwrap_or(policy.login_within),
            suspend_on_reuse: self.suspend_on_reuse.map_or(policy.suspend_on_reuse, |on| on == Switch::On),
            require_grants: self.require_grants.map_or(policy.require_grants, |on| on == Switch::On),
            no_all_org_tokens: self.no_all_org_tokens.map_or(policy.no_all_org_tokens, |on| on == Switch::On),
        }
    }
}

/// Withdraws announced policies, by setting the one in force again.
async fn withdraw(common: &CommonOptions, org: &OrgSlug) -> Result<(), Failure> {
    let server = connect(common).await?;
    let present = present(&server, org).await?;
    let withdrawn = present.to_come.len();
    let mut answer = None;
    if withdrawn > 0 {
        let request = v1::SetOrgPolicyRequest {
            withdraw_announced: true,
            ..request(org, &present.ruling, Duration::ZERO, present.answer.generation)
        };
        answer = Some(server.ask(async |client| client.set_org_policy(request.clone()).await).await?);
    }
    match common.format {
        Format::Json => {
            let mut answers = json!({ "get_org_policy": message_json(&present.answer)? });
            if let Some(answer) = &answer {
                answers["set_org_policy"] = message_json(answer)?;
            }
            print_json(&answers)
        }
        Format::Table | Format::Simple | Format::Detailed if withdrawn > 0 => {
            print(&format!("✓ The announced policies of {org} are withdrawn: {withdrawn}\n"))
        }
        Format::Table | Format::Simple | Format::Detailed => {
            print(&format!("There was no announced policy for {org}\n"))
        }
    }
}

fn request(
    org: &OrgSlug,
    policy: &OrgPolicy,
    effective_in: Duration,
    generation: u32,
) -> v1::SetOrgPolicyRequest {
    v1::SetOrgPolicyRequest {
        org: org.to_string(),
        policy: Some(policy_to_proto(policy)),
        effective_in: Some(duration_to_proto(effective_in)),
        dry_run: false,
        max_tokens: MOST,
        expected_generation: Some(generation),
        withdraw_announced: false,
    }
}

/// Sets a policy, once what it breaks was looked at. Those that are to come later stay so.
async fn set(common: &CommonOptions, set: &Set) -> Result<(), Failure> {
    let org = set.in_org.require()?;
    let server = connect(common).await?;
    let present = present(&server, org).await?;
    let generation = present.answer.generation;
    let within = set.effective_in.unwrap_or_default();
    let holds = present.now.checked_add(within).unwrap_or(Timestamp::MAX);
    // Settings that are not stated stay as they will be by then.
    let before = present.to_come.iter().rev().find(|(at, _)| *at <= holds);
    let policy = set.change(before.map_or(&present.ruling, |(_, policy)| policy));
    let dry_run = v1::SetOrgPolicyRequest { dry_run: true, ..request(org, &policy, within, generation) };
    let tried = async || -> Result<PolicyEffect, Failure> {
        PolicyEffect::read(server.ask(async |client| client.set_org_policy(dry_run.clone()).await).await?)
    };
    if set.dry_run {
        return tried().await?.show(common.format, org, true);
    }
    if !set.yes {
        let tried = tried().await?;
        aside(&tried.sentences());
        let question = format!("Set this policy for {org}? [y/N]:");
        if !confirm(&question, "--yes")? {
            return Err(Failure::failed("aborted: no policy was set", None));
        }
    }
    // Once: a second try would meet what the first one set.
    let asked = request(org, &policy, within, generation);
    let effect = PolicyEffect::read(
        server.ask_once(async |client| client.set_org_policy(asked.clone()).await).await?,
    )?;
    for (at, _) in &effect.kept {
        aside(&format!("the policy announced for {} stays, with this change", at.minute()));
    }
    effect.show(common.format, org, false)
}

/// The effect of a policy, or of one that is tried.
struct PolicyEffect {
    answer: v1::SetOrgPolicyResponse,
    takes_hold_at: Timestamp,
    now: Timestamp,
    impact: v1::PolicyImpact,
    /// The policies to come that stay.
    kept: Vec<(Timestamp, OrgPolicy)>,
}

impl PolicyEffect {
    fn read(answer: v1::SetOrgPolicyResponse) -> Result<PolicyEffect, Failure> {
        let impact = answer.impact.clone();
        Ok(PolicyEffect {
            takes_hold_at: required_timestamp("takes_hold_at", Some(answer.takes_hold_at))?,
            now: required_timestamp("evaluated_at", Some(answer.evaluated_at))?,
            impact: impact.ok_or_else(|| nonsense("it does not say what the policy does"))?,
            kept: answer.kept.iter().map(to_come).collect::<Result<_, Failure>>()?,
            answer,
        })
    }

    /// The counts, for people.
    fn sentences(&self) -> String {
        let v1::PolicyImpact { tokens, broken, broken_in_use, address_unknown, by_reason, .. } = &self.impact;
        let mut text = format!(
            "In the org it disables {broken} of {tokens} token(s), of which {broken_in_use} were used within the \
             last 30 days"
        );
        for breaks in by_reason {
            text += &format!("\n  {} by {}", breaks.tokens, reason(breaks.reason));
        }
        if *address_unknown > 0 {
            text += &format!("\nof {address_unknown} other(s) the addresses are unknown");
        }
        text
    }

    fn show(&self, format: Format, org: &OrgSlug, dry_run: bool) -> Result<(), Failure> {
        match format {
            Format::Table | Format::Detailed => {
                if dry_run && !self.impact.broken_tokens.is_empty() {
                    print(&self.table()?)?;
                }
                print(&format!("{}\n", self.sentences()))?;
                print(&self.verdict(org, dry_run))
            }
            Format::Simple => print(&format!(
                "• {org} tokens:{} broken:{} in-use:{} takes-hold:{}\n",
                self.impact.tokens, self.impact.broken, self.impact.broken_in_use, self.takes_hold_at
            )),
            Format::Json => print_message(&self.answer),
        }
    }

    fn verdict(&self, org: &OrgSlug, dry_run: bool) -> String {
        let when = if self.takes_hold_at <= self.now {
            "at once".to_owned()
        } else {
            format!("from {}", self.takes_hold_at.minute())
        };
        if dry_run {
            format!("It would take effect {when}. Nothing was set: leave `--dry-run` out to set it\n")
        } else {
            format!("✓ The policy of {org} takes effect {when}\n")
        }
    }

    fn table(&self) -> Result<String, Failure> {
        let broken = &self.impact.broken_tokens;
        let mut rows = Vec::new();
        for token in broken.iter().take(SHOWN) {
            let (used, from) = match last_use(token)? {
                None => ("Never".to_owned(), "-".to_owned()),
                Some((at, from)) => (ago(at, self.now), from.unwrap_or("-".to_owned())),
            };
            let why = reason(token.reason).to_owned();
            rows.push([token.owner.clone(), token.name.clone(), token.prefix.clone(), used, from, why]);
        }
        let titles = ["OWNER", "NAME", "PREFIX", "LAST USED", "FROM", "BROKEN BY"];
        let mut text = Rows { titles, rows, last_width: 0 }.table();
        if broken.len() > SHOWN {
            text += &format!("… and {} more: `-f json` lists them\n", broken.len() - SHOWN);
        }
        Ok(text)
    }
}

fn last_use(token: &v1::BrokenToken) -> Result<Option<(Timestamp, Option<String>)>, Failure> {
    let Some(last) = &token.last_use else { return Ok(None) };
    let at = required_timestamp("last_use", Some(last.at))?;
    Ok(Some((at, Some(last.address.clone()).filter(|address| !address.is_empty()))))
}

fn reason(reason: i32) -> &'static str {
    reason_from_proto(reason).map_or("UNKNOWN", |reason| reason.code())
}
