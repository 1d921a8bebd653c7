//! A plot as a file of its own: with a title, a legend, and a style sheet in it, for light and dark.

use super::draw::Drawing;
use super::summary::{describe, rows};
use super::text::{escaped, markup};
use super::{Joined, Kind, Plot, day};
use std::fmt::Write as _;

const WIDTH: u32 = 960;
/// What stands around the drawing.
const LEFT: u32 = 76;
const RIGHT: u32 = 24;
const ENDS: u32 = 76;
const TOP: u32 = 56;
const BELOW: u32 = 44;
/// A row of the legend, and about how wide a letter is.
const ROW: u32 = 20;
const LETTER: u32 = 7;
/// Lines that a legend has room for.
const MOST: usize = 24;

/// The colours of pages, each for light and dark.
const STYLE: &str = "svg{color-scheme:light dark;\
--panel:light-dark(#fff,#15191f);--line:light-dark(#e1e5eb,#262c35);--line2:light-dark(#cbd2dc,#38414d);\
--ink:light-dark(#161b22,#e8ebf0);--ink3:light-dark(#5f6979,#8a95a5);--bad:light-dark(#b3261e,#ff8a7a);\
--s1:light-dark(#2b5fd9,#6c86ff);--s2:light-dark(#d9780f,#f29a4e);--s3:light-dark(#7a0f5c,#d4608b);\
--s4:light-dark(#35a374,#46e39a);--s5:light-dark(#5b8fa8,#10a9d9);--s6:light-dark(#9d6fe0,#e6bcff);\
--t2:light-dark(#a65a05,#f29a4e);--t4:light-dark(#1d7a50,#46e39a);--t5:light-dark(#3c6c84,#10a9d9);--t6:light-dark(#7d4fc4,#e6bcff);\
--c2:light-dark(#8fb8a8,#3f7f6c);--c3:light-dark(#4f86c6,#5b9be0);--c4:light-dark(#e0a100,#f0c04a);--c5:light-dark(#c8321f,#ff6b57)}\
text{font:11.5px -apple-system,\"Segoe UI\",Inter,Cantarell,\"Noto Sans\",\"Liberation Sans\",system-ui,sans-serif;fill:var(--ink3);font-variant-numeric:tabular-nums}\
.ground{fill:var(--panel)}.title{font-size:16px;font-weight:600;fill:var(--ink)}.value{font-weight:600;fill:var(--ink)}\
.plot{overflow:visible}.area{overflow:hidden}.grid line{stroke:var(--line)}.grid .base,.grid .tick{stroke:var(--line2)}\
.yl,.tl.last,.mark .last,.limit text{text-anchor:end}.tl,.hole text{text-anchor:middle}.tl.start{text-anchor:start}\
.name{font-weight:600}.hatch path{stroke:var(--line2)}\
.ln{fill:none;stroke-width:1.75;stroke-linejoin:round;stroke-linecap:round;vector-effect:non-scaling-stroke}.many .ln{stroke-width:1.25;stroke-opacity:.55}\
.ar{fill-opacity:.75}.ln.sofar{stroke-dasharray:3 4}.ln.dot{stroke-width:5}.ar.sofar,.br.sofar{fill-opacity:.35}\
.limit line{stroke:var(--bad);stroke-width:1.25;stroke-dasharray:5 4}.limit text{fill:var(--bad);font-weight:600}.mark line{stroke:var(--ink3);stroke-dasharray:2 3}.mark text{font-size:10.5px}\
.ln.s1{stroke:var(--s1)}.ln.s2{stroke:var(--s2)}.ln.s3{stroke:var(--s3)}.ln.s4{stroke:var(--s4)}.ln.s5{stroke:var(--s5)}.ln.s6{stroke:var(--s6)}\
.ln.c2{stroke:var(--s4)}.ln.c3{stroke:var(--s1)}.ln.c4{stroke:var(--s2)}.ln.c5{stroke:var(--c5)}\
.ar.s1,.br.s1,.sw.s1{fill:var(--s1)}.ar.s2,.br.s2,.sw.s2{fill:var(--s2)}.ar.s3,.br.s3,.sw.s3{fill:var(--s3)}.ar.s4,.br.s4,.sw.s4{fill:var(--s4)}.ar.s5,.br.s5,.sw.s5{fill:var(--s5)}.ar.s6,.br.s6,.sw.s6{fill:var(--s6)}\
.ar.c2,.br.c2,.sw.c2{fill:var(--c2)}.ar.c3,.br.c3,.sw.c3{fill:var(--c3)}.ar.c4,.br.c4,.sw.c4{fill:var(--c4)}.ar.c5,.br.c5,.sw.c5{fill:var(--c5)}\
.t-s1{fill:var(--s1)}.t-s2{fill:var(--t2)}.t-s3{fill:var(--s3)}.t-s4{fill:var(--t4)}.t-s5{fill:var(--t5)}.t-s6{fill:var(--t6)}\
.t-c2{fill:var(--t4)}.t-c3{fill:var(--s1)}.t-c4{fill:var(--t2)}.t-c5{fill:var(--c5)}";

