//! Which addresses are outside, and what the operator allows besides.

use crate::networks::Network;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is one of the world's, and of nothing that lies behind this machine.
///
/// By IANA's registries of special addresses: of IPv4 everything but those; of IPv6 only what is given to networks of the
/// world (2000::/3), without what holds an address of IPv4 in it.
pub(super) fn is_outside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_outside_v4(address),
        IpAddr::V6(address) => is_outside_v6(address),
    }
}

/// Network, bits.
const INSIDE_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),       // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // shared by a provider
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local: what clouds tell their machines
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // protocols
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documents
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // relays of 6to4
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documents
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documents
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, and all at once
];

fn is_outside_v4(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    !INSIDE_V4.iter().any(|(network, len)| bits >> (32 - len) == u32::from(*network) >> (32 - len))
}

/// Within 2000::/3.
const INSIDE_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocols; Teredo holds addresses of IPv4
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documents
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4 holds addresses of IPv4
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documents
];

fn is_outside_v6(address: Ipv6Addr) -> bool {
    let bits = u128::from(address);
    bits >> 125 == 0b001
        && !INSIDE_V6.iter().any(|(network, len)| bits >> (128 - len) == u128::from(*network) >> (128 - len))
}

/// What the operator allows: a network, an address, or a host by its name, with a port or without.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Allowed {
    Network(Network),
    Host { name: String, port: Option<u16> },
}

impl Allowed {
    /// `10.1.0.0/16`, `192.0.2.7`, `2001:db8::/32`, `minio.internal`, `minio.internal:9000`; `None` when it is none of these.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(network) = Network::parse(text) {
            return Some(Self::Network(network));
        }
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, Some(port.parse().ok().filter(|port| *port > 0)?)),
            None => (text, None),
        };
        let is_name = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        // An address with a port, and what only nearly is a network, is no name.
        let fits =
            name.len() <= 253 && name.split('.').all(is_name) && name.bytes().any(|byte| byte.is_ascii_alphabetic());
        fits.then(|| Self::Host { name: name.to_ascii_lowercase(), port })
    }

    pub(super) fn holds(&self, address: IpAddr) -> bool {
        matches!(self, Self::Network(network) if network.holds(address))
    }

    pub(super) fn is_host(&self, host: &str, at: u16) -> bool {
        matches!(self, Self::Host { name, port } if name == host && port.is_none_or(|port| port == at))
    }
}
