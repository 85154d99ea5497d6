//! The access table in English: who may perform an operation.

use ndauth_authority::access::{Holding, Kind, Row, Rule, TABLE};
use ndauth_core::Role;
use ndauth_proto::json::{HttpBinding, Parameter};

/// Returns the row of the table for a binding: that of the owner which its path names.
pub(super) fn row(binding: &HttpBinding) -> &'static Row {
    let owners = binding.variables().map(Parameter::field);
    let owner = owners.filter(|field| field.parent_message().name() == "Whose").last();
    let kind = match owner.as_ref().map(|field| field.name()) {
        Some("org") => Kind::Org,
        Some("account") => Kind::Anyone,
        _ => Kind::Mine,
    };
    let name = format!("{}/{}", binding.rpc.parent_service().full_name(), binding.rpc.name());
    let rows: Vec<&Row> = TABLE.iter().filter(|row| row.calls.contains(&name.as_str())).collect();
    match rows.as_slice() {
        [row] => row,
        rows => rows.iter().find(|row| row.kind == kind).expect("a call has a row for each kind of owner"),
    }
}

/// Returns the sentence that says which callers a row admits.
pub(super) fn sentence(row: &Row) -> String {
    if row.nobody == Rule::Yes {
        return "Needs no credential.".to_owned();
    }
    let tokens = if row.token == row.org_token {
        [phrase("token", row.token), None]
    } else {
        [phrase("personal token", row.token), phrase("token of an org", row.org_token)]
    };
    let sessions = [phrase("session", row.session)];
    let callers = sessions.into_iter().chain(tokens).chain([phrase("service", row.service)]).flatten();
    let callers: Vec<String> = callers.map(|caller| format!("to {caller}")).collect();
    match callers.as_slice() {
        [] => unreachable!("an RPC has callers"),
        [one] => format!("Allowed {one}."),
        [first @ .., last] => format!("Allowed {}, and {last}.", first.join(", ")),
    }
}

/// The callers of a kind that a rule admits. `None` if it admits none.
fn phrase(caller: &str, rule: Rule) -> Option<String> {
    let recently = "who logged in within the last 15 minutes";
    let member = |role: Role| match role {
        Role::Admin => "an admin".to_owned(),
        Role::Ro => "a member".to_owned(),
        role @ Role::Rw => format!("a member with the role `{role}`"),
    };
    Some(match rule {
        Rule::No | Rule::Login | Rule::Browser => return None,
        Rule::Yes => format!("any {caller}"),
        Rule::RecentLogin => format!("a {caller} of a person {recently}"),
        Rule::Operator => format!("a {caller} of an operator {recently}"),
        Rule::Member(role) => format!("a {caller} of {} of the org", member(role)),
        Rule::Recent(role) => format!("a {caller} of {} of the org {recently}", member(role)),
        Rule::Account(permission) => format!("a {caller} that carries all grants or `{permission}`"),
        Rule::AccountOrItself(permission) => {
            format!("a {caller} that carries all grants or `{permission}`, or else for itself")
        }
        Rule::Itself => format!("a {caller} for itself"),
        Rule::ItselfInside => format!("a {caller} for itself, within its services and networks"),
        Rule::SelfRotating(holding) => {
            let secret = match holding {
                Holding::Current => "its current secret",
                Holding::New => "its new secret",
                Holding::Confirmed => "a confirmed secret",
            };
            format!("a self-rotating {caller} for itself, with {secret}")
        }
        Rule::Power => format!("a {caller} with power in the org"),
        Rule::Granted(permission) => format!("a {caller} with the permission `{permission}` in the org"),
    })
}
