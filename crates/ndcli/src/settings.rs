//! What ndcli is told by options, by variables and by its file. Of ndcli it imports nothing else.

pub(crate) mod values;

pub(crate) mod options;

pub(crate) mod files;

pub(crate) mod configuration;

pub(crate) use options::{CommonOptions, Format, InOrg, Keeping};
