//! Deploys, restarts and crashes over a range, found in the platform's own lines.

use crate::access::Viewer;
use crate::site::Site;
use crate::turns::Budget;
use log_store::{EventId, Page, Query};
use logdrain_charts::chart::{MARKS, Mark, Sort};
use logdrain_charts::series::Span;
use logdrain_drain::logs::retention::floor;
use std::time::Duration;

/// Lines that are looked at, the newest of a range, and how long that may take beside the charts.
const LINES: usize = 400;
const BYTES: usize = 256 << 10;
const TIME: Duration = Duration::from_millis(400);
/// In so long a range they say nothing.
const LONGEST: i64 = 8 * 86_400;
const SECOND: i64 = 1_000_000;
/// So many of them find room beside one another.
const ROOM: i64 = 9;

/// The marks of a range, in lines that whoever looks may see.
pub(super) fn of(site: &Site, viewer: &Viewer, span: Span, app: Option<&str>, budget: &Budget) -> Vec<Mark> {
    let (true, Some(reader)) = (span.end - span.start <= LONGEST, site.logs.reader(&viewer.account)) else {
        return Vec::new();
    };
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
    folded(Mark::joined(read.collect()), span)
}

/// Marks that would stand in one another's way become one, by what matters most of them.
fn folded(marks: Vec<Mark>, span: Span) -> Vec<Mark> {
    let rank = |sort: Sort| match sort {
        Sort::Release => 0,
        Sort::Deploy => 1,
        Sort::Crash => 2,
        Sort::Scaled => 3,
        Sort::Restart => 4,
    };
    let near = (span.end - span.start) / ROOM;
    let mut kept: Vec<(Mark, usize)> = Vec::new();
    for mark in marks {
        match kept.last_mut() {
            Some((last, more)) if mark.at - last.at < near => {
                *more += 1;
                if rank(mark.sort) < rank(last.sort) {
                    *last = mark;
                }
            }
            _ => kept.push((mark, 0)),
        }
    }
    let named = |(mark, more): (Mark, usize)| match more {
        0 => mark,
        more => Mark { name: format!("{} +{more}", mark.name), ..mark },
    };
    kept.into_iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_its_way_is_told_with_what_matters_most() {
        let mark = |at: i64, name: &str, sort| Mark { at, name: name.to_owned(), sort };
        let marks = vec![
            mark(0, "web.1 restart", Sort::Restart),
            mark(50, "v7", Sort::Release),
            mark(60, "web.1 crashed", Sort::Crash),
            mark(500, "web.2 restart", Sort::Restart),
        ];
        let told: Vec<_> =
            folded(marks, Span { start: 0, end: 1_000 }).into_iter().map(|mark| (mark.at, mark.name)).collect();
        assert_eq!(told, [(50, "v7 +2".to_owned()), (500, "web.2 restart".to_owned())]);
        assert!(folded(Vec::new(), Span { start: 0, end: 1 }).is_empty());
    }
}
