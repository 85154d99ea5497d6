//! The channels by which a service asks about a secret.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::HeaderValueOption;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse};
use h2::client::SendRequest;
use ndauth_client::{Credentials, Requirement, ValidationRequest, Verdict, Verifier, VerifierOptions};
use ndauth_core::{Scope, Secret};
use ndauth_e2e::envoy::check_request;
use ndauth_proto::v1::validate_token_response::Outcome;
use ndauth_proto::{reason_from_proto, requirement_to_proto, v1};
use prost::Message;
use serde_json::{Value, json};

use crate::api::{Answered, ask, send};
use crate::front::{call_for_message, raw};
use crate::installation::{KillOnDrop, Running};

/// A question: the org, the access, the permission if one is needed, and the address of the service's client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) org: &'a str,
    pub(crate) access: Scope,
    pub(crate) permission: Option<&'a str>,
    pub(crate) address: Option<&'a str>,
}

/// The verdict: the id of the token that is allowed, or the reason of the refusal where the channel tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenVerdict {
    Allowed(String),
    Refused(Option<String>),
    /// Neither.
    Undecided(String),
}

/// Every channel to a server, as one service.
pub(crate) struct Channels<'a> {
    server: &'a Running,
    service: Secret,
    grpc: SendRequest<Bytes>,
    verifier: Verifier,
    /// Clients in other languages, by name.
    drivers: Vec<(&'static str, Driver)>,
}

/// A program that reads questions and prints verdicts, each on a line.
pub(crate) struct Driver {
    _child: KillOnDrop,
    questions: ChildStdin,
    verdicts: Lines<BufReader<ChildStdout>>,
}

impl Driver {
    /// Starts a program for a service at a server.
    pub(crate) fn start(mut command: Command, server: &Running, service: &Secret) -> Driver {
        command.env("NDAUTH_ADDRESS", server.url.to_string()).env("NDAUTH_SERVICE_SECRET", service.expose());
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = KillOnDrop(child.expect("the program starts"));
        let questions = child.0.stdin.take().expect("it is piped");
        let verdicts = BufReader::new(child.0.stdout.take().expect("it is piped")).lines();
        Driver { _child: child, questions, verdicts }
    }

    pub(crate) fn ask(&mut self, secret: &str, asked: Asked<'_>) -> TokenVerdict {
        let question = json!({
            "secret": secret, "org": asked.org, "access": asked.access.as_str(), "permission": asked.permission,
            "client_address": asked.address,
        });
        let question: serde_json::Map<String, Value> = match question {
            Value::Object(members) => members.into_iter().filter(|(_, value)| !value.is_null()).collect(),
            _ => unreachable!("it is an object"),
        };
        writeln!(self.questions, "{}", Value::Object(question)).expect("asked");
        let verdict = self.verdicts.next().expect("it answers").expect("text");
        let verdict: Value = serde_json::from_str(&verdict).expect("JSON");
        match (&verdict["allowed"]["token_id"], &verdict["refused"]) {
            (Value::String(id), _) => TokenVerdict::Allowed(id.clone()),
            (_, Value::String(reason)) => TokenVerdict::Refused(Some(reason.clone())),
            _ => TokenVerdict::Undecided(verdict.to_string()),
        }
    }
}

impl<'a> Channels<'a> {
    pub(crate) async fn open(
        server: &'a Running,
        service: &Secret,
        drivers: Vec<(&'static str, Command)>,
    ) -> Channels<'a> {
        let options = VerifierOptions::new(server.url.clone(), Credentials::given(service));
        let verifier = Verifier::start(options).expect("it starts");
        verifier.ready().await;
        let drivers = drivers.into_iter();
        let drivers =
            drivers.map(|(name, command)| (name, Driver::start(command, server, service))).collect();
        let service = service.expose().parse().expect("a secret");
        Channels { server, service, grpc: raw(server).await, verifier, drivers }
    }

    /// Asks by every channel. The first is `ValidateToken`.
    pub(crate) async fn ask(&mut self, secret: &str, asked: Asked<'_>) -> Vec<(&'static str, TokenVerdict)> {
        let mut verdicts = vec![
            ("gRPC", self.by_grpc(secret, asked).await),
            ("JSON", self.by_json(secret, asked)),
            ("introspection", self.by_introspection(secret, asked)),
            ("the edge", self.by_proxy(secret, asked)),
            ("Envoy", self.by_envoy(secret, asked).await),
            ("the library", self.by_library(secret, asked).await),
        ];
        verdicts.extend(self.drivers.iter_mut().map(|(name, driver)| (*name, driver.ask(secret, asked))));
        verdicts
    }

    async fn call(&mut self, path: &str, message: &impl Message) -> Result<Bytes, tonic::Status> {
        let bearer = format!("Bearer {}", self.service.expose());
        let headers =
            [("content-type", "application/grpc"), ("te", "trailers"), ("authorization", bearer.as_str())];
        let length = u32::try_from(message.encoded_len()).expect("short").to_be_bytes();
        let body = [&[0][..], &length, &message.encode_to_vec()].concat();
        call_for_message(&mut self.grpc, path, &headers, &body).await.expect("answered")
    }

