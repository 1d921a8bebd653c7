//! The status page at `/status`: one document without scripts, images or anything from elsewhere. It reloads itself.
//!
//! What is open and what is not stands in the page's address, so that a reload changes nothing of it: `?drain=ID` shows one
//! drain alone, `shut=` names the sections that were closed, `still` stops the reloading.
//!
//! Everything that stands in it may come from a log line, and passes [`Text`] on its way.

mod drain;
mod health;

pub(crate) use health::House;

use crate::escape::Escaped;
use crate::number;
use crate::serve::counting::board::{Drain, Shown};
use crate::serve::drain_name::DrainName;
use crate::serve::intake::Intake;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::{self, Display, Write as _};

/// What a browser may do with the page: show it.
pub(crate) const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const STYLE: &str = include_str!("page/style.css");

/// With more drains than these, each is on a page of its own.
const TOGETHER: usize = 8;
/// The most that an address says.
const SHUT: usize = 200;

/// The page as it is now, as its address asks for it, in not much more than `limit` bytes.
pub(crate) fn html(intake: &Intake, shown: &Shown, house: &House, query: &str, limit: usize) -> String {
    let mut page = String::with_capacity(32 * 1024);
    // Writing into a string does not fail.
    let _ = write(&mut page, intake, shown, house, &View::of(query), limit);
    page
}

fn write(page: &mut String, intake: &Intake, shown: &Shown, house: &House, view: &View, limit: usize) -> fmt::Result {
    let reload = if view.is_still { "" } else { "<meta http-equiv=refresh content=5>" };
    let drains: Vec<(String, String, &Drain)> =
        shown.drains.iter().map(|(key, drain)| (id_of(key), DrainName::of(key).shown().to_string(), drain)).collect();
    write!(
        page,
        "<!doctype html><html lang=en><head><meta charset=utf-8>{reload}<meta name=viewport content=\"width=device-width\">\
         <title>logdrain</title><style>{STYLE}</style></head><body><header><h1>logdrain</h1>\
         <span class=dim>version {}, up {}</span><span class=sp></span>",
        env!("CARGO_PKG_VERSION"),
        health::span(house.began.elapsed().as_secs())
    )?;
    let (turn, said) = if view.is_still { (false, "reload every 5 s") } else { (true, "stop reloading") };
    write!(page, "<a href=\"{}\">{said}</a></header>", View { is_still: turn, ..view.clone() }.link())?;
    health::write(page, intake, shown, house)?;
    if drains.is_empty() {
        return page.write_str("<p class=panel>No drain has sent anything yet.</p></body></html>\n");
    }
    let alone = drains.iter().find(|(id, ..)| view.drain.as_ref() == Some(id));
    let together = drains.len() <= TOGETHER;
    if drains.len() > 1 {
        index(page, &drains, view, together)?;
    }
    for (id, name, drain) in &drains {
        match alone {
            Some((only, ..)) if only != id => continue,
            None if !together => break,
            _ => {}
        }
        if page.len() > limit / 2 {
            page.push_str("<p class=panel>The other drains find no room here: choose one above.</p>");
            break;
        }
        drain::write(page, id, name, drain, view)?;
    }
    page.write_str("</body></html>\n")
}

/// All drains at a glance, each with the way to it.
fn index(page: &mut String, drains: &[(String, String, &Drain)], view: &View, together: bool) -> fmt::Result {
    let all = View { drain: None, ..view.clone() };
    page.push_str("<section class=panel><h2>Drains</h2>");
    if view.drain.is_some() {
        write!(page, "<p><a href=\"{}\">all drains</a></p>", all.link())?;
    }
    page.push_str(
        "<div class=scroll><table><tr><th>drain</th><th>last delivery</th><th class=n>lines</th><th class=n>late</th>\
         <th class=n>streams</th><th class=n>windows open</th><th class=n>memory</th></tr>",
    );
    for (id, name, drain) in drains {
        let link = match together && view.drain.is_none() {
            true => format!("#{id}"),
            false => View { drain: Some(id.clone()), ..view.clone() }.link(),
        };
        let lines = drain.ledger.as_ref().map_or(0, |ledger| ledger.total().frames());
        let (late, _) = health::late(drain);
        write!(
            page,
            "<tr><td><a href=\"{link}\">{}</a></td><td>{}</td><td class=n>{}</td><td class=n>{}</td><td class=n>{}</td>\
             <td class=n>{}</td><td class=n>{}</td></tr>",
            Text(name),
            health::ago(drain),
            number::human(lines as f64, ""),
            number::human(late as f64, ""),
            number::human(drain.streams as f64, ""),
            drain.open_windows,
            number::human(drain.memory as f64, "bytes")
        )?;
    }
    page.write_str("</table></div></section>")
}

