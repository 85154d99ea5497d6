//! The reference of the API: the OpenAPI document, and the same as a page, without a script.

use std::sync::LazyLock;

use askama::Template;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use serde_json::Value;

/// The document, which the tests generate from the contract.
const DOCUMENT: &str = include_str!("../../../../docs/openapi.json");

pub(super) async fn openapi() -> Response {
    kept(([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], DOCUMENT))
}

pub(super) async fn show() -> Response {
    static PAGE: LazyLock<String> = LazyLock::new(|| {
        let document = serde_json::from_str(DOCUMENT).expect("the document is generated");
        ReferencePage::new(&document).render().expect("a template writes what it is given into memory")
    });
    kept(Html(PAGE.as_str()))
}

fn kept(response: impl IntoResponse) -> Response {
    ([(CACHE_CONTROL, HeaderValue::from_static("max-age=300"))], response).into_response()
}

/// The page of the reference.
#[derive(Template)]
#[template(path = "reference.html")]
struct ReferencePage {
    version: String,
    about: Prose,
    groups: Vec<OperationGroup>,
    failures: Vec<ShownResponse>,
    schemas: Vec<ShownSchema>,
}

/// The operations with a tag.
struct OperationGroup {
    name: String,
    about: Prose,
    operations: Vec<ShownOperation>,
}

struct ShownOperation {
    id: String,
    method: String,
    path: String,
    about: Prose,
    parameters: Vec<ShownField>,
    body: Option<ShownBody>,
    success: ShownResponse,
    /// The statuses of its failures.
    failures: Vec<String>,
}

struct ShownBody {
    kind: ShownKind,
    is_required: bool,
    example: String,
}

struct ShownResponse {
    status: String,
    about: Prose,
    kind: ShownKind,
    /// Empty if there is none.
    example: String,
}

/// A parameter, the field of an object, or a form of a value.
struct ShownField {
    name: String,
    /// Such as "in the path". Empty for a field.
    place: &'static str,
    is_required: bool,
    kind: ShownKind,
    about: Prose,
}

struct ShownSchema {
    name: String,
    about: Prose,
    fields: Vec<ShownField>,
    /// The forms, if a value has one of several.
    forms: Vec<ShownField>,
}

/// The kind of a value: a text, then the name of a schema, if it has one.
#[derive(Default)]
struct ShownKind {
    text: String,
    schema: String,
}

/// Text in paragraphs and items of lists.
type Prose = Vec<Paragraph>;

struct Paragraph {
    is_item: bool,
    /// Texts; every second one is code.
    parts: Vec<String>,
}

impl ReferencePage {
    fn new(document: &Value) -> ReferencePage {
        let operations: Vec<(String, ShownOperation)> = entries(&document["paths"])
            .flat_map(|(path, methods)| entries(methods).map(move |(method, value)| (path, method, value)))
            .map(|(path, method, value)| (text(&value["tags"][0]), ShownOperation::new(path, method, value)))
            .collect();
        let mut groups: Vec<OperationGroup> = items(&document["tags"])
            .map(|tag| OperationGroup {
                name: text(&tag["name"]),
                about: prose(&tag["description"]),
                operations: Vec::new(),
            })
            .collect();
        for (tag, operation) in operations {
            if let Some(group) = groups.iter_mut().find(|group| group.name == tag) {
                group.operations.push(operation);
            }
        }
        let responses = entries(&document["components"]["responses"]);
        let mut failures: Vec<ShownResponse> = responses
            .map(|(_, response)| {
                let status = &response["content"]["application/problem+json"]["example"]["status"];
                ShownResponse::new(status.to_string(), response)
            })
            .collect();
        failures.sort_by(|a, b| a.status.cmp(&b.status));
        ReferencePage {
            version: text(&document["info"]["version"]),
            about: prose(&document["info"]["description"]),
            groups,
            failures,
            schemas: entries(&document["components"]["schemas"])
                .map(|(name, schema)| ShownSchema::new(name, schema))
                .collect(),
        }
    }
}

