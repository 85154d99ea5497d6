//! The login: where a credential comes from, and what a person does to have one.

pub(crate) mod keyring;

pub(crate) mod logins;

pub(crate) mod oauth;

pub(crate) mod credentials;

mod loopback;

pub(crate) mod browser;

pub(crate) mod device;

pub(crate) mod recent;
