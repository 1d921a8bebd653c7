//! Deploys, restarts and crashes over a range, found in the platform's own lines.

use crate::chart::{MARKS, Mark};
use crate::series::Span;
use crate::serve::logs::retention::floor;
use crate::serve::web::access::Viewer;
use crate::serve::web::site::Site;
use crate::serve::web::turns::Budget;
use log_store::{EventId, Page, Query};
use std::time::Duration;

/// Lines that are looked at, the newest of a range, and how long that may take beside the charts.
const LINES: usize = 400;
const BYTES: usize = 256 << 10;
const TIME: Duration = Duration::from_millis(400);
/// In so long a range they say nothing.
const LONGEST: i64 = 8 * 86_400;
const SECOND: i64 = 1_000_000;

/// The marks of a range, in lines that whoever looks may see.
pub(super) fn of(site: &Site, viewer: &Viewer, span: Span, app: Option<&str>, budget: &Budget) -> Vec<Mark> {
    let (true, Some(reader)) = (span.end - span.start <= LONGEST, site.logs.reader()) else { return Vec::new() };
    let settings = site.settings();
    let view = reader.view(&viewer.scope(&settings));
    let floor = floor(settings.account(&viewer.account), super::ask::now().saturating_mul(SECOND));
    let at = |seconds: i64| EventId::at(seconds.saturating_mul(SECOND).max(0));
    let after = at(span.start).max(floor);
    let page = Page::new().with_after(after).with_before(at(span.end)).with_limit(LINES).with_bytes(BYTES);
    let budget = budget.within(TIME);
    let found = view.search(Query::parse(MARKS).query(), &page, &mut || budget.goes_on());
    let read = found.events().iter().filter_map(|event| {
        let event = event.as_event();
        let is_of_app = app.is_none_or(|app| event.system() == app.as_bytes());
        let (program, message) = (std::str::from_utf8(event.program()).ok()?, String::from_utf8_lossy(event.message()));
        let time = event.generated().div_euclid(SECOND);
        is_of_app.then(|| Mark::read(time, program, &message)).flatten()
    });
    Mark::joined(read.collect())
}
