//! `destinations`: where this server takes lines. What an old client calls a destination is a port for syslog; here drains
//! by HTTP are one, too.

use super::answer::Answer;
use super::objects::{Asked, number};
use super::parameters::Method;
use super::shapes::{Destination, Each};

/// The port that a client refuses to hear of.
const OF_ALL_SYSLOG: u16 = 514;

pub(super) fn route(asked: &Asked) -> Result<Answer, Answer> {
    match (asked.ask.method(), asked.ask.path().get(1..).unwrap_or_default()) {
        (Method::Read, []) => {
            let all = all(asked);
            Ok(Answer::json(&Each(|| all.iter().map(|destination| asked.links().destination(destination)))))
        }
        (Method::Read, [id]) => {
            let found = all(asked).into_iter().find(|destination| Some(destination.id) == number(id));
            let found = found.ok_or_else(|| Answer::not_found("Destination not found"))?;
            Ok(Answer::json(&asked.links().destination(&found)))
        }
        _ => Err(super::nothing_here()),
    }
}

/// Where drains come in.
pub(super) fn of_drains(asked: &Asked) -> Destination {
    let (host, port) = host_and_port(asked.base());
    Destination { id: 1, host, port, description: "drains by HTTP, at /logs".to_owned() }
}

fn all(asked: &Asked) -> Vec<Destination> {
    let mut all = vec![of_drains(asked)];
    let host = all.first().map(|first| first.host.clone()).unwrap_or_default();
    for (id, (port, description)) in (2..).zip(asked.site.ports()) {
        if port != OF_ALL_SYSLOG {
            all.push(Destination { id, host: host.clone(), port, description: description.to_owned() });
        }
    }
    all
}

/// Of `https://logs.example.com:8443`.
fn host_and_port(base: &str) -> (String, u16) {
    let (usual, rest) = match base.split_once("://") {
        Some(("http", rest)) => (80, rest),
        Some((_, rest)) => (443, rest),
        None => (443, base),
    };
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host.to_owned(), port.parse().unwrap_or(usual)),
        _ => (authority.to_owned(), usual),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_has_a_host_and_a_port() {
        for (base, host, port) in [
            ("https://logs.example.com", "logs.example.com", 443),
            ("https://logs.example.com:8443/x", "logs.example.com", 8443),
            ("http://127.0.0.1:8514", "127.0.0.1", 8514),
            ("http://[::1]:8514", "[::1]", 8514),
            ("http://[::1]", "[::1]", 80),
            ("", "", 443),
        ] {
            assert_eq!(host_and_port(base), (host.to_owned(), port), "{base}");
        }
    }
}
