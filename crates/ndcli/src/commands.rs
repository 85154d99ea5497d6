//! One file a command.

pub(crate) mod aim;
pub(crate) mod config;
pub(crate) mod create;
pub(crate) mod explain;
pub(crate) mod list;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod mint;
pub(crate) mod org;
pub(crate) mod org_token;
pub(crate) mod permissions;
pub(crate) mod policy;
pub(crate) mod print_access_token;
pub(crate) mod renew;
pub(crate) mod revoke;
pub(crate) mod rotate;
pub(crate) mod sessions;
pub(crate) mod show;
pub(crate) mod sink;
pub(crate) mod status;
pub(crate) mod suspend;
pub(crate) mod validate;
pub(crate) mod whoami;
