//! Every path of the API, with every kind of caller, answers as its RPC does.

use bytes::Bytes;
use ndauth_authority::access::TABLE;
use ndauth_core::{Problem, Secret};
use ndauth_proto::json::{HttpBinding, bindings, write};
use ndauth_proto::problem_from_status;
use prost::Message as _;
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};

use super::{Answered, ask, create, new_token};
use crate::front::{call_for_message, raw};
use crate::installation::Running;
use crate::on_both;

/// The id of no token.
const NONE: &str = "01a22623-0000-7000-8000-000000000000";

/// The value of a path's variable.
fn value(rpc: &str, name: &str) -> &'static str {
    match name {
        // An offer is made to `nobody`.
        "handle" if rpc == "WithdrawMembershipOffer" => "nobody-else",
        "org" => "ops",
        "id" => NONE,
        "name" => "no-service",
        "handle" => "nobody",
        "account" => "eve",
        other => panic!("{other} has no value"),
    }
}

/// The body of a request, if it needs one. None of them changes what another caller sees.
fn body(rpc: &str) -> Option<Value> {
    Some(match rpc {
        "CreateToken" => new_token("taken"),
        "RevokeToken" => json!({ "reason": "LEAKED" }),
        "RevokeAllTokens" => json!({ "all": true, "dry_run": true }),
        "ExplainToken" => json!({ "which": { "id": NONE } }),
        "RevokeSecret" => json!({ "secret": "ndpat_short" }),
        "ReportLeaked" => json!({ "secrets": [] }),
        "RevokeSessions" => json!({ "id": NONE }),
        "CreateOrg" => json!({ "slug": "ops", "name": "" }),
        "AddMember" => json!({ "handle": "nobody", "role": "RO" }),
        "SetMember" => json!({ "role": "RO" }),
        "OfferMembership" => json!({ "handle": "nobody", "role": "RO" }),
        "AcceptMembershipOffer" => json!({ "role": "RO" }),
        "SetOrgPolicy" => json!({
            "dry_run": true,
            "policy": {
                "longest_lifetime": "365d", "personal_tokens": true, "networks": "all", "login_within": "never",
                "suspend_on_reuse": false, "require_grants": false, "no_all_org_tokens": false,
            },
        }),
        "ValidateToken" => json!({ "secret": "ndpat_short", "required_access": "IDENTITY" }),
        "ValidateTokens" => {
            json!({ "questions": [{ "secret": "ndpat_short", "required_access": "IDENTITY" }] })
        }
        _ => return None,
    })
}

/// The outcome of a call: of its response only that there is one, or the whole problem.
type Outcome = Result<(), (String, String, Option<String>, Vec<String>)>;

fn outcome_of(problem: &Problem) -> Outcome {
    let missing = problem.missing_permissions.iter().map(ToString::to_string).collect();
    Err((problem.reason.code().to_owned(), problem.message.clone(), problem.field.clone(), missing))
}

fn outcome_of_answer(answer: &Answered) -> Outcome {
    if answer.status == 200 {
        return Ok(());
    }
    let problem = answer.json();
    let text = |name: &str| problem[name].as_str().map(str::to_owned);
    let missing = problem["missing_permissions"].as_array().into_iter().flatten();
    let missing = missing.filter_map(|permission| permission.as_str().map(str::to_owned)).collect();
    Err((text("reason").expect("a reason"), text("detail").expect("a detail"), text("field"), missing))
}

/// Makes the same call by gRPC. Returns the response as JSON.
async fn call(
    server: &Running,
    binding: &HttpBinding,
    request: &DynamicMessage,
    secret: Option<&str>,
) -> Result<Value, Problem> {
    let path = format!("/{}/{}", binding.rpc.parent_service().full_name(), binding.rpc.name());
    let message = request.encode_to_vec();
    let length = u32::try_from(message.len()).expect("short").to_be_bytes();
    let body = [&[0][..], &length, &message].concat();
    let bearer = secret.map(|secret| format!("Bearer {secret}"));
    let mut headers = vec![("content-type", "application/grpc"), ("te", "trailers")];
    headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
    let mut client = raw(server).await;
    let answer = call_for_message(&mut client, &path, &headers, &body).await.expect("answered");
    let response: Bytes = answer.map_err(|status| problem_from_status(&status))?;
    let text = write(&binding.rpc.output(), &response).expect("it has a form in JSON");
    Ok(serde_json::from_str(&text).expect("JSON"))
}

