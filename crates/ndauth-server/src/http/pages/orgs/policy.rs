//! The policy of an org: shown to its members, tried and set by its admins.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use ndauth_authority::{AuthorityError, BrokenToken, Changed, Impact, PolicySet};
use ndauth_core::{OrgPolicy, OrgSlug, Policies, Reason, Role, Timestamp};

use super::limits::{TypedPolicy, changes, limits};
use crate::http::layout::{go, page};
use crate::http::pages::browser::{PagePath as _, PageRequest, Submission};
use crate::http::pages::org_tabs::org_tabs_for;
use crate::http::pages::parts::{Choice, Fact, FieldError, Frame, Instant, Tab, done_text};
use crate::http::problem::{PageError, PageResult};
use crate::http::site::Site;

#[derive(Template)]
#[template(path = "policy.html")]
struct PolicyPage {
    frame: Frame,
    slug: String,
    lead: &'static str,
    tabs: Vec<Tab>,
    is_admin: bool,
    /// The policy in force.
    facts: Vec<Fact>,
    announced: Vec<AnnouncedRow>,
    /// The number of policies that the form is for. Another policy that was set since is not overwritten.
    generation: usize,
    form: PolicyForm,
    is_previewed: bool,
    effect: TriedPolicy,
}

/// The form, with what was typed and the errors in it.
struct PolicyForm {
    longest_lifetime: String,
    longest_lifetime_error: String,
    login_within: String,
    login_within_error: String,
    from: Vec<Choice>,
    networks: String,
    networks_error: String,
    personal_tokens: Vec<Choice>,
    require_grants: Choice,
    no_all_org_tokens: Choice,
    suspend_on_reuse: Choice,
    effective_in: String,
    effective_in_error: String,
    withdraw_announced: Choice,
}

/// A policy that is announced.
struct AnnouncedRow {
    text: String,
    takes_hold: Instant,
}

/// The effect that a policy would have.
#[derive(Default)]
struct TriedPolicy {
    /// `good`, `warn` or `bad`.
    tone: &'static str,
    verdict: String,
    more: String,
    reasons: Vec<ReasonRow>,
    broken: Vec<BrokenRow>,
    /// The number of broken tokens, if some of them are not shown.
    rest: String,
}

struct ReasonRow {
    reason: &'static str,
    tokens: usize,
}

struct BrokenRow {
    name: String,
    prefix: String,
    owner: String,
    reason: &'static str,
    used: Instant,
}

/// The state of the page beside what is stored.
#[derive(Default)]
struct PolicyInput {
    /// The form as it was filled in. `None` shows the policy in force.
    typed: Option<TypedPolicy>,
    /// The number of policies that the form was for. `None` is the present one.
    generation: Option<usize>,
    errors: Vec<FieldError>,
    /// The effect of what was typed, if it was tried.
    tried: Option<PolicySet>,
    done: String,
    wrong: String,
}

/// The number of broken tokens that are shown.
const MOST_SHOWN: usize = 50;

/// The result of an act, by its code in the query.
const DONE: &[(&str, &str)] = &[
    ("set", "The policy was set. It is in force."),
    ("announced", "The policy is announced. Until it takes effect, the owners of the tokens are warned."),
];

pub(super) async fn show(State(site): State<Arc<Site>>, request: PageRequest) -> PageResult {
    let slug = request.org()?;
    let input = PolicyInput { done: done_text(DONE, &request.query), ..PolicyInput::default() };
    shown(&site, &request, &slug, input, StatusCode::OK).await
}

