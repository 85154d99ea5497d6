//! Access: the caller that a credential stands for, the table of who may do what, and the reach of an
//! admitted caller.

mod admission;
pub(crate) mod caller;
pub(crate) mod held;
mod table;
mod visit;
mod whose;

pub(crate) use admission::{Admitted, Reach};
pub use table::{Does, Holding, Kind, Operation, Row, Rule, TABLE};
pub use visit::{OpenVisit, Visit};
pub use whose::Whose;
