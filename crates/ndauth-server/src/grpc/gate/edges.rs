//! The calls of the edges. They are answered on the core of their connection, as validations are.

use std::sync::Arc;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, Request, Response};
use axum::response::IntoResponse;
use tonic::Status;
use tonic::body::Body;

use super::{ConnectionGate, Gate, tonic_response};
use crate::edges::{self, EdgeAnswer};
use crate::front::Received;
use crate::grpc::pending::Reply;
use crate::grpc::service::{MAX_REQUEST, refused};
use crate::grpc::unary::{self, Framed, ResponseBody};
use crate::http::OAuthError;

/// The approximate size of a response to Envoy, in bytes.
const CHECK_SIZE: usize = 512;

impl ConnectionGate {
    /// Answers an Envoy as [`validate`](ConnectionGate::validate) answers a service. The call always succeeds.
    pub(super) fn check(&mut self, mut request: Request<Received>, id: Option<HeaderValue>) -> Reply {
        let proxy = self.credential(request.headers());
        let from = self.network(request.headers());
        let gate = Arc::clone(&self.gate);
        let respond = move |gate: &Gate, answer: &EdgeAnswer| {
            let mut framed = Framed::begin(CHECK_SIZE);
            edges::write_check_response(framed.fields(), answer, || id.unwrap_or_else(|| gate.id(None)));
            unary::response(Ok(framed))
        };
        let whole = request.body_mut().whole().filter(|whole| whole.len() <= MAX_REQUEST);
        if let Some(Ok(message)) = whole.as_deref().map(unary::unframed) {
            let question = edges::envoy_question(proxy, message);
            let Some(answer) = question.answer_now(&gate.service.authority) else {
                return Reply::Later(Box::pin(async move {
                    respond(&gate, &question.answer(&gate.service.authority).await)
                }));
            };
            self.presented = question.into_proxy();
            return Reply::Now(Some(respond(&gate, &answer)));
        }
        Reply::Later(Box::pin(async move {
            let authority = &gate.service.authority;
            let answer = async {
                // As with a validation, the rest is read only once its caller may ask.
                match &proxy {
                    Ok(proxy) => edges::admit(authority, proxy).await?,
                    Err(_) => return edges::envoy_question(proxy, &[]).answer(authority).await,
                }
                let whole = gate.request_reader.whole(request.into_body(), MAX_REQUEST, from).await;
                let whole = whole.map_err(refused);
                match whole.as_deref().map_err(Status::clone).and_then(unary::unframed) {
                    Ok(message) => edges::envoy_question(proxy, message).answer(authority).await,
                    Err(status) => edges::unread(&status),
                }
            };
            let answer = answer.await;
            respond(&gate, &answer)
        }))
    }

    /// Answers a proxy. Returns the request id, which a yes has only if the proxy sent one.
    pub(super) fn verify(
        &self,
        request: Request<Received>,
        id: Option<HeaderValue>,
    ) -> (Reply, Option<HeaderValue>) {
        let (head, _) = request.into_parts();
        let question = edges::proxy_question(&head, self.client(&head.headers));
        let gate = Arc::clone(&self.gate);
        let answer = match question.answer_now(&gate.service.authority) {
            Some(Ok(identity)) => {
                let response = edges::verified(identity).map(ResponseBody::Whole);
                return (Reply::Now(Some(response)), id);
            }
            answer => answer,
        };
        let id = id.unwrap_or_else(|| gate.id(None));
        let known = id.clone();
        let reply = Reply::Later(Box::pin(async move {
            let answer = match answer {
                Some(answer) => answer,
                None => question.answer(&gate.service.authority).await,
            };
            match answer {
                Ok(identity) => edges::verified(identity).map(ResponseBody::Whole),
                Err(failure) => {
                    let response = failure.response(&id);
                    let is_head = head.method == Method::HEAD;
                    response
                        .map(|body| if is_head { ResponseBody::default() } else { ResponseBody::Whole(body) })
                }
            }
        }));
        (reply, Some(known))
    }

    /// Answers a resource server of OAuth.
    pub(super) fn introspect(&self, request: Request<Received>) -> Reply {
        let (head, body) = request.into_parts();
        let (client, from) = (self.client(&head.headers), self.network(&head.headers));
        let gate = Arc::clone(&self.gate);
        Reply::Later(Box::pin(async move {
            let answer = match gate.request_reader.whole(body, edges::MAX_FORM, from).await {
                Ok(form) => {
                    let authority = &gate.service.authority;
                    edges::introspect(authority, &gate.issuer, &head, &form, client).await
                }
                Err(problem) => Err(OAuthError::from(&problem)),
            };
            match answer {
                Ok(json) => {
                    let mut response = Response::new(ResponseBody::Whole(json));
                    let headers = response.headers_mut();
                    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                    response
                }
                Err(error) => tonic_response(error.into_response().map(Body::new)),
            }
        }))
    }
}
