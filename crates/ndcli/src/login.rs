//! Login: the sources of a credential, and the ways for a person to obtain one.

pub(crate) mod keyring;

pub(crate) mod logins;

pub(crate) mod oauth;

pub(crate) mod credentials;

mod loopback;

pub(crate) mod browser;

pub(crate) mod device;

pub(crate) mod recent;
