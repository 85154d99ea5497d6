//! The question of an Envoy, as Envoy 1.40 builds it for a request to an application.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::address::Address as AddressKind;
use envoy_types::pb::envoy::config::core::v3::{Address, SocketAddress};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};

/// Returns the question about a `PUT` request with this header `authorization`, if it has one, from an address. `extensions`
/// are from Envoy's configuration.
pub fn check_request(
    authorization: Option<&str>,
    extensions: &[(&str, &str)],
    address: Option<&str>,
) -> CheckRequest {
    let text = |text: &str| text.to_owned();
    let pairs = |pairs: &[(&str, &str)]| -> HashMap<String, String> {
        pairs.iter().map(|(name, value)| (text(name), text(value))).collect()
    };
    let mut headers = pairs(&[
        (":authority", "assets.example.org"),
        (":method", "PUT"),
        (":path", "/orgs/ops/assets/logo"),
        (":scheme", "https"),
        ("accept", "*/*"),
        ("content-length", "512"),
        ("content-type", "application/octet-stream"),
        ("user-agent", "curl/8.5.0"),
        ("x-envoy-internal", "true"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "0f6ff2a2-5b9a-4f6e-a3c2-5b8a9b1c2d3e"),
    ]);
    headers.extend(authorization.map(|value| (text("authorization"), text(value))));
    let http = HttpRequest {
        id: text("8841512931254121"),
        method: text("PUT"),
        headers,
        path: text("/orgs/ops/assets/logo"),
        host: text("assets.example.org"),
        scheme: text("https"),
        protocol: text("HTTP/1.1"),
        size: 512,
        ..HttpRequest::default()
    };
    let peer = |address: &str| Peer {
        address: Some(Address {
            address: Some(AddressKind::SocketAddress(SocketAddress {
                address: text(address),
                ..SocketAddress::default()
            })),
        }),
        ..Peer::default()
    };
    let attributes = AttributeContext {
        source: address.map(peer),
        destination: Some(peer("10.0.0.7")),
        request: Some(Request { http: Some(http), ..Request::default() }),
        context_extensions: pairs(extensions),
        ..AttributeContext::default()
    };
    CheckRequest { attributes: Some(attributes) }
}
