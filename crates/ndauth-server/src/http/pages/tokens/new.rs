//! The form of a new token, its preview, and the token's creation.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use ndauth_authority::{
    AuthorityError, Changed, Explanation, Inquiry, Minted, MyOrg, NewToken, Subject, Whose,
};
use ndauth_core::{
    Catalogue, Effective, Grants, Lifetime, MAX_LIFETIME, OrgPolicy, Refusal, SecretKind, Timestamp,
};
use ndauth_proto::refusal_to_proto;
use ndauth_terminal::who_can_change;

use super::created::{MintedSecret, show_secret};
use super::form::{ALL, EXPIRIES, ONLY, TypedToken};
use super::place::{place, tokens_path};
use crate::http::layout::page;
use crate::http::pages::browser::{PagePath as _, PageRequest, Submission};
use crate::http::pages::parts::{Choice, FieldError, Frame};
use crate::http::problem::{PageError, PageResult, sentence};
use crate::http::site::Site;

#[derive(Template)]
#[template(path = "token_new.html")]
struct NewTokenPage {
    frame: Frame,
    lead: &'static str,
    base: String,
    back_text: String,
    /// True if a link filled in the form.
    is_prefilled: bool,
    form: TokenForm,
    is_org: bool,
    effects: Vec<EffectShown>,
    preview_hint: &'static str,
}

/// The form, with what was typed and the errors in it.
#[derive(Default)]
struct TokenForm {
    name: String,
    name_error: String,
    description: String,
    description_error: String,
    scopes: Vec<Choice>,
    scope_error: String,
    groups: Vec<PermissionGroup>,
    grants: String,
    grants_error: String,
    reaches: Vec<Choice>,
    orgs: Vec<Choice>,
    orgs_error: String,
    expiries: Vec<Choice>,
    expiry_hint: String,
    expiry_error: String,
    expiry_other: String,
    expiry_other_error: String,
    networks: String,
    networks_error: String,
    services: String,
    services_error: String,
    self_rotating: Choice,
    until: String,
    until_error: String,
}

/// The permissions on a resource type.
struct PermissionGroup {
    name: String,
    text: String,
    is_open: bool,
    choices: Vec<Choice>,
}

/// The power that the token would have in an org.
pub(super) struct EffectShown {
    pub(super) org: String,
    /// `good` or `bad`.
    pub(super) tone: &'static str,
    pub(super) access: &'static str,
    pub(super) text: String,
    pub(super) hint: String,
    pub(super) permissions: Vec<String>,
}

/// The most orgs that are explained on one page, and that can be chosen on one. A person is rarely in more; `ndcli`
/// names any.
pub(super) const MOST_ORGS: usize = 20;
const MOST_CHOICES: usize = 100;

/// The state of the form beside what was typed.
#[derive(Default)]
struct FormState {
    is_prefilled: bool,
    error: Option<FieldError>,
    effects: Vec<EffectShown>,
    /// The error that belongs to no field.
    wrong: String,
}

pub(super) async fn show(State(site): State<Arc<Site>>, request: PageRequest) -> PageResult {
    let whose = request.whose()?;
    let typed = TypedToken::prefilled(&whose, &request.query);
    let is_prefilled = request.query.iter().any(|(_, value)| !value.is_empty());
    let state = FormState { is_prefilled, ..FormState::default() };
    shown(&site, &request, &whose, &typed, state, StatusCode::OK).await
}

pub(super) async fn preview(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let whose = submission.whose()?;
    let typed = TypedToken::read(&submission.form);
    let request = submission.view(&site).await?;
    let mut state = FormState::default();
    // A name is not needed to see what a token could do.
    let planned = TypedToken {
        name: Some(typed.name.clone()).filter(|name| !name.is_empty()).unwrap_or("planned".to_owned()),
        ..typed.clone()
    };
    match planned.parse(&whose) {
        Ok(new) => match explain(&site, &request, &whose, new).await {
            Ok(effects) => state.effects = effects,
            Err(error) => match field_of(&error) {
                Some(field) => state.error = Some(FieldError::new(field, &PageError::from(error).text)),
                None => state.wrong = PageError::from(error).text,
            },
        },
        Err(error) => state.error = Some(error),
    }
    shown(&site, &request, &whose, &typed, state, StatusCode::OK).await
}