impl ShownOperation {
    fn new(path: &str, method: &str, operation: &Value) -> ShownOperation {
        let parameters = items(&operation["parameters"]).map(|parameter| ShownField {
            name: text(&parameter["name"]),
            place: if parameter["in"] == "path" { "in the path" } else { "in the query" },
            is_required: parameter["required"] == true,
            kind: kind(&parameter["schema"]),
            about: prose(&parameter["description"]),
        });
        let body = &operation["requestBody"];
        let content = &body["content"]["application/json"];
        let statuses = entries(&operation["responses"]).map(|(status, _)| status.to_owned());
        ShownOperation {
            id: text(&operation["operationId"]),
            method: method.to_uppercase(),
            path: path.to_owned(),
            about: prose(&operation["description"]),
            parameters: parameters.collect(),
            body: body.is_object().then(|| ShownBody {
                kind: kind(&content["schema"]),
                is_required: body["required"] == true,
                example: example(content),
            }),
            success: ShownResponse::new("200".to_owned(), &operation["responses"]["200"]),
            failures: statuses.filter(|status| status != "200").collect(),
        }
    }
}

impl ShownResponse {
    fn new(status: String, response: &Value) -> ShownResponse {
        let content = entries(&response["content"]).next().map_or(&Value::Null, |(_, content)| content);
        ShownResponse {
            status,
            about: prose(&response["description"]),
            kind: kind(&content["schema"]),
            example: example(content),
        }
    }
}

impl ShownSchema {
    fn new(name: &str, schema: &Value) -> ShownSchema {
        let field = |name: &str, is_required: bool, value: &Value| ShownField {
            name: name.to_owned(),
            place: "",
            is_required,
            kind: kind(value),
            about: prose(&value["description"]),
        };
        let is_required = |name: &str| items(&schema["required"]).any(|required| required == name);
        let properties = entries(&schema["properties"]);
        ShownSchema {
            name: name.to_owned(),
            about: prose(&schema["description"]),
            fields: properties.map(|(name, value)| field(name, is_required(name), value)).collect(),
            forms: items(&schema["oneOf"]).map(|value| field("", false, value)).collect(),
        }
    }
}

/// Describes the values that a schema admits.
fn kind(schema: &Value) -> ShownKind {
    if let Some(path) = schema["$ref"].as_str() {
        let schema = path.rsplit('/').next().unwrap_or_default().to_owned();
        return ShownKind { text: String::new(), schema };
    }
    let simple = |text: String| ShownKind { text, schema: String::new() };
    if !schema["const"].is_null() {
        return simple(schema["const"].to_string());
    }
    if let Some([word]) = schema["enum"].as_array().map(Vec::as_slice) {
        return simple(word.to_string());
    }
    match schema["type"].as_str() {
        Some("array") => {
            let of = kind(&schema["items"]);
            ShownKind { text: format!("array of {}", of.text), ..of }
        }
        Some("object") => match entries(&schema["properties"]).next() {
            Some((name, _)) => simple(format!("object with the key {name}")),
            None => simple("object".to_owned()),
        },
        Some("integer") => simple(format!("integer from {} to {}", schema["minimum"], schema["maximum"])),
        Some(name) => match (schema["format"].as_str(), schema["examples"][0].as_str()) {
            (Some("date-time"), _) => simple("instant".to_owned()),
            (_, Some(example)) => simple(format!("{name} such as \"{example}\"")),
            _ => simple(name.to_owned()),
        },
        None => ShownKind::default(),
    }
}

/// Returns the example of a body, on several lines. Empty if there is none.
fn example(content: &Value) -> String {
    let example = &content["example"];
    if example.is_null() { String::new() } else { format!("{example:#}") }
}

/// Reads the CommonMark that the document uses: paragraphs, lists, and code.
fn prose(value: &Value) -> Prose {
    let lines = value.as_str().unwrap_or_default().lines().filter(|line| !line.is_empty());
    let paragraph = |line: &str| {
        let item = line.strip_prefix("- ");
        let parts = item.unwrap_or(line).split('`').map(str::to_owned).collect();
        Paragraph { is_item: item.is_some(), parts }
    };
    lines.map(paragraph).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}
