//! Lines by time as bars, in SVG of our own: colours by class, so that it follows the page into the dark.
//!
//! The outer drawing has no view box, so that its words keep their shape at every width; the bars stand in an inner one
//! that is stretched. Each bar is a link to its time. The script draws the same of [`Counts`] as JSON.

use super::address::{Ask, At};
use super::zone::Zone;
use logdrain_terms::number;
use maud::{Markup, html};
use serde::ser::{Serialize, SerializeStruct as _, Serializer};

/// The height of the bars, in units of the drawing.
const HEIGHT: u64 = 40;
/// Words below the bars.
const LABELS: usize = 6;

/// Lines that came in each of some steps of time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Counts {
    /// When the first step begins, in seconds since 1970.
    pub(super) start: i64,
    /// How long each is, in seconds.
    pub(super) step: i64,
    /// Lines that are neither, warnings, and errors.
    pub(super) bars: Vec<[u64; 3]>,
    /// Not all that was to be looked at was: there are so many at least.
    pub(super) is_partial: bool,
}

/// How the parts of a bar look, from its foot.
const CLASSES: [&str; 3] = ["c3", "c4", "c5"];

impl Counts {
    fn begins(&self, index: usize) -> i64 {
        self.start + self.step * index as i64
    }

    fn of(&self, which: usize) -> u64 {
        self.bars.iter().filter_map(|bar| bar.get(which)).fold(0, |sum, count| sum.saturating_add(*count))
    }

    pub(super) fn total(&self) -> u64 {
        (0..3).fold(0, |sum, which| sum.saturating_add(self.of(which)))
    }

    /// `1,234 lines, 28 Nov 11:27 to 12:27`
    fn said(&self, zone: &Zone) -> [String; 2] {
        let end = self.begins(self.bars.len());
        let (first, last) = (zone.date(self.start), zone.date(end - 1));
        let until = if first == last { String::new() } else { format!("{last} ") };
        [
            amount(self.total(), self.is_partial),
            format!("{first} {} to {until}{}", zone.clock(self.start), zone.clock(end)),
        ]
    }
}

/// `no`, `at least 1,234`
fn amount(count: u64, is_partial: bool) -> String {
    match (count, is_partial) {
        (0, _) => "no".to_owned(),
        (count, false) => number::human(count as f64, ""),
        (count, true) => format!("at least {}", number::human(count as f64, "")),
    }
}

/// What the script draws, with the words that it cannot make: the zone is the server's.
#[derive(Debug)]
pub(super) struct Drawn<'a>(pub(super) &'a Counts, pub(super) &'a Zone);

impl Serialize for Drawn<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(counts, zone) = self;
        let [lines, time] = counts.said(zone);
        let mut all = serializer.serialize_struct("Counts", 8)?;
        all.serialize_field("start", &counts.start)?;
        all.serialize_field("step", &counts.step)?;
        all.serialize_field("bars", &counts.bars)?;
        all.serialize_field("partial", &counts.is_partial)?;
        all.serialize_field("total", &counts.total())?;
        all.serialize_field("said", &[lines, time, amount(counts.of(2), counts.is_partial)])?;
        let labels: Vec<_> = labels(counts, zone).collect();
        all.serialize_field("labels", &labels)?;
        let titles: Vec<_> = (0..counts.bars.len()).map(|index| title(counts, zone, index)).collect();
        all.serialize_field("titles", &titles)?;
        all.end()
    }
}

/// Where words stand below the bars, in percent, and the words.
fn labels<'a>(counts: &'a Counts, zone: &'a Zone) -> impl Iterator<Item = (usize, String)> + 'a {
    let count = counts.bars.len();
    let is_long = counts.step * count as i64 > 2 * 86_400;
    (0..LABELS).filter(move |label| count > LABELS || *label == 0).map(move |label| {
        let index = count * (2 * label + 1) / (2 * LABELS);
        let begins = counts.begins(index);
        (100 * index / count.max(1), if is_long { zone.date(begins) } else { zone.clock(begins) })
    })
}

/// What is said of a bar: `22:14: 1,234`.
fn title(counts: &Counts, zone: &Zone, index: usize) -> String {
    let lines = counts.bars.get(index).map_or(0, total);
    format!("{}: {}", zone.clock(counts.begins(index)), number::human(lines as f64, ""))
}

/// Lines of a bar.
fn total(bar: &[u64; 3]) -> u64 {
    bar.iter().fold(0, |sum, count| sum.saturating_add(*count))
}

