//! One secret and one question have one verdict, whatever the channel.

use std::collections::BTreeSet;
use std::process::Command;

use ndauth_core::{Scope, Secret};
use serde_json::{Value, json};

use super::channels::{Asked, Channels, TokenVerdict, introspect};
use crate::api::{ask, create, new_token};
use crate::clients;
use crate::installation::{Installation, Running};
use crate::on_both;

/// The clients in other languages, by name.
fn drivers() -> Vec<(&'static str, Command)> {
    vec![("Python", clients::python_driver()), ("TypeScript", clients::typescript_driver())]
}

/// Makes secrets of every kind and state. Returns each with a name for messages.
fn secrets(at: &Installation, server: &Running) -> Vec<(&'static str, String)> {
    at.run_admin("account create eve --email eve@example.org");
    at.run_admin("member set ops eve ADMIN");
    at.run_admin("service create other");
    let ada = at.session().expose().to_owned();
    let eve = at.run_admin("session issue eve");
    let made = |name: &str, change: &[(&str, Value)]| {
        let mut token = new_token(name);
        for (field, value) in change {
            token[*field] = value.clone();
        }
        create(server, &ada, &token)
    };
    let call = |path: &str, secret: &str, body: Value| {
        let answer = ask(server, &format!("POST {path}"), Some(secret), Some(&body));
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    };
    let id = |name: &str| -> String {
        let tokens = ask(server, "GET /v1/tokens", Some(&ada), None).json();
        let mut tokens = tokens["tokens"].as_array().expect("tokens").iter();
        let token = tokens.find(|token| token["name"] == name).expect("it is listed");
        token["id"].as_str().expect("an id").to_owned()
    };
    let grants = json!([
        { "resource_type": "assets", "resource_id": "prod-*", "actions": ["read"] },
        { "resource_type": "assets", "resource_id": "logo", "actions": ["write"] },
    ]);
    let mut all = vec![
        ("a whole token", made("whole", &[])),
        ("one of RO", made("ro", &[("scope", json!("RO"))])),
        ("one for another org", made("dev", &[("orgs", json!(["dev"]))])),
        ("one with grants", made("granted", &[("grants", grants)])),
        ("one for a network", made("network", &[("networks", json!(["192.0.2.0/24"]))])),
        ("one for another service", made("other", &[("services", json!(["other"]))])),
        ("one that never expires", made("endless", &[("expiry", json!("never"))])),
    ];
    let (suspended, revoked) = (made("suspended", &[]), made("revoked", &[]));
    call(&format!("/v1/tokens/{}:suspend", id("suspended")), &ada, json!({}));
    call(&format!("/v1/tokens/{}:revoke", id("revoked")), &ada, json!({ "reason": "LEAKED" }));
    all.extend([("a suspended one", suspended), ("a revoked one", revoked)]);
    for (name, old, new) in [
        ("pending", "one that is being rotated", "its pending secret"),
        ("retiring", "one that retires", "its newer secret"),
        ("retired", "one that was replaced", "its successor"),
    ] {
        all.push((old, made(name, &[])));
        let path = format!("/v1/tokens/{}", id(name));
        let rotated = call(&format!("{path}:rotate"), &ada, json!({ "overlap": "1h" }));
        let secret = rotated["secret"].as_str().expect("a secret").to_owned();
        if name != "pending" {
            call(&format!("{path}:confirmRotation"), &ada, json!({}));
            all.push((new, secret));
        }
        if name == "retired" {
            call(&format!("{path}:retireSecret"), &ada, json!({ "anyway": true }));
        }
    }
    let of_org = json!({
        "name": "ops-ci", "grants": [{ "resource_type": "assets", "resource_id": "*", "actions": ["read"] }],
        "expiry": "24h", "services": "all", "networks": "all",
    });
    let of_org = call("/v1/orgs/ops/tokens", &eve, of_org);
    all.extend([
        ("an org's token", of_org["secret"].as_str().expect("a secret").to_owned()),
        ("a session", eve.clone()),
        ("a service's secret", at.run_admin("service create third")),
        ("an unknown one", "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U".to_owned()),
        ("no secret at all", "secret".to_owned()),
    ]);
    all
}

const QUESTIONS: [(&str, Scope, Option<&str>, Option<&str>); 14] = [
    ("ops", Scope::Ro, None, None),
    ("ops", Scope::Rw, None, None),
    ("ops", Scope::Ro, Some("read:assets"), None),
    ("ops", Scope::Ro, Some("read:assets:prod-1"), None),
    ("ops", Scope::Ro, Some("read:assets:prod-1"), Some("192.0.2.7")),
    ("ops", Scope::Ro, Some("write:assets:logo"), None),
    ("ops", Scope::Rw, Some("write:assets:logo"), Some("192.0.2.7")),
    ("ops", Scope::Rw, Some("approve:assets"), None),
    ("ops", Scope::Ro, Some("fly:assets"), None),
    ("ops", Scope::Ro, None, Some("2001:db8::1")),
    ("dev", Scope::Ro, None, Some("192.0.2.7")),
    ("dev", Scope::Rw, None, None),
    ("dev", Scope::Ro, Some("write:assets:logo"), None),
    ("nowhere", Scope::Ro, None, None),
];