    pub(crate) async fn by_grpc(&mut self, secret: &str, asked: Asked<'_>) -> TokenVerdict {
        let address = asked.address.map(|address| address.parse().expect("an address"));
        let request = requirement_to_proto(secret, &requirement(asked), address).expect("a question");
        match self.call("/ndauth.v1.ValidationService/ValidateToken", &request).await {
            Ok(message) => verdict_of(v1::ValidateTokenResponse::decode(message).expect("a response")),
            Err(status) => TokenVerdict::Undecided(status.to_string()),
        }
    }

    pub(crate) fn by_json(&self, secret: &str, asked: Asked<'_>) -> TokenVerdict {
        let mut body =
            json!({ "secret": secret, "org": asked.org, "required_access": asked.access.as_str() });
        if let Some(permission) = asked.permission {
            body["required_permission"] = permission.into();
        }
        if let Some(address) = asked.address {
            body["client_address"] = address.into();
        }
        let answer = ask(self.server, "POST /v1/secrets:validate", Some(self.service.expose()), Some(&body));
        let json = answer.json();
        match (answer.status, json["allowed"]["token_id"].as_str(), json["refused"]["reason"].as_str()) {
            (200, Some(id), _) => TokenVerdict::Allowed(id.to_owned()),
            (200, None, Some(reason)) => TokenVerdict::Refused(Some(reason.to_owned())),
            _ => TokenVerdict::Undecided(answer.text),
        }
    }

    fn by_introspection(&self, secret: &str, asked: Asked<'_>) -> TokenVerdict {
        let access = asked.access.as_str();
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs([("token", secret), ("org", asked.org), ("access", access)]);
        form.extend_pairs(asked.permission.map(|permission| ("permission", permission)));
        form.extend_pairs(asked.address.map(|address| ("client_address", address)));
        let answer = introspect(self.server, &self.service, &form.finish());
        let json = answer.json();
        match (answer.status, json["active"].as_bool()) {
            (200, Some(true)) => {
                // The verdict stands beside the members of OAuth.
                assert_eq!(json["ndauth"]["allowed"]["token_id"], json["jti"], "{json}");
                assert_eq!(json["ndauth"]["allowed"]["effective"]["org_slug"], asked.org, "{json}");
                TokenVerdict::Allowed(json["jti"].as_str().expect("an id").to_owned())
            }
            (200, Some(false)) => {
                assert_eq!(answer.text, r#"{"active":false}"#);
                TokenVerdict::Refused(None)
            }
            _ => TokenVerdict::Undecided(answer.text),
        }
    }

    pub(crate) fn by_proxy(&self, secret: &str, asked: Asked<'_>) -> TokenVerdict {
        let query = query(asked);
        let address = asked.address.map(|address| format!("x-forwarded-for: {address}\r\n"));
        let answer = send(
            self.server,
            format!(
                "GET /edge/verify?{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-ndauth-service: {}\r\n\
                 authorization: Bearer {secret}\r\n{}\r\n",
                self.service.expose(),
                address.unwrap_or_default(),
            )
            .as_bytes(),
        );
        if answer.status == 200 {
            let identity = |name: &str| answer.header(&format!("x-auth-{name}")).to_owned();
            assert_eq!(identity("org"), asked.org, "{answer:?}");
            return TokenVerdict::Allowed(identity("token-id"));
        }
        refused_with(answer.status, &answer.text)
    }

    pub(crate) async fn by_envoy(&mut self, secret: &str, asked: Asked<'_>) -> TokenVerdict {
        let token = format!("Bearer {secret}");
        let mut extensions = vec![("org", asked.org), ("access", asked.access.as_str())];
        extensions.extend(asked.permission.map(|permission| ("permission", permission)));
        let request = check_request(Some(&token), &extensions, asked.address);
        let answer = self.call("/envoy.service.auth.v3.Authorization/Check", &request).await;
        let answer = CheckResponse::decode(answer.expect("it succeeds")).expect("a response");
        let code = answer.status.expect("a status").code;
        match answer.http_response.expect("a response") {
            HttpResponse::OkResponse(allowed) => {
                assert_eq!((code, &*allowed.headers_to_remove), (0, &["authorization".to_owned()][..]));
                let id = header(&allowed.headers, "x-auth-token-id");
                TokenVerdict::Allowed(id.expect("every identity header is set").to_owned())
            }
            HttpResponse::DeniedResponse(denied) => {
                assert_ne!(code, 0, "{denied:?}");
                let status = denied.status.expect("a status").code;
                refused_with(status.try_into().expect("a status"), &denied.body)
            }
            HttpResponse::ErrorResponse(error) => panic!("{error:?}"),
        }
    }

    /// Asks about an identity, by `ValidateToken` and by introspection.
    pub(crate) async fn ask_identity(&mut self, secret: &str) -> [TokenVerdict; 2] {
        let request = requirement_to_proto(secret, &Requirement::Identity, None).expect("a question");
        let by_grpc = match self.call("/ndauth.v1.ValidationService/ValidateToken", &request).await {
            Ok(message) => verdict_of(v1::ValidateTokenResponse::decode(message).expect("a response")),
            Err(status) => TokenVerdict::Undecided(status.to_string()),
        };
        let form = form_urlencoded::Serializer::new(String::new()).append_pair("token", secret).finish();
        let answer = introspect(self.server, &self.service, &form);
        let json = answer.json();
        let introspected = match (json["active"].as_bool(), json["jti"].as_str()) {
            (Some(true), Some(id)) => TokenVerdict::Allowed(id.to_owned()),
            (Some(false), None) => TokenVerdict::Refused(None),
            _ => TokenVerdict::Undecided(answer.text),
        };
        [by_grpc, introspected]
    }

    async fn by_library(&self, secret: &str, asked: Asked<'_>) -> TokenVerdict {
        let client_address = asked.address.map(|address| address.parse().expect("an address"));
        let requirement = requirement(asked);
        let question = ValidationRequest { secret, requirement: &requirement, client_address, client: None };
        match self.verifier.decide(&question).await {
            Ok(Verdict::Allowed(allowed)) => TokenVerdict::Allowed(allowed.token_id().to_string()),
            Ok(Verdict::Refused(refused)) => {
                TokenVerdict::Refused(Some(refused.reason.expect("a known reason").code().to_owned()))
            }
            Err(problem) => TokenVerdict::Undecided(problem.to_string()),
        }
    }
}

/// The answer to an Envoy: the HTTP status that its client gets, and the body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EnvoyAnswer {
    pub(crate) status: i32,
    pub(crate) body: Value,
}

