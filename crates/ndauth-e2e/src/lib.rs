//! Every test that crosses a process boundary: see `tests/it`.
