//! Examples: what a real server answers, with the parts that differ from run to run replaced.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use ndauth_core::{Secret, Timestamp};
use ndauth_proto::json::{HttpBinding, PathSegment, bindings};
use ndauth_store::testing::execute;
use ndauth_store::{Clock, DatabaseUrl, Engine};
use serde_json::{Value, json};

use super::operation::operation_id;
use crate::api::{Answered, ask, create, send};
use crate::installation::{Installation, KillOnDrop, Running};

/// Recorded requests and responses.
#[derive(Debug, Default)]
pub(super) struct Examples {
    /// By `operationId`.
    calls: BTreeMap<String, RecordedCall>,
    failures: BTreeMap<u16, Value>,
}

#[derive(Debug)]
struct RecordedCall {
    /// The values of the variables of the path.
    variables: BTreeMap<String, String>,
    body: Option<Value>,
    response: Value,
}

impl Examples {
    /// Returns the value of a variable of the path.
    pub(super) fn variable(&self, operation: &str, name: &str) -> &str {
        &self.calls[operation].variables[name]
    }

    pub(super) fn body(&self, operation: &str) -> Option<&Value> {
        self.calls[operation].body.as_ref()
    }

    pub(super) fn response(&self, operation: &str) -> &Value {
        &self.calls[operation].response
    }

    pub(super) fn failure(&self, status: u16) -> &Value {
        &self.failures[&status]
    }

    /// Records every operation and every failure on a new server.
    pub(super) async fn record() -> Examples {
        let at = Installation::new(Engine::Sqlite).await;
        let mut walk = Walk::begin(&at).await;
        for (operation, caller, values, body) in CALLS {
            walk.step(operation, *caller, values, body);
        }
        walk.fail(&at).await;
        walk.examples
    }
}

/// A caller: nobody, a person, or a service.
#[derive(Clone, Copy, Debug)]
enum Caller {
    Nobody,
    /// An operator, and an admin of the org `ops`.
    Ada,
    Bob,
    Cy,
    Service,
}

use Caller::{Ada, Bob, Cy, Nobody, Service};

/// A call: its operation and caller, the variables of its path and the parameters of its query that are not what the
/// responses before it named, and its body.
type Call = (&'static str, Caller, &'static [(&'static str, &'static str)], &'static str);

const POLICY: &str = r#"{ "policy": { "longest_lifetime": "365d", "personal_tokens": true, "networks": "all",
    "login_within": "never", "suspend_on_reuse": true, "require_grants": false, "no_all_org_tokens": false } }"#;
const PERSONAL: &str = r#"{ "name": "ci", "scope": "RW", "orgs": "all", "grants": "all", "expiry": "90d",
    "services": "all", "networks": "all" }"#;
const OF_THE_ORG: &str = r#"{ "name": "deploy", "scope": "RW", "expiry": "30d", "services": ["registry"],
    "networks": ["10.0.0.0/8"],
    "grants": [{ "resource_type": "assets", "resource_id": "prod-*", "actions": ["read", "write"] }] }"#;
const QUESTION: &str = r#"{ "secret": "{secret}", "org": "ops", "required_access": "RO",
    "required_permission": "read:assets:prod-1" }"#;
const QUESTIONS: &str = r#"{ "questions": [
    { "secret": "{secret}", "org": "ops", "required_access": "RO", "required_permission": "read:assets" },
    { "secret": "{secret}", "required_access": "RW" }] }"#;

