use axum::http::Method;
use ndauth_authority::access::TABLE;

use super::routing::CallRouter;
use crate::edges::CHECK;
use ndauth_proto::DESCRIPTOR;
use prost::Message;
use prost_types::FileDescriptorSet;

/// Lists every RPC of every descriptor set that the server serves.
fn rpcs() -> Vec<String> {
    let sets = [
        DESCRIPTOR,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ];
    let files = sets.into_iter().flat_map(|set| FileDescriptorSet::decode(set).expect("descriptors").file);
    files
        .flat_map(|file| {
            let package = file.package().to_owned();
            file.service.into_iter().map(move |service| (package.clone(), service))
        })
        .flat_map(|(package, service)| {
            let name = format!("{package}.{}", service.name());
            service.method.into_iter().map(move |method| format!("/{name}/{}", method.name()))
        })
        .chain([format!("/{CHECK}")])
        .collect()
}

/// Wall 5.
#[test]
fn every_rpc_has_its_row_and_every_row_its_rpc() {
    let (rpcs, call_router) = (rpcs(), CallRouter::new());
    assert!(rpcs.len() >= 11, "{rpcs:?}");
    for rpc in &rpcs {
        assert!(call_router.find(rpc).is_some(), "{rpc} has no row in the access table");
    }
    // The name of a page has a space in it. Pages have their own test.
    for named in TABLE.iter().flat_map(|row| row.calls).filter(|rpc| !rpc.contains(' ')) {
        let served = match named.strip_suffix('*') {
            Some(service) => rpcs.iter().any(|rpc| rpc[1..].starts_with(service)),
            None => rpcs.iter().any(|rpc| rpc[1..] == **named),
        };
        assert!(served, "the access table names {named}, which is not served");
    }
}

#[test]
fn unknown_operations_are_distinguished() {
    let call_router = CallRouter::new();
    for path in [
        "/",
        "",
        "/ndauth.v1.TokenService",
        "/grpc.health.v1.Health",
        "/ndauth.v1.TokenService/",
        "/ndauth.v1.TokenService/DropTokens",
        "/ndauth.v1.TokenService/createtoken",
        "/ndauth.v1.TokenService/CreateToken/",
        "//ndauth.v1.TokenService/CreateToken",
        "/ndauth.v1.TokenService/%43reateToken",
        "/ndauth.v1.tokenservice/CreateToken",
        "/grpc.health.v1.Health/",
        "/grpc.health.v1.Health/a/b",
        "ndauth.v1.TokenService/CreateToken",
    ] {
        assert!(call_router.find(path).is_none(), "{path}");
    }
}

#[test]
fn a_page_is_found_by_its_method_and_its_path_alone() {
    let call_router = CallRouter::new();
    for (method, path) in
        [(Method::GET, "/sign-in"), (Method::HEAD, "/sign-in"), (Method::POST, "/oauth2/token")]
    {
        assert!(call_router.page(&method, path).is_some(), "{method} {path}");
    }
    for (method, path) in [
        (Method::GET, "/oauth2/token"),
        (Method::PUT, "/sign-in"),
        (Method::POST, "/"),
        (Method::GET, "/sign-in/"),
        (Method::GET, "//sign-in"),
        (Method::GET, "/Sign-in"),
        (Method::GET, "/ndauth.v1.TokenService/CreateToken"),
        (Method::POST, "/ndauth.v1.TokenService/CreateToken"),
    ] {
        assert!(call_router.page(&method, path).is_none(), "{method} {path}");
    }
    assert!(call_router.find("/sign-in").is_none() && call_router.find("GET /sign-in").is_none());
    assert_eq!(call_router.allowed("/sign-in"), ["GET", "HEAD", "POST"]);
    assert_eq!(call_router.allowed("/oauth2/token"), ["POST"]);
    assert_eq!(call_router.allowed("/nowhere"), [""; 0]);
}
