//! The generated types, clients and servers of the package `ndauth.v1`.

#![expect(
    missing_docs,
    unused_qualifications,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::large_enum_variant,
    reason = "generated from `proto/` by `cargo xtask codegen`"
)]

include!("generated/ndauth.v1.rs");
