//! The edges from outside: the same verdict at every door, whatever comes through it.

mod channels;
mod hostile;
mod matrix;