/// Returns a copy of a response without what differs at each call.
fn settled(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            for moving in [
                "evaluated_at",
                "sequence",
                "max_cache_age",
                "made_at",
                "ends_at",
                "last_seen_at",
                "not_before",
                "changed",
                "last_use",
                "current",
                "takes_hold_at",
                "generation",
                "frozen_at",
            ] {
                members.shift_remove(moving);
            }
            members.values_mut().for_each(|member| *member = settled(member.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = settled(item.take())),
        _ => {}
    }
    value
}

on_both! {
    /// SEC-04 and the matrix of callers: no path is without the rule of its RPC.
    async fn every_caller_gets_the_answer_of_the_rpc(at: &Installation) {
        at.people();
        at.run_admin("account create eve --email eve@example.org");
        at.run_admin("member set ops eve ADMIN");
        let server = at.serve();
        let secret = |secret: Secret| Some(secret.expose().to_owned());
        let (ada, service) = (secret(at.session()), secret(at.service()));
        let eve: Secret = at.run_admin("session issue eve").parse().expect("a secret alone");
        let eve = Some(eve.expose().to_owned());
        let owner = eve.as_deref().expect("a session");
        for session in [&eve, &ada] {
            create(&server, session.as_deref().expect("a session"), &new_token("taken"));
        }
        let mut narrow = new_token("narrow");
        narrow["scope"] = json!("RO");
        narrow["orgs"] = json!(["ops"]);
        let of_org = json!({
            "name": "taken", "grants": [{ "resource_type": "assets", "resource_id": "*", "actions": ["read"] }],
            "expiry": "24h", "services": "all", "networks": "all",
        });
        let of_org = ask(&server, "POST /v1/orgs/ops/tokens", Some(owner), Some(&of_org));
        let callers = [
            ("nobody", None),
            ("an admin", eve.clone()),
            ("a member", ada),
            ("a token", Some(create(&server, owner, &new_token("whole")))),
            ("a narrow token", Some(create(&server, owner, &narrow))),
            ("an org's token", Some(of_org.json()["secret"].as_str().expect("a secret").to_owned())),
            ("a service", service),
            ("a stranger", Some(format!("ndpat_{}", "A".repeat(43)))),
        ];
        let (mut answered, mut refused) = (0, 0);
        for binding in bindings() {
            let body = body(binding.rpc.name());
            let rpc = format!("{}/{}", binding.rpc.parent_service().full_name(), binding.rpc.name());
            let row = TABLE.iter().find(|row| row.calls.contains(&rpc.as_str())).expect("every RPC has a row");
            let changes = row.does.changes();
            let values: Vec<&str> = binding.variables().map(|variable| value(binding.rpc.name(), variable.field().name())).collect();
            let request = binding.request(body.as_ref(), &values, &[]).expect("a request");
            let mut path = binding.to_string();
            for variable in binding.variables() {
                let name = variable.field().name();
                path = path.replace(&format!("{{{name}}}"), value(binding.rpc.name(), name));
            }
            for (caller, secret) in &callers {
                let by_grpc = call(&server, binding, &request, secret.as_deref()).await;
                let by_http = ask(&server, &path, secret.as_deref(), body.as_ref());
                let expected = by_grpc.as_ref().map(drop).map_err(outcome_of).or_else(|problem| problem);
                assert_eq!(outcome_of_answer(&by_http), expected, "{path} by {caller}: {by_http:?}");
                // SEC-04: no token changes anything but itself, on any path.
                let is_token = caller.contains("token");
                assert!(!(is_token && changes && by_http.status == 200), "{path} by {caller}: {by_http:?}");
                match by_grpc {
                    Ok(response) => {
                        assert_eq!(settled(by_http.json()), settled(response), "{path} by {caller}");
                        answered += 1;
                    }
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(answered > 40 && refused > 300, "{answered} answered, {refused} refused");
    }
}
