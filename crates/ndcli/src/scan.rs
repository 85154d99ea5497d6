//! The search for ndauth's secrets in files and in git's index, without a server.

mod samples;

mod searcher;

mod exemptions;

mod report;

mod staged;
mod tree;

pub(crate) use report::{LeakInFile, ScanReport};
pub(crate) use staged::search_staged;
pub(crate) use tree::search_paths;
