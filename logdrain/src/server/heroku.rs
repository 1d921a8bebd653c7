//! The config vars of an app, by the `heroku` command that is installed and signed in.

use logdrain_terms::escape::Escaped;
use logdrain_terms::failure::Failure;
use std::collections::BTreeMap;
use std::io;
use std::process::{Command, Stdio};

/// The command, which a test puts another in the place of by `PATH`.
const HEROKU: &str = "heroku";

/// Asks for all of them, for the command shows one at a time or all. None is printed.
///
/// # Errors
/// When the command is not there, or fails: it has said why by then.
pub(super) fn config(app: &str) -> Result<BTreeMap<String, String>, Failure> {
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if app.is_empty() || app.starts_with('-') || !app.bytes().all(is_name) {
        return Err(Failure::Config(format!(
            "--heroku-app: `{}` is no name of an app: small letters, digits and dashes",
            Escaped(app)
        )));
    }
    let output = Command::new(HEROKU)
        .args(["config", "--json", "--app", app])
        .stdin(Stdio::inherit())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::Config(
                "--heroku-app: there is no command `heroku` here; install it (https://devcenter.heroku.com/articles/heroku-cli), \
                 or name the server: --server, LOGDRAIN_URL"
                    .to_owned(),
            ),
            _ => Failure::Config(format!("--heroku-app: the command `heroku` cannot be run: {error}")),
        })?;
    if !output.status.success() {
        return Err(Failure::Config(format!(
            "--heroku-app: `heroku config --app {app}` failed; it says why above. `heroku login` signs in"
        )));
    }
    // What cannot be read may hold secrets, so that nothing of it is shown.
    serde_json::from_slice(&output.stdout).map_err(|_| {
        Failure::Config(format!(
            "--heroku-app: what `heroku config --json --app {app}` prints is no list of config vars"
        ))
    })
}
