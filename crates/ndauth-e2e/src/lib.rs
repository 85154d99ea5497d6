//! Every test that crosses a process boundary: see `tests/it`. Here is what other crates measure with, too.

pub mod proxy;