/// A file that needs no other. Served, it wants `style-src 'unsafe-inline'` in a policy of its own, and no more.
pub fn svg_file(plot: &Plot) -> String {
    let plot = match plot.kind {
        // A number has no axes on a page; a file of it is the line behind it.
        Kind::Number | Kind::Table => &Plot { kind: Kind::Line, ..plot.clone() },
        _ => plot,
    };
    let plot = plot.ready();
    let plot = plot.as_ref();
    let drawing = Drawing::new(plot);
    let width = WIDTH - LEFT - if plot.has_ends() { ENDS } else { RIGHT };
    let (legend, rows) = legend(plot, drawing.scale(), TOP + plot.height + BELOW);
    let height = TOP + plot.height + BELOW + rows * ROW + 8;
    let mut out = String::with_capacity(16 * 1024);
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         role=\"img\" aria-labelledby=\"t d\"><title id=\"t\">{}</title><desc id=\"d\">{}</desc><style>{STYLE}</style>",
        escaped(&plot.title),
        markup(&describe(plot))
    );
    let end = plot.time(plot.steps);
    let _ = write!(
        out,
        "<rect class=\"ground\" width=\"100%\" height=\"100%\"/><text class=\"title\" x=\"16\" y=\"26\">{}</text>\
         <text x=\"16\" y=\"43\">{}{} ({})</text>",
        escaped(&plot.title),
        if plot.about.is_empty() { String::new() } else { format!("{} · ", escaped(&plot.about)) },
        day::stretch(plot.start, end, &plot.zone),
        escaped(&day::name(plot.start, &plot.zone))
    );
    let many = if plot.is_many() { " many" } else { "" };
    let _ =
        write!(out, "<svg class=\"plot{many}\" x=\"{LEFT}\" y=\"{TOP}\" width=\"{width}\" height=\"{}\">", plot.height);
    drawing.inside(&mut out, false);
    let _ = writeln!(out, "</svg>{legend}</svg>");
    out
}

/// The legend, and how many rows it has.
fn legend(plot: &Plot, scale: super::Scale<'_>, top: u32) -> (String, u32) {
    let mut out = String::new();
    let (mut x, mut row) = (LEFT, 0);
    let rows = rows(plot);
    for entry in rows.iter().take(MOST) {
        let sums = plot.kind == Kind::Bars && plot.joined == Joined::Sum;
        let value = if sums { entry.sum } else { entry.last };
        let value = value.map_or_else(|| "–".to_owned(), |value| scale.amount(value));
        let letters = entry.name.chars().count() + value.chars().count();
        let width = 38 + LETTER * u32::try_from(letters).unwrap_or(100);
        if x + width > WIDTH - RIGHT && x > LEFT {
            (x, row) = (LEFT, row + 1);
        }
        let y = top + row * ROW;
        let _ = write!(
            out,
            "<rect class=\"sw {}\" x=\"{x}\" y=\"{}\" width=\"10\" height=\"10\" rx=\"3\"/><text x=\"{}\" y=\"{y}\">{} <tspan class=\"value\">{}</tspan></text>",
            entry.class,
            y - 9,
            x + 16,
            markup(&entry.name),
            markup(&value)
        );
        x += width;
    }
    let more = rows.len().saturating_sub(MOST) + plot.more;
    if more > 0 {
        row += u32::from(x > LEFT);
        let _ = write!(out, "<text x=\"{LEFT}\" y=\"{}\">and {more} more</text>", top + row * ROW);
    }
    (out, row + 1)
}
