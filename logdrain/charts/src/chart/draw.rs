//! A plot as inline SVG.

use super::curve::{self, Across};
use super::scale::{Range, Scale};
use super::text::{escaped, id, markup};
use super::{Kind, MOST_MARKS, Plot, day, text};
use std::fmt::Write as _;

/// Distance of names at the ends of lines, in pixels.
const NAME: f64 = 13.0;
/// A hatched stretch that is wider than this, in per cent, says what it is.
const TELLING: f64 = 9.0;

/// Inline SVG for a page: classes only, no size but its height. It is described by the elements `ID-t` (a title) and `ID-d`
/// (see [`super::describe`]), which [`super::figure()`] writes, and is a line without axes if it belongs to a number.
pub fn svg(plot: &Plot) -> String {
    let plot = plot.ready();
    if matches!(plot.kind, Kind::Number | Kind::Table) {
        return plot.curves.first().map(|curve| spark(&curve.values, &plot.class(0))).unwrap_or_default();
    }
    let drawing = Drawing::new(&plot);
    let mut out = String::with_capacity(16 * 1024);
    let id = id(&plot.id);
    let _ = write!(
        out,
        "<svg class=\"plot\" height=\"{}\" role=\"img\" tabindex=\"0\" aria-labelledby=\"{id}-t\" aria-describedby=\"{id}-d\">",
        plot.height
    );
    drawing.inside(&mut out, true);
    let _ = write!(
        out,
        "<g class=\"cross\"><line y2=\"{0}\"/></g><rect class=\"brush\" height=\"{0}\" width=\"0\"/></svg>",
        plot.height
    );
    out
}

/// What a drawing is made of.
pub(super) struct Drawing<'a> {
    plot: &'a Plot,
    across: Across,
    range: Range,
    /// What lies below each curve, for those that stand on one another.
    below: Vec<Vec<f64>>,
}

impl<'a> Drawing<'a> {
    /// Of a plot that is [`Plot::ready`].
    pub(super) fn new(plot: &'a Plot) -> Self {
        let is_stacked = plot.kind != Kind::Line;
        let values = || plot.curves.iter().flat_map(|curve| curve.values.iter().flatten());
        let mut below = Vec::with_capacity(plot.curves.len());
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let mut ground = vec![0.0_f64; plot.steps];
        for curve in &plot.curves {
            let foot = if is_stacked { ground.clone() } else { vec![0.0; plot.steps] };
            for (at, value) in curve.values.iter().enumerate().filter_map(|(at, value)| Some((at, (*value)?))) {
                // The largest numbers stay numbers on one another.
                let top = (foot[at] + value).clamp(-f64::MAX / 8.0, f64::MAX / 8.0);
                (low, high) = (low.min(top), high.max(top));
                if is_stacked {
                    ground[at] = top;
                }
            }
            below.push(foot);
        }
        let thresholds = plot.thresholds.iter().map(|threshold| threshold.value).filter(|value| value.is_finite());
        for value in thresholds {
            // With room for its name, unless the axis ends there anyhow.
            let room = if plot.axis.max.is_some_and(|max| max >= value) { value } else { value * 1.04 };
            (low, high) = (low.min(value), high.max(room));
        }
        if low > high {
            (low, high) = (plot.axis.min.unwrap_or(0.0), plot.axis.min.unwrap_or(0.0));
        }
        // What is counted is never counted in parts.
        let whole = plot.unit.is_empty() && values().all(|value| value.fract() == 0.0);
        let count = if plot.height < 120 {
            3.0
        } else if plot.unit.starts_with("bytes") {
            5.5
        } else {
            4.0
        };
        let range = Range::around(low, high, plot.axis, (&plot.unit, whole), count);
        Self { plot, across: Across::new(plot), range, below }
    }

