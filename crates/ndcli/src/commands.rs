//! The commands, a file each. A command imports another only where the two show the same.

pub(crate) mod candidates;

pub(crate) mod scan;

pub(crate) mod validate;

pub(crate) mod permissions;

pub(crate) mod tokens;

pub(crate) mod config;

pub(crate) mod listed;

pub(crate) mod policy;

pub(crate) mod offers;

pub(crate) mod org;

pub(crate) mod admin;

pub(crate) mod audit;

pub(crate) mod auth;
