//! Measures ndauth relative to its foundations: ratios to a baseline in the same run, alternating with it.
//!
//! A server runs on one core and its clients on another. The reported figure is the server's own CPU time,
//! the least affected by other work on the machine.

pub mod empty;
pub mod front;
pub mod load;
pub mod seed;
pub mod server;
pub mod table;