    pub(super) fn scale(&self) -> Scale<'a> {
        Scale::new(&self.plot.unit, self.range.high.abs().max(self.range.low.abs()))
    }

    /// All but the outer element; `values` are written on the paths for whoever points at them.
    pub(super) fn inside(&self, out: &mut String, values: bool) {
        out.push_str("<g class=\"grid\">");
        self.values(out);
        self.times(out);
        out.push_str("</g>");
        self.holes(out);
        self.curves(out, values);
        self.thresholds(out);
        self.marks(out);
        if self.plot.has_ends() {
            self.ends(out);
        }
    }

    /// Lines at round values, and these.
    fn values(&self, out: &mut String) {
        let scale = self.scale();
        for tick in &self.range.ticks {
            let y = self.y(*tick);
            let class = if *tick == 0.0 || *tick == self.range.low { " class=\"base\"" } else { "" };
            let label = markup(&scale.label(*tick));
            let _ = write!(
                out,
                "<line x2=\"100%\" y1=\"{y}\" y2=\"{y}\"{class}/><text class=\"yl\" x=\"-8\" y=\"{y}\" dy=\".32em\">{label}</text>"
            );
        }
    }

    /// Ticks of the viewer's clock.
    fn times(&self, out: &mut String) {
        let height = self.plot.height;
        let (start, end) = self.across.ends(self.plot);
        let ticks = day::ticks(start, end, self.plot.step.min(3_600), &self.plot.zone);
        // Every second one goes where there is little room.
        let is_full = ticks.len() > 3;
        for (index, tick) in ticks.into_iter().enumerate() {
            let x = self.across.of_time(self.plot, tick.at);
            let edge = if x < 1.5 {
                " start"
            } else if x > 98.5 {
                " last"
            } else {
                ""
            };
            let odd = if is_full && index % 2 == 1 { " odd" } else { "" };
            let x = hundredths(x);
            let _ = write!(
                out,
                "<line class=\"tick\" x1=\"{x}%\" x2=\"{x}%\" y1=\"{height}\" y2=\"{}\"/><text class=\"tl{edge}{odd}\" x=\"{x}%\" y=\"{}\">{}</text>",
                height + 4,
                height + 17,
                tick.label
            );
        }
    }

    /// Where nothing is known of any curve, but of what is not over yet.
    fn holes(&self, out: &mut String) {
        let (plot, height) = (self.plot, self.plot.height);
        let is_hole = |at: usize| plot.curves.iter().all(|curve| curve.values[at].is_none());
        let holes = curve::runs(0..plot.closed, is_hole);
        if holes.is_empty() {
            return;
        }
        let id = id(&plot.id);
        let _ = write!(
            out,
            "<pattern id=\"{id}-h\" class=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
             patternTransform=\"rotate(45)\"><path d=\"M0 0V6\"/></pattern>"
        );
        let edge = if self.across.is_wide { 0.0 } else { 0.5 };
        for hole in holes {
            let from = self.across.percent(hole.start as f64 - edge).clamp(0.0, 100.0);
            let to = self.across.percent(hole.end as f64 - edge).clamp(0.0, 100.0);
            let _ = write!(
                out,
                "<g class=\"hole\"><rect x=\"{}%\" width=\"{}%\" height=\"{height}\" fill=\"url(#{id}-h)\"/>",
                hundredths(from),
                hundredths(to - from)
            );
            if to - from > TELLING {
                let middle = hundredths(f64::midpoint(from, to));
                let _ = write!(out, "<text x=\"{middle}%\" y=\"{}\">no data</text>", height / 2);
            }
            out.push_str("</g>");
        }
    }

    fn curves(&self, out: &mut String, values: bool) {
        let (plot, height) = (self.plot, self.plot.height);
        let _ = write!(
            out,
            "<svg class=\"area\" viewBox=\"0 0 {} {}\" preserveAspectRatio=\"none\" width=\"100%\" height=\"{height}\">",
            self.across.width,
            height * 10
        );
        let (closed, steps) = (plot.closed, plot.steps);
        for (index, curve) in plot.curves.iter().enumerate() {
            let with = (curve.values.as_slice(), self.below[index].as_slice());
            let draw = |steps| match plot.kind {
                Kind::Bars => curve::bars(with, steps, &self.range, height),
                Kind::Stacked => curve::area(with, steps, self.across, &self.range, height),
                _ => curve::line(with.0, steps, self.across, &self.range, height),
            };
            let look = match plot.kind {
                Kind::Bars => "br",
                Kind::Stacked => "ar",
                _ => "ln",
            };
            let class = plot.class(index);
            let _ = write!(out, "<path class=\"{look} {class}\" data-k=\"{index}\"");
            if values {
                let numbers = curve::numbers(&curve.values, self.scale().divisor);
                let _ = write!(out, " data-n=\"{}\" data-v=\"{numbers}\"", escaped(&curve.name));
            }
            let is_known = |at: usize| curve.values.get(at).is_some_and(Option::is_some);
            // What is so far begins at the last step that is over, so that there is no hole between them.
            let joins = !self.across.is_wide && closed > 0 && is_known(closed - 1) && is_known(closed);
            let is_alone = joins && (closed == 1 || !is_known(closed - 2));
            let _ = write!(out, " d=\"{}\"/>", draw(0..closed - usize::from(is_alone)));
            if (closed..steps).any(is_known) {
                let path = draw(closed - usize::from(joins)..steps);
                let _ = write!(out, "<path class=\"{look} {class} sofar\" data-of=\"{index}\" d=\"{path}\"/>");
            }
            let alone = |at: &usize| is_known(*at) && !is_known(at + 1) && (*at == 0 || !is_known(at - 1));
            if plot.kind == Kind::Line && (0..steps).any(|at| alone(&at)) {
                let _ = write!(out, "<path class=\"ln {class} dot\" data-of=\"{index}\" d=\"");
                for at in (0..steps).filter(alone) {
                    let y = self.range.tenths(curve.values[at].unwrap_or_default(), height);
                    let _ = write!(out, "M{} {y}l0 0", at + self.across.first);
                }
                out.push_str("\"/>");
            }
        }
        out.push_str("</svg>");
    }

    fn thresholds(&self, out: &mut String) {
        for threshold in self.plot.thresholds.iter().filter(|threshold| threshold.value.is_finite()) {
            let y = self.y(threshold.value);
            let text = if y < 24.0 { y + 14.0 } else { y - 5.0 };
            let _ = write!(
                out,
                "<g class=\"limit\"><line x2=\"100%\" y1=\"{y}\" y2=\"{y}\"/><text x=\"100%\" y=\"{text:.1}\">{}</text></g>",
                escaped(&threshold.name)
            );
        }
    }

    /// What happened, with its name if it does not stand on another.
    fn marks(&self, out: &mut String) {
        // About so wide is a letter of a name, in per cent of a card.
        const LETTER: f64 = 1.1;
        let mut named_to = f64::NEG_INFINITY;
        let (start, end) = self.across.ends(self.plot);
        let mut marks: Vec<_> = self.plot.marks.iter().filter(|mark| (start..=end).contains(&mark.at)).collect();
        marks.sort_by_key(|mark| mark.at);
        for mark in marks.into_iter().take(MOST_MARKS) {
            let x = self.across.of_time(self.plot, mark.at).clamp(0.0, 100.0);
            let name = escaped(&mark.name);
            let percent = hundredths(x);
            let _ = write!(
                out,
                "<g class=\"mark {}\" data-t=\"{}\" data-n=\"{name}\"><line x1=\"{percent}%\" x2=\"{percent}%\" y2=\"{}\"/>",
                mark.sort.class(),
                mark.at,
                self.plot.height
            );
            let wide = LETTER * mark.name.chars().count().min(text::LONGEST) as f64;
            let is_left = x + wide > 100.0;
            let (from, to) = if is_left { (x - wide, x) } else { (x, x + wide) };
            if from > named_to {
                let (dx, edge) = if is_left { (-4, " class=\"last\"") } else { (4, "") };
                let _ = write!(out, "<text{edge} x=\"{percent}%\" dx=\"{dx}\" y=\"9\">{name}</text>");
                named_to = to;
            }
            out.push_str("</g>");
        }
    }

    /// Names at the right ends of lines, pushed apart.
    fn ends(&self, out: &mut String) {
        let ends = self.plot.curves.iter().enumerate().filter_map(|(index, curve)| {
            let last = curve.values.iter().rev().flatten().next()?;
            Some((self.y(*last), index))
        });
        let mut ends: Vec<_> = ends.collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        for at in 1..ends.len() {
            ends[at].0 = ends[at].0.max(ends[at - 1].0 + NAME);
        }
        let mut lowest = f64::from(self.plot.height) - 2.0;
        for end in ends.iter_mut().rev() {
            end.0 = end.0.min(lowest);
            lowest = end.0 - NAME;
        }
        for (y, index) in ends {
            let name = escaped(&self.plot.curves[index].name);
            let class = self.plot.class(index);
            let _ = write!(
                out,
                "<text class=\"name t-{class}\" x=\"100%\" dx=\"7\" y=\"{y:.1}\" dy=\".32em\">{name}</text>"
            );
        }
    }

    /// Pixels from the top.
    fn y(&self, value: f64) -> f64 {
        self.range.tenths(value, self.plot.height) as f64 / 10.0
    }
}

