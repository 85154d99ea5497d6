//! Measures ndauth against what it stands on: ratios to a baseline in the same run, alternating.
//!
//! A server runs on one core and what asks it on another; what is told is the server's own CPU time, which other
//! work on the machine changes less than anything else.

pub mod empty;
pub mod load;
pub mod seed;
pub mod server;
pub mod table;
