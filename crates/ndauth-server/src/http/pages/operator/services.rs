//! Services: listed, registered, rotated and revoked.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use ndauth_authority::{AuthorityError, Changed, NewService, ServiceView, Settling};
use ndauth_core::{
    Expiry, Label, OrgSlug, Orgs, Secret, SecretRecord, SecretState, ServiceId, Timestamp, may_rotate,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::tabs::{PAGE, tabs};
use crate::http::fields::Fields;
use crate::http::layout::{go, page};
use crate::http::pages::browser::{PagePath as _, PageRequest, Submission};
use crate::http::pages::once::{Command, OncePage};
use crate::http::pages::parts::{
    Badge, Choice, Fact, Frame, Instant, OVERLAPS, Pager, Tab, done_text, overlap, words,
};
use crate::http::problem::{PageError, PageResult, sentence};
use crate::http::site::Site;

#[derive(Template)]
#[template(path = "operator_services.html")]
struct ServicesPage {
    frame: Frame,
    lead: &'static str,
    tabs: Vec<Tab>,
    services: Vec<ShownService>,
    overlaps: Vec<Choice>,
    anyway: Choice,
    pager: Pager,
    new_name: String,
    name_error: String,
    reaches: Vec<Choice>,
    orgs: String,
    orgs_error: String,
    states_address: Choice,
}

struct ShownService {
    name: String,
    href: String,
    badges: Vec<Badge>,
    facts: Vec<Fact>,
    has_pending: bool,
    /// The prefix of the secret that awaits confirmation.
    pending_prefix: String,
    can_rotate: bool,
    can_retire: bool,
    retirement: String,
}

/// The form of a new service as it was filled in, with its errors.
#[derive(Default)]
struct TypedService {
    name: String,
    name_error: String,
    some_orgs: bool,
    orgs: String,
    orgs_error: String,
    states_address: bool,
    wrong: String,
}

const DONE: &[(&str, &str)] = &[
    ("confirmed", "The new secret is confirmed. The old one retires after the overlap."),
    ("dropped", "The new secret was dropped. The old one stays."),
    ("retired", "The old secret was retired."),
    ("revoked", "The service was revoked: it can ask nothing from now on."),
    ("unchanged", "Nothing had to be changed."),
];

pub(super) async fn show(State(site): State<Arc<Site>>, request: PageRequest) -> PageResult {
    shown(&site, &request, TypedService::default(), StatusCode::OK).await
}

async fn shown(site: &Site, request: &PageRequest, typed: TypedService, status: StatusCode) -> PageResult {
    let after: Option<ServiceId> = request.query.get("after").and_then(|after| after.parse().ok());
    let operator = site.authority.operator();
    let listed = match operator.list_services_page(&request.credential(), false, after, PAGE).await {
        Ok(listed) => listed,
        Err(error) => return request.failed(error),
    };
    let next = listed.rows.last().filter(|_| listed.more).map(|view| view.service.id.to_string());
    let mut frame = Frame::new(&request.visit, "operator");
    frame.done = done_text(DONE, &request.query);
    frame.wrong = typed.wrong;
    let services = ServicesPage {
        frame,
        lead: "A service asks ndauth whether a token may do something. It has a secret of its own.",
        tabs: tabs("Services"),
        services: listed.rows.iter().map(|view| service(view, listed.now)).collect(),
        overlaps: Choice::of(OVERLAPS, "24h"),
        anyway: Choice::new("yes", "Retire it although that may lock the service out", false),
        pager: Pager {
            text: String::new(),
            first: if after.is_some() { "/operator/services".to_owned() } else { String::new() },
            next: next.map_or_else(String::new, |next| format!("/operator/services?after={next}")),
        },
        new_name: typed.name,
        name_error: typed.name_error,
        reaches: vec![
            Choice::new("all", "All orgs", !typed.some_orgs),
            Choice::new("only", "Only these", typed.some_orgs),
        ],
        orgs: typed.orgs,
        orgs_error: typed.orgs_error,
        states_address: Choice {
            note: "For a proxy or a gateway that is trusted to know it.".to_owned(),
            ..Choice::new("yes", "It states the address of its client", typed.states_address)
        },
    };
    Ok(page(status, &services))
}

fn service(view: &ServiceView, now: Timestamp) -> ShownService {
    let ServiceView { service, orgs, secrets } = view;
    let state = |wanted: fn(&SecretState) -> bool| secrets.iter().rfind(|secret| wanted(&secret.state(now)));
    let pending = state(|state| matches!(state, SecretState::Pending));
    let retiring = state(|state| matches!(state, SecretState::Retiring));
    let current = state(|state| matches!(state, SecretState::Current));
    let mut badges = vec![match current {
        Some(_) => Badge::new("good", "Live"),
        None => Badge::new("bad", "No secret in force"),
    }];
    if pending.is_some() || retiring.is_some() {
        badges.push(Badge::new("info", "Rotating"));
    }
    let mut facts = vec![match orgs {
        Orgs::All => Fact::new("Orgs", "All"),
        Orgs::Only(slugs) => {
            Fact { lines: slugs.iter().map(ToString::to_string).collect(), ..Fact::new("Orgs", "") }
        }
    }];
    facts.push(Fact::new("States addresses", if service.states_address { "Yes" } else { "No" }));
    facts.push(Fact::at("Registered", Instant::at(service.created_at)));
    facts.extend(secrets.iter().rev().map(|secret| secret_fact(secret, now)));
    let name = service.name.to_string();
    ShownService {
        href: format!("/operator/services/{}", utf8_percent_encode(&name, NON_ALPHANUMERIC)),
        badges,
        facts,
        has_pending: pending.is_some(),
        pending_prefix: pending.map_or_else(String::new, |secret| secret.prefix.to_string()),
        // A restore may have revoked the others, and the view has none of those.
        can_rotate: may_rotate(secrets, Timestamp::MIN, now).is_ok(),
        can_retire: retiring.is_some(),
        retirement: retiring.map_or_else(String::new, |secret| {
            format!("The old secret {} stops working at once.", secret.prefix)
        }),
        name,
    }
}

fn secret_fact(secret: &SecretRecord, now: Timestamp) -> Fact {
    let term = match secret.state(now) {
        SecretState::Pending => "New secret",
        SecretState::Current => "Secret",
        SecretState::Retiring => "Old secret",
        SecretState::Retired(_) | SecretState::Expired(_) => "Ended secret",
    };
    let ends = match secret.ends_at {
        Expiry::Never => "without end".to_owned(),
        Expiry::At(end) => format!("until {}", end.minute()),
    };
    Fact {
        lines: vec![secret.prefix.to_string(), format!("Minted {}, {ends}", secret.minted_at.date())],
        ..Fact::new(term, "")
    }
}

impl TypedService {
    fn of(form: &Fields) -> TypedService {
        TypedService {
            name: form.text("name").trim().to_owned(),
            // All orgs are meant only if the form says so.
            some_orgs: form.get("orgs") != Some("all"),
            orgs: form.text("org").trim().to_owned(),
            states_address: form.get("states_address").is_some(),
            ..TypedService::default()
        }
    }

    /// Reads the service, or notes the errors in the fields.
    fn parse(&mut self) -> Result<NewService, ()> {
        let name = self.name.parse::<Label>().map_err(|why| {
            self.name_error = sentence(&format!("the name {why}"));
        });
        let orgs = if self.some_orgs {
            match words(&self.orgs).map(str::parse::<OrgSlug>).collect::<Result<Vec<_>, _>>() {
                Ok(slugs) => Orgs::only(slugs).map_err(|_| "name an org, or choose all orgs".to_owned()),
                Err(why) => Err(format!("a slug {why}")),
            }
        } else {
            Ok(Orgs::All)
        };
        let orgs = orgs.map_err(|why| self.orgs_error = sentence(&why));
        Ok(NewService { name: name?, orgs: orgs?, states_address: self.states_address })
    }
}

pub(super) async fn create(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let mut typed = TypedService::of(&submission.form);
    let Ok(new) = typed.parse() else {
        typed.wrong = "No service was registered. Look at the field that is marked.".to_owned();
        return shown(&site, &submission.view(&site).await?, typed, StatusCode::BAD_REQUEST).await;
    };
    let error = match site.authority.operator().create_service(&submission.credential(), &new).await {
        Ok(Changed { value: secret, .. }) => {
            return Ok(once(&site, submission, &new.name, &secret, None).await);
        }
        Err(error) => error,
    };
    let failure = submission.error(&site, error).await?;
    typed.wrong = failure.text;
    shown(&site, &submission.view(&site).await?, typed, failure.status).await
}

/// Shows a service's new secret.
async fn once(
    site: &Site,
    submission: Submission,
    name: &Label,
    secret: &Secret,
    pending_until: Option<Timestamp>,
) -> axum::response::Response {
    let href = format!("/operator/services/{}", utf8_percent_encode(name.as_str(), NON_ALPHANUMERIC));
    let once = OncePage {
        frame: submission.frame_of_secret(site, "operator").await,
        title: if pending_until.is_some() { "Service rotated" } else { "Service registered" },
        warning: "ndauth keeps only a hash of it. If it is lost, rotate the service.",
        label: format!("Secret of the service {name}"),
        secret: secret.expose().to_owned(),
        waiting: pending_until.map_or_else(String::new, |until| {
            format!(
                "The new secret awaits confirmation until {}. Its first use confirms it. If nothing does, it expires, \
                 and the old secret stays.",
                until.minute()
            )
        }),
        commands: vec![Command {
            id: "use-validate",
            label: "Ask about a token, with the service's secret in a file",
            text: format!(
                "NDCLI_SERVER={} NDCLI_TOKEN_FILE=service ndcli validate --secret-stdin --org ORG --access rw < token",
                site.issuer
            ),
        }],
        confirm_action: if pending_until.is_some() { format!("{href}/confirm") } else { String::new() },
        drop_action: if pending_until.is_some() { format!("{href}/drop") } else { String::new() },
        prefix: secret.prefix().to_string(),
        next_href: "/operator/services".to_owned(),
        next_text: "I have copied it",
        ..OncePage::default()
    };
    page(StatusCode::OK, &once)
}

pub(super) async fn rotate(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let name: Label = submission.variable("service")?;
    let overlap = overlap(&submission.form)?;
    match site.authority.operator().rotate_service(&submission.credential(), &name, overlap).await {
        Ok(Changed { value, .. }) => {
            Ok(once(&site, submission, &name, &value.secret, Some(value.pending_until)).await)
        }
        Err(error) => Err(submission.failed(&site, error).await),
    }
}

pub(super) async fn confirm(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let prefix = submission.form.text("prefix").parse();
    let prefix = prefix.map_err(|why| PageError::bad(sentence(&format!("the prefix: {why}"))))?;
    settle(&site, &submission, &Settling::Confirm(Some(prefix)), "confirmed").await
}

pub(super) async fn drop_new(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    settle(&site, &submission, &Settling::Drop, "dropped").await
}

pub(super) async fn retire(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let anyway = submission.form.get("anyway") == Some("yes");
    settle(&site, &submission, &Settling::Retire { anyway }, "retired").await
}

async fn settle(site: &Site, submission: &Submission, settling: &Settling, code: &str) -> PageResult {
    let name: Label = submission.variable("service")?;
    let acted = site.authority.operator().settle_service(&submission.credential(), &name, settling).await;
    done(site, submission, acted, code).await
}

pub(super) async fn revoke(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let name: Label = submission.variable("service")?;
    let acted = site.authority.operator().revoke_service(&submission.credential(), &name).await;
    done(&site, &submission, acted, "revoked").await
}

async fn done(
    site: &Site,
    submission: &Submission,
    acted: Result<Changed<()>, AuthorityError>,
    code: &str,
) -> PageResult {
    match acted {
        Ok(Changed { changed, .. }) => {
            let code = if changed { code } else { "unchanged" };
            Ok(go(&format!("/operator/services?done={code}")))
        }
        Err(error) => Err(submission.failed(site, error).await),
    }
}
