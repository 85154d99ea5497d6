//! Accounts: listed, created, invited, disabled, enabled and signed out.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use ndauth_authority::{
    AccountDetails, AccountListed, AccountQuery, AuthorityError, Changed, Link, NewAccount,
};
use ndauth_core::{Handle, Timestamp};

use super::tabs::{PAGE, tabs};
use crate::http::fields::{Fields, query};
use crate::http::layout::{go, page};
use crate::http::links::invitation_url;
use crate::http::pages::browser::{PagePath as _, PageRequest, Submission};
use crate::http::pages::once::OncePage;
use crate::http::pages::parts::{Badge, Fact, Frame, Instant, Pager, Tab, done_text};
use crate::http::problem::{PageResult, sentence};
use crate::http::site::Site;

#[derive(Template)]
#[template(path = "operator_accounts.html")]
struct AccountsPage {
    frame: Frame,
    lead: &'static str,
    tabs: Vec<Tab>,
    q: String,
    rows: Vec<AccountRow>,
    pager: Pager,
    /// The account that is shown beside the list. Empty if none is.
    handle: String,
    facts: Vec<Fact>,
    /// The reason why there is no act on it.
    barred: &'static str,
    can_invite: bool,
    can_enable: bool,
    can_sign_out: bool,
    can_disable: bool,
    sign_out_effect: String,
    disable_effect: String,
    new_handle: String,
    handle_error: String,
    email: String,
    email_error: String,
    display_name: String,
    name_error: String,
}

struct AccountRow {
    handle: String,
    email: String,
    badges: Vec<Badge>,
    login: Instant,
}

/// The form of a new account as it was filled in, with its errors.
#[derive(Default)]
struct TypedAccount {
    handle: String,
    handle_error: String,
    email: String,
    email_error: String,
    name: String,
    name_error: String,
    wrong: String,
}

const DONE: &[(&str, &str)] = &[
    ("created", "The account was created. Invite its person now."),
    ("disabled", "The account is disabled: its tokens have no power, and its sessions ended."),
    ("enabled", "The account is enabled again."),
    ("signed-out", "All sessions of the account ended."),
    ("unchanged", "Nothing had to be changed."),
];

pub(super) async fn show(State(site): State<Arc<Site>>, request: PageRequest) -> PageResult {
    shown(&site, &request, TypedAccount::default(), StatusCode::OK).await
}

async fn shown(site: &Site, request: &PageRequest, typed: TypedAccount, status: StatusCode) -> PageResult {
    let (credential, fields) = (request.credential(), &request.query);
    let q = if status == StatusCode::OK { fields.text("q").trim() } else { "" };
    let asked = AccountQuery {
        begins_with: (!q.is_empty()).then(|| q.to_lowercase()),
        after: fields.get("after").and_then(|after| after.parse().ok()),
        limit: PAGE,
    };
    let operator = site.authority.operator();
    let listed = match operator.list_accounts_page(&credential, &asked).await {
        Ok(listed) => listed,
        Err(error) => return request.failed(error),
    };
    let details = match fields.get("account").and_then(|handle| handle.parse::<Handle>().ok()) {
        Some(handle) => Some(operator.get_account(&credential, &handle).await?),
        None => None,
    };
    let mut frame = Frame::new(&request.visit, "operator");
    frame.done = done_text(DONE, fields);
    frame.wrong = typed.wrong;
    let next = listed.rows.last().filter(|_| listed.more).map(|view| view.account.handle.to_string());
    let link = |after: Option<&str>| {
        let kept = [("q", q), ("after", after.unwrap_or_default())];
        format!("/operator/accounts?{}", query(kept.into_iter().filter(|(_, value)| !value.is_empty())))
    };
    let mut accounts = AccountsPage {
        frame,
        lead: "Each person has one account. Operators see no tokens and no sessions of others here.",
        tabs: tabs("Accounts"),
        q: q.to_owned(),
        rows: listed.rows.iter().map(|view| row(view, listed.now)).collect(),
        pager: Pager {
            text: String::new(),
            first: if asked.after.is_some() { link(None) } else { String::new() },
            next: next.map_or_else(String::new, |next| link(Some(&next))),
        },
        handle: String::new(),
        facts: Vec::new(),
        barred: "",
        can_invite: false,
        can_enable: false,
        can_sign_out: false,
        can_disable: false,
        sign_out_effect: String::new(),
        disable_effect: String::new(),
        new_handle: typed.handle,
        handle_error: typed.handle_error,
        email: typed.email,
        email_error: typed.email_error,
        display_name: typed.name,
        name_error: typed.name_error,
    };
    if let Some(details) = details {
        accounts.show(&details);
    }
    Ok(page(status, &accounts))
}

