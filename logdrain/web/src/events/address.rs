//! What an address of the page asks for, and addresses that ask for something else. The address is all the state there is.

use super::links::parameters;
use super::part::Part;
use super::span::{Range, Span};
use super::zone::Zone;
use crate::access::{Denied, Viewer};
use form_urlencoded::{Serializer, byte_serialize, parse};
use jiff::tz::TimeZone;
use log_store::{EventId, Scope};
use logdrain_drain::settings::Settings;
use logdrain_terms::times::{self, Side};
use std::fmt;
use std::sync::Arc;

/// The path of the page, and of what follows the newest lines.
pub(crate) const PAGE: &str = "/events";
pub(super) const TAIL: &str = "/api/v2/tail";

/// The longest query.
pub(super) const QUERY: usize = 8 << 10;
/// The longest query, as an address writes it, that stands in the address of every line.
const SHORT: usize = 300;
/// The longest name of an account.
const ACCOUNT: usize = 63;
/// Whose lines are shown if the address names nobody.
const DEFAULT: &str = "default";
/// The last second that an id can have.
const LAST: i64 = EventId::MAX.unix_micros() / 1_000_000;

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
    /// No line outside of it is shown.
    pub(super) span: Span,
    /// Why a time or a zone that was typed is none.
    pub(super) wrong_time: Option<String>,
    /// The part of the account's lines that is looked at.
    pub(super) part: Part,
    /// The zone of times.
    pub(super) zone: Zone,
    /// The first and the last line of those that are chosen.
    pub(super) chosen: Option<(EventId, EventId)>,
    /// Whether long lines are broken.
    pub(super) is_wrapped: bool,
    /// What is to be said of the account.
    pub(super) notice: Option<String>,
    /// What may be seen of the account: all of it, unless who asks may see less.
    pub(super) scope: Arc<Scope>,
    /// Whether other accounts may be chosen.
    pub(super) has_others: bool,
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
    /// Reads the part of the page's address behind its `?`. What is not known is passed over. `zone` is that of whoever asks.
    ///
    /// # Errors
    /// When a value cannot be what its name says.
    pub(super) fn of_page(text: &str, zone: TimeZone) -> Result<Self, Wrong> {
        let mut ask = Self::newest(zone);
        // Times are read in the zone that the address names, wherever it names it.
        if let Some((_, name)) = parameters(text).filter(|(name, value)| name == "tz" && !value.is_empty()).last() {
            ask.take_zone(&name);
        }
        // Of several places the narrowest counts, wherever it stands.
        let (mut around, mut before, mut after, mut from) = (None, None, None, None);
        for (name, value) in parameters(text) {
            match &*name {
                "centered_on_id" => around = id(&name, &value)?.map(At::Around),
                "max_id" => before = id(&name, &value)?.map(At::Before),
                "min_id" => after = id(&name, &value)?.map(At::After),
                "time" => from = ask.second(&value).map(At::From),
                "from" => ask.span.from = ask.second(&value),
                "to" => ask.span.to = ask.second(&value),
                "range" if !value.is_empty() => match Range::parse(&value) {
                    Some(range) => ask.span.range = Some(range),
                    None => ask.wrong_time = Some("a range is written as 30m, 6h or 7d".to_owned()),
                },
                "r" => ask.chosen = chosen(&value),
                "wrap" => ask.is_wrapped = value != "0",
                _ => ask.take(&name, &value)?,
            }
        }
        if ask.span.from.zip(ask.span.to).is_some_and(|(from, to)| from >= to) {
            ask.wrong_time = Some("the range ends before it begins".to_owned());
            (ask.span.from, ask.span.to) = (None, None);
        }
        ask.at = around.or(before).or(after).or(from).unwrap_or(At::Newest);
        // A line that is named is shown with what is around it, wherever that is.
        if around.is_some() {
            ask.span = Span::default();
        }
        Ok(ask)
    }

    fn newest(zone: TimeZone) -> Self {
        Self {
            query: String::new(),
            account: DEFAULT.to_owned(),
            at: At::Newest,
            span: Span::default(),
            wrong_time: None,
            part: Part::default(),
            zone: zone.into(),
            chosen: None,
            is_wrapped: true,
            notice: None,
            scope: Arc::new(Scope::account(DEFAULT)),
            has_others: true,
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

    fn take_zone(&mut self, name: &str) {
        match Zone::asked(name) {
            Ok(zone) => self.zone = zone,
            Err(why) => self.wrong_time = Some(why),
        }
    }

    /// A time as people write it, or digits, in seconds since 1970. What names no zone is in that of the page. Somebody typed
    /// it, and can type another one if it is none.
    fn second(&mut self, text: &str) -> Option<i64> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let second = if text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(text.parse().unwrap_or(i64::MAX))
        } else {
            let time = times::parse(text, &self.zone.now(), Side::Earliest);
            time.map(|time| time.unix_micros.div_euclid(1_000_000)).map_err(|error| error.to_string())
        };
        match second {
            Ok(second) if (0..=LAST).contains(&second) => return Some(second),
            Ok(_) => self.wrong_time = Some("there is no such time".to_owned()),
            Err(why) => self.wrong_time = Some(why),
        }
        None
    }

    /// Looks at no more than this viewer may. Who has one account means that one where he names none.
    ///
    /// # Errors
    /// When another account is named than may be looked at.
    pub(super) fn seen_by(mut self, viewer: &mut Viewer, settings: &Settings) -> Result<Self, Denied> {
        if self.account != DEFAULT || viewer.sees_all_accounts() {
            viewer.choose(&self.account)?;
        }
        self.account.clone_from(&viewer.account);
        self.scope = Arc::new(viewer.scope(settings));
        self.has_others = viewer.sees_all_accounts();
        Ok(self)
    }

    /// The same question at another place. A place of its own is not bound to the range.
    pub(super) fn at(&self, at: At) -> Self {
        let span = if matches!(at, At::Around(_)) { Span::default() } else { self.span };
        Self { at, span, wrong_time: None, chosen: None, ..self.clone() }
    }

    /// The same question in another range, at its newest lines.
    pub(super) fn within(&self, span: Span) -> Self {
        Self { span, ..self.at(At::Newest) }
    }

    /// The same place with another query.
    pub(super) fn asking(&self, query: String) -> Self {
        Self { query, chosen: None, ..self.clone() }
    }

    /// The same place without a query.
    pub(super) fn without_query(&self) -> Self {
        self.asking(String::new())
    }

    /// Whether the query is so long that it is in no address of a line.
    pub(super) fn is_long(&self) -> bool {
        byte_serialize(self.query.as_bytes()).map(str::len).sum::<usize>() > SHORT
    }

    /// The same, to be linked to from every line and bar: without a query that is long.
    pub(super) fn short(&self) -> Self {
        if self.is_long() { self.without_query() } else { self.clone() }
    }

    /// What follows the lines of this page, but for the id behind which it begins.
    pub(super) fn tail(&self) -> String {
        let mut parts = Serializer::new(String::new());
        parts.append_pair("form", "page");
        self.append(&mut parts);
        format!("{TAIL}?{}", parts.finish())
    }

    /// What is asked for, without a place: the part of the address that all addresses of the page's script have.
    pub(super) fn question(&self) -> String {
        let mut parts = Serializer::new(String::new());
        self.append(&mut parts);
        parts.finish()
    }

    /// What a form of the page carries besides what its fields ask.
    pub(super) fn hidden(&self) -> Vec<(&'static str, String)> {
        let mut all = Vec::new();
        if self.has_others && self.account != DEFAULT {
            all.push(("account", self.account.clone()));
        }
        all.extend(self.zone.parameter().map(|zone| ("tz", zone.to_owned())));
        if !self.is_wrapped {
            all.push(("wrap", "0".to_owned()));
        }
        match self.span {
            Span { range: Some(range), .. } => all.push(("range", range.to_string())),
            Span { from, to, .. } => {
                all.extend(from.map(|from| ("from", from.to_string())));
                all.extend(to.map(|to| ("to", to.to_string())));
            }
        }
        all
    }

    fn append(&self, parts: &mut Serializer<'_, String>) {
        if !self.query.is_empty() {
            parts.append_pair("q", &self.query);
        }
        if self.has_others && self.account != DEFAULT {
            parts.append_pair("account", &self.account);
        }
        self.part.append(parts);
        if let Some(zone) = self.zone.parameter() {
            parts.append_pair("tz", zone);
        }
        if !self.is_wrapped {
            parts.append_pair("wrap", "0");
        }
        self.span.append(parts);
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
        if let Some((first, last)) = self.chosen {
            parts.append_pair("r", &format!("{first}-{last}"));
        }
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
        let mut follow = Self { ask: Ask::newest(TimeZone::UTC), after: None, is_for_page: false };
        for (name, value) in parse(text.as_bytes()) {
            match &*name {
                "after" => follow.after = id(&name, &value)?,
                "form" => follow.is_for_page = value == "page",
                "tz" if !value.is_empty() => follow.ask.take_zone(&value),
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

/// The first and the last of two ids, in their order; one alone is both.
fn chosen(value: &str) -> Option<(EventId, EventId)> {
    let (first, last) = value.split_once('-').unwrap_or((value, value));
    let (first, last) = (id("r", first).ok()??, id("r", last).ok()??);
    Some((first.min(last), first.max(last)))
}

fn is_account(name: &str) -> bool {
    (1..=ACCOUNT).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(text: &str) -> Ask {
        Ask::of_page(text, TimeZone::UTC).unwrap()
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
        let looks = ask("q=a&tz=Europe%2FBerlin&wrap=0&from=100&to=200&r=1884123456789012481-1884123456789012480");
        assert_eq!(
            looks.to_string().split_once('?').unwrap().1,
            "q=a&tz=Europe%2FBerlin&wrap=0&centered_on_id=1884123456789012481&r=1884123456789012480-1884123456789012481#e1884123456789012481"
        );
        assert_eq!(ask("q=a&from=100&to=200&time=150").to_string(), "/events?q=a&from=100&to=200&time=150");
        assert_eq!(ask("range=6h&from=1").question(), "range=6h");
        assert!(ask("from=200&to=100").wrong_time.is_some() && ask("tz=Mars").wrong_time.is_some());
        // Words are read in the zone of the address, wherever it stands.
        assert_eq!(ask("time=2026-11-28+21:00:30&tz=%2B02:00").at, At::From(1_795_892_430));
        assert_eq!(ask("from=2026-11-28+21:00&to=2026-11-28+22:00").span.to, Some(1_795_903_200));
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
            assert!(Ask::of_page(&text, TimeZone::UTC).unwrap_err().0.contains(part), "{text}");
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
