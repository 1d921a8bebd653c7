//! What an address of the page asks for, and addresses that ask for something else. The address is all the state there is.

use super::links::parameters;
use super::part::Part;
use crate::serve::settings::Settings;
use crate::serve::web::access::{Denied, Viewer};
use crate::times::{self, Side};
use form_urlencoded::{Serializer, byte_serialize, parse};
use jiff::ZonedDateTime;
use jiff::tz::TimeZone;
use log_store::{EventId, Scope};
use std::fmt;
use std::sync::Arc;

/// The path of the page, and of what follows the newest lines.
pub(crate) const PAGE: &str = "/events";
pub(crate) const TAIL: &str = "/api/v2/tail";

/// The longest query.
const QUERY: usize = 8 << 10;
/// The longest query, as an address writes it, that stands in the address of every line.
const SHORT: usize = 300;
/// The longest name of an account.
const ACCOUNT: usize = 63;
/// Whose lines are shown if the address names nobody.
const DEFAULT: &str = "default";

/// An address that cannot be answered, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Wrong(pub(super) String);

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Ask {
    /// The query as it was typed.
    pub(super) query: String,
    pub(super) account: String,
    pub(super) at: At,
    /// Why the time that was typed is none.
    pub(super) wrong_time: Option<String>,
    /// The part of the account's lines that is looked at.
    pub(super) part: Part,
    /// What is to be said of the account.
    pub(super) notice: Option<String>,
    /// What may be seen of the account: all of it, unless who asks may see less.
    pub(super) scope: Arc<Scope>,
    /// Whether other accounts may be chosen.
    pub(super) has_others: bool,
    /// Whether who asks has signed in, and may leave.
    pub(super) is_signed_in: bool,
}

/// Which lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum At {
    Newest,
    /// The lines just before this id, without it.
    Before(EventId),
    /// The lines just after this id, without it.
    After(EventId),
    /// The lines on both sides of this id.
    Around(EventId),
    /// The lines from this second on.
    From(i64),
}

impl Ask {
    /// Reads the part of the page's address behind its `?`. What is not known is passed over.
    ///
    /// # Errors
    /// When a value cannot be what its name says.
    pub(super) fn of_page(text: &str) -> Result<Self, Wrong> {
        let mut ask = Self::newest();
        // Of several places the narrowest counts, wherever it stands.
        let (mut around, mut before, mut after, mut from) = (None, None, None, None);
        for (name, value) in parameters(text) {
            match &*name {
                "centered_on_id" => around = id(&name, &value)?.map(At::Around),
                "max_id" => before = id(&name, &value)?.map(At::Before),
                "min_id" => after = id(&name, &value)?.map(At::After),
                "time" => match second(&value) {
                    Ok(second) => from = second.map(At::From),
                    // Somebody typed it, and can type another.
                    Err(why) => ask.wrong_time = Some(why),
                },
                _ => ask.take(&name, &value)?,
            }
        }
        ask.at = around.or(before).or(after).or(from).unwrap_or(At::Newest);
        Ok(ask)
    }

    fn newest() -> Self {
        Self {
            query: String::new(),
            account: DEFAULT.to_owned(),
            at: At::Newest,
            wrong_time: None,
            part: Part::default(),
            notice: None,
            scope: Arc::new(Scope::account(DEFAULT)),
            has_others: true,
            is_signed_in: false,
        }
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), Wrong> {
        match name {
            "q" if value.len() > QUERY => {
                return Err(Wrong(format!("the query has {} bytes, and {QUERY} is the most", value.len())));
            }
            "q" => self.query = value.to_owned(),
            "account" if !is_account(value) => {
                return Err(Wrong("an account's name has 1 to 63 letters a-z, digits and hyphens".to_owned()));
            }
            "account" => {
                self.account = value.to_owned();
                self.scope = Arc::new(Scope::account(value));
            }
            _ => self.part.take(name, value).map_err(Wrong)?,
        }
        Ok(())
    }

