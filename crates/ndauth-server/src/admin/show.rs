//! The operator's lists: a table for people, an object for programs.

use ndauth_authority::{AsOf, MemberView, OrgSummary, ServiceView, SessionView};
use ndauth_core::{Account, Expiry, Org, Orgs, SecretState, Timestamp, TokenView};
use ndauth_proto::token_to_proto;
use ndauth_terminal::{Failure, Rows, TokenShown, ago, expiry_json, minute, names_json, names_or_all};
use serde_json::{Value, json};

/// A table and the same as an object.
type TableAndJson = (String, Value);

fn listed<const N: usize>(
    what: &str,
    titles: [&'static str; N],
    rows: Vec<[String; N]>,
    json: &[Value],
) -> TableAndJson {
    let total = rows.len();
    let text = format!("{}Total: {total} {what}(s)\n", Rows { titles, rows, last_width: 0 }.table());
    (text, json!({ format!("{what}s"): json, "total": total }))
}

pub(super) fn account_json(account: &Account) -> Value {
    json!({
        "id": account.id.to_string(),
        "handle": account.handle.as_str(),
        "email": account.email.as_str(),
        "name": account.name.as_ref().map(ndauth_core::DisplayName::as_str),
        "operator": account.operator,
        "status": status(account.disabled_at, "disabled"),
        "created_at": account.created_at.to_string(),
        "disabled_at": account.disabled_at.map(|at| at.to_string()),
    })
}

pub(super) fn org_json(org: &Org) -> Value {
    json!({
        "id": org.id.to_string(),
        "slug": org.slug.as_str(),
        "name": org.name.as_ref().map(ndauth_core::DisplayName::as_str),
        "status": status(org.deleted_at, "deleted"),
        "created_at": org.created_at.to_string(),
        "deleted_at": org.deleted_at.map(|at| at.to_string()),
    })
}

pub(super) fn accounts(accounts: &[Account]) -> TableAndJson {
    let row = |account: &Account| {
        [
            account.handle.to_string(),
            account.email.to_string(),
            account.name.as_ref().map_or("-".to_owned(), ToString::to_string),
            if account.operator { "yes" } else { "-" }.to_owned(),
            account.created_at.date(),
            status(account.disabled_at, "disabled").to_owned(),
        ]
    };
    let titles = ["ACCOUNT", "EMAIL", "NAME", "OPERATOR", "CREATED", "STATUS"];
    listed(
        "account",
        titles,
        accounts.iter().map(row).collect(),
        &accounts.iter().map(account_json).collect::<Vec<_>>(),
    )
}

pub(super) fn orgs(orgs: &[OrgSummary]) -> TableAndJson {
    let row = |view: &OrgSummary| {
        [
            view.org.slug.to_string(),
            view.org.name.as_ref().map_or("-".to_owned(), ToString::to_string),
            view.members.to_string(),
            view.org.created_at.date(),
            status(view.org.deleted_at, "deleted").to_owned(),
        ]
    };
    let json = |view: &OrgSummary| {
        let mut value = org_json(&view.org);
        value["members"] = json!(view.members);
        value
    };
    let titles = ["ORG", "NAME", "MEMBERS", "CREATED", "STATUS"];
    listed("org", titles, orgs.iter().map(row).collect(), &orgs.iter().map(json).collect::<Vec<_>>())
}

pub(super) fn members(members: &[MemberView]) -> TableAndJson {
    let row = |member: &MemberView| {
        [member.org.to_string(), member.account.to_string(), member.role.to_string(), member.since.date()]
    };
    let json = |member: &MemberView| {
        json!({
            "org": member.org.as_str(),
            "account": member.account.as_str(),
            "role": member.role.as_str(),
            "since": member.since.to_string(),
        })
    };
    let titles = ["ORG", "ACCOUNT", "ROLE", "SINCE"];
    listed("member", titles, members.iter().map(row).collect(), &members.iter().map(json).collect::<Vec<_>>())
}

pub(super) fn sessions(sessions: &AsOf<SessionView>) -> TableAndJson {
    let status = |view: &SessionView| match view.session.revoked_at {
        Some(_) => "ended",
        None if view.session.expires_at.is_past(sessions.now) => "expired",
        None if view.secret.judge_minting(sessions.not_before).is_err() => "revoked",
        None => "active",
    };
    let device = |view: &SessionView| match (&view.session.device, view.session.browser) {
        (Some(device), true) => format!("{device} (browser)"),
        (Some(device), false) => device.to_string(),
        (None, true) => "a browser".to_owned(),
        (None, false) => "-".to_owned(),
    };
    let row = |view: &SessionView| {
        [
            view.account.to_string(),
            view.secret.prefix.to_string(),
            device(view),
            view.session.address.map_or("-".to_owned(), |address| address.to_string()),
            minute(Expiry::At(view.session.created_at)),
            minute(view.session.expires_at),
            status(view).to_owned(),
        ]
    };
    let json = |view: &SessionView| {
        json!({
            "id": view.session.id.to_string(),
            "account": view.account.as_str(),
            "prefix": view.secret.prefix.as_str(),
            "device": view.session.device.as_ref().map(ndauth_core::DisplayName::as_str),
            "address": view.session.address.map(|address| address.to_string()),
            "browser": view.session.browser,
            "status": status(view),
            "created_at": view.session.created_at.to_string(),
            "expires_at": expiry_json(view.session.expires_at),
            "revoked_at": view.session.revoked_at.map(|at| at.to_string()),
        })
    };
    let titles = ["ACCOUNT", "PREFIX", "DEVICE", "FROM", "CREATED", "EXPIRES", "STATUS"];
    listed(
        "session",
        titles,
        sessions.rows.iter().map(row).collect(),
        &sessions.rows.iter().map(json).collect::<Vec<_>>(),
    )
}

pub(super) fn services(services: &AsOf<ServiceView>) -> TableAndJson {
    let secrets = |view: &ServiceView| -> Vec<(String, String)> {
        let shown = view.secrets.iter().map(|secret| {
            let state = match secret.state(services.now) {
                _ if secret.judge_minting(services.not_before).is_err() => "revoked".to_owned(),
                SecretState::Current => "current".to_owned(),
                SecretState::Pending => "pending".to_owned(),
                SecretState::Retiring => format!("until {}", minute(secret.ends_at)),
                SecretState::Retired(_) | SecretState::Expired(_) => "retired".to_owned(),
            };
            (secret.prefix.to_string(), state)
        });
        shown.collect()
    };
    let orgs = |view: &ServiceView| match &view.orgs {
        Orgs::All => None,
        Orgs::Only(slugs) => Some(slugs.iter().map(ToString::to_string).collect::<Vec<_>>()),
    };
    let row = |view: &ServiceView| {
        let serving = secrets(view).into_iter().filter(|(_, state)| state != "retired");
        let serving: Vec<String> = serving.map(|(prefix, state)| format!("{prefix} ({state})")).collect();
        [
            view.service.name.to_string(),
            names_or_all(orgs(view).as_deref()),
            serving.join(", "),
            view.service.created_at.date(),
            status(view.service.revoked_at, "revoked").to_owned(),
        ]
    };
    let json = |view: &ServiceView| {
        let secrets =
            secrets(view).into_iter().map(|(prefix, state)| json!({ "prefix": prefix, "state": state }));
        json!({
            "id": view.service.id.to_string(),
            "name": view.service.name.as_str(),
            "orgs": names_json(orgs(view).as_deref()),
            "secrets": secrets.collect::<Vec<_>>(),
            "status": status(view.service.revoked_at, "revoked"),
            "created_at": view.service.created_at.to_string(),
            "revoked_at": view.service.revoked_at.map(|at| at.to_string()),
        })
    };
    let titles = ["SERVICE", "ORGS", "SECRETS", "CREATED", "STATUS"];
    listed(
        "service",
        titles,
        services.rows.iter().map(row).collect(),
        &services.rows.iter().map(json).collect::<Vec<_>>(),
    )
}

pub(super) fn tokens(tokens: &AsOf<TokenView>) -> Result<TableAndJson, Failure> {
    let mut rows = Vec::new();
    let mut json = Vec::new();
    for view in &tokens.rows {
        let token = TokenShown::read(Some(token_to_proto(view, tokens.now)))?;
        rows.push([
            view.owner_name().to_owned(),
            token.name.clone(),
            token.prefix.clone(),
            token.held(),
            token.org(),
            token.expires(),
            token.last_used_at.map_or("Never".to_owned(), |at| ago(at, tokens.now)),
            token.status.to_owned(),
        ]);
        let mut value = token.json();
        value["owner"] = json!(view.owner_name());
        json.push(value);
    }
    let titles = ["OWNER", "NAME", "PREFIX", "SCOPE", "ORG", "EXPIRES", "LAST USED", "STATUS"];
    Ok(listed("token", titles, rows, &json))
}

fn status(ended: Option<Timestamp>, word: &'static str) -> &'static str {
    if ended.is_some() { word } else { "active" }
}
