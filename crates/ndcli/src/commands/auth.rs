//! Commands about who the caller is, and about logins.

pub(crate) mod notices;

pub(crate) mod whoami;

pub(crate) mod status;

pub(crate) mod login;

pub(crate) mod logout;

pub(crate) mod sessions;

pub(crate) mod print_access_token;
