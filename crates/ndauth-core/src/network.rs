//! Networks: address ranges in CIDR notation (RFC 4632, section 3.1; RFC 4291, section 2.3).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A range of addresses, such as `10.0.0.0/8` or `2001:db8::/32`. A single address is a range of one.
///
/// Bits beyond the prefix length are zero, so that two networks are equal exactly if they contain the same
/// addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "IpNet", from = "IpNet")]
pub struct Network(IpNet);

/// A text that is not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a network or an address, such as `10.0.0.0/8`, `192.0.2.7` or `2001:db8::/32`")]
pub struct InvalidNetwork;

impl Network {
    /// Returns true if an address lies in it. An IPv4-mapped IPv6 address counts as the IPv4 address.
    pub fn holds(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// Returns the network that an address is counted with: a /24 of IPv4, or a /64 of IPv6.
    pub fn around(address: IpAddr) -> Network {
        let address = address.to_canonical();
        let length = if address.is_ipv4() { 24 } else { 64 };
        let net = IpNet::new(address, length).expect("the length fits the address");
        Network(net.trunc())
    }

    /// Returns the area that a network is counted with: the /16 of IPv4 or the /48 of IPv6 around it, or itself if it is no
    /// smaller.
    pub fn area(self) -> Network {
        let length = if self.0.addr().is_ipv4() { 16 } else { 48 };
        let length = length.min(self.0.prefix_len());
        Network(IpNet::new(self.0.addr(), length).expect("the length fits the address").trunc())
    }

    /// Returns true if all of another network lies in this one.
    pub(crate) fn covers(&self, other: &Network) -> bool {
        self.0.contains(&other.0)
    }
}

impl From<IpNet> for Network {
    fn from(net: IpNet) -> Network {
        Network(net.trunc())
    }
}

impl From<Network> for IpNet {
    fn from(network: Network) -> IpNet {
        network.0
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Network(IpNet::from(address.to_canonical())));
        }
        let net: IpNet = text.parse().map_err(|_| InvalidNetwork)?;
        // A range of IPv4-mapped addresses would contain none: `holds` converts them to IPv4 first.
        match net {
            IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some() => Err(InvalidNetwork),
            net => Ok(net.into()),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_what_they_say() {
        for (network, address, held) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3/8", "10.200.0.1", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "10.0.0.1", false),
            ("0.0.0.0/0", "2001:db8::1", false),
        ] {
            let network: Network = network.parse().expect("a network");
            assert_eq!(network.holds(address.parse().expect("an address")), held, "{network} {address}");
        }
    }

    #[test]
    fn a_network_has_one_form() {
        let parse = |text: &str| text.parse::<Network>().map(|network| network.to_string());
        assert_eq!(parse("10.1.2.3/8").as_deref(), Ok("10.0.0.0/8"));
        assert_eq!(parse("10.1.2.3").as_deref(), Ok("10.1.2.3/32"));
        for text in
            ["", "10.0.0/8", "10.0.0.0/33", "10.0.0.0/-1", "ten", "::ffff:10.0.0.0/104", "10.0.0.0/8 "]
        {
            assert_eq!(parse(text), Err(InvalidNetwork), "{text}");
        }
    }
}
