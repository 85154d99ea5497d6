//! The operator's lists: a table for people, an object for programs.

use ndauth_authority::{AsOf, MemberView, OrgSummary, ServiceView, SessionView};
use ndauth_core::{Account, Expiry, Org, Orgs, SecretState, Timestamp, TokenView};
use ndauth_proto::{account_to_proto, org_to_proto, service_to_proto, session_to_proto, token_to_proto};
use ndauth_terminal::{Failure, Rows, TokenShown, ago, message_json, minute, names_or_all};
use prost::{Message, Name};
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

/// A message of the contract as JSON, with what only the console shows beside it. As in the API, what is absent is left
/// out.
fn message_with<M: Message + Name, const N: usize>(
    message: &M,
    beside: [(&str, Option<Value>); N],
) -> Result<Value, Failure> {
    let mut object = message_json(message)?;
    for (key, value) in beside {
        if let Some(value) = value {
            object[key] = value;
        }
    }
    Ok(object)
}

fn instant(at: Option<Timestamp>) -> Option<Value> {
    at.map(|at| at.to_string().into())
}

pub(super) fn account_json(account: &Account) -> Result<Value, Failure> {
    let beside = [
        ("status", Some(status(account.disabled_at, "disabled").into())),
        ("created_at", instant(Some(account.created_at))),
        ("disabled_at", instant(account.disabled_at)),
    ];
    message_with(&account_to_proto(account), beside)
}

pub(super) fn org_json(org: &Org, members: Option<usize>) -> Result<Value, Failure> {
    let beside =
        [("status", Some(status(org.deleted_at, "deleted").into())), ("deleted_at", instant(org.deleted_at))];
    message_with(&org_to_proto(org, members), beside)
}

pub(super) fn accounts(accounts: &[Account]) -> Result<TableAndJson, Failure> {
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
    let json = accounts.iter().map(account_json).collect::<Result<Vec<_>, _>>()?;
    Ok(listed("account", titles, accounts.iter().map(row).collect(), &json))
}

pub(super) fn orgs(orgs: &[OrgSummary]) -> Result<TableAndJson, Failure> {
    let row = |view: &OrgSummary| {
        [
            view.org.slug.to_string(),
            view.org.name.as_ref().map_or("-".to_owned(), ToString::to_string),
            view.members.to_string(),
            view.org.created_at.date(),
            status(view.org.deleted_at, "deleted").to_owned(),
        ]
    };
    let json = orgs.iter().map(|view| org_json(&view.org, Some(view.members)));
    let json = json.collect::<Result<Vec<_>, _>>()?;
    let titles = ["ORG", "NAME", "MEMBERS", "CREATED", "STATUS"];
    Ok(listed("org", titles, orgs.iter().map(row).collect(), &json))
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

pub(super) fn sessions(sessions: &AsOf<SessionView>) -> Result<TableAndJson, Failure> {
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
        let beside = [
            ("account", Some(view.account.as_str().into())),
            ("status", Some(status(view).into())),
            ("revoked_at", instant(view.session.revoked_at)),
        ];
        message_with(&session_to_proto(&view.session, &view.secret.prefix), beside)
    };
    let titles = ["ACCOUNT", "PREFIX", "DEVICE", "FROM", "CREATED", "EXPIRES", "STATUS"];
    let json = sessions.rows.iter().map(json).collect::<Result<Vec<_>, _>>()?;
    Ok(listed("session", titles, sessions.rows.iter().map(row).collect(), &json))
}

pub(super) fn services(services: &AsOf<ServiceView>) -> Result<TableAndJson, Failure> {
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
        let beside = [
            ("secrets", Some(secrets.collect())),
            ("status", Some(status(view.service.revoked_at, "revoked").into())),
            ("created_at", instant(Some(view.service.created_at))),
            ("revoked_at", instant(view.service.revoked_at)),
        ];
        message_with(&service_to_proto(&view.service, &view.orgs), beside)
    };
    let titles = ["SERVICE", "ORGS", "SECRETS", "CREATED", "STATUS"];
    let json = services.rows.iter().map(json).collect::<Result<Vec<_>, _>>()?;
    Ok(listed("service", titles, services.rows.iter().map(row).collect(), &json))
}

pub(super) fn tokens(tokens: &AsOf<TokenView>) -> Result<TableAndJson, Failure> {
    let mut rows = Vec::new();
    let mut json = Vec::new();
    for view in &tokens.rows {
        let message = token_to_proto(view, tokens.now);
        json.push(message_json(&message)?);
        let token = TokenShown::read(Some(message))?;
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
    }
    let titles = ["OWNER", "NAME", "PREFIX", "SCOPE", "ORG", "EXPIRES", "LAST USED", "STATUS"];
    Ok(listed("token", titles, rows, &json))
}

fn status(ended: Option<Timestamp>, word: &'static str) -> &'static str {
    if ended.is_some() { word } else { "active" }
}
