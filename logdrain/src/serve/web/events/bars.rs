//! Lines a minute as bars, in SVG of our own: colours by class, so that it follows the page into the dark.
//!
//! The outer drawing has no view box, so that its words keep their shape at every width; the bars stand in an inner one
//! that is stretched. Each bar is a link to its minute.

use super::address::{Ask, At};
use super::line::day_and_time;
use crate::number;
use maud::{Markup, html};

/// The height of the bars, in units of the drawing.
const HEIGHT: u64 = 40;
/// Words below the bars.
const LABELS: usize = 3;

/// Lines that came in each of some minutes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Counts {
    /// The first minute, in seconds since 1970.
    pub(super) start: i64,
    pub(super) minutes: Vec<u64>,
    /// Not all that was to be looked at was: there are so many at least.
    pub(super) is_partial: bool,
}

impl Counts {
    fn minute(&self, index: usize) -> i64 {
        self.start + 60 * index as i64
    }
}

/// Hours and minutes of a time in seconds since 1970.
fn clock(second: i64) -> String {
    let (_, time) = day_and_time(second * 1_000_000);
    time.get(..5).unwrap_or_default().to_owned()
}

/// `1,234 lines in 60 minutes`, and the bars.
pub(super) fn bars(counts: &Counts, ask: &Ask) -> Markup {
    let sum: u64 = counts.minutes.iter().fold(0, |sum, count| sum.saturating_add(*count));
    let most = counts.minutes.iter().copied().max().unwrap_or(0).max(1);
    let count = counts.minutes.len();
    let all = counts.minutes.iter().enumerate();
    let ask = ask.short();
    let (day, _) = day_and_time(counts.start * 1_000_000);
    let said = format!(
        "{} {}, {day} {} to {} UTC",
        match (sum, counts.is_partial) {
            (0, _) => "no".to_owned(),
            (sum, false) => number::human(sum as f64, ""),
            (sum, true) => format!("at least {}", number::human(sum as f64, "")),
        },
        if sum == 1 { "line" } else { "lines" },
        clock(counts.start),
        clock(counts.minute(count)),
    );
    html! {
        section.counts aria-label="lines a minute" {
            p { b { (said) }
                @if counts.is_partial {
                    span.warn title="Not all lines of this time could be looked at within the time for one answer" { "partial" }
                }
                @if sum > 0 { span.dim.most { "at most " (number::human(most as f64, "")) " a minute" } }
            }
            svg width="100%" height="60" role="img" aria-label=(said) {
                svg height="42" width="100%" viewBox=(format!("0 0 {} {HEIGHT}", 4 * count)) preserveAspectRatio="none" {
                    line.base x1="0" x2=(4 * count) y1=(HEIGHT) y2=(HEIGHT) {}
                    @for (index, lines) in all.filter(|(_, lines)| **lines > 0) {
                        @let height = ((HEIGHT as f64 * *lines as f64 / most as f64).round() as u64).clamp(1, HEIGHT);
                        a href=(ask.at(At::From(counts.minute(index)))) tabindex="-1" {
                            title { (clock(counts.minute(index))) " UTC: " (number::human(*lines as f64, "")) }
                            rect.bar.partial[counts.is_partial] x=(4 * index) y=(HEIGHT - height) width="3" height=(height) {}
                        }
                    }
                }
                @for label in 0..LABELS {
                    @let index = count * (2 * label + 1) / (2 * LABELS);
                    text x=(format!("{}%", 100 * index / count.max(1))) y="56" { (clock(counts.minute(index))) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask() -> Ask {
        Ask::of_page("q=%3Cb%3E").unwrap()
    }

    #[test]
    fn every_minute_with_lines_has_a_bar_that_leads_to_it() {
        let counts = Counts { start: 1_700_000_040, minutes: vec![0, 1, 1_000, 0], is_partial: false };
        let drawn = bars(&counts, &ask()).into_string();
        assert!(
            drawn.contains("1,001 lines, 2023-11-14 22:14 to 22:18 UTC") && !drawn.contains(">partial<"),
            "{drawn}"
        );
        assert_eq!(drawn.matches("<rect ").count(), 2);
        assert!(drawn.contains("href=\"/events?q=%3Cb%3E&amp;time=1700000100\""), "{drawn}");
        assert!(drawn.contains("y=\"39\" width=\"3\" height=\"1\"") && drawn.contains("height=\"40\""), "{drawn}");
        let partial = bars(&Counts { is_partial: true, ..counts }, &ask()).into_string();
        assert!(partial.contains("at least 1,001 lines,") && partial.contains(">partial<"), "{partial}");
    }

    #[test]
    fn nothing_and_the_most_can_be_drawn() {
        for minutes in [vec![], vec![0; 60], vec![u64::MAX; 60]] {
            let drawn = bars(&Counts { start: 0, minutes, is_partial: false }, &ask()).into_string();
            assert!(drawn.contains("</svg>") && !drawn.contains("NaN") && drawn.len() < 20_000, "{drawn}");
        }
    }
}