/// What the address of the page asks for.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct View {
    /// One drain alone, by its id.
    drain: Option<String>,
    /// Sections that are closed: a drain's id and a letter.
    shut: BTreeSet<String>,
    is_still: bool,
}

impl View {
    /// Reads the part of an address behind its `?`. What is not understood is passed over.
    fn of(query: &str) -> Self {
        let is_id = |id: &str| id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let mut view = Self::default();
        for part in query.split('&') {
            match part.split_once('=').unwrap_or((part, "")) {
                ("drain", id) if is_id(id) => view.drain = Some(id.to_owned()),
                ("shut", all) => {
                    view.shut = all.split('.').filter(|id| is_id(id)).take(SHUT).map(str::to_owned).collect()
                }
                ("still", _) => view.is_still = true,
                _ => {}
            }
        }
        view
    }

    /// An address within the page, with nothing in it but letters, digits and `?=&.`.
    fn link(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.drain.iter().map(|id| format!("drain={id}")));
        if !self.shut.is_empty() {
            let shut: Vec<&str> = self.shut.iter().map(String::as_str).collect();
            parts.push(format!("shut={}", shut.join(".")));
        }
        parts.extend(self.is_still.then(|| "still".to_owned()));
        format!("?{}", parts.join("&amp;"))
    }

    /// The same with a section turned over.
    fn turned(&self, section: &str) -> Self {
        let mut view = self.clone();
        if !view.shut.remove(section) {
            view.shut.insert(section.to_owned());
        }
        view
    }
}

/// What a drain is called in addresses: nothing of its token can be found from it.
fn id_of(key: &str) -> String {
    let digest = Sha256::digest(format!("page {key}"));
    let mut id = "d".to_owned();
    for byte in digest.iter().take(4) {
        let _ = write!(id, "{byte:02x}");
    }
    id
}

/// Text as HTML shows it: no markup, no control characters.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.0.split('\n').enumerate() {
            if index > 0 {
                f.write_char('\n')?;
            }
            for c in Escaped(line).to_string().chars() {
                match c {
                    '&' => f.write_str("&amp;")?,
                    '<' => f.write_str("&lt;")?,
                    '>' => f.write_str("&gt;")?,
                    '"' => f.write_str("&quot;")?,
                    '\'' => f.write_str("&#39;")?,
                    c => f.write_char(c)?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_closed_stands_in_the_address_and_nothing_else_does() {
        let view = View::of("drain=d0123abcd&shut=0123abcdb.d0123abcb.<script>&still&x=<b>&drain=<i>");
        assert_eq!(view.drain.as_deref(), Some("d0123abcd"));
        assert_eq!(view.link(), "?drain=d0123abcd&amp;shut=0123abcdb.d0123abcb&amp;still");
        let open = view.turned("0123abcdb").turned("d0123abcb");
        assert_eq!(open.link(), "?drain=d0123abcd&amp;still");
        assert_eq!(View::of("").link(), "?");
        assert!(View::of(&format!("shut={}", "0123abcdb.".repeat(1_000))).link().len() < 3_000);
    }

    #[test]
    fn text_is_never_markup() {
        let hostile = "<script>alert('x')</script>\u{1b}[2J\u{202e}\"&\n<b>";
        assert_eq!(
            Text(hostile).to_string(),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;\\u{1b}[2J\\u{202e}&quot;&amp;\n&lt;b&gt;"
        );
    }
}
