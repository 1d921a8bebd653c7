//! The plain syslog ports that the file names.

use super::file::Port as Section;
use super::secrets::secret;
use super::{Wrong, account, span};
use jiff::tz::{Offset, TimeZone};
use logdrain_drain::drain_name::DEFAULT_ACCOUNT;
use logdrain_drain::intake::port::{Network, Port, PortSettings, Protocol, Token};
use std::path::Path;
use std::sync::Arc;

const MOST: usize = 64;
/// Senders of syslog keep a connection and say nothing for long: rsyslog loses a line when it finds it closed.
const IDLE_SECONDS: u64 = 3_600;

/// Of the file's sections, in their order.
pub(super) fn of_file(
    all: Vec<Section>,
    has_tls: bool,
    beside: &Path,
    warnings: &mut Vec<String>,
) -> Result<Vec<Arc<Port>>, Wrong> {
    if all.len() > MOST {
        return Err(Wrong(format!("there are more than {MOST} sections [[port]]")));
    }
    let mut ports: Vec<Arc<Port>> = Vec::new();
    for (index, port) in all.into_iter().enumerate() {
        let section = format!("[[port]] {}", index + 1);
        let is_name = log_store::is_account_name(&port.name);
        if !is_name || ports.iter().any(|other| other.settings.name == port.name) {
            return Err(Wrong(format!("{section}: a port's name is unique, 1 to 63 of a-z, 0-9 and -")));
        }
        let protocol = port.protocol.unwrap_or(Protocol::Tcp);
        if protocol == Protocol::Tls && !has_tls {
            return Err(Wrong(format!("{section}, protocol: \"tls\" needs the certificate of [tls]")));
        }
        let zone = match port.zone.as_deref() {
            None => TimeZone::UTC,
            Some(text) => zone(text).ok_or_else(|| {
                Wrong(format!(
                    "{section}, zone: expected a name such as Europe/Berlin, an offset such as +02:00, or UTC"
                ))
            })?,
        };
        let allow = port.allow.iter().map(|text| Network::parse(text)).collect::<Option<Vec<_>>>();
        let allow = allow.ok_or_else(|| {
            Wrong(format!("{section}, allow: expected networks such as 192.0.2.0/24, 2001:db8::/32 or 192.0.2.7"))
        })?;
        let token = match (port.token, port.token_file) {
            (None, None) => None,
            (text, file) => {
                let token = secret("token", text, file, beside, &section, warnings)?;
                if !Token::is_one(&token) {
                    return Err(Wrong(format!("{section}, token: 16 at least of letters, digits and - _ .")));
                }
                Some(Token::new(&token))
            }
        };
        let listen = port.listen.0;
        let is_public = !listen.ip().is_loopback();
        let is_limited = !allow.is_empty() && !allow.iter().any(Network::is_all);
        let is_safe = is_limited || (protocol == Protocol::Tls && token.is_some());
        if is_public && !is_safe && !port.insecure {
            return Err(Wrong(format!(
                "{section}: {listen} can be reached from outside, and anyone could send: give it protocol = \"tls\" and a \
                 token, or allow = [networks]; or say insecure = true in this section, if something in front looks \
                 after that"
            )));
        }
        if is_public && protocol != Protocol::Tls && token.is_some() {
            warnings.push(format!("{section}: its token comes in the clear, and whoever reads it on the way has it"));
        }
        let account = account(port.account, &section)?.unwrap_or_else(|| DEFAULT_ACCOUNT.to_owned());
        let idle = span(None, port.idle_timeout, IDLE_SECONDS);
        let settings = PortSettings { name: port.name, listen, protocol, account, zone, allow, token, idle };
        ports.push(Arc::new(Port::new(settings)));
    }
    Ok(ports)
}

/// A name of a zone, or an offset.
fn zone(text: &str) -> Option<TimeZone> {
    if text.eq_ignore_ascii_case("utc") || text == "Z" {
        return Some(TimeZone::UTC);
    }
    let Some(sign @ ('+' | '-')) = text.chars().next() else { return TimeZone::get(text).ok() };
    let (hours, minutes) = text[1..].split_once(':')?;
    let number = |text: &str| text.parse::<i32>().ok().filter(|_| text.len() == 2);
    let (hours, minutes) = (number(hours)?, number(minutes).filter(|minutes| *minutes < 60)?);
    let seconds = (hours * 60 + minutes) * 60 * if sign == '-' { -1 } else { 1 };
    (hours < 24).then_some(())?;
    Some(Offset::from_seconds(seconds).ok()?.to_time_zone())
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use crate::args::ServeArgs;

    fn load(text: &str) -> Result<Config, String> {
        Config::from_text(&ServeArgs::default(), text).map_err(|error| error.to_string())
    }

    fn port(rest: &str) -> String {
        format!("[[port]]\nname = \"office\"\n{rest}\n")
    }

    #[test]
    fn a_port_that_others_reach_is_not_open_by_oversight() {
        let public = "listen = \"0.0.0.0:6514\"";
        let token = "token = \"s3cret-and-long-enough\"";
        for (text, said) in [
            (port(public), "can be reached from outside, and anyone could send"),
            (port(&format!("{public}\n{token}")), "can be reached from outside"),
            (port(&format!("{public}\nallow = [\"0.0.0.0/0\"]")), "can be reached from outside"),
            (port(&format!("{public}\nprotocol = \"udp\"")), "can be reached from outside"),
            (port(&format!("{public}\nprotocol = \"tls\"\n{token}")), "needs the certificate of [tls]"),
            (format!("insecure = true\n{}", port(public)), "can be reached from outside"),
            (port("listen = \"127.0.0.1:0\"\nallow = [\"s3cret\"]"), "[[port]] 1, allow: expected networks"),
            (port("listen = \"127.0.0.1:0\"\nzone = \"s3cret\""), "[[port]] 1, zone: expected a name"),
            (port("listen = \"127.0.0.1:0\"\nzone = \"+25:00\""), "[[port]] 1, zone: expected a name"),
            (port("listen = \"127.0.0.1:0\"\ntoken = \"s3cret\""), "[[port]] 1, token: 16 at least"),
            (port("listen = \"127.0.0.1:0\"\naccount = \"S3cret\""), "[[port]] 1, account: 1 to 63"),
            (port("listen = \"127.0.0.1:0\"\nprotocol = \"s3cret\""), "[[port]] 1"),
            (port("listen = \"s3cret\""), "[[port]] 1, listen: expected an address"),
            (port("listen = \"127.0.0.1:0\"").repeat(2), "[[port]] 2: a port's name is unique"),
            ("[[port]]\nname = \"s3cret name\"\nlisten = \"127.0.0.1:0\"".to_owned(), "a port's name is unique"),
        ] {
            let error = load(&text).err().unwrap_or_default();
            assert!(error.contains(said) && !error.contains("s3cret"), "{text}: {error}");
        }
        for text in [
            port("listen = \"127.0.0.1:0\""),
            port("listen = \"127.0.0.1:0\"\nprotocol = \"udp\"\nzone = \"-03:30\""),
            port(&format!("{public}\nallow = [\"192.0.2.0/24\"]\nzone = \"Europe/Berlin\"\naccount = \"acme\"")),
            port(&format!("{public}\ninsecure = true")),
        ] {
            let config = load(&text).unwrap();
            config.may_start().unwrap();
            assert_eq!(config.ports.len(), 1, "{text}");
        }
        let warned = load(&port(&format!("{public}\n{token}\nallow = [\"192.0.2.7\"]"))).unwrap().warnings.join("\n");
        assert!(warned.contains("its token comes in the clear"), "{warned}");
    }
}