pub(super) async fn create(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let whose = submission.whose()?;
    let typed = TypedToken::read(&submission.form);
    let new = match typed.parse(&whose) {
        Ok(new) => new,
        Err(error) => {
            let state = FormState { error: Some(error), ..FormState::default() };
            let request = submission.view(&site).await?;
            return shown(&site, &request, &whose, &typed, state, StatusCode::BAD_REQUEST).await;
        }
    };
    match site.authority.tokens().create(&submission.credential(), &whose, &new).await {
        Ok(Changed { value: Minted { view, secret, powerless }, now, .. }) => {
            let minted = MintedSecret { view, secret, pending_until: None, powerless };
            show_secret(&site, submission, &whose, &minted, now).await
        }
        Err(error) => {
            let field = field_of(&error);
            let failure = submission.error(&site, error).await?;
            let state = match field {
                Some(field) => FormState {
                    error: Some(FieldError { field, text: failure.text }),
                    ..FormState::default()
                },
                None => FormState { wrong: failure.text, ..FormState::default() },
            };
            shown(&site, &submission.view(&site).await?, &whose, &typed, state, failure.status).await
        }
    }
}

async fn shown(
    site: &Site,
    request: &PageRequest,
    whose: &Whose,
    typed: &TypedToken,
    state: FormState,
    status: StatusCode,
) -> PageResult {
    let credential = request.credential();
    let catalogue = site.authority.list_permissions(&credential).await?;
    let orgs = match whose {
        Whose::Org(slug) => vec![site.authority.orgs().find_mine(&credential, slug).await?],
        _ => site.authority.orgs().list_mine(&credential).await?,
    };
    let (section, back_text) = place(whose);
    let mut frame = Frame::new(&request.visit, section);
    frame.wrong = match &state.error {
        Some(_) => "Nothing was created. Look at the field that is marked.".to_owned(),
        None => state.wrong,
    };
    let is_org = matches!(whose, Whose::Org(_));
    let form = form(typed, state.error.as_ref(), &catalogue, &orgs, is_org, request.visit.now);
    let shown = NewTokenPage {
        frame,
        lead: if is_org {
            "It acts for the org, and nothing of it can be widened later."
        } else {
            "It never does more than you may do, and nothing of it can be widened later."
        },
        base: tokens_path(whose),
        back_text,
        is_prefilled: state.is_prefilled,
        form,
        is_org,
        effects: state.effects,
        preview_hint: "Press “Preview” to see what the token could do in each org.",
    };
    Ok(page(status, &shown))
}

fn form(
    typed: &TypedToken,
    error: Option<&FieldError>,
    catalogue: &Catalogue,
    orgs: &[MyOrg],
    is_org: bool,
    now: Timestamp,
) -> TokenForm {
    let wrong = |field: &str| {
        error.filter(|error| error.field == field).map_or_else(String::new, |error| error.text.clone())
    };
    let note = |value: &str, label: &str, note: &str, is_chosen: bool| Choice {
        note: note.to_owned(),
        ..Choice::new(value, label, is_chosen)
    };
    let groups = groups(typed, catalogue);
    let listed: Vec<&str> =
        groups.iter().flat_map(|group| &group.choices).map(|choice| choice.value.as_str()).collect();
    // A link may name permissions that no box stands for: they are shown too.
    let unlisted = typed.permissions.iter().map(String::as_str).filter(|name| !listed.contains(name));
    let more = Some(typed.more_permissions.as_str()).filter(|text| !text.is_empty());
    let more_permissions = more.into_iter().chain(unlisted).collect::<Vec<_>>().join("\n");
    TokenForm {
        name: typed.name.clone(),
        name_error: wrong("name"),
        description: typed.description.clone(),
        description_error: wrong("description"),
        scopes: if is_org {
            vec![note("named", "Named permissions", "An org's token has only those that you choose.", true)]
        } else {
            vec![
                note("RW", "RW", "List, query and change.", typed.scope == "RW"),
                note("RO", "RO", "List and query.", typed.scope == "RO"),
                note("named", "Named permissions", "Only those that you choose.", typed.scope == "named"),
            ]
        },
        scope_error: wrong("scope"),
        groups,
        grants: more_permissions,
        grants_error: wrong("permission"),
        reaches: vec![
            note(ALL, "All orgs", "Those of which you are a member at the time.", typed.reach == ALL),
            Choice::new(ONLY, "Only these", typed.reach == ONLY),
        ],
        orgs: orgs.iter().take(MOST_CHOICES).map(|org| org_choice(typed, org, now)).collect(),
        orgs_error: wrong("orgs"),
        // An org's token always expires.
        expiries: Choice::of(&EXPIRIES, &typed.expiry)
            .into_iter()
            .filter(|choice| !is_org || choice.value != "never")
            .collect(),
        expiry_hint: expiry_hint(orgs, is_org, now),
        expiry_error: if typed.expiry_other.is_empty() { wrong("expiry") } else { String::new() },
        expiry_other: typed.expiry_other.clone(),
        expiry_other_error: if typed.expiry_other.is_empty() {
            String::new()
        } else {
            wrong("expiry") + &wrong("expiry_other")
        },
        networks: typed.networks.clone(),
        networks_error: wrong("network"),
        services: typed.services.clone(),
        services_error: wrong("service"),
        self_rotating: note(
            "yes",
            "Let the token rotate and renew itself",
            "For a program that stores its own secret. Each rotation begins its lifetime again.",
            typed.self_rotating,
        ),
        until: typed.until.clone(),
        until_error: wrong("until"),
    }
}

