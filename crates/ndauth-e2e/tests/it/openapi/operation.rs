//! The names of the operations: one for each binding.

use ndauth_proto::json::{HttpBinding, bindings};
use prost_reflect::MethodDescriptor;

/// Returns the RPC's name. A further binding adds the variables that the first one lacks, and its verb if that is
/// another: `GetToken_org_lookup`.
pub(super) fn operation_id(binding: &HttpBinding) -> String {
    let first = first_binding(&binding.rpc);
    let known: Vec<String> = first.variables().map(|variable| variable.field().name().to_owned()).collect();
    let variables = binding.variables().map(|variable| variable.field().name().to_owned());
    let more = variables.filter(|name| !known.contains(name));
    let verb = binding.verb.clone().filter(|_| binding.verb != first.verb);
    let constant =
        binding.constant().filter(|constant| Some(*constant) != first.constant()).map(str::to_owned);
    std::iter::once(binding.rpc.name().to_owned())
        .chain(more)
        .chain(constant)
        .chain(verb)
        .collect::<Vec<_>>()
        .join("_")
}

fn first_binding(rpc: &MethodDescriptor) -> &'static HttpBinding {
    bindings().iter().find(|binding| binding.rpc == *rpc).expect("a binding is one of its RPC's")
}
