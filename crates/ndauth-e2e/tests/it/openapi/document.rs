//! The document: paths and operations from the bindings, with what each may answer.

use std::collections::BTreeMap;

use ndauth_authority::access::{Does, Operation, Row, Rule};
use ndauth_core::Reason;
use ndauth_proto::json::{BodyOf, HttpBinding, Parameter, bindings, descriptors};
use serde_json::{Map, Value, json};

use super::access;
use super::comments::Comments;
use super::examples::Examples;
use super::operation::operation_id;
use super::schema::{Schemas, body_fields, described, reference};

/// The failures, by status: the name of the response, and its description.
pub(super) const FAILURES: [(u16, &str, &str); 12] = [
    (400, "Invalid", "The request is malformed. `field` names the part."),
    (401, "NotAuthenticated", "There is no credential, or it is not valid any more."),
    (403, "NotPermitted", "The caller may not do this."),
    (404, "NotFound", "There is no such thing, or the caller may not know of it."),
    (405, "MethodNotAllowed", "The path does not have this method. Any path answers so."),
    (408, "TooSlow", "The body did not arrive in time."),
    (
        409,
        "Conflict",
        "The present state does not admit it, or it cannot be confirmed: look before repeating it.",
    ),
    (413, "TooLarge", "The body is larger than the limit of the call."),
    (415, "UnsupportedMediaType", "The body is not `application/json`."),
    (429, "TooMany", "The caller tried it too often. Nothing was done."),
    (500, "Internal", "The server failed. Nothing was decided."),
    (503, "Undecided", "It could not be decided: this is neither a yes nor a no."),
];

/// The headers of the failures: the status, the name, true if it is always there, and its description.
const HEADERS: [(u16, &str, bool, &str); 6] = [
    (401, "WWW-Authenticate", true, "The challenge (RFC 6750). Without a credential it names no error."),
    (
        403,
        "WWW-Authenticate",
        true,
        "The challenge (RFC 6750): `scope` lists what is missing, where that is known.",
    ),
    (405, "Allow", true, "The methods that the path has."),
    (503, "Retry-After", true, "The seconds after which to ask again."),
    (408, "Retry-After", true, "The seconds after which to ask again."),
    (429, "Retry-After", true, "The seconds after which the same call is admitted."),
];

const ABOUT: &str = "The API of an ndauth server, derived from its gRPC contract. Requests and responses are JSON. \
A credential is presented as `Authorization: Bearer …`, never in a cookie or in the URL.\n\n\
Instants are RFC 3339, and durations a number of s, h, d, w or y. A field that is absent is left out: `null` is \
refused, and absence never means \"everything\". A key that is there twice, and one that does not exist, is refused. \
A response may gain fields.\n\n\
A failure is `application/problem+json` (RFC 9457), and programs compare its `reason`.";

/// Returns the document.
pub(super) fn document(examples: &Examples) -> Value {
    let comments = Comments::of_the_contract();
    let schemas = Schemas::new(&comments);
    let generator = Generator { comments: &comments, schemas: &schemas, examples };
    let mut all = schemas.all();
    all.insert("Problem".to_owned(), problem());
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "ndauth",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A self-hosted token authority",
            "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "bearer": [] }],
        "tags": generator.tags(),
        "paths": generator.paths(),
        "components": {
            "securitySchemes": { "bearer": {
                "type": "http",
                "scheme": "bearer",
                "description": "The secret of a session, a token or a service.",
            } },
            "responses": generator.failures(),
            "schemas": all,
        },
    })
}

struct Generator<'a> {
    comments: &'a Comments,
    schemas: &'a Schemas<'a>,
    examples: &'a Examples,
}

