//! An installation as it looks after a while: people, orgs, services, and tokens in every state.

use std::collections::BTreeMap;

use ndauth_authority::Authority;
use ndauth_store::testing::execute;
use ndauth_store::{Clock, Store};
use serde_json::{Value, json};

use crate::api::ask;
use crate::installation::{Installation, Running};
use crate::logins::choose_password;

/// The ids by which paths name things, by the things' names.
pub(super) type Ids = BTreeMap<String, String>;

const ACCOUNTS: [(&str, &str); 6] = [
    ("ada", "Ada Lindqvist"),
    ("ben", "Ben Okafor"),
    ("chen", "Chen Wei"),
    ("dora", "Dora Silva"),
    ("emil", "Emil Novak"),
    ("fay", "Fay Moreau"),
];

const MEMBERS: [(&str, &str, &str); 10] = [
    ("acme", "ada", "ADMIN"),
    ("acme", "ben", "RW"),
    ("acme", "chen", "RW"),
    ("acme", "dora", "RO"),
    ("labs", "chen", "ADMIN"),
    ("labs", "ada", "RW"),
    ("sandbox", "ada", "RO"),
    ("sandbox", "ben", "ADMIN"),
    ("globex", "chen", "ADMIN"),
    ("factory", "ada", "ADMIN"),
];

/// A token of the demonstration.
struct DemoToken {
    name: &'static str,
    description: &'static str,
    /// `RW`, `RO`, or the permissions that it carries.
    scope: &'static str,
    /// The orgs to which it is restricted, or all.
    orgs: &'static str,
    expiry: &'static str,
    /// Its age, in days.
    age: u32,
    /// The age of its last use, in hours.
    used: Option<u32>,
    /// The state in which it ends.
    state: DemoState,
}

#[derive(Clone, Copy, PartialEq)]
enum DemoState {
    Live,
    Rotating,
    Retiring,
    Suspended,
    Revoked,
    Expired,
}

use DemoState::{Expired, Live, Retiring, Revoked, Rotating, Suspended};

#[rustfmt::skip]
const TOKENS: [DemoToken; 11] = [
    DemoToken { name: "laptop", description: "Everyday work", scope: "RW", orgs: "all", expiry: "90d", age: 12, used: Some(1), state: Live },
    DemoToken { name: "github-ci", description: "Builds of the main branch", scope: "create:artifact,resolve:artifact", orgs: "acme", expiry: "90d", age: 40, used: Some(2), state: Retiring },
    DemoToken { name: "nightly-report", description: "Sends the report at 02:00", scope: "RO", orgs: "acme", expiry: "30d", age: 27, used: Some(9), state: Live },
    DemoToken { name: "deploy", description: "Deploys to production", scope: "RW", orgs: "acme,labs", expiry: "60d", age: 20, used: Some(30), state: Rotating },
    DemoToken { name: "old-import", description: "The import of 2025", scope: "RW", orgs: "labs", expiry: "365d", age: 200, used: None, state: Live },
    DemoToken { name: "dashboard", description: "The screen in the hall", scope: "RO", orgs: "all", expiry: "never", age: 150, used: Some(4), state: Live },
    DemoToken { name: "phone", description: "", scope: "RO", orgs: "all", expiry: "90d", age: 30, used: Some(200), state: Suspended },
    DemoToken { name: "jenkins", description: "The build server that was replaced", scope: "RW", orgs: "acme", expiry: "30d", age: 45, used: Some(400), state: Expired },
    DemoToken { name: "notebook", description: "Lost on a train", scope: "RW", orgs: "all", expiry: "90d", age: 60, used: Some(900), state: Revoked },
    DemoToken { name: "backup", description: "Weekly copy of the assets", scope: "list:artifact,resolve:artifact", orgs: "acme", expiry: "90d", age: 88, used: Some(70), state: Live },
    DemoToken { name: "try-out", description: "", scope: "RO", orgs: "sandbox", expiry: "30d", age: 0, used: None, state: Live },
];

const HOUR: u64 = 3_600_000_000;

/// Fills an installation and starts its server. Returns the ids of what paths name.
pub(super) async fn populate(at: &Installation) -> (Running, Ids) {
    people(at);
    let secrets = Secrets::make(at);
    let server = at.serve();
    let mut ids = Ids::new();
    let mut statements = Vec::new();
    let ada = at.run_admin("session issue ada");
    for token in &TOKENS {
        let made = create(&server, &ada, "/v1/tokens", token, &secrets);
        statements.extend(token.past());
        ids.insert(token.name.to_owned(), made);
    }
    org_tokens(&server, &ada, &secrets, &mut ids, &mut statements);
    orgs(at, &server, &ada);
    fill_a_page(&server, &ada);
    for (handle, _) in &ACCOUNTS[..4] {
        choose_password(&server, &invitation(at, handle));
    }
    ids.insert("invitation".to_owned(), invitation(at, "fay"));
    drop(server);
    // The past is written while no server runs: it reads the rows when it starts.
    let store = Store::connect(&at.scratch.url, Clock::Database).await.expect("connected");
    for statement in &statements {
        execute(&store, statement).await;
    }
    store.close().await.expect("closed");
    let server = at.serve();
    ids.insert("link".to_owned(), link(at).await);
    (server, ids)
}

