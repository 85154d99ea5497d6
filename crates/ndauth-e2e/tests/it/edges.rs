//! The edges from outside: real proxies and OAuth resource servers, each with its own configuration.

mod app;

mod introspection_clients;
mod proxies;
