//! Holds every test that crosses a process boundary: see `tests/it`. This library is the part that other
//! crates' measurements share.

pub mod envoy;
pub mod proxy;
