//! Rows as they stand, hour by hour, oldest first: for who asks what a rule would have said of them.
//!
//! ```text
//! hour of a metric -> pieces, the last written first -> each row once -> whoever looks; then what was heard in that hour
//! ```
//!
//! A row is there as its last revision left it. Roll-ups are not looked at: what is kept as quarters of an hour alone is over.

use super::MinutesError;
use super::ask::{Circumstances, drains, each_piece};
use super::block::{self, Key};
use super::levels::{HOUR, MINUTES};
use super::sums::Seen;
use super::tables::Lookup;
use super::writing::at;
use heroku_metrics::aggregator::{MinuteSketch, RowState};
use heroku_metrics::model::{DataPoint, TagSet, Unit, Window};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;

/// Metrics that one look goes through, and streams of an hour of one.
const MOST_NAMES: usize = 200;
const MOST_STREAMS: usize = 10_000;

/// What somebody who looks at the past is shown.
#[derive(Clone, Copy, Debug)]
pub enum Past<'a> {
    /// A row of a drain.
    Row { drain: &'a str, point: &'a DataPoint<'a> },
    /// All rows of an hour, counted since 1970, were shown. A bit stands for each of its minutes in which anything was heard.
    Hour { hour: i64, heard: u64 },
}

/// Which rows are looked at.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// Whether a metric of this name is.
    pub metric: &'a dyn Fn(&str) -> bool,
    /// They take some time to work out.
    pub with_percentiles: bool,
    /// In hours since 1970; the second one is not in it.
    pub hours: (i64, i64),
}

pub(super) fn rows(
    db: &dyn Lookup,
    wanted: Wanted<'_>,
    about: &Circumstances<'_>,
    look: &mut dyn FnMut(Past<'_>) -> ControlFlow<()>,
) -> Result<(), MinutesError> {
    let ids: HashMap<i64, String> = drains(db, about)?.into_iter().map(|(drain, id)| (id, drain)).collect();
    let seen: HashSet<i64> = ids.keys().copied().collect();
    let names = names(db, wanted, about)?;
    let heard = heard(db, &seen, wanted.hours)?;
    for hour in wanted.hours.0..wanted.hours.1 {
        for (id, name) in &names {
            let mut of = Streams { name, ids: &ids, known: HashMap::new(), with_percentiles: wanted.with_percentiles };
            let mut went_on = ControlFlow::Continue(());
            each_piece(db, &[*id], (MINUTES, (hour, hour + 1)), &seen, &mut |piece| {
                if went_on.is_continue() {
                    went_on = of.piece((piece.drain, piece.hour, piece.len, &piece.block), look)?;
                }
                Ok(())
            })?;
            if went_on.is_break() {
                return Ok(());
            }
        }
        let bits = heard.get(&hour).copied().unwrap_or(0);
        if look(Past::Hour { hour, heard: bits }).is_break() {
            return Ok(());
        }
    }
    Ok(())
}

/// Numbers and names of the metrics that are looked at.
fn names(db: &dyn Lookup, wanted: Wanted<'_>, about: &Circumstances<'_>) -> Result<Vec<(i64, String)>, MinutesError> {
    let mut found = Vec::new();
    let mut is_it = |name: &str| {
        about.goes_on()?;
        Ok((wanted.metric)(name))
    };
    db.names(about.account, None, &mut is_it, &mut |id, name| {
        found.push((id, name));
        if found.len() > MOST_NAMES {
            return Err(MinutesError::TooMuch("more than 200 metrics are called so: say their name"));
        }
        Ok(())
    })?;
    Ok(found)
}

/// The minutes of each hour in which any of the drains was heard.
fn heard(db: &dyn Lookup, drains: &HashSet<i64>, (first, end): (i64, i64)) -> Result<BTreeMap<i64, u64>, MinutesError> {
    let drains: Vec<i64> = drains.iter().copied().collect();
    let mut heard = BTreeMap::new();
    db.marks(&drains, (first, end), &mut |_, hour, bits| *heard.entry(hour).or_default() |= bits.cast_unsigned())?;
    Ok(heard)
}

/// A stream of an hour: its tags, and which of its windows were shown.
struct Known {
    tags: TagSet,
    seen: Seen,
}

/// The streams of one metric in one hour.
struct Streams<'a> {
    name: &'a str,
    ids: &'a HashMap<i64, String>,
    known: HashMap<(i64, i64, Box<[u8]>), Known>,
    with_percentiles: bool,
}