/// Checks that every channel has the same verdict. Introspection gives no reason.
fn assert_same(what: &str, verdicts: &[(&'static str, TokenVerdict)]) {
    let (_, expected) = &verdicts[0];
    assert!(!matches!(expected, TokenVerdict::Undecided(_)), "{what}: {expected:?}");
    for (channel, verdict) in &verdicts[1..] {
        match (verdict, expected) {
            (TokenVerdict::Refused(None), TokenVerdict::Refused(_)) if *channel == "introspection" => {}
            _ => assert_eq!(verdict, expected, "{what}, by {channel}"),
        }
    }
}

on_both! {
    /// SEC-05: one decision on every channel.
    async fn every_channel_has_the_same_verdict(at: &Installation) {
        at.people();
        let server = at.serve();
        let secrets = secrets(at, &server);
        let narrow: Secret = at.run_admin("service create narrow --org dev").parse().expect("a secret");
        let (mut allowed, mut reasons) = (0, BTreeSet::new());
        for (service_name, service) in [("all orgs", at.service()), ("one org", narrow)] {
            let mut channels = Channels::open(&server, &service, drivers()).await;
            for (name, secret) in &secrets {
                let [by_grpc, introspected] = channels.ask_identity(secret).await;
                match by_grpc {
                    TokenVerdict::Refused(_) => assert_eq!(introspected, TokenVerdict::Refused(None), "{name}"),
                    _ => assert_eq!(introspected, by_grpc, "{name}"),
                }
                for (org, access, permission, address) in QUESTIONS {
                    let asked = Asked { org, access, permission, address };
                    let told = channels.ask(secret, asked).await;
                    assert_same(&format!("{name}, {asked:?}, a service for {service_name}"), &told);
                    match &told[0].1 {
                        TokenVerdict::Refused(reason) => drop(reasons.insert(reason.clone())),
                        TokenVerdict::Allowed(_) | TokenVerdict::Undecided(_) => allowed += 1,
                    }
                }
            }
        }
        assert!(allowed > 50 && reasons.len() > 12, "{allowed} allowed, {reasons:?}");
    }
}

/// SEC-17: secrets that differ from a live one in the least.
fn near_misses(live: &str) -> BTreeSet<String> {
    let mut misses = BTreeSet::new();
    let (_, body) = live.split_once('_').expect("a kind");
    for (index, c) in live.char_indices() {
        let (before, after) = (&live[..index], &live[index + 1..]);
        let other_case = if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        let next = if c == 'z' { 'a' } else { char::from_u32(u32::from(c) + 1).expect("a character") };
        misses.extend([
            format!("{before}{other_case}{after}"),
            format!("{before}{next}{after}"),
            format!("{before}{after}"),
            format!("{before}{c}{c}{after}"),
            before.to_owned(),
            after.to_owned(),
            format!("{before}%{:02x}{after}", u32::from(c)),
            format!("{before}-{after}"),
            format!("{before}{c}.{after}"),
        ]);
    }
    for kind in ["ndorg", "ndses", "ndsvc", "ndacc", "ndref", "NDPAT", "ndpat_ndpat", "nd"] {
        misses.insert(format!("{kind}_{body}"));
    }
    misses.extend(["0a", "00", "20", "0d%0a"].map(|escape| format!("{live}%{escape}")));
    misses.extend([format!("x{live}"), format!("{live}x"), format!("{live}{live}"), format!("\"{live}\"")]);
    misses.extend([format!("{live}="), format!("{live}, Bearer {live}"), format!("{live},{live}")]);
    misses.remove(live);
    // An empty header is no token at all; other characters of the same body are another secret.
    misses.remove("");
    misses
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn near_misses_are_refused_alike() {
    let at = Installation::new(ndauth_store::Engine::Sqlite).await;
    at.people();
    let server = at.serve();
    let live = create(&server, at.session().expose(), &new_token("ci"));
    let mut channels = Channels::open(&server, &at.service(), drivers()).await;
    let asked = Asked { org: "ops", access: Scope::Ro, permission: None, address: None };
    let told = channels.ask(&live, asked).await;
    assert!(told.iter().all(|(_, told)| matches!(told, TokenVerdict::Allowed(_))), "{told:?}");
    let misses = near_misses(&live);
    assert!(misses.len() >= 400, "{}", misses.len());
    for miss in &misses {
        let told = channels.ask(miss, asked).await;
        assert!(matches!(told[0].1, TokenVerdict::Refused(_)), "{miss}: {told:?}");
        assert_same(miss, &told);
    }
    // A header cannot carry these, or carries them without their ends.
    for miss in [
        format!("{live}\n"),
        format!(" {live}"),
        format!("{live} "),
        format!("{live}\0"),
        format!("{live}\u{a0}"),
    ] {
        for told in [channels.by_grpc(&miss, asked).await, channels.by_json(&miss, asked)] {
            assert_eq!(told, TokenVerdict::Refused(Some("SECRET_MALFORMED".to_owned())), "{miss:?}");
        }
    }
    for cyrillic in ["а", "е", "о"] {
        let latin = match cyrillic {
            "а" => "a",
            "е" => "e",
            _ => "o",
        };
        let miss = live.replace(latin, cyrillic);
        if miss != live {
            assert!(matches!(channels.by_grpc(&miss, asked).await, TokenVerdict::Refused(_)), "{miss:?}");
            assert!(!matches!(channels.by_proxy(&miss, asked), TokenVerdict::Allowed(_)), "{miss:?}");
        }
    }
}

/// A revocation at one instance reaches every channel of another, never later than the bound.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_reaches_every_channel() {
    let at = Installation::new(ndauth_store::Engine::Postgres).await;
    at.people();
    let (one, other) = (at.serve(), at.serve());
    let (session, service) = (at.session(), at.service());
    let asked = Asked { org: "ops", access: Scope::Rw, permission: None, address: None };
    let mut channels = Channels::open(&other, &service, drivers()).await;
    for round in 0..5 {
        let secret = create(&one, session.expose(), &new_token(&format!("ci-{round}")));
        let verdicts = channels.ask(&secret, asked).await;
        let is_allowed = |(_, verdict): &(_, TokenVerdict)| matches!(verdict, TokenVerdict::Allowed(_));
        assert!(verdicts.iter().all(is_allowed), "{verdicts:?}");
        let revoked = ask(&one, "POST /v1/secrets:revoke", None, Some(&json!({ "secret": secret })));
        assert_eq!(revoked.status, 200, "{revoked:?}");
        let begun = std::time::Instant::now();
        loop {
            let sent = begun.elapsed();
            let verdicts = channels.ask(&secret, asked).await;
            if !verdicts.iter().any(is_allowed) {
                break;
            }
            assert!(sent < crate::installation::BOUND, "{verdicts:?}");
        }
    }
}

/// A service for some orgs learns nothing of the permissions that a token has elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn introspection_shows_permissions_to_services_for_all_orgs() {
    let at = Installation::new(ndauth_store::Engine::Sqlite).await;
    at.people();
    let server = at.serve();
    let mut token = new_token("ci");
    token["orgs"] = json!(["dev"]);
    token["grants"] = json!([{ "resource_type": "assets", "resource_id": "payroll", "actions": ["read"] }]);
    let secret = create(&server, at.session().expose(), &token);
    let narrow: Secret = at.run_admin("service create narrow --org ops").parse().expect("a secret");
    for (service, scope) in [(at.service(), "RO RW read:assets:payroll"), (narrow, "RO RW")] {
        let json = introspect(&server, &service, &format!("token={secret}")).json();
        assert_eq!(json["scope"], scope, "{json}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn introspection_without_an_org_tells_what_the_token_offers() {
    let at = Installation::new(ndauth_store::Engine::Sqlite).await;
    at.people();
    let server = at.serve();
    let (session, service) = (at.session(), at.service());
    let mut token = new_token("ci");
    token["grants"] = json!([
        { "resource_type": "assets", "resource_id": "prod-*", "actions": ["read", "write"] },
        { "resource_type": "assets", "resource_id": "a\"b", "actions": ["read"] },
    ]);
    let secret = create(&server, session.expose(), &token);
    let answer = introspect(&server, &service, &format!("token={secret}&token_type_hint=refresh_token"));
    assert_eq!(answer.header("cache-control"), "no-store");
    let json = answer.json();
    let whoami = ask(&server, "GET /v1/whoami", Some(&secret), None).json();
    assert_eq!(json["scope"], "RO RW read:assets:prod-* write:assets:prod-*", "{json}");
    assert_eq!((&json["username"], &json["aud"]), (&json!("ada"), &json!("registry")), "{json}");
    assert_eq!(
        (&json["iss"], &json["token_type"]),
        (&json!(server.url.to_string()), &json!("Bearer")),
        "{json}"
    );
    assert_eq!((&json["jti"], &json["client_id"]), (&whoami["token"]["id"], &json["jti"]), "{json} {whoami}");
    let (iat, exp) = (json["iat"].as_i64().expect("a number"), json["exp"].as_i64().expect("a number"));
    assert!((30 * 86_400 - 1..=30 * 86_400).contains(&(exp - iat)), "{json}");
    assert!(json["ndauth"]["allowed"].get("effective").is_none(), "an identity confers nothing: {json}");

    // With an org, the scope is what it may do there: in `dev`, its owner only reads.
    let query = "org=dev&access=RO&permission=read:assets:prod-1";
    let there = introspect(&server, &service, &format!("token={secret}&{query}")).json();
    assert_eq!(there["scope"], "RO read:assets:prod-*", "{there}");

    let endless = create(&server, session.expose(), &{
        let mut token = new_token("endless");
        token["expiry"] = json!("never");
        token
    });
    let json = introspect(&server, &service, &format!("token={endless}")).json();
    assert_eq!((json.get("exp"), &json["active"]), (None, &json!(true)), "{json}");
}
