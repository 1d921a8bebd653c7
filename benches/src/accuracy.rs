//! What becomes of percentiles when those of several streams are averaged, and when the streams are merged.
//!
//! An hour of ten dynos, in eight shapes: 600 rows, one for each dyno and minute. Whoever keeps only the percentiles of each
//! row can average them, weighted by how many values each has or not, or take the highest. Rows that keep their sketches are
//! merged, and the percentile is that of all values, within the sketch's bound. `docs/accuracy.md` is made of this.

use metric_model::Percentile;
use minute_aggregator::{MinuteSketch, Sketch as _};
use std::fmt::Write as _;

const DYNOS: usize = 10;
const MINUTES: usize = 60;

/// Draws numbers, the same each time.
struct Random(u64);

impl Random {
    /// Uniform in (0, 1).
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Around a median, with a tail as response times have it: by Box and Muller, on a logarithmic scale.
    fn near(&mut self, median: f64, spread: f64) -> f64 {
        let normal = (-2.0 * self.next().ln()).sqrt() * (std::f64::consts::TAU * self.next()).cos();
        median * (spread * normal).exp()
    }
}

/// An hour: how many values a dyno has in a minute, and each of them, in milliseconds.
struct Shape {
    name: &'static str,
    count: fn(usize, usize) -> usize,
    value: fn(&mut Random, usize, usize) -> f64,
}

const SHAPES: [Shape; 8] = [
    Shape { name: "ten dynos alike", count: |_, _| 100, value: |random, _, _| random.near(60.0, 0.5) },
    Shape {
        name: "one dyno of ten is 20 times slower",
        count: |_, _| 100,
        value: |random, dyno, _| random.near(if dyno == 0 { 1_200.0 } else { 60.0 }, 0.5),
    },
    Shape {
        name: "a slow dyno that answers few",
        count: |dyno, _| if dyno == 0 { 2 } else { 110 },
        value: |random, dyno, _| random.near(if dyno == 0 { 8_000.0 } else { 60.0 }, 0.5),
    },
    Shape {
        name: "two slow minutes behind a deploy",
        count: |_, _| 100,
        value: |random, _, minute| random.near(if matches!(minute, 30 | 31) { 3_000.0 } else { 60.0 }, 0.5),
    },
    Shape {
        name: "traffic that swells, and slows",
        count: |_, minute| if minute < 48 { 10 } else { 400 },
        value: |random, _, minute| random.near(if minute < 48 { 40.0 } else { 400.0 }, 0.4),
    },
    Shape {
        name: "timeouts of 30 s, on two dynos",
        count: |_, _| 100,
        value: |random, dyno, _| {
            if dyno < 2 && random.next() < 0.04 { 30_000.0 } else { random.near(60.0, 0.5) }
        },
    },
    Shape {
        name: "cached answers and others, by dyno",
        count: |_, _| 100,
        value: |random, dyno, _| {
            let cached = random.next() < dyno as f64 / 10.0;
            random.near(if cached { 4.0 } else { 300.0 }, 0.2)
        },
    },
    Shape { name: "three requests a minute", count: |_, _| 3, value: |random, _, _| random.near(60.0, 0.9) },
];

/// What is told of one percentile of one shape.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Told {
    /// That of all values, sorted.
    pub truth: f64,
    /// The mean of the rows' own.
    pub averaged: f64,
    /// The same, each weighted by its number of values.
    pub weighted: f64,
    /// The highest of them.
    pub highest: f64,
    /// That of the merged sketches.
    pub merged: f64,
}

impl Told {
    /// How far an answer is from the truth, as a share of it.
    #[must_use]
    pub fn error(&self, answer: f64) -> f64 {
        (answer - self.truth) / self.truth
    }
}

/// All shapes by name, each with its p50, p95 and p99.
#[must_use]
pub fn told() -> Vec<(&'static str, [Told; 3])> {
    SHAPES.iter().map(|shape| (shape.name, hour(shape))).collect()
}

fn hour(shape: &Shape) -> [Told; 3] {
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let (mut values, mut rows, mut merged) = (Vec::new(), Vec::new(), MinuteSketch::new());
    for minute in 0..MINUTES {
        for dyno in 0..DYNOS {
            let mut row = MinuteSketch::new();
            let count = (shape.count)(dyno, minute);
            for _ in 0..count {
                let value = (shape.value)(&mut random, dyno, minute);
                row.record(value);
                values.push(value);
            }
            rows.extend(row.percentiles().map(|percentiles| (percentiles, count as f64)));
            merged.merge(&row);
        }
    }
    values.sort_unstable_by(f64::total_cmp);
    let weight: f64 = rows.iter().map(|(_, count)| count).sum();
    [Percentile::P50, Percentile::P95, Percentile::P99].map(|which| {
        let of = |row: &metric_model::Percentiles| row.get(which);
        Told {
            truth: values[which.rank(values.len() as u64) as usize - 1],
            averaged: rows.iter().map(|(row, _)| of(row)).sum::<f64>() / rows.len() as f64,
            weighted: rows.iter().map(|(row, count)| of(row) * count).sum::<f64>() / weight,
            highest: rows.iter().map(|(row, _)| of(row)).fold(0.0, f64::max),
            merged: merged.percentiles().map_or(f64::NAN, |all| of(&all)),
        }
    })
}

