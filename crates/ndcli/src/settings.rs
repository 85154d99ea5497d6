//! The settings of ndcli: options, variables and the configuration file. This module imports nothing else of
//! ndcli.

pub(crate) mod values;

pub(crate) mod token_file;

pub(crate) mod options;

pub(crate) mod files;

pub(crate) mod configuration;

pub(crate) use options::{CommonOptions, Format, InOrg, Keeping};