/// `1,234 lines`, and the bars.
pub(super) fn bars(counts: &Counts, ask: &Ask) -> Markup {
    let most = counts.bars.iter().map(total).max().unwrap_or(0).max(1);
    let count = counts.bars.len();
    let zone = &ask.zone;
    let link = ask.short();
    let [lines, time] = counts.said(zone);
    let errors = counts.of(2);
    let said = format!("{lines} {}, {time}", if counts.total() == 1 { "line" } else { "lines" });
    html! {
        p.sum {
            span.said { b { (lines) } @if counts.total() == 1 { " line, " } @else { " lines, " } (time) }
            span.failed { @if errors > 0 { b { (amount(errors, counts.is_partial)) } @if errors == 1 { " error" } @else { " errors" } } }
            span.partial hidden[!counts.is_partial] title="Not all lines of this time were counted within the time for one answer" { "partial" }
            @if let Some((zone, word)) = zone.other() { a.tz href=(Ask { zone, ..ask.clone() }) { (word) } }
            span.keys aria-hidden="true" {
                @for (class, word) in CLASSES.iter().zip(["info", "warning", "error"]) { span { i.sw.(class) {} (word) } }
            }
        }
        svg.bars width="100%" height="60" role="group" aria-label=(said) data-start=(counts.start) data-step=(counts.step)
            data-count=(count) data-partial[counts.is_partial] {
            svg height="42" width="100%" viewBox=(format!("0 0 {} {HEIGHT}", 4 * count)) preserveAspectRatio="none" {
                line.base x1="0" x2=(4 * count) y1=(HEIGHT) y2=(HEIGHT) {}
                @for (index, bar) in counts.bars.iter().enumerate().filter(|(_, bar)| total(bar) > 0) {
                    a href=(link.at(At::From(counts.begins(index)))) tabindex="-1" {
                        title { (title(counts, zone, index)) }
                        @for (class, top, height) in parts(bar, most) {
                            rect.bar.(class) x=(4 * index) y=(top) width="3.4" height=(height) {}
                        }
                    }
                }
            }
            @for (place, word) in labels(counts, zone) { text x=(format!("{place}%")) y="56" { (word) } }
            rect.brush height="42" width="0" {}
        }
    }
}

/// The parts of a bar that there are: class, top and height.
fn parts(bar: &[u64; 3], most: u64) -> impl Iterator<Item = (&'static str, u64, u64)> {
    let mut top = HEIGHT;
    let sizes = bar.map(|count| match count {
        0 => 0,
        count => ((HEIGHT as f64 * count as f64 / most as f64).round() as u64).clamp(1, HEIGHT),
    });
    CLASSES.into_iter().zip(sizes).filter(|(_, size)| *size > 0).map(move |(class, size)| {
        top = top.saturating_sub(size);
        (class, top, size)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;

    fn ask() -> Ask {
        Ask::of_page("q=%3Cb%3E", TimeZone::UTC).unwrap()
    }

    fn drawn(counts: &Counts) -> String {
        bars(counts, &ask()).into_string()
    }

    #[test]
    fn every_step_with_lines_has_a_bar_that_leads_to_it() {
        let bars = vec![[0; 3], [1, 0, 0], [700, 100, 200], [0; 3]];
        let counts = Counts { start: 1_700_000_040, step: 60, bars, is_partial: false };
        let text = drawn(&counts);
        assert!(text.contains("1,001 lines, 14 Nov 22:14 to 22:18") && text.contains("<b>200</b> errors"), "{text}");
        assert_eq!(text.matches("<rect class=\"bar").count(), 4);
        assert!(text.contains("href=\"/events?q=%3Cb%3E&amp;time=1700000100\""), "{text}");
        assert!(text.contains("y=\"39\" width=\"3.4\" height=\"1\"") && text.contains("height=\"28\""), "{text}");
        assert!(text.contains("<span class=\"partial\" hidden"), "{text}");
        let partial = drawn(&Counts { is_partial: true, ..counts });
        assert!(partial.contains("at least 1,001 lines,") && !partial.contains("\"partial\" hidden"), "{partial}");
    }

    #[test]
    fn nothing_and_the_most_can_be_drawn() {
        for bars in [vec![], vec![[0; 3]; 120], vec![[u64::MAX; 3]; 120]] {
            let text = drawn(&Counts { start: 0, step: 60, bars, is_partial: false });
            assert!(text.contains("</svg>") && !text.contains("NaN") && text.len() < 60_000, "{text}");
        }
    }
}