/// A number with two places, without those that say nothing.
fn hundredths(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A line without axes, for key figures: from a little below its least value to its greatest.
pub fn spark(values: &[Option<f64>], class: &str) -> String {
    const HEIGHT: u32 = 26;
    let known = || values.iter().flatten().copied().filter(|value| value.is_finite());
    if known().next().is_none() {
        return String::new();
    }
    let values: Vec<_> = values.iter().map(|value| value.filter(|value| value.is_finite())).collect();
    let (low, high) =
        known().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    // The largest numbers have a difference, too.
    let (low, high) = (low.max(-f64::MAX / 4.0), high.min(f64::MAX / 4.0));
    let room = ((high - low) * 0.1).max(1e-9);
    let range = Range { low: low - room, high: high + room / 10.0, ticks: Vec::new() };
    let range =
        if range.low < range.high { range } else { Range { low: 0.0, high: high.abs().max(1.0) * 2.0, ..range } };
    let across = if values.len() == 1 {
        Across { first: 1, width: 2, is_wide: false }
    } else {
        Across { first: 0, width: values.len() - 1, is_wide: false }
    };
    let class: String = class.chars().filter(char::is_ascii_alphanumeric).collect();
    let path = curve::line(&values, 0..values.len(), across, &range, HEIGHT);
    format!(
        "<svg class=\"spark\" viewBox=\"0 -15 {} 290\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><path class=\"ln {class}\" d=\"{path}\"/></svg>",
        across.width
    )
}
