//! The paths of the API. A path is compared as it was sent: nothing is decoded but the values of variables, and
//! nothing is normalized.

use std::collections::HashMap;

use axum::http::{Method, Uri};
use ndauth_proto::json::{HttpBinding, PathSegment, bindings};
use percent_encoding::percent_decode_str;
use prost_reflect::MessageDescriptor;

use crate::grpc::{CallRoute, Gate};

/// A path and a method of the API, and the RPC behind them.
pub(super) struct ApiRoute {
    pub(super) binding: &'static HttpBinding,
    /// The path of the RPC.
    pub(super) rpc: Uri,
    pub(super) call: &'static CallRoute,
    pub(super) output: MessageDescriptor,
}

/// The routes, by the path for those without variables.
pub(super) struct ApiRouter {
    fixed: HashMap<String, Vec<&'static ApiRoute>>,
    variable: Vec<&'static ApiRoute>,
}

/// The route of a request.
pub(super) enum Routed {
    /// The route, and the values of the path's variables.
    To(&'static ApiRoute, Vec<String>),
    /// The methods that the path supports.
    OtherMethods(Vec<&'static str>),
    /// No such path.
    Nothing,
}

impl ApiRouter {
    /// Builds the routes of every binding in the contract. An RPC without a row in the access table has none.
    pub(super) fn new(gate: &Gate) -> ApiRouter {
        let mut router = ApiRouter { fixed: HashMap::new(), variable: Vec::new() };
        for binding in bindings() {
            let rpc = format!("/{}/{}", binding.rpc.parent_service().full_name(), binding.rpc.name());
            let (Some(call), Ok(rpc)) = (gate.route(&rpc), rpc.parse()) else { continue };
            let route: &ApiRoute =
                Box::leak(Box::new(ApiRoute { binding, rpc, call, output: binding.rpc.output() }));
            match binding.variables().next() {
                Some(_) => router.variable.push(route),
                None => {
                    let name = binding.to_string();
                    let path = name.split_once(' ').map_or(name.as_str(), |(_, path)| path);
                    router.fixed.entry(path.to_owned()).or_default().push(route);
                }
            }
        }
        router
    }

    /// Finds the route of a request. `HEAD` finds that of `GET`.
    pub(super) fn find(&self, method: &Method, path: &str) -> Routed {
        let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
        if let Some(routes) = self.fixed.get(path) {
            return match routes.iter().find(|route| route.binding.method == method) {
                Some(route) => Routed::To(route, Vec::new()),
                None => Routed::OtherMethods(methods(routes.iter().copied())),
            };
        }
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let fitting =
            || self.variable.iter().filter_map(|route| Some((*route, values(route.binding, &segments)?)));
        match fitting().find(|(route, _)| route.binding.method == method) {
            Some((route, values)) => Routed::To(route, values),
            None => match methods(fitting().map(|(route, _)| route)) {
                none if none.is_empty() => Routed::Nothing,
                methods => Routed::OtherMethods(methods),
            },
        }
    }
}

/// Returns the methods of routes. Where there is a `GET`, there is a `HEAD`.
fn methods(routes: impl Iterator<Item = &'static ApiRoute>) -> Vec<&'static str> {
    let methods = routes.flat_map(|route| match route.binding.method {
        "GET" => ["GET", "HEAD"].iter().copied(),
        _ => std::slice::from_ref(&route.binding.method).iter().copied(),
    });
    methods.collect()
}

/// Returns the values of a path's variables, if the path is one of the binding.
fn values(binding: &HttpBinding, segments: &[&str]) -> Option<Vec<String>> {
    let (last, verb) = match segments.last()?.rsplit_once(':') {
        Some((last, verb)) => (last, Some(verb)),
        None => (*segments.last()?, None),
    };
    if segments.len() != binding.segments.len() || verb != binding.verb.as_deref() {
        return None;
    }
    let segments = segments[..segments.len() - 1].iter().copied().chain([last]);
    let mut values = Vec::new();
    for (expected, segment) in binding.segments.iter().zip(segments) {
        match expected {
            PathSegment::Literal(text) if text == segment => {}
            PathSegment::Literal(_) => return None,
            PathSegment::Variable(_) if segment.is_empty() => return None,
            PathSegment::Variable(_) => {
                // A percent sign begins an escape.
                let escape = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
                if !segment.split('%').skip(1).all(escape) {
                    return None;
                }
                values.push(percent_decode_str(segment).decode_utf8().ok()?.into_owned());
            }
        }
    }
    Some(values)
}
