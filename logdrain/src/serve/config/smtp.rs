//! What the file says of the mail server that alerts are sent by.

use super::Wrong;
use super::file::Smtp as Section;
use super::secrets::password;
use logdrain_drain::alerts::channel::{Mailer, Smtp, SmtpTls};
use logdrain_drain::directory::email;
use std::path::Path;

/// Checks the section. `url` is what links in mails begin with.
pub(super) fn of_file(
    section: Option<Section>,
    url: Option<&str>,
    beside: &Path,
    warnings: &mut Vec<String>,
) -> Result<Option<Smtp>, Wrong> {
    let Some(Section { host, port, tls, user, password: text, password_file, from }) = section else { return Ok(None) };
    if url.is_none() {
        return Err(Wrong::new("[smtp]: url is missing in the file: mails hold links to this server"));
    }
    let is_host = |host: &str| {
        !host.is_empty()
            && host.len() <= 253
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte))
    };
    if !is_host(&host) {
        return Err(Wrong::new("[smtp], host: the name or the address of a mail server, without its port"));
    }
    let from = email(&from).map_err(|_| Wrong::new("[smtp], from: an e-mail address, as in alerts@example.com"))?;
    let tls = tls.unwrap_or_default();
    let user = match (user, text, password_file) {
        (None, None, None) => None,
        (Some(user), text, file) => Some((user, password(text, file, beside, "[smtp]", warnings)?)),
        (None, ..) => return Err(Wrong::new("[smtp]: user is missing, and there is a password")),
    };
    let is_here = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    if tls == SmtpTls::None && !is_here {
        if user.is_some() {
            return Err(Wrong::new("[smtp], tls: none would send the password as it is; starttls or implicit"));
        }
        warnings.push("[smtp], tls: none sends lines of accounts as they are to another machine".to_owned());
    }
    let usual = if tls == SmtpTls::Implicit { 465 } else { 587 };
    let smtp = Smtp { host, port: port.unwrap_or(usual), tls, user, from };
    Mailer::new(smtp.clone()).map_err(|why| Wrong(format!("[smtp]: {why}")))?;
    Ok(Some(smtp))
}
