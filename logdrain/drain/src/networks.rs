//! Networks: those that a port lets in, and those that may be reached.

use std::net::IpAddr;

/// `192.0.2.0/24`, `2001:db8::/32`, or one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// `None` when it is no network.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self { address, bits })
    }

    /// Whether it is everybody.
    pub const fn is_all(&self) -> bool {
        self.bits == 0
    }

    /// Whether an address is in it; one of IPv4 that came by IPv6 as well.
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                u32::from(own).checked_shr(32 - self.bits) == u32::from(other).checked_shr(32 - self.bits)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                u128::from(own).checked_shr(128 - self.bits) == u128::from(other).checked_shr(128 - self.bits)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_what_is_none_is_refused() {
        for text in ["192.0.2.0/24", "0.0.0.0/0", "2001:db8::/32", "::/0", "192.0.2.7", "::1", "192.0.2.7/32"] {
            assert!(Network::parse(text).is_some(), "{text}");
        }
        for text in
            ["", "192.0.2.0/33", "2001:db8::/129", "192.0.2/24", "192.0.2.0/", "/24", "example.com", "192.0.2.0/-1"]
        {
            assert!(Network::parse(text).is_none(), "{text}");
        }
        let all = Network::parse("0.0.0.0/0").unwrap();
        assert!(
            all.is_all() && all.holds("203.0.113.9".parse().unwrap()) && !all.holds("2001:db8::1".parse().unwrap())
        );
    }
}