/// Returns the permissions of the catalogue, by resource type.
fn groups(typed: &TypedToken, catalogue: &Catalogue) -> Vec<PermissionGroup> {
    let mut groups: Vec<PermissionGroup> = Vec::new();
    for listed in catalogue.list() {
        let name = listed.name.resource_type.to_string();
        let value = format!("{}:{name}", listed.name.action);
        let is_chosen = typed.permissions.contains(&value);
        let note = format!("{} Needs the role {}.", sentence(listed.description.as_str()), listed.least_role);
        let choice = Choice { note, ..Choice::new(&value, &value, is_chosen) };
        if groups.last().is_none_or(|group| group.name != name) {
            let described = catalogue.describe(&listed.name.resource_type);
            let mut text = described.map_or_else(String::new, |text| sentence(text.as_str()));
            if listed.own {
                text += " Covered by neither RW nor RO alone.";
            }
            groups.push(PermissionGroup { name, text, is_open: false, choices: Vec::new() });
        }
        let group = groups.last_mut().expect("it was just added");
        group.is_open |= is_chosen;
        group.choices.push(choice);
    }
    groups
}

fn org_choice(typed: &TypedToken, mine: &MyOrg, now: Timestamp) -> Choice {
    let slug = mine.membership.org.slug.to_string();
    let policy = mine.policies.at(now);
    let mut note = format!("Your role: {}. {}", mine.membership.role, limits(policy));
    if let Some(next) = mine.policies.to_come(now).first() {
        note += &format!(" From {}: {}", next.takes_hold_at.minute(), limits(&next.policy));
    }
    let is_chosen = typed.orgs.contains(&slug);
    Choice { note, is_barred: !policy.personal_tokens && !is_chosen, ..Choice::new(&slug, &slug, is_chosen) }
}

/// Returns the limits of a policy for new tokens, in sentences.
fn limits(policy: &OrgPolicy) -> String {
    let mut limits = Vec::new();
    if !policy.personal_tokens {
        return "It admits no personal tokens.".to_owned();
    }
    if let Lifetime::For(_) = policy.longest_lifetime {
        limits.push(format!("Longest lifetime: {}.", policy.longest_lifetime));
    }
    if let ndauth_core::Among::Only(networks) = &policy.networks {
        let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
        limits.push(format!("Use from {} only.", networks.join(", ")));
    }
    if let Lifetime::For(_) = policy.login_within {
        limits.push(format!("Owners must have logged in within {}.", policy.login_within));
    }
    if policy.require_grants {
        limits.push("Named permissions are required.".to_owned());
    }
    if policy.no_all_org_tokens {
        limits.push("A token must name the org.".to_owned());
    }
    if limits.is_empty() { "No limits.".to_owned() } else { limits.join(" ") }
}