/// The table of `docs/accuracy.md`.
#[must_use]
pub fn table() -> String {
    let mut text = "| an hour of ten dynos | | true | average | weighted | highest | merged |\n|---|---|---:|---:|---:|---:|---:|\n".to_owned();
    for (name, all) in told() {
        for (at, (which, told)) in ["p50", "p95", "p99"].into_iter().zip(all).enumerate() {
            let error = |answer| percent(told.error(answer));
            // Writing to memory cannot fail.
            let _ = writeln!(
                text,
                "| {} | {which} | {:.0} ms | {} | {} | {} | {} |",
                if at == 0 { name } else { "" },
                told.truth,
                error(told.averaged),
                error(told.weighted),
                error(told.highest),
                error(told.merged),
            );
        }
    }
    text
}

/// `+12 %`, with a place behind the point when it is small.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let text = if percent.abs() < 0.95 { format!("{percent:+.1} %") } else { format!("{percent:+.0} %") };
    match text.as_str() {
        "+0.0 %" | "-0.0 %" => "0 %".to_owned(),
        _ => text.replace('-', "−"),
    }
}

const WIDTH: f64 = 960.0;
/// Where no error stands, and how wide one of 100 % is.
const NONE: f64 = 470.0;
const WHOLE: f64 = 160.0;
const ROW: f64 = 44.0;
/// A bar that is longer is cut, and says so.
const MOST: f64 = 1.75;

const STYLE: &str = "svg{color-scheme:light dark}\
text{font:13px -apple-system,\"Segoe UI\",Inter,Cantarell,\"Noto Sans\",\"Liberation Sans\",system-ui,sans-serif;fill:light-dark(#161b22,#e8ebf0)}\
.ground{fill:light-dark(#fff,#15191f)}.title{font-size:16px;font-weight:600}.small{font-size:11.5px;fill:light-dark(#5f6979,#8a95a5)}\
.shape{text-anchor:end}.left{text-anchor:end}.middle{text-anchor:middle}line{stroke:light-dark(#cbd2dc,#38414d)}\
.averaged{fill:light-dark(#d9780f,#f29a4e)}.merged{fill:light-dark(#2b5fd9,#6c86ff)}";

/// The picture of `docs/accuracy.md`: errors of p99.
#[must_use]
pub fn picture() -> String {
    let all = told();
    let bottom = 78.0 + ROW * all.len() as f64;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{0}\" viewBox=\"0 0 {WIDTH} {0}\" role=\"img\" \
         aria-labelledby=\"t d\"><title id=\"t\">The error of p99 over ten dynos and an hour</title><desc id=\"d\">",
        bottom + 36.0
    );
    for (name, [_, _, p99]) in &all {
        let _ = write!(
            text,
            "{name}: averaged {}, merged {}. ",
            percent(p99.error(p99.averaged)),
            percent(p99.error(p99.merged))
        );
    }
    let _ = write!(
        text,
        "</desc><style>{STYLE}</style><rect class=\"ground\" width=\"100%\" height=\"100%\"/>\
         <text class=\"title\" x=\"16\" y=\"28\">The error of p99 over ten dynos and an hour</text>\
         <rect class=\"averaged\" x=\"16\" y=\"42\" width=\"11\" height=\"11\" rx=\"3\"/><text x=\"33\" y=\"52\">average of the rows' p99</text>\
         <rect class=\"merged\" x=\"210\" y=\"42\" width=\"11\" height=\"11\" rx=\"3\"/><text x=\"227\" y=\"52\">p99 of the merged sketches</text>"
    );
    for tick in [-1.0, -0.5, 0.0, 0.5, 1.0, 1.5] {
        let x = NONE + tick * WHOLE;
        let label =
            if tick == 0.0 { "the truth".to_owned() } else { format!("{:+.0} %", tick * 100.0).replace('-', "−") };
        let _ = write!(
            text,
            "<line x1=\"{x}\" x2=\"{x}\" y1=\"70\" y2=\"{bottom}\"/><text class=\"small middle\" x=\"{x}\" y=\"{}\">{label}</text>",
            bottom + 18.0
        );
    }
    for (row, (name, [_, _, p99])) in all.iter().enumerate() {
        let y = 78.0 + ROW * row as f64;
        let _ = write!(text, "<text class=\"shape\" x=\"265\" y=\"{}\">{name}</text>", y + 20.0);
        for (class, answer, top) in [("averaged", p99.averaged, y + 3.0), ("merged", p99.merged, y + 18.0)] {
            let error = p99.error(answer);
            let end = NONE + error.clamp(-MOST, MOST) * WHOLE;
            // What is right to a pixel is a thin line.
            let (x, width) = (end.min(NONE), (end - NONE).abs().max(2.0));
            let (side, beside) = if error < 0.0 { ("small left", x - 5.0) } else { ("small", x + width + 5.0) };
            let more = if error.abs() > MOST { "… " } else { "" };
            let _ = write!(
                text,
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"12\"/>\
                 <text class=\"{side}\" x=\"{beside:.1}\" y=\"{}\">{more}{}</text>",
                top + 10.0,
                percent(error)
            );
        }
    }
    text.push_str("</svg>\n");
    text
}
