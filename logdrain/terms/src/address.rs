//! Addresses to listen on: numbers, or a name that stands for this machine.

use serde::{Deserialize, Deserializer};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _};

/// What is said of an address in the configuration, whose text is not repeated.
pub const NO_ADDRESS: &str = "expected an address such as 127.0.0.1:8514, or localhost:8514";

/// An address in the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Address(pub SocketAddr);

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        parse(&text).map(Self).map_err(|_| serde::de::Error::custom(NO_ADDRESS))
    }
}

/// Reads `127.0.0.1:8514`, `[::1]:8514`, or a name with a port. A name is taken when it stands for this machine alone: one
/// that stands for other addresses could be another one tomorrow.
pub fn parse(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(|| format!("a port is missing; {NO_ADDRESS}"))?;
    let port: u16 = port.parse().map_err(|_| format!("a port is a number up to 65535; {NO_ADDRESS}"))?;
    if host.is_empty() || host == "*" {
        return Err(format!("say which address: 127.0.0.1:{port} for this machine alone, 0.0.0.0:{port} for all"));
    }
    if host.trim_end_matches('.').eq_ignore_ascii_case("localhost") {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    let mut found: Vec<SocketAddr> = match (host, port).to_socket_addrs() {
        Ok(found) => found.collect(),
        Err(_) => return Err(format!("{host} is not known as the name of a machine; {NO_ADDRESS}")),
    };
    found.sort_unstable();
    found.dedup();
    if let (Some(first), true) = (found.first(), found.iter().all(|address| address.ip().is_loopback())) {
        return Ok(*first);
    }
    let mut all = String::new();
    for address in &found {
        let _ = write!(all, "{}{address}", if all.is_empty() { "" } else { ", " });
    }
    Err(format!("{host} stands for {all}: say which address to listen on"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_of_this_machine() {
        for (text, address) in [
            ("127.0.0.1:8514", "127.0.0.1:8514"),
            ("[::1]:8514", "[::1]:8514"),
            ("0.0.0.0:0", "0.0.0.0:0"),
            ("localhost:8514", "127.0.0.1:8514"),
            ("LOCALHOST.:1", "127.0.0.1:1"),
        ] {
            assert_eq!(parse(text), Ok(address.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_told_with_what_to_write() {
        for (text, said) in [
            ("localhost", "a port is missing; expected an address such as 127.0.0.1:8514"),
            ("8514", "a port is missing"),
            ("", "a port is missing"),
            (":8514", "127.0.0.1:8514 for this machine alone, 0.0.0.0:8514 for all"),
            ("*:8514", "0.0.0.0:8514 for all"),
            ("localhost:http", "a port is a number"),
            ("127.0.0.1:70000", "a port is a number"),
            ("no.such.host.invalid:1", "is not known as the name of a machine; expected an address such as"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
