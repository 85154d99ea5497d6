//! The edges from outside: the same verdict on every channel, hostile requests, and real proxies and OAuth resource
//! servers, each with its own configuration.

mod app;
mod channels;

mod hostile;
mod introspection_clients;
mod matrix;
mod proxies;