/// The secrets by which the demonstration is made.
struct Secrets {
    registry: String,
}

impl Secrets {
    fn make(at: &Installation) -> Secrets {
        let registry = at.run_admin("service create registry --states-client-address");
        at.run_admin("service create build-cache");
        at.run_admin("service create old-proxy");
        at.run_admin("service revoke old-proxy --yes");
        Secrets { registry }
    }
}

fn people(at: &Installation) {
    at.run_admin("catalogue apply --preset namespace");
    for (handle, name) in ACCOUNTS {
        let ended = at.admin_words(&[
            "account",
            "create",
            handle,
            "--email",
            &format!("{handle}@example.org"),
            "--name",
            name,
        ]);
        assert_eq!(ended.code, 0, "{ended:?}");
    }
    at.run_admin("operator grant ada");
    for org in ["acme", "labs", "sandbox", "globex", "factory"] {
        at.run_admin(&format!("org create {org}"));
    }
    for (org, handle, role) in MEMBERS {
        at.run_admin(&format!("member set {org} {handle} {role}"));
    }
    at.run_admin("account disable emil");
}

fn invitation(at: &Installation, handle: &str) -> String {
    let link = at.run_admin(&format!("account invite {handle}"));
    link.split_once("code=").expect("a code").1.to_owned()
}

/// Returns the code of a link that signs Ada in once.
async fn link(at: &Installation) -> String {
    let authority = Authority::open(&at.scratch.url, Clock::Database, None).await.expect("opened");
    let ada = "ada".parse().expect("a handle");
    let link = authority.logins().sign_in_link(&ndauth_authority::Credential::Console, &ada).await;
    let code = link.expect("made").code.expose().to_owned();
    authority.close().await.expect("closed");
    code
}

/// Creates a token and brings it into its state. Returns its id.
fn create(server: &Running, session: &str, path: &str, token: &DemoToken, secrets: &Secrets) -> String {
    let answered = ask(server, &format!("POST {path}"), Some(session), Some(&token.request(path)));
    assert_eq!(answered.status, 200, "{answered:?}");
    let (secret, id) = (answered.json()["secret"].clone(), answered.json()["token"]["id"].clone());
    let (secret, id) = (secret.as_str().expect("a secret"), id.as_str().expect("an id").to_owned());
    if token.used.is_some() {
        used(server, secret, token, secrets);
    }
    let act = |act: &str, body: Value| {
        let answered = ask(server, &format!("POST {path}/{id}:{act}"), Some(session), Some(&body));
        assert_eq!(answered.status, 200, "{answered:?}");
        answered.json()
    };
    match token.state {
        Live | Expired => {}
        Rotating => drop(act("rotate", json!({}))),
        Retiring => {
            let made = act("rotate", json!({ "overlap": "7d" }));
            used(server, made["secret"].as_str().expect("a secret"), token, secrets);
            used(server, secret, token, secrets);
        }
        Suspended => drop(act("suspend", json!({}))),
        Revoked => drop(act("revoke", json!({ "reason": "LEAKED", "note": "the laptop was lost" }))),
    }
    id
}

/// Lets a service ask about a secret, so that its use is recorded.
fn used(server: &Running, secret: &str, token: &DemoToken, secrets: &Secrets) {
    let org = token.orgs.split(',').next().filter(|org| *org != "all").unwrap_or("acme");
    for (address, client) in [("203.0.113.7", "build-agent/4.2"), ("198.51.100.23", "curl/8.5")] {
        let mut question = json!({
            "secret": secret, "org": org, "required_access": "RO", "client_address": address, "client": client,
        });
        if token.scope.contains(':') {
            question["required_permission"] = "resolve:artifact".into();
        }
        let answered = ask(server, "POST /v1/secrets:validate", Some(&secrets.registry), Some(&question));
        assert_eq!(answered.status, 200, "{answered:?}");
    }
}

