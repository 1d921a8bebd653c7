//! SIGHUP: what may change while the server runs is read again: drains with their credentials, apps and plans, the watcher,
//! the certificate. Everything else holds until the next start.
//!
//! A reload never opens what was closed. It is judged by the addresses that are really listened on, whatever the file
//! says now, and anything that looks wrong changes nothing: a file that is empty or cut is what a full disk leaves.

use crate::args::ServeArgs;
use crate::serve::config::{self, Config};
use logdrain_drain::intake::{Access, Intake};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What a running server was started with.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) args: ServeArgs,
    pub(crate) config: Arc<Config>,
    /// The addresses that are listened on.
    pub(crate) bound: Vec<SocketAddr>,
    /// The text that was read last.
    pub(crate) text: Mutex<String>,
    pub(crate) intake: Arc<Intake>,
    /// Tells the rows' file that it is to be opened anew.
    pub(crate) reopen: Arc<AtomicBool>,
    /// Reloads that were asked for and are not done.
    pub(crate) asked: AtomicUsize,
}

impl Running {
    /// Has the configuration read again, on a thread of its own: its files may lie on a disk that does not answer, and deliveries,
    /// the next SIGHUP and SIGTERM must not wait for that.
    pub(crate) fn reload(self: &Arc<Self>) {
        self.reopen.store(true, Ordering::Release);
        if self.asked.fetch_add(1, Ordering::AcqRel) > 0 {
            tracing::warn!("the configuration is still being read: it is read once more behind that");
            return;
        }
        let running = self.clone();
        let spawned = thread::Builder::new().name("reload".to_owned()).spawn(move || {
            let mut asked = 1;
            while asked > 0 {
                running.read();
                asked = running.asked.fetch_sub(asked, Ordering::AcqRel).saturating_sub(asked);
            }
        });
        if let Err(error) = spawned {
            self.asked.store(0, Ordering::Release);
            tracing::error!(%error, "the configuration was not read again, and nothing has changed: no thread can be started");
        }
    }

    /// Reads the configuration again, and says what became of it.
    fn read(&self) {
        match self.take() {
            Ok(not_taken) if not_taken.is_empty() => {
                tracing::info!(
                    "the configuration was read again: drains, apps, plans, watcher and certificate hold now"
                );
            }
            Ok(not_taken) => tracing::warn!(
                not_taken = not_taken.join(", "),
                "the configuration was read again: drains, apps, plans, watcher and certificate hold now; what else \
                 differs holds from the next start on"
            ),
            Err(why) => tracing::error!("the configuration was not read again, and nothing has changed: {why}"),
        }
    }

    /// The keys that differ and were not taken.
    fn take(&self) -> Result<Vec<&'static str>, String> {
        if self.args.config.as_deref().is_some_and(is_no_file) {
            return Err(
                "a pipe or a device stands where the file was, or it was one from the start: it cannot be read \
                        again. If that is meant, restart for it"
                    .to_owned(),
            );
        }
        let text = Config::text(&self.args).map_err(|error| error.to_string())?;
        let mut last = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        if self.args.config.is_some() && config::is_empty(&text) {
            return Err("the file holds nothing. If that is meant, restart for it".to_owned());
        }
        if config::is_cut(&text, &last) {
            return Err(
                "the file is the beginning of what it was, and ends in the middle: it looks cut off. If it is \
                        meant, restart for that"
                    .to_owned(),
            );
        }
        let new = Config::from_text(&self.args, &text).map_err(|error| error.to_string())?;
        may_follow(&new, &self.config, &self.intake.access(), &self.bound)?;
        new.may_start()?;
        for warning in &new.warnings {
            tracing::warn!("{warning}");
        }
        let not_taken = self.config.differs_at_start(&new);
        let Config { access, tls, settings, .. } = new;
        let sent = self.intake.configure(|now| now.drains = settings.drains);
        sent.map_err(|_| "deliveries are not being taken now; send SIGHUP again later".to_owned())?;
        self.intake.set_access(access);
        if self.config.tls.is_some() {
            self.intake.set_tls(tls);
        }
        *last = text;
        Ok(not_taken)
    }
}

/// What is not there is told by whoever opens it.
fn is_no_file(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir())
}

/// Whether a configuration may take the place of another while these addresses are listened on.
fn may_follow(new: &Config, start: &Config, access: &Access, bound: &[SocketAddr]) -> Result<(), String> {
    let is_public = bound.iter().any(|address| !address.ip().is_loopback());
    if new.access.is_open() && !access.is_open() {
        return Err("it has no drain with credentials any more, and anyone could send. If that is meant, restart for \
                    that"
            .to_owned());
    }
    if start.tls.is_some() && new.tls.is_none() {
        return Err("it has no [tls] any more, and everything would come in the clear. If that is meant, restart for \
                    that"
            .to_owned());
    }
    if access.has_watcher() && !new.access.has_watcher() && (is_public || new.access.is_readable()) {
        return Err("it has no [watcher] any more. If that is meant, restart for that".to_owned());
    }
    // What was fine at the start is fine still: `insecure` is one of the things that hold until the next one.
    if start.insecure || new.is_safe_with(start.tls.is_some(), bound.iter().copied()).is_ok() {
        return Ok(());
    }
    Err("an address that others reach would be without credentials or TLS. If that is meant, restart for that"
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAIN: &str = "[[drain]]\nname = \"shop\"\nuser = \"shop\"\npassword = \"long-enough-1\"\n";
    const WATCHER: &str = "[watcher]\nuser = \"ops\"\npassword = \"long-enough-2\"\n";

    fn config(text: &str) -> Config {
        Config::from_text(&ServeArgs::default(), text).unwrap()
    }

    #[test]
    fn a_reload_is_judged_by_the_addresses_that_are_listened_on() {
        let public = [SocketAddr::from(([203, 0, 113, 7], 443))];
        let loopback = [SocketAddr::from(([127, 0, 0, 1], 8514))];
        let insecure = |text: &str| config(&format!("insecure = true\nlisten = \"203.0.113.7:443\"\n{text}"));
        let may = |new: &Config, start: &Config, bound: &[SocketAddr]| may_follow(new, start, &start.access, bound);
        for (new, start, said) in [
            (String::new(), DRAIN.to_owned(), "no drain with credentials"),
            (WATCHER.to_owned(), format!("{DRAIN}{WATCHER}"), "no drain with credentials"),
            (DRAIN.to_owned(), format!("{DRAIN}{WATCHER}"), "no [watcher]"),
        ] {
            let refused = may(&config(&new), &insecure(&start), &public).unwrap_err();
            assert!(refused.contains(said) && refused.contains("restart for that"), "{refused}");
        }
        // Behind a proxy as well: what is on loopback is reached through it.
        assert!(may(&config(""), &config(DRAIN), &loopback).is_err());
        assert!(may(&config(""), &config(WATCHER), &loopback).is_err(), "the page would be open");
        assert!(may(&config(DRAIN), &config(&format!("{DRAIN}{WATCHER}")), &loopback).is_ok(), "it is for nobody then");
        for (new, start) in [("", ""), (DRAIN, ""), (DRAIN, DRAIN), (WATCHER, "")] {
            assert!(may(&config(new), &config(start), &loopback).is_ok(), "{start:?} to {new:?}");
            assert!(may(&config(new), &insecure(start), &public).is_ok(), "{start:?} to {new:?}");
        }
    }
}