/// Tries or sets a policy. Only a form that says so sets it.
pub(super) async fn submit(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let slug = submission.org()?;
    let credential = submission.credential();
    let orgs = site.authority.orgs();
    let present = match orgs.get_policies(&credential, &slug).await {
        Ok(present) => present,
        Err(error) => return Err(submission.failed(&site, error).await),
    };
    let generation: Option<usize> = submission.form.get("generation").and_then(|text| text.parse().ok());
    if generation.is_none() {
        return Err(
            PageError::bad("The form does not say which policy it changes. Open the page again.").into()
        );
    }
    let typed = TypedPolicy::read(&submission.form);
    let parsed = typed.parse(present.policies.at(present.now), generation);
    let mut input = PolicyInput { typed: Some(typed), generation, ..PolicyInput::default() };
    let new = match parsed {
        Ok(new) => new,
        Err(errors) => {
            input.errors = errors;
            return shown(&site, &submission.view(&site).await?, &slug, input, StatusCode::BAD_REQUEST).await;
        }
    };
    let is_to_be_set = submission.form.get("do") == Some("set");
    let tried = if is_to_be_set {
        orgs.set_policy(&credential, &slug, &new).await
    } else {
        orgs.try_policy(&credential, &slug, &new).await
    };
    let error = match tried {
        Ok(Changed { value, now, .. }) if is_to_be_set => {
            let code = if value.takes_hold_at > now { "announced" } else { "set" };
            return Ok(go(&format!("/orgs/{slug}/policy?done={code}")));
        }
        Ok(Changed { value, .. }) => {
            input.tried = Some(value);
            return shown(&site, &submission.view(&site).await?, &slug, input, StatusCode::OK).await;
        }
        Err(error) => error,
    };
    if matches!(error, AuthorityError::PolicyChanged(_)) {
        // The page shows the policy that was set meanwhile, beside what was typed.
        input.generation = None;
    }
    let is_about_notice = matches!(error, AuthorityError::Invalid { field: "effective_in", .. });
    let failure = submission.error(&site, error).await?;
    if is_about_notice {
        input.errors.push(FieldError { field: "effective_in", text: failure.text });
    } else {
        input.wrong = failure.text;
    }
    shown(&site, &submission.view(&site).await?, &slug, input, failure.status).await
}

async fn shown(
    site: &Site,
    request: &PageRequest,
    slug: &OrgSlug,
    input: PolicyInput,
    status: StatusCode,
) -> PageResult {
    let mine = site.authority.orgs().find_mine(&request.credential(), slug).await?;
    let (role, now) = (mine.membership.role, request.visit.now);
    let mut frame = Frame::new(&request.visit, "orgs");
    frame.done = input.done;
    frame.wrong = if input.errors.is_empty() {
        input.wrong
    } else {
        "The policy was not set. Look at the fields that are marked.".to_owned()
    };
    let policy = mine.policies.at(now);
    let typed = input.typed.unwrap_or_else(|| TypedPolicy::of(policy));
    let policy_page = PolicyPage {
        frame,
        slug: slug.to_string(),
        lead: "Limits for tokens in the org. They apply to tokens that exist already, too.",
        tabs: org_tabs_for(slug, role, "Policy"),
        is_admin: role == Role::Admin,
        facts: facts(&mine.policies, policy, now),
        announced: announced(&mine.policies, policy, now),
        generation: input.generation.unwrap_or_else(|| mine.policies.count()),
        form: PolicyForm::of(&typed, &input.errors),
        is_previewed: input.tried.is_some(),
        effect: input.tried.map(|tried| TriedPolicy::of(&tried, now)).unwrap_or_default(),
    };
    Ok(page(status, &policy_page))
}

fn facts(policies: &Policies, policy: &OrgPolicy, now: Timestamp) -> Vec<Fact> {
    let mut facts: Vec<Fact> =
        limits(policy).into_iter().map(|(term, limit)| Fact::new(term, limit)).collect();
    facts.push(match policies.ruling(now) {
        Some(ruling) => Fact::at("Last set", Instant::at(ruling.set_at)),
        None => Fact::new("Last set", "Never"),
    });
    facts
}

/// Returns the announced policies, each by its changes to the one before.
fn announced(policies: &Policies, policy: &OrgPolicy, now: Timestamp) -> Vec<AnnouncedRow> {
    let mut before = policy;
    let mut rows = Vec::new();
    for dated in policies.to_come(now) {
        rows.push(AnnouncedRow {
            text: changes(before, &dated.policy),
            takes_hold: Instant::at(dated.takes_hold_at),
        });
        before = &dated.policy;
    }
    rows
}

impl PolicyForm {
    fn of(typed: &TypedPolicy, errors: &[FieldError]) -> PolicyForm {
        let wrong = |field: &str| {
            let error = errors.iter().find(|error| error.field == field);
            error.map_or_else(String::new, |error| error.text.clone())
        };
        let choice = |value: &str, label: &str, note: &str, is_chosen: bool| Choice {
            note: note.to_owned(),
            ..Choice::new(value, label, is_chosen)
        };
        PolicyForm {
            longest_lifetime: typed.longest_lifetime.clone(),
            longest_lifetime_error: wrong("longest_lifetime"),
            login_within: typed.login_within.clone(),
            login_within_error: wrong("login_within"),
            from: vec![
                choice("anywhere", "From anywhere", "", typed.from_anywhere),
                choice("only", "Only from these", "", !typed.from_anywhere),
            ],
            networks: typed.networks.clone(),
            networks_error: wrong("networks"),
            personal_tokens: vec![
                choice("allowed", "Admit personal tokens", "", typed.personal_tokens),
                choice(
                    "barred",
                    "Bar personal tokens",
                    "Only tokens of the org itself work.",
                    !typed.personal_tokens,
                ),
            ],
            require_grants: choice(
                "on",
                "Admit only tokens with grants",
                "Those that name their permissions.",
                typed.require_grants,
            ),
            no_all_org_tokens: choice(
                "on",
                "Admit only tokens restricted to named orgs",
                "",
                typed.no_all_org_tokens,
            ),
            suspend_on_reuse: choice(
                "on",
                "Suspend a token when one of its retired secrets is used",
                "",
                typed.suspend_on_reuse,
            ),
            effective_in: typed.effective_in.clone(),
            effective_in_error: wrong("effective_in"),
            withdraw_announced: choice("on", "Withdraw the announced policies", "", typed.withdraw_announced),
        }
    }
}

