//! What a drain's URL says behind its `?`: `app=NAME`, the `app_name` tag of its native metrics where the configuration
//! names none.
//!
//! A URL is written once and then used by Logplex for years, which drops whatever is answered with a 4xx: what cannot be
//! understood is counted and passed over.

use super::Intake;
use crate::counters::Refused;
use crate::drain_name::DrainName;
use crate::journal::Message;
use crate::settings::change::Change;
use crate::settings::{APPS_OF_ONE, Settings, apps};
use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// The longest name. An app of Heroku has 30 bytes at most.
const LONGEST: usize = 64;
/// A drain may say another name once in so long: its pipeline is made anew for it.
const PAUSE: Duration = Duration::from_secs(60);
/// Who was not heard for so long makes room for others.
const FORGOTTEN: Duration = Duration::from_secs(3_600);

/// What the parameters say.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Parameters {
    pub(super) app: Option<String>,
    /// Those that mean nothing here, or hold what cannot be a name.
    pub(super) unknown: u64,
}

impl Parameters {
    pub(super) fn read(query: &str) -> Self {
        let mut read = Self::default();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            match (key, decoded(value).filter(|name| is_name(name))) {
                ("app", Some(name)) if read.app.is_none() => read.app = Some(name),
                _ => read.unknown += 1,
            }
        }
        read
    }
}

fn is_name(name: &str) -> bool {
    (1..=LONGEST).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// `%2D` is `-`; RFC 3986, 2.1.
fn decoded(value: &str) -> Option<String> {
    let mut bytes = value.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

/// When drains with a name in their URL were heard, and said another one.
#[derive(Debug, Default)]
pub(super) struct Heard(HashMap<String, (Instant, Instant)>);

impl Intake {
    /// A drain with this key calls its app so: from this delivery on it is read so, unless the configuration says
    /// otherwise. The journal is told before the delivery is.
    ///
    /// # Errors
    /// When the journal takes nothing now.
    pub(super) fn call_app(&self, drain: &str, app: &str) -> Result<(), Refused> {
        let now = Instant::now();
        let settings = self.settings();
        if settings.configured_app(drain).is_some() {
            return Ok(());
        }
        let heard = &mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let known = settings.apps.get(drain);
        if let Some((last, changed)) = heard.0.get_mut(drain) {
            *last = now;
            if known.is_some_and(|known| known != app) && changed.elapsed() < PAUSE {
                return Ok(());
            }
        }
        if known.is_some_and(|known| known == app) {
            heard.0.entry(drain.to_owned()).or_insert((now, now));
            return Ok(());
        }
        let instead = match known {
            Some(_) => None,
            None => match room(&settings, heard, drain, self.limits.drains, now) {
                Some(instead) => instead,
                None => return Ok(()),
            },
        };
        let change = Box::new(Change::App { drain: drain.to_owned(), app: app.to_owned(), instead });
        // Where drains of an account are in several partitions, what an app is called changes nothing.
        let Some(queue) = self.queue_of_settings(drain) else {
            return if self.is_open() { Ok(()) } else { Err(Refused::CannotStore) };
        };
        // Deliveries that come before this one is on the disk say it again: the journal takes it once.
        queue.try_send(Message::Change { change, answer: None }).map_err(|_| Refused::Queue)?;
        heard.0.retain(|other, (_, changed)| settings.apps.contains_key(other) || changed.elapsed() < PAUSE);
        heard.0.insert(drain.to_owned(), (now, now));
        Ok(())
    }
}

/// Whether there is room for the name of one more drain, and whose goes for it; with made-up tokens nobody takes all of it.
fn room(settings: &Settings, heard: &Heard, drain: &str, drains: usize, now: Instant) -> Option<Option<String>> {
    let own = |key: &str| DrainName::of(key).configured() == DrainName::of(drain).configured();
    let of_one = settings.apps.keys().filter(|key| own(key)).count();
    if of_one < APPS_OF_ONE && settings.apps.len() < apps(drains) {
        return Some(None);
    }
    let is_old = |key: &str| heard.0.get(key).is_none_or(|(last, _)| now.duration_since(*last) > FORGOTTEN);
    let old = settings.apps.keys().find(|key| (of_one < APPS_OF_ONE || own(key)) && is_old(key));
    old.map(|old| Some(old.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_named_and_everything_else_is_counted() {
        let read = |query: &str| {
            let Parameters { app, unknown } = Parameters::read(query);
            (app, unknown)
        };
        let app = |name: &str| Some(name.to_owned());
        assert_eq!(read("app=shop"), (app("shop"), 0));
        assert_eq!(read("app=my%2Dshop_2.eu"), (app("my-shop_2.eu"), 0));
        assert_eq!(read("x=1&app=shop&&y"), (app("shop"), 2));
        assert_eq!(read("app=shop&app=blog"), (app("shop"), 1));
        for wrong in
            ["app=", "app", "app=a%20b", "app=%zz", "app=%4", "app=%ff", "app=%00", "app=a/b", "app=\u{e4}", "App=a"]
        {
            assert_eq!(read(wrong), (None, 1), "{wrong}");
        }
        assert_eq!(read(&format!("app={}", "a".repeat(LONGEST + 1))), (None, 1));
        assert_eq!((read(""), read("&&")), ((None, 0), (None, 0)));
    }
}