    /// Looks at no more than this viewer may. Who has one account means that one where he names none.
    ///
    /// # Errors
    /// When another account is named than may be looked at.
    pub(super) fn seen_by(mut self, mut viewer: Viewer, settings: &Settings) -> Result<Self, Denied> {
        if self.account != DEFAULT || viewer.sees_all_accounts() {
            viewer.choose(&self.account)?;
        }
        self.account.clone_from(&viewer.account);
        self.scope = Arc::new(viewer.scope(settings));
        self.has_others = viewer.sees_all_accounts();
        self.is_signed_in = viewer.form_token().is_some();
        Ok(self)
    }

    /// The same question at another place.
    pub(super) fn at(&self, at: At) -> Self {
        Self { at, wrong_time: None, ..self.clone() }
    }

    /// The same place without a query.
    pub(super) fn without_query(&self) -> Self {
        Self { query: String::new(), ..self.clone() }
    }

    /// The same, to be linked to from every line and bar: without a query that is long.
    pub(super) fn short(&self) -> Self {
        let len: usize = byte_serialize(self.query.as_bytes()).map(str::len).sum();
        if len <= SHORT { self.clone() } else { self.without_query() }
    }

    /// Whether the account is the one that is meant without a name.
    pub(super) fn is_usual(&self) -> bool {
        self.account == DEFAULT
    }

    /// What follows the lines of this page, but for the id behind which it begins.
    pub(super) fn tail(&self) -> String {
        let mut parts = Serializer::new(String::new());
        parts.append_pair("form", "page");
        self.append(&mut parts);
        format!("{TAIL}?{}", parts.finish())
    }

    fn append(&self, parts: &mut Serializer<'_, String>) {
        if !self.query.is_empty() {
            parts.append_pair("q", &self.query);
        }
        if !self.is_usual() {
            parts.append_pair("account", &self.account);
        }
        self.part.append(parts);
    }
}

/// Its address.
impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Serializer::new(String::new());
        self.append(&mut parts);
        match self.at {
            At::Newest => &mut parts,
            At::Before(id) => parts.append_pair("max_id", &id.to_string()),
            At::After(id) => parts.append_pair("min_id", &id.to_string()),
            At::Around(id) => parts.append_pair("centered_on_id", &id.to_string()),
            At::From(second) => parts.append_pair("time", &second.to_string()),
        };
        write!(f, "{PAGE}?{}", parts.finish())?;
        // What is asked for is in sight.
        if let At::Around(id) = self.at { write!(f, "#e{id}") } else { Ok(()) }
    }
}

/// What a tail asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Follow {
    pub(super) ask: Ask,
    /// The last id that was seen; without one it begins with what comes next.
    pub(super) after: Option<EventId>,
    /// Lines as the page shows them, not as programs read them.
    pub(super) is_for_page: bool,
}

impl Follow {
    /// Reads the part of a tail's address behind its `?`, and the id that a browser has when it comes again.
    ///
    /// # Errors
    /// When a value cannot be what its name says.
    pub(super) fn of(text: &str, last: Option<&str>) -> Result<Self, Wrong> {
        let mut follow = Self { ask: Ask::newest(), after: None, is_for_page: false };
        for (name, value) in parse(text.as_bytes()) {
            match &*name {
                "after" => follow.after = id(&name, &value)?,
                "form" => follow.is_for_page = value == "page",
                _ => follow.ask.take(&name, &value)?,
            }
        }
        // The address is that of the first time; what a browser has seen since counts.
        if let Some(last) = last {
            follow.after = id("Last-Event-ID", last)?.or(follow.after);
        }
        Ok(follow)
    }
}

fn id(name: &str, value: &str) -> Result<Option<EventId>, Wrong> {
    if value.is_empty() {
        return Ok(None);
    }
    let number = value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse::<u64>().ok()).flatten();
    match number.filter(|number| *number <= EventId::MAX.get()) {
        Some(number) => Ok(Some(EventId::new(number))),
        None => Err(Wrong(format!("{name} is no id: a number from 0 to {}", EventId::MAX))),
    }
}