/// Asks as an Envoy that presents this secret, if any. An error is a failed call.
pub(crate) async fn ask_as_envoy(
    server: &Running,
    proxy: Option<&Secret>,
    request: &CheckRequest,
) -> Result<EnvoyAnswer, tonic::Status> {
    let bearer = proxy.map(|secret| format!("Bearer {}", secret.expose()));
    let mut headers = vec![("content-type", "application/grpc"), ("te", "trailers")];
    headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
    let length = u32::try_from(request.encoded_len()).expect("short").to_be_bytes();
    let body = [&[0][..], &length, &request.encode_to_vec()].concat();
    let mut client = raw(server).await;
    let path = "/envoy.service.auth.v3.Authorization/Check";
    let message = call_for_message(&mut client, path, &headers, &body).await.expect("answered")?;
    let answer = CheckResponse::decode(message).expect("a response");
    Ok(match answer.http_response.expect("a response") {
        HttpResponse::OkResponse(_) => EnvoyAnswer { status: 200, body: Value::Null },
        HttpResponse::DeniedResponse(denied) => EnvoyAnswer {
            status: denied.status.expect("a status").code,
            body: serde_json::from_str(&denied.body).expect("JSON"),
        },
        HttpResponse::ErrorResponse(error) => panic!("{error:?}"),
    })
}

/// Asks by introspection, with a form.
pub(crate) fn introspect(server: &Running, service: &Secret, form: &str) -> Answered {
    let request = format!(
        "POST /oauth2/introspect HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        service.expose(),
        form.len(),
    );
    send(server, request.as_bytes())
}

/// Returns the query that a proxy's configuration has for a question.
pub(crate) fn query(asked: Asked<'_>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([("org", asked.org), ("access", asked.access.as_str())]);
    query.extend_pairs(asked.permission.map(|permission| ("permission", permission)));
    query.finish()
}

/// Returns the value of a header that Envoy is to set.
pub(crate) fn header<'a>(headers: &'a [HeaderValueOption], name: &str) -> Option<&'a str> {
    let headers = headers.iter().filter_map(|header| header.header.as_ref());
    headers.into_iter().find(|header| header.key == name).map(|header| header.value.as_str())
}

fn requirement(asked: Asked<'_>) -> Requirement {
    let permission = asked.permission.map(|permission| permission.parse().expect("a permission"));
    Requirement::Access { org: asked.org.parse().expect("a slug"), access: asked.access, permission }
}

fn verdict_of(response: v1::ValidateTokenResponse) -> TokenVerdict {
    match response.outcome.expect("an outcome") {
        Outcome::Allowed(allowed) => TokenVerdict::Allowed(allowed.token_id),
        Outcome::Refused(refused) => {
            TokenVerdict::Refused(reason_from_proto(refused.reason).map(|reason| reason.code().to_owned()))
        }
    }
}

/// Reads the refusal that a proxy passes on.
fn refused_with(status: u16, body: &str) -> TokenVerdict {
    let problem: Value = serde_json::from_str(body).unwrap_or_default();
    match (status, problem["reason"].as_str()) {
        (401 | 403, Some(reason)) => TokenVerdict::Refused(Some(reason.to_owned())),
        _ => TokenVerdict::Undecided(format!("{status} {body}")),
    }
}
