//! `logdrain open`: the page of a server, in a browser or as an address.

use crate::args::archive::OpenArgs;
use crate::server;
use logdrain_terms::escape::Escaped;
use logdrain_terms::failure::{Failure, Status, say};
use std::io::{IsTerminal as _, Write as _};
use std::process::{Command, Stdio};

/// What opens an address where this program was built for.
const OPENER: &[&str] = if cfg!(target_os = "macos") {
    &["open"]
} else if cfg!(windows) {
    &["rundll32", "url.dll,FileProtocolHandler"]
} else {
    &["xdg-open"]
};

pub(crate) fn run(args: &OpenArgs) -> Result<Status, Failure> {
    let server = server::needed(&args.server, args.account.as_deref())?;
    let words = args.words.join(" ");
    let path = server.path(if words.is_empty() { "/" } else { "/events" }, &[("q", &words)]);
    // No token is in it: the page has its own way to tell who comes.
    let address = format!("{}{path}", server.base());
    writeln!(std::io::stdout(), "{address}")?;
    if args.print || !std::io::stdout().is_terminal() {
        return Ok(Status::Done);
    }
    let (command, arguments) = OPENER.split_first().map_or(("xdg-open", &[][..]), |(command, rest)| (*command, rest));
    let opened = Command::new(command)
        .args(arguments)
        .arg(&address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match opened {
        Ok(status) if status.success() => {}
        // Who has the address can open it.
        _ => say(format_args!("logdrain: `{}` opens no browser here; open the address above", Escaped(command))),
    }
    Ok(Status::Done)
}