impl Streams<'_> {
    fn piece(
        &mut self,
        (drain, hour, len, block): (i64, i64, i64, &[u8]),
        look: &mut dyn FnMut(Past<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, MinutesError> {
        let Some(of) = self.ids.get(&drain) else { return Ok(ControlFlow::Continue(())) };
        for run in block::streams(block) {
            let Some(key) = Key::of(run.key) else { continue };
            if self.known.len() >= MOST_STREAMS {
                return Err(MinutesError::TooMuch(
                    "more streams than the past can be gone through with: name their tags",
                ));
            }
            let known = self
                .known
                .entry((drain, len, run.key.into()))
                .or_insert_with(|| Known { tags: key.tags.iter().copied().collect(), seen: Seen::default() });
            for (index, state) in run.rows() {
                // A later piece was shown before.
                if !known.seen.is_new(index) {
                    continue;
                }
                let start = at(hour * HOUR + i64::from(index) * len);
                let mut sum: Option<RowState<MinuteSketch>> = None;
                let added = RowState::add_packed(&mut sum, start, state, self.with_percentiles);
                let end = at(hour * HOUR + (i64::from(index) + 1) * len);
                let (Some(()), Some(sum), Some(window)) = (added, sum, Window::between(start, end)) else { continue };
                let unit = Unit::new(key.unit);
                let point = DataPoint::new(window, key.kind, self.name, unit, &known.tags, sum.stats());
                if look(Past::Row { drain: of, point: &point }).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::minutes::tests::{Kept, START, engine, owner};
    use heroku_metrics::aggregator::{EachRow, Row};
    use heroku_metrics::model::{Observation, Timestamp, Value};

    const HOUR_OF_START: i64 = START / 3_600;

    /// By minute, the count and the greatest value.
    type Rows = BTreeMap<i64, (u64, Option<f64>)>;

    /// Rows, and the minutes of each hour that were heard.
    fn shown(kept: &Kept, metric: &str) -> (Rows, Vec<(i64, u32)>) {
        let (mut rows, mut hours) = (BTreeMap::new(), Vec::new());
        let wanted = Wanted {
            metric: &|name| name == metric,
            with_percentiles: false,
            hours: (HOUR_OF_START - 1, HOUR_OF_START + 2),
        };
        let looked = kept.minutes.rows("default", None, wanted, &mut |past| {
            match past {
                Past::Row { drain, point } => {
                    assert_eq!((drain, point.tags().get("dyno")), ("shop/d.1", Some("web.1")));
                    let minute = (point.window().start().unix_seconds() - START) / 60;
                    let stats = point.stats();
                    let before = rows.insert(minute, (stats.observations(), stats.max()));
                    assert_eq!(before, None, "minute {minute} is shown once");
                    assert!(hours.len() as i64 == minute / 60 + 1, "in front of the end of its hour");
                }
                Past::Hour { hour, heard } => hours.push((hour - HOUR_OF_START, heard.count_ones())),
            }
            ControlFlow::Continue(())
        });
        assert_eq!(looked, Ok(()));
        (rows, hours)
    }

    #[test]
    fn each_row_is_shown_once_as_its_last_revision_left_it() {
        let mut kept = Kept::new("past");
        let mut engine = engine();
        let tags = TagSet::from_iter([("dyno", "web.1")]);
        for minute in 0..90 {
            let at = |minute: i64| Timestamp::from_unix_seconds(START + minute * 60 + 1);
            let _ = engine.observe(&Observation::measure("m", Value::plain(minute as f64), &tags, at(minute)));
            if minute == 10 {
                let _ = engine.observe(&Observation::measure("m", Value::plain(100.0), &tags, at(3)));
            }
            let now = START + minute * 60 + 120;
            let mut keep = EachRow(|row: &Row<'_>| kept.gather.keep(owner("shop/d.1"), row));
            engine.advance(Timestamp::from_unix_seconds(now), &mut keep).unwrap();
            kept.gather.heard(owner("shop/d.1"), at(minute));
            kept.commit(now);
        }
        kept.commit(START + 3 * 3_600);
        let (rows, hours) = shown(&kept, "m");
        assert_eq!((rows[&0], rows[&3], rows[&60]), ((1, Some(0.0)), (2, Some(100.0)), (1, Some(60.0))));
        assert!(rows.len() >= 89, "all that were closed: {}", rows.len());
        assert_eq!(hours, [(-1, 0), (0, 60), (1, 30)]);
        kept.tidy();
        assert_eq!(shown(&kept, "m").0, rows, "put together, they are the same");
        assert_eq!(shown(&kept, "n").0.len(), 0);

        let mut first = 0;
        let wanted = Wanted { metric: &|_| true, with_percentiles: true, hours: (HOUR_OF_START, HOUR_OF_START + 2) };
        let looked = kept.minutes.rows("default", None, wanted, &mut |_| {
            first += 1;
            ControlFlow::Break(())
        });
        assert_eq!((looked, first), (Ok(()), 1), "whoever has seen enough is shown no more");
        let nobody = kept.minutes.rows("default", Some(&[]), wanted, &mut |past| match past {
            Past::Row { .. } => panic!("of a drain that is not seen"),
            Past::Hour { .. } => ControlFlow::Continue(()),
        });
        assert_eq!(nobody, Ok(()));
    }
}