fn expiry_hint(orgs: &[MyOrg], is_org: bool, now: Timestamp) -> String {
    let days = MAX_LIFETIME.as_secs() / 86_400;
    let strict = orgs.iter().filter_map(|org| match org.policies.at(now).longest_lifetime {
        lifetime @ Lifetime::For(_) => Some(format!("{} admits at most {lifetime}", org.membership.org.slug)),
        Lifetime::Endless => None,
    });
    let strict: Vec<String> = strict.collect();
    let general = if is_org {
        format!("At most {days} days.")
    } else {
        format!("At most {days} days, or never. A token that never expires requires a recent login.")
    };
    if strict.is_empty() { general } else { format!("{}. {general}", strict.join("; ")) }
}

/// Returns the power that a token would have, in each org.
async fn explain(
    site: &Site,
    request: &PageRequest,
    whose: &Whose,
    new: NewToken,
) -> Result<Vec<EffectShown>, AuthorityError> {
    let inquiry = Inquiry {
        whose: whose.clone(),
        subject: Subject::Planned(Box::new(new)),
        org: None,
        question: None,
        service: None,
        address: None,
    };
    let credential = request.credential();
    if matches!(whose, Whose::Mine) {
        // The view remembers the roles and the policies of all orgs, which the explanations need one by one.
        site.authority.orgs().list_mine(&credential).await?;
    }
    let explained = site.authority.tokens().explain(&credential, &inquiry).await?;
    let (kind, all) = (explained.kind, &explained.explanations);
    let mut effects: Vec<EffectShown> =
        all.iter().take(MOST_ORGS).map(|explanation| effect(explanation, kind)).collect();
    if let Some(more) = all.len().checked_sub(MOST_ORGS).filter(|more| *more > 0) {
        effects.push(EffectShown {
            org: format!("{more} more"),
            tone: "idle",
            access: "Not shown",
            text: format!("The first {MOST_ORGS} orgs are shown. The token's page explains each."),
            hint: String::new(),
            permissions: Vec::new(),
        });
    }
    Ok(effects)
}

pub(super) fn effect(explanation: &Explanation, kind: SecretKind) -> EffectShown {
    let org = explanation.org.as_ref().map_or_else(|| "No org".to_owned(), ToString::to_string);
    match &explanation.outcome {
        Ok(Effective::Access { access, role, grants, .. }) => EffectShown {
            org,
            tone: "good",
            access: if *access == ndauth_core::Scope::Rw { "RW" } else { "RO" },
            text: match grants {
                Grants::All => format!("All permissions of the role {role}, but for those of ndauth itself."),
                Grants::Only(_) => "These permissions:".to_owned(),
            },
            hint: String::new(),
            permissions: match grants {
                Grants::All => Vec::new(),
                Grants::Only(_) => grants.to_string().split(", ").map(str::to_owned).collect(),
            },
        },
        Ok(Effective::Identity) => EffectShown {
            org,
            tone: "bad",
            access: "Nothing",
            text: "It would show who you are, and no more.".to_owned(),
            hint: String::new(),
            permissions: Vec::new(),
        },
        Err(refusal) => EffectShown {
            org,
            tone: "bad",
            access: "Nothing",
            text: refused(refusal, kind),
            hint: who_can_change(&refusal_to_proto(refusal, Some(kind)))
                .map_or_else(String::new, |who| format!("This can be changed by {who}.")),
            permissions: Vec::new(),
        },
    }
}

/// Returns a refusal in words.
pub(super) fn refused(refusal: &Refusal, kind: SecretKind) -> String {
    sentence(&refusal_to_proto(refusal, Some(kind)).message)
}

/// Returns the form's field that an error is about.
fn field_of(error: &AuthorityError) -> Option<&'static str> {
    match error {
        AuthorityError::Invalid { field, .. } => match *field {
            "name" => Some("name"),
            "description" => Some("description"),
            "expiry" => Some("expiry"),
            "orgs" => Some("orgs"),
            "services" => Some("service"),
            "networks" => Some("network"),
            "grants" => Some("permission"),
            "scope" => Some("scope"),
            "self_rotating_until" | "until" => Some("until"),
            _ => None,
        },
        AuthorityError::NameTaken { .. } => Some("name"),
        _ => None,
    }
}