/// A time as people write it, or digits, in seconds since 1970. What names no zone is in UTC, as the page is.
///
/// # Errors
/// What to write instead.
fn second(text: &str) -> Result<Option<i64>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let second = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().unwrap_or(i64::MAX)
    } else {
        let now = ZonedDateTime::now().with_time_zone(TimeZone::UTC);
        times::parse(text, &now, Side::Earliest).map_err(|error| error.to_string())?.unix_micros.div_euclid(1_000_000)
    };
    if (0..=EventId::MAX.unix_micros() / 1_000_000).contains(&second) {
        Ok(Some(second))
    } else {
        Err("there is no such time".to_owned())
    }
}

fn is_account(name: &str) -> bool {
    (1..=ACCOUNT).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(text: &str) -> Ask {
        Ask::of_page(text).unwrap()
    }

    #[test]
    fn an_address_is_read_and_written_back() {
        let all = ask("q=a%20%22b%22+OR+%C3%A9%26&account=shop-2&max_id=9223372036854775807&x=%00&flag");
        assert_eq!((all.query.as_str(), all.account.as_str()), ("a \"b\" OR é&", "shop-2"));
        assert_eq!(all.at, At::Before(EventId::MAX));
        assert_eq!(all.to_string(), "/events?q=a+%22b%22+OR+%C3%A9%26&account=shop-2&max_id=9223372036854775807");
        for at in [At::Newest, At::Before(EventId::new(7)), At::After(EventId::MIN), At::From(1_700_000_000)] {
            let there = all.at(at);
            assert_eq!(ask(there.to_string().split_once('?').unwrap().1), there);
        }
        assert!(all.at(At::Around(EventId::new(7))).to_string().ends_with("centered_on_id=7#e7"));
        assert_eq!(ask("max_id=1&min_id=2&centered_on_id=3&time=4").at, At::Around(EventId::new(3)));
        assert_eq!(ask("max_id=&min_id=&time=&q="), ask(""));
        assert_eq!(ask("").to_string(), "/events?");
        assert_eq!(ask("time=2026-11-28+21:00:30").at, At::From(1_795_899_630));
        assert_eq!(ask("time=2026-11-28T21:00:30%2B02:00").at, At::From(1_795_892_430));
        assert!(matches!(ask("time=3+hours+ago").at, At::From(_)));
        assert!(ask("time=noonish").wrong_time.is_some() && ask("time=99999999999999999999").wrong_time.is_some());
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_sentence() {
        let long = format!("q={}", "(".repeat(8 << 10));
        assert_eq!(ask(&long).query.len(), 8 << 10);
        for (text, part) in [
            (format!("{long}("), "8192"),
            ("max_id=9223372036854775808".to_owned(), "max_id"),
            ("min_id=-1".to_owned(), "min_id"),
            ("min_id=+1".to_owned(), "min_id"),
            ("centered_on_id=1e3".to_owned(), "centered_on_id"),
            ("account=../x".to_owned(), "account"),
            ("account=".to_owned(), "account"),
            (format!("account={}", "a".repeat(64)), "account"),
        ] {
            assert!(Ask::of_page(&text).unwrap_err().0.contains(part), "{text}");
        }
        assert!(Follow::of("after=x", None).is_err() && Follow::of("", Some("99999999999999999999")).is_err());
    }

    #[test]
    fn a_browser_that_comes_again_goes_on_behind_what_it_saw() {
        let first = Follow::of("q=a&after=5&form=page", None).unwrap();
        assert_eq!((first.after, first.is_for_page), (Some(EventId::new(5)), true));
        assert_eq!(Follow::of("after=5", Some("9")).unwrap().after, Some(EventId::new(9)));
        assert_eq!(Follow::of("after=5", Some("")).unwrap().after, Some(EventId::new(5)));
        assert_eq!(Follow::of("", None).unwrap().after, None);
        let tail = ask("q=a+b&account=x").tail();
        assert_eq!(tail, "/api/v2/tail?form=page&q=a+b&account=x");
        assert!(Follow::of(tail.split_once('?').unwrap().1, None).unwrap().is_for_page);
    }
}