impl TriedPolicy {
    fn of(tried: &PolicySet, now: Timestamp) -> TriedPolicy {
        let Impact { tokens, broken, address_unknown } = &tried.impact;
        let (tone, verdict) = verdict(*tokens, broken.len(), tried.impact.broken_in_use(now));
        let mut more = Vec::new();
        if *address_unknown > 0 {
            more.push(format!(
                "For {address_unknown} of the others the last address is unknown: the networks may break them too."
            ));
        }
        more.push(match tried.takes_hold_at > now {
            true => format!("It would take effect from {}.", tried.takes_hold_at.minute()),
            false => "It would take effect at once.".to_owned(),
        });
        let kept = tried.kept.iter().map(|kept| {
            format!("The policy announced for {} stays, with this change.", kept.takes_hold_at.minute())
        });
        more.extend(kept);
        more.push("Nothing was set.".to_owned());
        let reasons = tried.impact.by_reason().into_iter();
        TriedPolicy {
            tone: if tone == "good" && *address_unknown > 0 { "warn" } else { tone },
            verdict,
            more: more.join(" "),
            reasons: reasons
                .map(|(reason, tokens)| ReasonRow { reason: broken_by(reason), tokens })
                .collect(),
            broken: broken.iter().take(MOST_SHOWN).map(|token| broken_row(token, now)).collect(),
            rest: match broken.len() {
                0..=MOST_SHOWN => String::new(),
                count => format!("{count} tokens break; the {MOST_SHOWN} that were used last are shown."),
            },
        }
    }
}

/// Returns the tone and the sentence of an impact.
fn verdict(tokens: usize, broken: usize, in_use: usize) -> (&'static str, String) {
    let used = match in_use {
        0 => "None of them was used within the last 30 days.".to_owned(),
        count => format!("Of them, {count} used within the last 30 days."),
    };
    match (tokens, broken) {
        (0, _) => ("good", "No token may do anything in the org now, so it breaks none.".to_owned()),
        (tokens, 0) => ("good", format!("It breaks none of {tokens} tokens.")),
        (tokens, broken) => {
            let tone = if in_use == 0 { "warn" } else { "bad" };
            (tone, format!("It breaks {broken} of {tokens} tokens. {used}"))
        }
    }
}

/// Returns the reason why a policy breaks a token, in words.
fn broken_by(reason: Reason) -> &'static str {
    match reason {
        Reason::PersonalBarred => "Personal tokens are barred",
        Reason::GrantsRequired => "It carries all permissions, not grants",
        Reason::AllOrgsBarred => "It is for all orgs",
        Reason::LoginTooOld => "Its owner's last login is too old",
        Reason::LifetimeTooLong => "Its lifetime is too long",
        Reason::NetworkBarred => "It was last used from another network",
        Reason::AddressUnknown => "The address of its last use is unknown",
        other => other.code(),
    }
}

fn broken_row(token: &BrokenToken, now: Timestamp) -> BrokenRow {
    BrokenRow {
        name: token.name.to_string(),
        prefix: token.prefix.to_string(),
        owner: token.owner.clone(),
        reason: broken_by(token.reason),
        used: token.last_use.map_or_else(|| Instant::word("never"), |last| Instant::ago(last.at, now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_counts_what_breaks_and_what_is_in_use() {
        for (counts, tone, text) in [
            ((0, 0, 0), "good", "No token may do anything in the org now, so it breaks none."),
            ((41, 0, 0), "good", "It breaks none of 41 tokens."),
            ((41, 6, 0), "warn", "It breaks 6 of 41 tokens. None of them was used within the last 30 days."),
            ((41, 6, 2), "bad", "It breaks 6 of 41 tokens. Of them, 2 used within the last 30 days."),
        ] {
            let (tokens, broken, in_use) = counts;
            assert_eq!(verdict(tokens, broken, in_use), (tone, text.to_owned()));
        }
    }
}
