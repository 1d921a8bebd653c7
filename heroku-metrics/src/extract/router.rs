//! Lines of the router: one record a request, and one more for a request that ended with an error.

use super::config::DynoIdentity;
use super::out::Out;
use super::platform::{dyno_type, insert_description};
use super::recent::Key;
use super::visitor::LineVisitor;
use super::{Reader, cut};
use crate::classify::Class;
use crate::line::{Found, Line};
use crate::native;
use crate::refusal::{Part, Why};
use heroku_router::RouterLine;
use metric_model::TagSet;

impl Reader {
    pub(super) fn router<'a, V: LineVisitor>(&mut self, line: &'a [u8], out: &mut Out<'_, V>) -> Line<'a> {
        // Of a piece the last word may go on: it is read without.
        let torn = if out.is_piece { cut::last_word(line) } else { line.len()..line.len() };
        let Some(router) = line.get(..torn.start).and_then(RouterLine::parse) else {
            return Line::of(Class::UnreadRouter);
        };
        let is_cut = line.get(torn.start..).is_some_and(|word| word.starts_with(b"status="));
        let is_cut = is_cut || (!torn.is_empty() && !cut::is_same_request(&router, line));
        if is_cut || router.is_cut() {
            // Without its status the request would be one of other tags.
            out.refuse(Why::Cut, Part::Value, (0, line.len()));
            return Line { found: Found::Router(router), ..Line::of(Class::Router) };
        }
        if !torn.is_empty() {
            out.refuse(Why::Cut, Part::Field, (torn.start, torn.len()));
        }
        self.request(&router, out);
        Line { found: Found::Router(router), ..Line::of(Class::Router) }
    }

    /// Not in place where lines are told apart, and by reference: so the fields stay where the line's reader left them, and all
    /// that is known of the frame stays in registers.
    #[inline(never)]
    pub(super) fn request<V: LineVisitor>(&mut self, router: &RouterLine<'_>, out: &mut Out<'_, V>) {
        let Self { config, tags, more_tags, recent, .. } = self;
        let (dyno, method, status) = (router.dyno(), router.method(), router.status());
        let dyno = if config.dyno_identity == DynoIdentity::Type { dyno.map(dyno_type) } else { dyno };
        let key = Key::new(Class::Router, status.unwrap_or(0), [method, dyno]);
        let tags = match key.as_ref().and_then(|key| recent.find(key)) {
            Some(index) => recent.at(index, tags),
            None => {
                let (config, out) = (&*config, &mut *out);
                // What it needs is copied, so that it need not lie in memory for lines whose tags are here.
                recent.make(key, tags, move |tags| {
                    config.fill(tags);
                    request_tags(tags, dyno, method, status, out);
                })
            }
        };
        // A 101 line is written when the WebSocket closes: its `service` is the connection's whole life.
        let service = router.service_ms().filter(|_| status != Some(101) || config.websocket_latency);
        let values = [Some(1.0), service, router.connect_ms(), router.bytes().map(|size| size as f64)];
        out.record(&native::ROUTER_COLUMNS, &values, tags);
        if let Some(code) = router.code() {
            more_tags.clone_from(tags);
            more_tags.insert("code", code.as_str());
            insert_description(more_tags, code, router.desc().and_then(|desc| std::str::from_utf8(desc).ok()));
            out.single(&native::HTTP.metric(), 1.0, more_tags);
        }
        for refusal in router.refusals() {
            let part = match refusal.field() {
                "service" | "connect" | "bytes" => Part::Value,
                "status" => Part::Tag,
                _ => Part::Field,
            };
            out.refuse(Why::of_field(refusal.kind()), part, (refusal.offset(), refusal.len()));
        }
    }
}

#[inline(never)]
fn request_tags<V: LineVisitor>(
    tags: &mut TagSet,
    dyno: Option<&[u8]>,
    method: Option<&[u8]>,
    status: Option<u16>,
    out: &mut Out<'_, V>,
) {
    let name = out.text(dyno);
    if name.is_none() {
        // The second of the tags that it is missing in.
        out.text(dyno);
    }
    let method = out.text(method);
    for (key, value) in [("dyno", name), ("method", method), ("source", name)] {
        if let Some(value) = value {
            tags.insert(key, value);
        }
    }
    if let Some(status) = status {
        tags.insert("status_category", category(status));
        let digits = [status / 100, status / 10, status].map(|number| b'0' + (number % 10) as u8);
        tags.insert("status_code", std::str::from_utf8(&digits).unwrap_or_default());
    }
}

fn category(status: u16) -> &'static str {
    const CATEGORIES: [&str; 10] = ["0xx", "1xx", "2xx", "3xx", "4xx", "5xx", "6xx", "7xx", "8xx", "9xx"];
    CATEGORIES[usize::from(status / 100 % 10)]
}