/// The calls, in an order in which each succeeds.
#[rustfmt::skip]
const CALLS: &[Call] = &[
    ("WhoAmI",                   Ada,     &[], ""),
    ("ListOrgs",                 Ada,     &[], ""),
    ("ListSessions",             Ada,     &[], ""),
    ("GetNotices",               Ada,     &[], ""),
    ("SetNotices",               Ada,     &[], r#"{ "off": ["ROTATED"], "on": ["OFFER"] }"#),
    ("ListPermissions",          Ada,     &[], ""),
    ("CreateOrg",                Ada,     &[], r#"{ "slug": "lab", "name": "Lab" }"#),
    ("GetOrg",                   Ada,     &[], ""),
    ("AddMember",                Ada,     &[], r#"{ "handle": "bob", "role": "RO" }"#),
    ("SetMember",                Ada,     &[], r#"{ "role": "RW" }"#),
    ("ListMembers",              Ada,     &[], ""),
    ("RemoveMember",             Ada,     &[], ""),
    ("OfferMembership",          Ada,     &[], r#"{ "handle": "bob", "role": "RW" }"#),
    ("ListMembershipOffers_org", Ada,     &[], ""),
    ("ListMembershipOffers",     Bob,     &[], ""),
    ("AcceptMembershipOffer",    Bob,     &[], r#"{ "role": "RW" }"#),
    ("OfferMembership",          Ada,     &[], r#"{ "handle": "cy", "role": "RO" }"#),
    ("DeclineMembershipOffer",   Cy,      &[], ""),
    ("OfferMembership",          Ada,     &[], r#"{ "handle": "cy", "role": "RO" }"#),
    ("WithdrawMembershipOffer",  Ada,     &[("handle", "cy")], ""),
    ("GetOrgPolicy",             Ada,     &[], ""),
    ("SetOrgPolicy",             Ada,     &[], POLICY),
    ("FreezeOrg",                Ada,     &[], ""),
    ("UnfreezeOrg",              Ada,     &[], ""),
    ("CreateToken",              Ada,     &[], PERSONAL),
    ("ListTokens",               Ada,     &[], ""),
    ("GetToken",                 Ada,     &[], ""),
    ("GetToken_lookup",          Ada,     &[("name", "ci")], ""),
    ("UpdateToken",              Ada,     &[], r#"{ "description": "publishes the site" }"#),
    ("ValidateToken",            Service, &[], QUESTION),
    ("ValidateTokens",           Service, &[], QUESTIONS),
    ("ExplainToken",             Ada,     &[], r#"{ "which": { "name": "ci" }, "org": "ops", "access": "RW" }"#),
    ("RotateToken",              Ada,     &[], r#"{ "overlap": "24h" }"#),
    ("DropRotation",             Ada,     &[], ""),
    ("RotateToken",              Ada,     &[], ""),
    ("ConfirmRotation",          Ada,     &[], "{}"),
    ("RetireSecret",             Ada,     &[], r#"{ "anyway": true }"#),
    ("RenewToken",               Ada,     &[], "{}"),
    ("SuspendToken",             Ada,     &[], ""),
    ("ResumeToken",              Ada,     &[], ""),
    ("ListPersonalTokens",       Ada,     &[], ""),
    ("SuspendPersonalToken",     Ada,     &[], ""),
    ("ResumePersonalToken",      Ada,     &[], ""),
    ("RevokeToken",              Ada,     &[], r#"{ "reason": "NO_LONGER_NEEDED", "note": "the site moved" }"#),
    ("CreateToken_org",          Ada,     &[], OF_THE_ORG),
    ("ListTokens_org",           Ada,     &[], ""),
    ("GetToken_org",             Ada,     &[], ""),
    ("GetToken_org_lookup",      Ada,     &[("name", "deploy")], ""),
    ("UpdateToken_org",          Ada,     &[], r#"{ "description": "deploys the site" }"#),
    ("ExplainToken_org",         Ada,     &[], r#"{ "which": { "name": "deploy" } }"#),
    ("RotateToken_org",          Ada,     &[], r#"{ "overlap": "1h" }"#),
    ("DropRotation_org",         Ada,     &[], ""),
    ("RotateToken_org",          Ada,     &[], ""),
    ("ConfirmRotation_org",      Ada,     &[], "{}"),
    ("RetireSecret_org",         Ada,     &[], r#"{ "anyway": true }"#),
    ("RenewToken_org",           Ada,     &[], "{}"),
    ("SuspendToken_org",         Ada,     &[], ""),
    ("ResumeToken_org",          Ada,     &[], ""),
    ("RevokeToken_org",          Ada,     &[], r#"{ "reason": "LEAKED" }"#),
    ("RevokeAllTokens",          Ada,     &[], r#"{ "all": true, "dry_run": true }"#),
    ("RevokeAllTokens_org",      Ada,     &[], r#"{ "all": true, "dry_run": true }"#),
    ("RevokeAllTokens_account",  Ada,     &[("account", "bob")], r#"{ "all": true, "dry_run": true }"#),
    ("ReportLeaked",             Nobody,  &[], r#"{ "secrets": ["{secret}"] }"#),
    ("RevokeSecret",             Nobody,  &[], r#"{ "secret": "{secret}" }"#),
    ("CreateAccount",            Ada,     &[], r#"{ "handle": "dan", "email": "dan@example.org", "name": "Dan" }"#),
    ("InviteAccount",            Ada,     &[("handle", "dan")], ""),
    ("GetAccount",               Ada,     &[], ""),
    ("ListAccounts",             Ada,     &[("page_size", "2")], ""),
    ("SignOutAccount",           Ada,     &[("handle", "dan")], ""),
    ("DisableAccount",           Ada,     &[("handle", "dan")], ""),
    ("EnableAccount",            Ada,     &[("handle", "dan")], ""),
    ("ListAllOrgs",              Ada,     &[], ""),
    ("CreateService",            Ada,     &[], r#"{ "name": "billing", "orgs": ["ops"], "states_address": false }"#),
    ("RotateService",            Ada,     &[("name", "billing")], r#"{ "overlap": "24h" }"#),
    ("DropServiceRotation",      Ada,     &[("name", "billing")], ""),
    ("RotateService",            Ada,     &[("name", "billing")], ""),
    ("ConfirmServiceRotation",   Ada,     &[("name", "billing")], ""),
    ("ListServices",             Ada,     &[], ""),
    ("RetireServiceSecret",      Ada,     &[("name", "billing")], r#"{ "anyway": true }"#),
    ("RevokeService",            Ada,     &[("name", "billing")], ""),
    ("GetInstallation",          Ada,     &[], ""),
    ("ListEvents",               Ada,     &[("page_size", "2")], ""),
    ("ListEvents_org",           Ada,     &[("page_size", "2"), ("org", "ops")], ""),
    ("ListEvents_everything",    Ada,     &[("page_size", "2")], ""),
    ("ExportEvents",             Ada,     &[("after", "1")], ""),
    ("ExportEvents_org",         Ada,     &[("after", "1"), ("org", "ops")], ""),
    ("ExportEvents_everything",  Ada,     &[("after", "1")], ""),
    ("ListRefusedAttempts",      Ada,     &[], ""),
    ("ListRefusedAttempts_org",  Ada,     &[("org", "ops")], ""),
    ("ListRefusedAttempts_everything", Ada, &[], ""),
    ("RevokeSessions",           Cy,      &[], r#"{ "all": true }"#),
];

/// A server and what the calls so far have shown.
struct Walk {
    server: Running,
    secrets: BTreeMap<&'static str, String>,
    /// The token and the secret of the last response that has them.
    id: String,
    secret: String,
    placeholders: Placeholders,
    examples: Examples,
}

impl Walk {
    async fn begin(at: &Installation) -> Walk {
        let store = at.scratch.store(Clock::Database).await;
        let begun = store.read().await.expect("a view").now().micros();
        let placeholders = Placeholders { begun: begun - begun % MINUTE, ids: Vec::new() };
        for person in ["ada", "bob", "cy"] {
            at.run_admin(&format!("account create {person} --email {person}@example.org"));
        }
        at.run_admin("operator grant ada");
        at.run_admin("org create ops --admin ada");
        let issue = |person: &str| at.run_admin(&format!("session issue {person}"));
        let secrets = BTreeMap::from([
            ("Ada", issue("ada")),
            ("Bob", issue("bob")),
            ("Cy", issue("cy")),
            ("Service", at.service().expose().to_owned()),
        ]);
        let mut command = at.command("NDAUTH_TEST_NDAUTHD");
        command.env("NDAUTHD_CLIENT_TIMEOUT_SECONDS", "1");
        let server = at.serve_as(command, &[]);
        let (id, secret) = (String::new(), String::new());
        Walk { server, secrets, id, secret, placeholders, examples: Examples::default() }
    }

    fn credential(&self, caller: Caller) -> Option<String> {
        self.secrets.get(format!("{caller:?}").as_str()).cloned()
    }

    fn step(&mut self, operation: &str, caller: Caller, values: &[(&str, &str)], body: &str) {
        let binding = bindings().iter().find(|binding| operation_id(binding) == operation);
        let binding = binding.unwrap_or_else(|| panic!("there is no `{operation}`"));
        let variables = binding.variables().map(|variable| variable.field().name().to_owned());
        let variables: BTreeMap<String, String> =
            variables.map(|name| (name.clone(), self.value(&name, values))).collect();
        let path = path(binding, &variables, values);
        let body = body.replace("{secret}", &self.secret);
        let body: Option<Value> = (!body.is_empty()).then(|| serde_json::from_str(&body).expect("JSON"));
        let request = format!("{} {path}", binding.method);
        let answer = ask(&self.server, &request, self.credential(caller).as_deref(), body.as_ref());
        assert_eq!(answer.status, 200, "{operation}: {answer:?}");
        let response = answer.json();
        if let Some(id) = response["token"]["id"].as_str() {
            id.clone_into(&mut self.id);
        }
        if let Some(secret) = response["secret"].as_str() {
            secret.clone_into(&mut self.secret);
        }
        let body = body.map(|body| self.placeholders.replaced("", body));
        let response = self.placeholders.replaced("", response);
        let variables = variables.into_iter().map(|(name, value)| (name, self.placeholders.text("", value)));
        let recorded = RecordedCall { variables: variables.collect(), body, response };
        self.examples.calls.entry(operation.to_owned()).or_insert(recorded);
    }

    /// Returns the value of a variable of a path.
    fn value(&self, name: &str, given: &[(&str, &str)]) -> String {
        let given = given.iter().find(|(of, _)| *of == name).map(|(_, value)| *value);
        let usual = match name {
            "org" => "ops",
            "handle" => "bob",
            _ => &self.id,
        };
        given.unwrap_or(usual).to_owned()
    }

    /// Has the server fail in every way.
    async fn fail(&mut self, at: &Installation) {
        let ada = self.credential(Ada).expect("a secret");
        let parsed = |text: &str| -> Value { serde_json::from_str(text).expect("JSON") };
        let laptop = parsed(&PERSONAL.replace("\"ci\"", "\"laptop\""));
        create(&self.server, &ada, &laptop);
        let reader =
            OF_THE_ORG.replace("deploy", "reader").replace(r#"["registry"]"#, r#""all", "orgs": "all""#);
        let reader = parsed(&reader.replace(r#"["10.0.0.0/8"]"#, r#""all""#));
        let reader = create(&self.server, &ada, &reader);
        let unknown = "GET /v1/tokens/00000000-0000-7000-8000-000000000000";
        let misspelt = parsed(&laptop.to_string().replace("scope", "scopes"));
        let huge = json!({ "name": "x".repeat(1 << 20) });
        let new = "POST /v1/tokens";
        for (status, request, credential, body) in [
            (400, new, Some(&ada), Some(&misspelt)),
            (401, "GET /v1/whoami", None, None),
            (403, "GET /v1/tokens", Some(&reader), None),
            (404, unknown, Some(&ada), None),
            (405, "DELETE /v1/tokens", Some(&ada), None),
            (409, new, Some(&ada), Some(&laptop)),
            (413, new, Some(&ada), Some(&huge)),
        ] {
            self.keep(status, &ask(&self.server, request, credential.map(String::as_str), body));
        }
        let head =
            format!("{new} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {ada}\r\n");
        let text = format!("{head}content-type: text/plain\r\ncontent-length: 2\r\n\r\n{{}}");
        self.keep(415, &send(&self.server, text.as_bytes()));
        // The rest of the body never comes.
        let late = format!("{head}content-type: application/json\r\ncontent-length: 1000\r\n\r\n{{");
        self.keep(408, &send(&self.server, late.as_bytes()));
        // One more than the guesses that a network has.
        let report = |count: usize| {
            let secrets = json!({ "secrets": vec!["x"; count] });
            ask(&self.server, "POST /v1/secrets:reportLeaked", None, Some(&secrets))
        };
        assert_eq!([report(1000).status, report(990).status], [200, 200]);
        let refused = std::iter::repeat_with(|| report(1)).find(|answer| answer.status != 200);
        self.keep(429, &refused.expect("they end"));
        let writer = writing(at);
        let other = parsed(&laptop.to_string().replace("laptop", "other"));
        self.keep(503, &ask(&self.server, new, Some(&ada), Some(&other)));
        drop(writer);
        let store = at.scratch.store(Clock::Database).await;
        execute(&store, "UPDATE token SET all_orgs = FALSE WHERE name = 'laptop'").await;
        self.keep(500, &ask(&self.server, "GET /v1/tokens:lookup?name=laptop", Some(&ada), None));
    }

    fn keep(&mut self, status: u16, answer: &Answered) {
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{answer:?}");
        let problem = self.placeholders.replaced("", answer.json());
        self.examples.failures.insert(status, problem);
    }
}

/// Returns the path of a call, with its query.
fn path(binding: &HttpBinding, variables: &BTreeMap<String, String>, values: &[(&str, &str)]) -> String {
    let segments = binding.segments.iter().map(|segment| match segment {
        PathSegment::Literal(text) => format!("/{text}"),
        PathSegment::Variable(variable) => format!("/{}", variables[variable.field().name()]),
    });
    let verb = binding.verb.iter().map(|verb| format!(":{verb}"));
    let query = binding.parameters.iter().filter_map(|parameter| {
        let name = parameter.field().name();
        values.iter().find(|(of, _)| *of == name).map(|(_, value)| format!("?{name}={value}"))
    });
    segments.chain(verb).chain(query).collect()
}

/// Starts a process that holds the lock of an SQLite database for writing.
fn writing(at: &Installation) -> KillOnDrop {
    use std::io::{BufRead as _, BufReader};

    let DatabaseUrl::Sqlite(path) = &at.scratch.url else { panic!("a file") };
    let script = "import sqlite3, sys; file = sqlite3.connect(sys.argv[1], isolation_level=None); \
                  file.execute('BEGIN IMMEDIATE'); print('locked', flush=True); sys.stdin.read()";
    let mut command = Command::new("python3");
    command.args(["-c", script]).arg(path).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut writer = KillOnDrop(command.spawn().expect("python starts"));
    let mut line = String::new();
    BufReader::new(writer.0.stdout.take().expect("piped")).read_line(&mut line).expect("it says so");
    assert_eq!(line, "locked\n");
    writer
}

/// Replaces what differs from run to run.
struct Placeholders {
    /// In microseconds, at the begin of a minute, since some texts name no seconds.
    begun: i64,
    ids: Vec<String>,
}

/// The microseconds of a quarter of an hour. A recording takes less, so instants are as many of these from its begin.
const QUARTER: i64 = 15 * MINUTE;
const MINUTE: i64 = 60 * 1_000_000;
/// The link of an invitation, up to its code.
const LINK: &str = "https://ndauth.example.org/invitation?code=";
/// The bytes of an event, in place of those that hold ids and instants.
const PUBLIC: &str = r#"{"at":1798804800000000,"actor":{"by":"console"},"kind":"org.created","org":"01941f29-7c00-7000-8000-000000000001"}"#;
const PERSONAL_BYTES: &str = r#"{"slug":"lab"}"#;
/// The instant at which every recording begins.
const BEGIN: &str = "2027-01-01T12:00:00Z";

impl Placeholders {
    fn replaced(&mut self, key: &str, value: Value) -> Value {
        match value {
            // The first record stands for all.
            Value::Array(records) if key == "records" => {
                records.into_iter().take(1).map(|record| self.replaced(key, record)).collect()
            }
            Value::Array(items) => items.into_iter().map(|item| self.replaced(key, item)).collect(),
            Value::Object(fields) => {
                let fields = fields.into_iter().map(|(key, value)| {
                    let value = self.replaced(&key, value);
                    (key, value)
                });
                Value::Object(fields.collect())
            }
            Value::Number(_) if matches!(key, "sequence" | "mirror_sequence") => json!(42),
            Value::Number(_) if key == "through" => json!(43),
            Value::String(_) if key == "request_id" => json!("5f3a1c9e7b2d4860-17"),
            Value::String(text) if key == "next_page_token" && text.parse::<u64>().is_ok() => json!("42"),
            Value::String(_) if matches!(key, "hash" | "previous" | "personal_hash" | "salt") => {
                json!("0".repeat(64))
            }
            Value::String(_) if key == "public" => json!(PUBLIC),
            Value::String(_) if key == "personal" => json!(PERSONAL_BYTES),
            // Less the age of the state that the answer takes into account.
            Value::String(_) if key == "max_cache_age" => json!("2s"),
            Value::String(_) if key == "mirror_age" => json!("0.1s"),
            Value::String(_) if key == "link" => json!(format!("{LINK}{}", "0".repeat(43))),
            Value::String(text) => json!(self.text(key, text)),
            value => value,
        }
    }

    fn text(&mut self, key: &str, text: String) -> String {
        if let Ok(secret) = text.parse::<Secret>() {
            let kind = &secret.expose()[..6];
            return format!("{kind}{}", "0".repeat(43));
        }
        if key == "prefix" {
            return format!("{}000000", &text[..6]);
        }
        if let Ok(at) = text.parse::<Timestamp>() {
            return self.instant(at).to_string();
        }
        // A text for people, which ends with an instant such as `2027-01-31 12:00 UTC`.
        if let Some(start) = text.strip_suffix(" UTC").map(|text| text.len().saturating_sub(16)) {
            let (words, minute) = text.split_at(start);
            let minute = minute.trim_end_matches(" UTC").replace(' ', "T");
            let at: Timestamp = format!("{minute}:00Z").parse().expect("a minute");
            return format!("{words}{}", self.instant(at).minute());
        }
        if is_id(&text) {
            let known = self.ids.iter().position(|id| *id == text);
            let index = known.unwrap_or_else(|| {
                self.ids.push(text);
                self.ids.len() - 1
            });
            return format!("01941f29-7c00-7000-8000-{:012}", index + 1);
        }
        text
    }
}

impl Placeholders {
    fn instant(&self, at: Timestamp) -> Timestamp {
        let begin: Timestamp = BEGIN.parse().expect("an instant");
        let quarters = (at.micros() - self.begun).div_euclid(QUARTER);
        Timestamp::from_micros(begin.micros() + quarters * QUARTER).expect("near")
    }
}

fn is_id(text: &str) -> bool {
    let is_part = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.len() == 36 && text.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && text.split('-').all(is_part)
}
