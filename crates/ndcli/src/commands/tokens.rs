//! Commands about tokens, a person's own and an org's: the same for both.

pub(crate) mod aim;
pub(crate) mod list;
pub(crate) mod sink;

pub(crate) mod explain;

mod mint;

pub(crate) mod create;
pub(crate) mod leaked;
pub(crate) mod renew;
pub(crate) mod revoke;
pub(crate) mod rotate;
pub(crate) mod show;
pub(crate) mod suspend;
pub(crate) mod update;