impl Generator<'_> {
    fn tags(&self) -> Vec<Value> {
        let services = descriptors().services();
        let services =
            services.filter(|service| bindings().iter().any(|b| b.rpc.parent_service() == service));
        services
            .map(|service| json!({ "name": service.name(), "description": self.comments.of(service.full_name()) }))
            .collect()
    }

    fn paths(&self) -> Map<String, Value> {
        let mut paths = Map::new();
        for binding in bindings() {
            let path = binding.to_string();
            let path = path.split_once(' ').expect("a method and a path").1;
            let operations = paths.entry(path).or_insert_with(|| json!({}));
            operations[binding.method.to_lowercase()] = self.operation(binding);
        }
        paths
    }

    fn operation(&self, binding: &HttpBinding) -> Value {
        let (rpc, row) = (&binding.rpc, access::row(binding));
        let comment = self.comments.of(rpc.full_name());
        let summary = comment.split_once(". ").map_or(comment, |(first, _)| first).trim_end_matches('.');
        let mut operation = json!({
            "operationId": operation_id(binding),
            "tags": [rpc.parent_service().name()],
            "summary": summary,
            "description": format!("{comment}\n\n{}", access::sentence(row)),
        });
        if row.nobody == Rule::Yes {
            operation["security"] = json!([]);
        }
        let variables = binding.variables().map(|variable| {
            let mut parameter = self.parameter(variable, "path");
            let example = self.examples.variable(&operation_id(binding), variable.field().name());
            parameter["example"] = json!(example);
            parameter
        });
        let query = binding.parameters.iter().map(|parameter| self.parameter(parameter, "query"));
        let parameters: Vec<Value> = variables.chain(query).collect();
        if !parameters.is_empty() {
            operation["parameters"] = json!(parameters);
        }
        if let Some(body) = self.body(binding) {
            operation["requestBody"] = body;
        }
        operation["responses"] = self.responses(binding, row);
        operation
    }

    fn parameter(&self, parameter: &Parameter, place: &str) -> Value {
        let field = parameter.field();
        let mut schema = self.schemas.field(field);
        let own = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        let mut described_as = own.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
        if place == "query" && field.parent_message().name() == "Which" {
            described_as = format!("{described_as} One of `name`, `id` and `prefix` is required.");
        }
        let is_required = place == "path" || self.schemas.is_required(field);
        let whole = json!({ "name": field.name(), "in": place, "required": is_required, "schema": schema });
        described(whole, &described_as)
    }

    fn body(&self, binding: &HttpBinding) -> Option<Value> {
        let (message, is_required) = match &binding.body {
            BodyOf::Nothing => return None,
            BodyOf::Request if body_fields(binding).is_empty() => return None,
            BodyOf::Request => {
                let input = binding.rpc.input();
                (input.clone(), self.schemas.requires_some(&input))
            }
            BodyOf::Field(field) => (
                field.kind().as_message().expect("a body is a message").clone(),
                self.schemas.is_required(field),
            ),
        };
        let mut content = json!({ "schema": reference(message.name()) });
        if let Some(example) = self.examples.body(&operation_id(binding)) {
            content["example"] = example.clone();
        }
        Some(json!({ "required": is_required, "content": { "application/json": content } }))
    }

    fn responses(&self, binding: &HttpBinding, row: &Row) -> Value {
        let example = self.examples.response(&operation_id(binding));
        let content = json!({ "schema": reference(binding.rpc.output().name()), "example": example });
        let mut responses = Map::new();
        let done = json!({ "description": "Done.", "content": { "application/json": content } });
        responses.insert("200".to_owned(), done);
        let occurs = |status: u16| match status {
            401 | 403 => row.nobody != Rule::Yes,
            404 => binding.method != "GET" || binding.variables().next().is_some() || binding.verb.is_some(),
            405 => false,
            409 => row.does == Does::Changes,
            429 => matches!(
                row.operation,
                Operation::CreateToken | Operation::RotateToken | Operation::ReportLeaked
            ),
            413 | 415 => !matches!(binding.body, BodyOf::Nothing),
            _ => true,
        };
        for (status, name, _) in FAILURES.iter().filter(|(status, ..)| occurs(*status)) {
            let response = json!({ "$ref": format!("#/components/responses/{name}") });
            responses.insert(status.to_string(), response);
        }
        Value::Object(responses)
    }

    fn failures(&self) -> BTreeMap<&'static str, Value> {
        let failures = FAILURES.into_iter().map(|(status, name, description)| {
            let content = json!({ "schema": reference("Problem"), "example": self.examples.failure(status) });
            let content = json!({ "application/problem+json": content });
            let mut response = json!({ "description": description, "content": content });
            let headers =
                HEADERS.iter().filter(|(of, ..)| *of == status).map(|(_, header, is_required, about)| {
                    let schema = json!({ "type": "string" });
                    let value = json!({ "description": about, "required": is_required, "schema": schema });
                    ((*header).to_owned(), value)
                });
            let headers: Map<String, Value> = headers.collect();
            if !headers.is_empty() {
                response["headers"] = Value::Object(headers);
            }
            (name, response)
        });
        failures.collect()
    }
}

/// The schema of a failure.
fn problem() -> Value {
    let text = |about: &str| json!({ "type": "string", "description": about });
    let reasons: Vec<&str> = Reason::all().map(Reason::code).collect();
    json!({
        "type": "object",
        "description": "A failure (RFC 9457), without a `type`: `reason` says more. It may gain members.",
        "required": ["title", "status", "detail", "reason", "request_id"],
        "properties": {
            "title": text("The status, for people."),
            "status": { "type": "integer", "minimum": 400, "maximum": 599, "description": "The status." },
            "detail": text("What failed, for people."),
            "reason": {
                "type": "string",
                "enum": reasons,
                "description": "The reason, for programs. It never changes its name, and others may be added.",
            },
            "field": text("The field of the request that is invalid, by its path. Absent if none is."),
            "hint": text("The next step, for people. Absent if no general one helps."),
            "missing_permissions": {
                "type": "array",
                "items": { "type": "string" },
                "description": "The permissions that the caller lacks. Absent if none would help.",
            },
            "holder": {
                "type": "object",
                "description": "The token that has the name already. Absent otherwise.",
                "required": ["id", "created_at"],
                "properties": {
                    "id": { "type": "string" },
                    "created_at": { "type": "string", "format": "date-time" },
                },
            },
            "request_id": text("The request, as the server's log names it."),
        },
    })
}