impl AccountsPage {
    /// Shows an account beside the list, with the acts that its state leaves.
    fn show(&mut self, details: &AccountDetails) {
        let AccountListed { account, unused } = &details.view;
        self.handle = account.handle.to_string();
        self.facts = vec![Fact::new("E-mail", account.email.to_string())];
        self.facts.extend(account.name.as_ref().map(|name| Fact::new("Name", name.to_string())));
        let orgs: Vec<String> = details
            .memberships
            .iter()
            .map(|membership| format!("{}: {}", membership.org.slug, membership.role))
            .collect();
        self.facts.push(if orgs.is_empty() {
            Fact::new("Orgs", "None")
        } else {
            Fact { lines: orgs, ..Fact::new("Orgs", "") }
        });
        self.facts.push(Fact::new("Live tokens", details.tokens.to_string()));
        self.facts.push(Fact::new("Sessions", details.sessions.to_string()));
        self.facts.push(Fact::at("Created", Instant::at(account.created_at)));
        self.facts.push(match account.last_login_at {
            None => Fact::new("Last login", "Never"),
            Some(at) => Fact::at("Last login", Instant::ago(at, details.now)),
        });
        if account.operator {
            self.barred = "An operator: managed at the console, by `ndauthd admin`.";
            return;
        }
        self.can_invite = *unused && account.disabled_at.is_none();
        self.can_enable = account.disabled_at.is_some();
        self.can_disable = account.disabled_at.is_none();
        self.can_sign_out = details.sessions > 0;
        let plural = |count: u64, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let sessions = u64::try_from(details.sessions).unwrap_or(u64::MAX);
        self.sign_out_effect = format!(
            "{} at once, and the tokens derived from them.",
            ends(&plural(sessions, "session"), sessions)
        );
        self.disable_effect =
            format!("It has {} and {}.", plural(details.tokens, "live token"), plural(sessions, "session"));
    }
}

fn ends(what: &str, count: u64) -> String {
    format!("{what} {}", if count == 1 { "ends" } else { "end" })
}

fn row(view: &AccountListed, now: Timestamp) -> AccountRow {
    let account = &view.account;
    let mut badges = vec![match account.disabled_at {
        Some(_) => Badge::new("idle", "Disabled"),
        None if view.unused => Badge::new("info", "Never signed in"),
        None => Badge::new("good", "Enabled"),
    }];
    if account.operator {
        badges.push(Badge::new("info", "Operator"));
    }
    AccountRow {
        handle: account.handle.to_string(),
        email: account.email.to_string(),
        badges,
        login: account.last_login_at.map_or_else(|| Instant::word("never"), |at| Instant::ago(at, now)),
    }
}

pub(super) async fn create(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let mut typed = TypedAccount::of(&submission.form);
    let error = match typed.parse() {
        Ok(new) => match site.authority.operator().create_account(&submission.credential(), &new).await {
            Ok(_) => return Ok(go(&format!("/operator/accounts?done=created&account={}", new.handle))),
            Err(error) => error,
        },
        Err(()) => {
            typed.wrong = "No account was created. Look at the field that is marked.".to_owned();
            return shown(&site, &submission.view(&site).await?, typed, StatusCode::BAD_REQUEST).await;
        }
    };
    let failure = submission.error(&site, error).await?;
    typed.wrong = failure.text;
    shown(&site, &submission.view(&site).await?, typed, failure.status).await
}

impl TypedAccount {
    fn of(form: &Fields) -> TypedAccount {
        let text = |name: &str| form.text(name).trim().to_owned();
        TypedAccount {
            handle: text("handle"),
            email: text("email"),
            name: text("name"),
            ..TypedAccount::default()
        }
    }

    /// Reads the account, or notes the errors in the fields.
    fn parse(&mut self) -> Result<NewAccount, ()> {
        let handle = self.handle.parse().map_err(|why| {
            self.handle_error = sentence(&format!("the handle {why}"));
        });
        let email = self.email.parse().map_err(|why| {
            self.email_error = sentence(&format!("the address {why}"));
        });
        let name = Some(self.name.as_str()).filter(|name| !name.is_empty()).map(str::parse).transpose();
        let name = name.map_err(|why| {
            self.name_error = sentence(&format!("the name {why}"));
        });
        Ok(NewAccount { handle: handle?, email: email?, name: name?, operator: false })
    }
}

pub(super) async fn invite(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let handle: Handle = submission.variable("handle")?;
    match site.authority.logins().invite(&submission.credential(), &handle).await {
        Ok(Changed { value: Link { code, account, ends_at }, .. }) => {
            let once = OncePage {
                frame: submission.frame_of_secret(&site, "operator").await,
                title: "Invitation",
                warning: "Send it to its person alone: whoever opens it first sets the password.",
                label: format!("Invitation of {handle}"),
                secret: invitation_url(&site.issuer, code.expose()),
                facts: vec![
                    Fact::new("Account", account.handle.to_string()),
                    Fact::new("E-mail", account.email.to_string()),
                    Fact::at("Works until", Instant::at(ends_at)),
                ],
                next_href: format!("/operator/accounts?account={handle}"),
                next_text: "I have copied it",
                ..OncePage::default()
            };
            Ok(page(StatusCode::OK, &once))
        }
        Err(error) => Err(submission.failed(&site, error).await),
    }
}

pub(super) async fn disable(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let handle: Handle = submission.variable("handle")?;
    let acted = site.authority.operator().disable_account(&submission.credential(), &handle).await;
    done(&site, &submission, &handle, acted.map(|done| done.changed), "disabled").await
}

pub(super) async fn enable(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let handle: Handle = submission.variable("handle")?;
    let acted = site.authority.operator().enable_account(&submission.credential(), &handle).await;
    done(&site, &submission, &handle, acted.map(|done| done.changed), "enabled").await
}

pub(super) async fn sign_out(State(site): State<Arc<Site>>, submission: Submission) -> PageResult {
    let handle: Handle = submission.variable("handle")?;
    let acted = site.authority.operator().sign_out(&submission.credential(), &handle).await;
    done(&site, &submission, &handle, acted.map(|done| done.changed), "signed-out").await
}

async fn done(
    site: &Site,
    submission: &Submission,
    handle: &Handle,
    acted: Result<bool, AuthorityError>,
    code: &str,
) -> PageResult {
    match acted {
        Ok(changed) => {
            let code = if changed { code } else { "unchanged" };
            Ok(go(&format!("/operator/accounts?done={code}&account={handle}")))
        }
        Err(error) => Err(submission.failed(site, error).await),
    }
}
