//! Access: the caller that a credential stands for, the table of who may do what, and how far an admitted caller reaches.

mod admission;
pub(crate) mod caller;
pub(crate) mod held;
mod table;
mod whose;

pub(crate) use admission::{Admitted, Reach};
pub use table::{Does, Kind, Operation, Row, Rule, TABLE};
pub use whose::Whose;