fn org_tokens(
    server: &Running,
    session: &str,
    secrets: &Secrets,
    ids: &mut Ids,
    statements: &mut Vec<String>,
) {
    for (index, name) in
        ["web", "api", "worker", "docs", "mobile", "infra", "release", "metrics"].iter().enumerate()
    {
        let index = u32::try_from(index).expect("few");
        let token = DemoToken {
            name,
            description: "A pipeline",
            scope: "create:artifact,resolve:artifact",
            orgs: "acme",
            expiry: "60d",
            age: index * index,
            used: (index % 3 != 2).then_some(index * index * 11 + 1),
            state: if index == 4 { Retiring } else { Live },
        };
        let id = create(server, session, "/v1/orgs/acme/tokens", &token, secrets);
        statements.extend(token.past());
        ids.insert(format!("acme/{name}"), id);
    }
}

/// Gives an org more tokens than a page shows, with long names.
fn fill_a_page(server: &Running, session: &str) {
    for number in 0..60 {
        let name = format!("assembly-line-{number:02}-of-the-factory-in-the-north");
        let token = json!({
            "name": name, "expiry": "30d", "services": "all", "networks": "all",
            "grants": [{ "resource_type": "artifact", "resource_id": "*", "actions": ["create", "resolve"] }],
        });
        let made = ask(server, "POST /v1/orgs/factory/tokens", Some(session), Some(&token));
        assert_eq!(made.status, 200, "{made:?}");
    }
}

fn orgs(at: &Installation, server: &Running, ada: &str) {
    let chen = at.run_admin("session issue chen");
    let policy = json!({ "policy": {
        "longest_lifetime": "90d", "personal_tokens": true, "networks": "all", "login_within": "30d",
        "suspend_on_reuse": true, "require_grants": false, "no_all_org_tokens": false,
    } });
    for (session, request, body) in [
        (ada, "POST /v1/orgs/acme/offers", json!({ "handle": "fay", "role": "RO" })),
        (ada, "POST /v1/orgs/acme/offers", json!({ "handle": "guest", "role": "RW" })),
        (&chen, "POST /v1/orgs/globex/offers", json!({ "handle": "ada", "role": "RW" })),
        (ada, "PUT /v1/orgs/acme/policy", policy),
    ] {
        let answered = ask(server, request, Some(session), Some(&body));
        assert_eq!(answered.status, 200, "{request}: {answered:?}");
    }
    let token = json!({
        "name": "chen-ci", "scope": "RW", "orgs": "all", "grants": "all", "expiry": "30d", "services": "all", "networks": "all",
    });
    let made = ask(server, "POST /v1/tokens", Some(&chen), Some(&token));
    assert_eq!(made.status, 200, "{made:?}");
}

impl DemoToken {
    fn request(&self, path: &str) -> Value {
        let mut grants: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (action, kind) in self.scope.split(',').filter_map(|permission| permission.split_once(':')) {
            grants.entry(kind).or_default().push(action);
        }
        let grants: Vec<Value> = grants
            .iter()
            .map(|(kind, actions)| json!({ "resource_type": kind, "resource_id": "*", "actions": actions }))
            .collect();
        let mut request = json!({
            "name": self.name, "description": self.description, "expiry": self.expiry, "services": "all",
            "networks": "all", "grants": grants,
        });
        if grants.is_empty() {
            request["grants"] = "all".into();
            request["scope"] = self.scope.into();
        }
        if path == "/v1/tokens" {
            let orgs: Vec<&str> = self.orgs.split(',').collect();
            request["orgs"] = if orgs == ["all"] { "all".into() } else { orgs.into() };
        }
        request
    }

    /// Returns the statements that move it into the past.
    fn past(&self) -> Vec<String> {
        let which = format!("(SELECT id FROM token WHERE name = '{}')", self.name);
        let age = u64::from(self.age) * 24 * HOUR;
        let mut statements = vec![
            format!(
                "UPDATE secret SET minted_at = minted_at - {age}, confirmed_at = confirmed_at - {age} \
                     WHERE token_id IN {which} AND minted_at = \
                     (SELECT MIN(minted_at) FROM secret AS other WHERE other.token_id = secret.token_id)"
            ),
            format!("UPDATE token SET created_at = created_at - {age} WHERE id IN {which}"),
            format!(
                "UPDATE token SET expires_at = expires_at - {age} WHERE id IN {which} AND expires_at < {}",
                u64::MAX >> 1
            ),
        ];
        if let Some(hours) = self.used {
            let used = u64::from(hours) * HOUR;
            statements.extend([
                format!("UPDATE token SET last_used_at = last_used_at - {used} WHERE id IN {which}"),
                format!("UPDATE secret SET last_used_at = last_used_at - {used} WHERE token_id IN {which}"),
                format!("UPDATE token_use SET first_at = first_at - {age}, last_at = last_at - {used} WHERE token_id IN {which}"),
                format!("UPDATE token_org_use SET last_at = last_at - {used} WHERE token_id IN {which}"),
            ]);
        }
        statements
    }
}
