//! The name of a client, such as `ndcli/0.1.0`, for people who look where a token is used. No decision reads
//! it.

use std::fmt;

use smol_str::SmolStr;

use crate::redact;

/// A client and its version: 1 to 48 visible characters of ASCII.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientName(SmolStr);

const MOST: usize = 48;

impl ClientName {
    /// Returns the first product of a `User-Agent` (RFC 9110, section 10.1.5), or `None` if it cannot be
    /// shown, as a secret cannot.
    pub fn of_user_agent(text: &str) -> Option<ClientName> {
        let product = text.split([' ', '\t']).next()?;
        if redact(product) != product {
            return None;
        }
        let product: SmolStr = product.chars().take(MOST).collect();
        let visible = !product.is_empty() && product.bytes().all(|byte| byte.is_ascii_graphic());
        visible.then_some(ClientName(product))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_named_by_its_first_product() {
        let long = "a".repeat(60);
        for (text, name) in [
            ("ndcli/0.1.0 tonic/0.14.9", Some("ndcli/0.1.0")),
            ("curl/8.5.0", Some("curl/8.5.0")),
            ("", None),
            (" curl", None),
            ("\u{1b}[31m", None),
            ("café/1", None),
            ("ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U", None),
            (long.as_str(), Some(&long[..48])),
        ] {
            assert_eq!(ClientName::of_user_agent(text).as_ref().map(ClientName::as_str), name, "{text:?}");
        }
    }
}
