use std::collections::BTreeSet;

use prost::Message as _;
use prost_reflect::{DynamicMessage, Kind, ReflectMessage as _};
use serde_json::{Value, json};

use super::{
    HttpBinding, MINTING, SUM_TYPES, WITHOUT_BINDING, bindings, descriptors, from_text, is_secret, parse,
    read_message, to_value, write,
};
use crate::v1;

fn dynamic(message: &str, value: &Value) -> Result<DynamicMessage, String> {
    let descriptor = descriptors().get_message_by_name(&format!("ndauth.v1.{message}")).expect(message);
    read_message(&descriptor, value).map_err(|problem| problem.message)
}

fn written(message: &DynamicMessage) -> Result<Value, String> {
    let text = write(&message.descriptor(), &message.encode_to_vec()).map_err(|why| why.to_string())?;
    serde_json::from_str(&text).map_err(|why| format!("{why}: {text}"))
}

/// Reads a value as a message, and writes the message again.
fn round(message: &str, value: &Value) -> Result<Value, String> {
    let read = dynamic(message, value)?;
    written(&read)
}

/// A field of each sum type, and the forms of its members.
const FORMS: [(&str, &str, &str, &[&str]); 8] = [
    ("Orgs", "NewToken", "orgs", &[r#""all""#, r#"["ops", "dev"]"#]),
    ("Services", "NewToken", "services", &[r#""all""#, r#"["registry"]"#]),
    ("Networks", "NewToken", "networks", &[r#""all""#, r#"["10.0.0.0/8"]"#]),
    (
        "Grants",
        "NewToken",
        "grants",
        &[r#""all""#, r#"[{ "resource_type": "assets", "resource_id": "*", "actions": ["read"] }]"#],
    ),
    ("ExpiryChoice", "NewToken", "expiry", &[r#""90d""#, r#""2027-01-31T12:00:00Z""#, r#""never""#]),
    ("Expiry", "Allowed", "expiry", &[r#""2027-01-31T12:00:00.5Z""#, r#""never""#]),
    ("Lifetime", "Token", "lifetime", &[r#""3600s""#, r#""never""#]),
    ("Whose", "GetTokenRequest", "owner", &[r#""mine""#, r#"{ "org": "ops" }"#, r#"{ "account": "ada" }"#]),
];

#[test]
fn each_form_of_a_sum_type_is_printed_as_it_is_parsed() {
    let tested: Vec<String> = FORMS.iter().map(|(sum, ..)| format!("ndauth.v1.{sum}")).collect();
    assert_eq!(tested, SUM_TYPES);
    for (sum, message, field, forms) in FORMS {
        let descriptor = descriptors().get_message_by_name(&format!("ndauth.v1.{sum}")).expect(sum);
        assert_eq!(descriptor.fields().len(), forms.len(), "{sum} has a form for each member");
        for form in forms {
            let value = json!({ field: serde_json::from_str::<Value>(form).expect(form) });
            let message = dynamic(message, &value).expect(form);
            let printed = written(&message).expect(form);
            assert_eq!(printed[field], value[field], "{sum} {form}");
        }
        for wrong in [
            r#""""#,
            r#""ALL""#,
            "[1]",
            "{}",
            "null",
            "true",
            "0",
            r#"{ "all": true }"#,
            r#"{ "at": "never" }"#,
        ] {
            let value = json!({ field: serde_json::from_str::<Value>(wrong).expect(wrong) });
            assert!(dynamic(message, &value).is_err(), "{sum} {wrong}");
        }
    }
}

#[test]
fn values_have_one_form_each() {
    let token = |field: &str, value: Value| {
        round("NewToken", &json!({ field: value })).map(|token| token[field].clone())
    };
    for (text, printed) in [
        ("24h", "1d"),
        ("2w", "14d"),
        ("1y", "365d"),
        ("90d", "90d"),
        ("1h", "3600s"),
        ("0s", "0s"),
        ("0d", "0s"),
        ("90061s", "90061s"),
        ("1.25s", "1.25s"),
        ("0.000000001s", "0.000000001s"),
    ] {
        assert_eq!(token("expiry", json!(text)), Ok(json!(printed)), "{text}");
    }
    for text in [
        "",
        "d",
        "1",
        "1m",
        "-1d",
        "+1d",
        "1.5d",
        "1D",
        " 1d",
        "1d ",
        "1e3s",
        "1.s",
        ".5s",
        "99999999999y",
        "1.0000000001s",
        "\u{661}d",
    ] {
        assert!(token("expiry", json!(text)).is_err(), "{text}");
    }
    assert_eq!(token("scope", json!("RW")), Ok(json!("RW")));
    for wrong in [json!("SCOPE_RW"), json!("rw"), json!("UNSPECIFIED"), json!(2), json!(null), json!("")] {
        assert!(token("scope", wrong.clone()).is_err(), "{wrong}");
    }
    let page = |size: Value| round("ListOrgsRequest", &json!({ "page_size": size }));
    for wrong in
        [json!(-1), json!(1.0), json!(1.5), json!(1e3), json!("1"), json!(2_147_483_648_u64), json!(u64::MAX)]
    {
        assert!(page(wrong.clone()).is_err(), "{wrong}");
    }
    assert!(page(json!(1000)).is_ok());
    let question = |permission: &str| round("ExplainTokenRequest", &json!({ "permission": permission }));
    assert!(question("read:assets").expect("read")["permission"] == "read:assets");
    assert!(question("read:assets:prod-1").expect("read")["permission"] == "read:assets:prod-1");
    for wrong in ["", "read", "read:", ":assets", "read:assets:"] {
        assert!(question(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_refusal_names_the_field_and_the_next_step() {
    for (value, expected) in [
        (json!({ "pageSize": 1 }), "`pageSize`: there is no such field: did you mean `page_size`?"),
        (json!({ "page_size": "x" }), "`page_size`: expected a whole number from 0 to 2147483647"),
        (json!({ "owner": { "org": 1 } }), "`owner.org`: expected a string"),
        (
            json!({ "owner": "me" }),
            "`owner`: expected `\"mine\"`, or an object with the key `org`, or an object with the key `account`",
        ),
        (json!({ "order": "SIZE" }), "`order`: expected one of `NAME`, `EXPIRY`, `LAST_USE`, `CREATED`"),
        (json!({ "include_revoked": null }), "`include_revoked`: it is `null`: leave it out instead"),
        (json!([]), "`body`: expected an object"),
    ] {
        assert_eq!(dynamic("ListTokensRequest", &value), Err(expected.to_owned()), "{value}");
    }
    assert_eq!(
        dynamic("ExplainTokenRequest", &json!({ "which": { "name": "a", "id": "b" } })),
        Err("`which.id`: set either it or `name`, not both".to_owned())
    );
    assert_eq!(
        dynamic("NewToken", &json!({ "grants": [{ "actions": ["read", 1] }] })),
        Err("`grants[0].actions[1]`: expected a string".to_owned())
    );
}

#[test]
fn text_is_read_strictly() {
    for good in ["{}", " {\"a\":[1,2.5,-3,\"x\",true]}\n"] {
        assert!(parse(good.as_bytes()).is_ok(), "{good}");
    }
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(deep(16).as_bytes()).is_ok());
    let bad: [&[u8]; 12] = [
        b"",
        b"{",
        b"{}{}",
        b"{\"a\":1,\"a\":1}",
        b"{\"a\":1,\"\\u0061\":1}",
        b"{'a':1}",
        b"{\"a\":1,}",
        b"NaN",
        b"\xef\xbb\xbf{}",
        b"\"\xff\"",
        b"\"\\ud800\"",
        b"1e999",
    ];
    for bad in bad {
        assert!(parse(bad).is_err(), "{bad:?}");
    }
    let problem = parse(deep(17).as_bytes()).expect_err("too deep");
    assert!(problem.message.contains("deeper than 16"), "{}", problem.message);
    assert!(parse(deep(100_000).as_bytes()).is_err());
    let wide = |values: usize| format!("[{}]", vec!["0"; values].join(","));
    assert!(parse(wide(19_999).as_bytes()).is_ok() && parse(wide(20_000).as_bytes()).is_err());
    // No message quotes a value: it may be a secret.
    let secret = format!("{{\"secret\":\"ndpat_{}", "A".repeat(43));
    let problem = parse(secret.as_bytes()).expect_err("cut off");
    assert!(!problem.message.contains("ndpat_"), "{}", problem.message);
}

/// Wall 6.
#[test]
fn only_the_minting_responses_are_written_with_their_secret() {
    let made = v1::CreateTokenResponse { secret: "ndpat_x".to_owned(), ..Default::default() };
    assert_eq!(to_value(&made).expect("it mints")["secret"], "ndpat_x");
    let asked = v1::ValidateTokenRequest { secret: "ndpat_x".to_owned(), ..Default::default() };
    assert!(to_value(&asked).is_err());
    let batch = v1::ValidateTokensRequest { questions: vec![asked] };
    assert!(to_value(&batch).is_err());
    let holders: BTreeSet<_> = descriptors()
        .all_messages()
        .filter(|message| message.fields().any(|field| is_secret(&field)))
        .map(|message| message.full_name().to_owned())
        .collect();
    assert!(MINTING.iter().all(|minting| holders.contains(*minting)), "{holders:?}");
    // A response that could not be written would be lost, with what was minted.
    for binding in bindings() {
        let output = binding.rpc.output();
        let name = output.full_name();
        assert!(!holders.contains(name) || MINTING.contains(&name), "{name}");
    }
}

/// The messages of the RPCs that have an HTTP route, and those within them.
#[test]
fn every_message_of_the_api_has_a_form() {
    let mut seen = BTreeSet::new();
    let mut waiting: Vec<_> = descriptors()
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .filter(|method| {
            method.options().extensions().any(|(extension, _)| extension.full_name() == "google.api.http")
        })
        .flat_map(|method| [method.input(), method.output()])
        .collect();
    while let Some(message) = waiting.pop() {
        if !seen.insert(message.full_name().to_owned()) || message.full_name().starts_with("google.") {
            continue;
        }
        for field in message.fields() {
            let name = field.full_name().to_owned();
            match field.kind() {
                Kind::Message(message) => waiting.push(message),
                Kind::String | Kind::Bool | Kind::Enum(_) | Kind::Int32 | Kind::Uint32 | Kind::Uint64 => {}
                other => panic!("{name} is {other:?}, which JSON has no form for"),
            }
        }
    }
    assert!(seen.len() > 80, "{seen:?}");
}

#[test]
fn integers_beyond_two_to_the_53_are_refused_both_ways() {
    let response = |sequence| v1::UpdateTokenResponse { sequence, ..Default::default() };
    assert_eq!(
        to_value(&response((1 << 53) - 1)).expect("it is exact")["sequence"],
        9_007_199_254_740_991_u64
    );
    assert!(to_value(&response(1 << 53)).is_err());
    let read = |text: &str| from_text::<v1::UpdateTokenResponse>(text.as_bytes());
    assert!(read(r#"{ "sequence": 9007199254740991 }"#).is_ok());
    assert!(read(r#"{ "sequence": 9007199254740992 }"#).is_err());
}

#[test]
fn absence_is_left_out_and_never_everything() {
    let token = to_value(&v1::Token { name: "ci".to_owned(), ..Default::default() }).expect("a token");
    assert_eq!(token["name"], "ci");
    assert_eq!(token["suspensions"], json!([]));
    for absent in ["orgs", "expiry", "scope", "revoked_at"] {
        assert!(token.get(absent).is_none(), "{absent}");
    }
    let hollow = v1::Token { orgs: Some(v1::Orgs { kind: None }), ..Default::default() };
    assert!(to_value(&hollow).is_err());
    let empty = v1::Orgs { kind: Some(v1::orgs::Kind::Only(v1::OrgSet { slugs: vec![] })) };
    let empty = to_value(&v1::Token { orgs: Some(empty), ..Default::default() }).expect("a token");
    assert_eq!(empty["orgs"], json!([]));
}

fn binding(name: &str) -> &'static HttpBinding {
    bindings().iter().find(|binding| binding.to_string() == name).expect(name)
}

#[test]
fn every_rpc_has_a_binding_or_a_reason() {
    let rpcs = descriptors().services().flat_map(|service| service.methods().collect::<Vec<_>>());
    let without = rpcs.filter(|rpc| bindings().iter().all(|binding| binding.rpc != *rpc));
    let without: Vec<String> = without.map(|rpc| rpc.full_name().to_owned()).collect();
    assert_eq!(without, WITHOUT_BINDING.map(|(rpc, _)| rpc));
    let mut names: Vec<String> = bindings().iter().map(ToString::to_string).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), bindings().len(), "no two bindings are the same");
}

#[test]
fn a_request_is_built_from_the_path_the_query_and_the_body() {
    let build = |name: &str, body: Option<Value>, values: &[&str], query: &str| {
        let query: Vec<_> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let request =
            binding(name).request(body.as_ref(), values, &query).map_err(|problem| problem.message)?;
        written(&request)
    };
    let list = "GET /v1/tokens";
    let listed =
        build(list, None, &[], "page_size=7&unused_for=30d&order=LAST_USE&reverse=true").expect("built");
    assert_eq!(
        listed,
        json!({
            "owner": "mine", "include_revoked": false, "page_size": 7, "page_token": "", "unused_for": "30d",
            "order": "LAST_USE", "reverse": true,
        })
    );
    assert_eq!(
        build("GET /v1/orgs/{org}/tokens", None, &["ops"], "").expect("built")["owner"],
        json!({ "org": "ops" })
    );
    let lookup = build("GET /v1/tokens:lookup", None, &[], "name=ci").expect("built");
    assert_eq!(lookup, json!({ "owner": "mine", "which": { "name": "ci" } }));
    let rotate = "POST /v1/orgs/{org}/tokens/{id}:rotate";
    let rotated = build(rotate, Some(json!({ "overlap": "1h" })), &["ops", "0199"], "").expect("built");
    assert_eq!(rotated, json!({ "owner": { "org": "ops" }, "which": { "id": "0199" }, "overlap": "3600s" }));
    let created = build("POST /v1/tokens", Some(json!({ "name": "ci" })), &[], "").expect("built");
    assert_eq!(created, json!({ "owner": "mine", "token": { "name": "ci", "pending": false } }));
    for (name, body, values, query, expected) in [
        (
            list,
            None,
            &[][..],
            "pagesize=7",
            "`pagesize`: there is no such parameter of the query: did you mean `page_size`?",
        ),
        (list, None, &[], "page_size=7&page_size=8", "`page_size`: it is set twice"),
        (list, None, &[], "page_size=x", "`page_size`: expected a whole number from 0 to 2147483647"),
        (list, None, &[], "owner=mine", "`owner`: there is no such parameter of the query"),
        (list, None, &[], "org=ops", "`org`: there is no such parameter of the query"),
        (list, Some(json!({})), &[], "", "`body`: this request has none: its parameters are in the URL"),
        (
            "GET /v1/tokens:lookup",
            None,
            &[],
            "name=a&prefix=b",
            "`prefix`: set either it or `name`, not both",
        ),
        (
            rotate,
            Some(json!({ "owner": "mine" })),
            &["ops", "0199"],
            "",
            "`org`: set either it or `mine`, not both",
        ),
        (rotate, Some(json!({ "owner": { "org": "dev" } })), &["ops", "0199"], "", "`org`: it is set twice"),
        (
            rotate,
            Some(json!({ "which": { "name": "a" } })),
            &["ops", "0199"],
            "",
            "`id`: set either it or `name`, not both",
        ),
        (
            "POST /v1/tokens:explain",
            Some(json!({ "owner": { "org": "dev" } })),
            &[],
            "",
            "`owner`: set either it or `org`, not both",
        ),
        (rotate, None, &["ops", "0199"], "overlap=1h", "`overlap`: there is no such parameter of the query"),
    ] {
        assert_eq!(build(name, body, values, query), Err(expected.to_owned()), "{name} {query}");
    }
}

#[test]
fn text_is_escaped_and_malformed_encodings_are_refused() {
    let named =
        |name: &str| to_value(&v1::Org { name: name.to_owned(), ..Default::default() }).expect("an org");
    for name in ["", "a\"b", "a\\b", "a\nb\u{0}\u{1f}", "\u{e9}\u{1f600}\u{2028}", "</script>"] {
        assert_eq!(named(name)["name"], name, "{name:?}");
    }
    let org = descriptors().get_message_by_name("ndauth.v1.Org").expect("a message");
    for bad in [&[0x0a][..], &[0x0a, 5, b'a'], &[0xff], &[0x08, 0x01], &[0x0a, 1, 0xff], &[0x22, 2, 8, 0xff]]
    {
        assert!(write(&org, bad).is_err(), "{bad:?}");
    }
    // Fields that this program does not know are left out.
    let newer =
        [&v1::Org { slug: "ops".to_owned(), ..Default::default() }.encode_to_vec()[..], &[0xf8, 0x07, 1]]
            .concat();
    assert!(write(&org, &newer).expect("an org").contains("\"slug\":\"ops\""));
}
