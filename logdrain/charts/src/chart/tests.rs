//! Whole drawings: small ones as text, and what must hold for every one.

use super::*;
use crate::series::Line;

/// 28 November 2026, 06:00 UTC.
const START: i64 = 1_795_845_600;

/// Draws numbers, the same each time.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn share(&mut self) -> f64 {
        self.below(1 << 30) as f64 / f64::from(1 << 30)
    }
}

fn series(unit: &str, lines: &[(&str, &[Option<f64>])]) -> Series {
    let steps = lines.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
    let line = |(name, values): &(&str, &[Option<f64>])| Line {
        tags: if name.is_empty() { Vec::new() } else { vec![("source".to_owned(), (*name).to_owned())] },
        values: values.to_vec(),
    };
    Series {
        start: START,
        step: 60,
        steps,
        closed: steps,
        unit: unit.to_owned(),
        lines: lines.iter().map(line).collect(),
        more: 0,
    }
}

fn plot(kind: Kind, unit: &str, lines: &[(&str, &[Option<f64>])]) -> Plot {
    Plot::new("c1", "Title", kind, &series(unit, lines), Function::Sum, TimeZone::UTC)
}

/// Percentiles of a day as the pages show them: a swing, noise, a spike, and 18 minutes without data.
fn percentiles() -> Plot {
    let mut draw = Draw(7);
    let mut lines: Vec<(&str, Vec<Option<f64>>)> = vec![("p99", vec![]), ("p95", vec![]), ("p50", vec![])];
    for minute in 0..360 {
        let swing = 1.0 + 0.2 * (f64::from(minute) / 60.0).sin();
        let spike = 1.0 + 2.0 * (-((f64::from(minute) - 265.0) / 9.0).powi(2)).exp();
        for ((_, values), (level, noise)) in lines.iter_mut().zip([(200.0, 40.0), (130.0, 15.0), (45.0, 3.0)]) {
            let value = (level * swing + noise * draw.share()) * spike;
            values.push((!(200..218).contains(&minute)).then_some(value));
        }
    }
    let lines: Vec<_> = lines.iter().map(|(name, values)| (*name, values.as_slice())).collect();
    plot(Kind::Line, "ms", &lines)
}

/// Elements of a text of XML are balanced, and nothing is out of place: a reader small enough to be believed.
fn is_well_formed(text: &str) -> Result<(), String> {
    let mut open = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        text_is_plain(before)?;
        // A `>` in the quotes of an attribute would be escaped.
        let end = tag.find('>').ok_or("a tag without an end")?;
        let inside = &tag[1..end];
        rest = &tag[end + 1..];
        if let Some(name) = inside.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(format!("</{name}> closes something else"));
            }
            continue;
        }
        let (inside, is_empty) = inside.strip_suffix('/').map_or((inside, false), |inside| (inside, true));
        if inside.contains('<') || inside.matches('"').count() % 2 != 0 {
            return Err(format!("quotes of <{inside}>"));
        }
        inside.split('"').skip(1).step_by(2).try_for_each(text_is_plain)?;
        let name = inside.split_ascii_whitespace().next().unwrap_or_default();
        if !is_empty {
            open.push(name);
        }
        // The sheet is CSS.
        if name == "style" {
            rest = &rest[rest.find("</style>").ok_or("a style without an end")?..];
        }
    }
    text_is_plain(rest.trim_end())?;
    if open.is_empty() { Ok(()) } else { Err(format!("{open:?} left open")) }
}

fn text_is_plain(text: &str) -> Result<(), String> {
    if text.contains(['<', '>', '"']) || text.chars().any(char::is_control) {
        return Err(format!("{text:?}"));
    }
    for entity in text.split('&').skip(1) {
        let name = entity.split(';').next().unwrap_or_default();
        if !["amp", "lt", "gt", "quot", "#39"].contains(&name) {
            return Err(format!("&{entity}"));
        }
    }
    Ok(())
}

/// Every point of every path lies in its view box.
fn paths_are_within(svg: &str, width: f64, height: f64) {
    for path in svg.split(" d=\"").skip(1) {
        let path = path.split('"').next().unwrap();
        let (mut x, mut y) = (0.0_f64, 0.0_f64);
        let mut command = 'M';
        let mut rest = path;
        let number = |rest: &mut &str| -> Option<f64> {
            *rest = rest.trim_start_matches(' ');
            let end = rest[1.min(rest.len())..]
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .map_or(rest.len(), |at| at + 1);
            let (digits, behind) = rest.split_at(end);
            *rest = behind;
            digits.parse().ok()
        };
        while !rest.trim_start().is_empty() {
            rest = rest.trim_start();
            let next = rest.chars().next().unwrap();
            if next.is_ascii_alphabetic() {
                command = next;
                rest = &rest[1..];
            }
            match command {
                'M' => (x, y) = (number(&mut rest).unwrap(), number(&mut rest).unwrap()),
                'l' => {
                    x += number(&mut rest).unwrap();
                    y += number(&mut rest).unwrap();
                }
                'V' => y = number(&mut rest).unwrap(),
                'h' => x += number(&mut rest).unwrap(),
                'z' => {}
                other => panic!("{other} in {path}"),
            }
            // Half a step of an area by itself may be cut off at the edge.
            assert!((-0.5..=width + 0.5).contains(&x) && (0.0..=height).contains(&y), "{x} {y} of {path}");
        }
    }
}

/// What holds for every plot.
fn holds(plot: &Plot) {
    let ready = plot.ready();
    let inline = svg(plot);
    let whole = figure(plot, &Links::default()).into_string();
    let file = svg_file(plot);
    for text in [&inline, &file, &whole] {
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        // HTML has attributes without a value; none of them is in a drawing.
        is_well_formed(&text.replace(" hidden", "")).unwrap_or_else(|error| panic!("{error}: {text}"));
    }
    for words in ["style=", "<script", "onload", "javascript:"] {
        assert!(!inline.to_lowercase().contains(words) && !whole.to_lowercase().contains(words), "{words}: {whole}");
    }
    assert!(!inline.contains("stroke=\"") && !inline.replace("fill=\"url(#", "").contains("fill=\""), "{inline}");
    if matches!(plot.kind, Kind::Line | Kind::Stacked | Kind::Bars) {
        let across = curve::Across::new(&ready);
        let drawn = inline.replace("M0 0V6", "M0 0V0");
        paths_are_within(&drawn, across.width as f64, f64::from(plot.height) * 10.0);
    }
    let table = csv(plot);
    assert_eq!(table.lines().count(), ready.steps + 1);
    assert!(describe(plot).len() < 4_000, "{}", describe(plot));
}

#[test]
fn a_line_with_a_gap_as_text() {
    let mut plot = plot(Kind::Line, "ms", &[("", &[Some(1.0), Some(2.0), None, Some(4.0), Some(3.0)])]);
    plot.height = 100;
    plot.closed = 4;
    plot.thresholds = vec![Threshold { value: 3.5, name: "limit".to_owned() }];
    plot.marks = vec![Mark { at: START + 60, name: "v7".to_owned(), sort: Sort::Release }];
    let expected = concat!(
        "<svg class=\"plot\" height=\"100\" role=\"img\" tabindex=\"0\" aria-labelledby=\"c1-t\" aria-describedby=\"c1-d\">",
        "<g class=\"grid\">",
        "<line x2=\"100%\" y1=\"100\" y2=\"100\" class=\"base\"/><text class=\"yl\" x=\"-8\" y=\"100\" dy=\".32em\">0 ms</text>",
        "<line x2=\"100%\" y1=\"50\" y2=\"50\"/><text class=\"yl\" x=\"-8\" y=\"50\" dy=\".32em\">2 ms</text>",
        "<line x2=\"100%\" y1=\"0\" y2=\"0\"/><text class=\"yl\" x=\"-8\" y=\"0\" dy=\".32em\">4 ms</text>",
        "<line class=\"tick\" x1=\"0%\" x2=\"0%\" y1=\"100\" y2=\"104\"/><text class=\"tl start\" x=\"0%\" y=\"117\">06:00</text>",
        "<line class=\"tick\" x1=\"25%\" x2=\"25%\" y1=\"100\" y2=\"104\"/><text class=\"tl odd\" x=\"25%\" y=\"117\">06:01</text>",
        "<line class=\"tick\" x1=\"50%\" x2=\"50%\" y1=\"100\" y2=\"104\"/><text class=\"tl\" x=\"50%\" y=\"117\">06:02</text>",
        "<line class=\"tick\" x1=\"75%\" x2=\"75%\" y1=\"100\" y2=\"104\"/><text class=\"tl odd\" x=\"75%\" y=\"117\">06:03</text>",
        "<line class=\"tick\" x1=\"100%\" x2=\"100%\" y1=\"100\" y2=\"104\"/><text class=\"tl last\" x=\"100%\" y=\"117\">06:04</text>",
        "</g>",
        "<pattern id=\"c1-h\" class=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><path d=\"M0 0V6\"/></pattern>",
        "<g class=\"hole\"><rect x=\"37.5%\" width=\"25%\" height=\"100\" fill=\"url(#c1-h)\"/><text x=\"50%\" y=\"50\">no data</text></g>",
        "<svg class=\"area\" viewBox=\"0 0 4 1000\" preserveAspectRatio=\"none\" width=\"100%\" height=\"100\">",
        "<path class=\"ln s1\" data-k=\"0\" data-n=\"\" data-v=\"1 2 - 4 3\" d=\"M0 750l0 0 1-250\"/>",
        "<path class=\"ln s1 sofar\" data-of=\"0\" d=\"M3 0l0 0 1 250\"/></svg>",
        "<g class=\"limit\"><line x2=\"100%\" y1=\"12.5\" y2=\"12.5\"/><text x=\"100%\" y=\"26.5\">limit</text></g>",
        "<g class=\"mark release\" data-t=\"1795845660\" data-n=\"v7\"><line x1=\"25%\" x2=\"25%\" y2=\"100\"/><text x=\"25%\" dx=\"4\" y=\"9\">v7</text></g>",
        "<g class=\"cross\"><line y2=\"100\"/></g><rect class=\"brush\" height=\"100\" width=\"0\"/></svg>",
    );
    assert_eq!(svg(&plot), expected);
    assert_eq!(
        describe(&plot),
        "In ms, 28 Nov 06:00 to 06:05 (UTC), one point for each minute. All: last 4 ms, highest 4 ms, lowest 1 ms. \
         No data 28 Nov 06:02 to 06:03. Threshold: limit. 28 Nov 06:01: v7. What is dashed is so far: its time is not over."
    );
    holds(&plot);
}

#[test]
fn stacked_areas_and_bars_as_text() {
    let lines: [(&str, &[Option<f64>]); 2] =
        [("a", &[Some(1.0), Some(2.0), Some(1.0), None]), ("b", &[Some(3.0), Some(2.0), None, None])];
    let curves = |kind| {
        let mut plot = plot(kind, "", &lines);
        plot.height = 100;
        holds(&plot);
        let svg = svg(&plot);
        let area = &svg[svg.find("<path class").unwrap()..];
        area[..area.find("</svg>").unwrap()].to_owned()
    };
    assert_eq!(
        curves(Kind::Stacked),
        "<path class=\"ar s1\" data-k=\"0\" data-n=\"a\" data-v=\"1 2 1 -\" d=\"M0 750l 1-250 1 250V1000l-1 0-1 0z\"/>\
         <path class=\"ar s2\" data-k=\"1\" data-n=\"b\" data-v=\"3 2 - -\" d=\"M0 0l 1 0V500l-1 250z\"/>"
    );
    assert_eq!(
        curves(Kind::Bars),
        "<path class=\"br s1\" data-k=\"0\" data-n=\"a\" data-v=\"1 2 1 -\" d=\"M0 1000V750h.86V1000zM1 1000V500h.86V1000zM2 1000V750h.86V1000z\"/>\
         <path class=\"br s2\" data-k=\"1\" data-n=\"b\" data-v=\"3 2 - -\" d=\"M0 750V0h.86V750zM1 500V0h.86V500z\"/>"
    );
}

#[test]
fn a_table_for_spreadsheets_as_text() {
    let name = "=cmd, \"x\"";
    let mut plot = plot(Kind::Line, "ms", &[("p50", &[Some(0.1), None, Some(1e21)]), (name, &[Some(-7.0), Some(2.5)])]);
    plot.closed = 2;
    plot.zone = TimeZone::get("Europe/Paris").unwrap();
    assert_eq!(
        csv(&plot),
        "time,closed,p50 (ms),\"'=cmd, \"\"x\"\" (ms)\"\n\
         2026-11-28T07:00:00+01:00,true,0.1,-7\n\
         2026-11-28T07:01:00+01:00,true,,2.5\n\
         2026-11-28T07:02:00+01:00,false,1000000000000000000000,\n"
    );
}

#[test]
fn drawings_are_small() {
    let plot = percentiles();
    holds(&plot);
    let svg = svg(&plot);
    let values: usize = svg.split("data-v=\"").skip(1).map(|text| text.find('"').unwrap()).sum();
    // Some five bytes a point, and as much again for the values that are pointed at.
    assert!(svg.len() - values < 8_000, "{} of {}", svg.len() - values, svg.len());
    assert!(svg.len() < 14_000, "{}", svg.len());
    assert!(svg_file(&plot).len() < 13_000, "{}", svg_file(&plot).len());
}

#[test]
fn an_export_stands_by_itself() {
    let file = svg_file(&percentiles());
    assert!(file.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" "), "{file}");
    for part in ["<title id=\"t\">Title</title>", "<desc id=\"d\">In ms, ", "<style>", "p99 <tspan class=\"value\">"] {
        assert!(file.contains(part), "{part}");
    }
    assert!(!file.contains("data-v=") && !file.contains("href") && !file.contains("@import"), "{file}");
    // Of a number it is the line behind it.
    let number = svg_file(&Plot { kind: Kind::Number, ..percentiles() });
    assert_eq!(number, file);
}

#[test]
fn hostile_names_are_text() {
    let name = "</text><script>alert(1)</script>\" onload=\"x\u{1b}[31m\u{202e}\u{0}\u{fffe}'&";
    for kind in [Kind::Line, Kind::Stacked, Kind::Bars, Kind::Number, Kind::Table] {
        let mut plot = plot(kind, name, &[(name, &[Some(1.0), None]), ("", &[Some(2.0), Some(3.0)])]);
        plot.id = name.to_owned();
        plot.title = name.to_owned();
        plot.about = name.repeat(20);
        plot.curves[1].class = name.to_owned();
        plot.thresholds = vec![Threshold { value: 1.0, name: name.to_owned() }];
        plot.marks = vec![Mark { at: START, name: name.to_owned(), sort: Sort::Deploy }];
        for text in
            [svg(&plot), svg_file(&plot), figure(&plot, &Links::default()).into_string(), spark(&[Some(1.0)], name)]
        {
            is_well_formed(&text.replace(" hidden", "")).unwrap_or_else(|error| panic!("{error}: {text}"));
            assert!(!text.contains("<script") && !text.contains('\u{202e}') && !text.contains('\u{fffe}'), "{text}");
            assert!(!text.contains(" onload=\"x"), "{text}");
        }
    }
    // A name cannot make a page large.
    let long = "x".repeat(1 << 20);
    let mut plot = plot(Kind::Line, "ms", &[(long.as_str(), &[Some(1.0)])]);
    plot.title.clone_from(&long);
    assert!(figure(&plot, &Links::default()).into_string().len() < 6_000);
    assert!(svg_file(&plot).len() < 10_000);
}

#[test]
fn the_menu_leads_where_it_says() {
    let links = Links {
        menu: vec![("Open in explorer".to_owned(), "/explore?m=a&b=\"c\"".to_owned())],
        lines: Some("/events?q=a%20b&x=1".to_owned()),
    };
    let mut plot = plot(Kind::Bars, "", &[("a", &[Some(1.0), Some(2.0)])]);
    plot.zone = TimeZone::get("Europe/Paris").unwrap();
    let text = figure(&plot, &links).into_string();
    for part in [
        "<figure class=\"chart\" id=\"c1\" data-start=\"1795845600\" data-step=\"60\" data-closed=\"2\" data-zone=\"Europe/Paris\" \
         data-offset=\"3600\" data-unit=\"\" data-kind=\"stack\" data-lines=\"/events?q=a%20b&amp;x=1\">",
        "<h3 id=\"c1-t\">Title</h3>",
        "<a href=\"/explore?m=a&amp;b=&quot;c&quot;\">Open in explorer</a>",
        "<p class=\"vh\" id=\"c1-d\">28 Nov 07:00 to 07:02 (Europe/Paris), one bar for each minute. a: 3 in all, highest 2.</p>",
        "<button type=\"button\" aria-pressed=\"true\" data-k=\"0\"><i class=\"sw s1\"></i><span>a</span><b>3</b></button>",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn bars_are_joined_until_they_can_be_seen() {
    let values: Vec<_> = (0..360).map(|minute| Some(f64::from(minute % 3))).collect();
    let mut plot = plot(Kind::Bars, "", &[("", &values)]);
    plot.closed = 358;
    let ready = plot.ready();
    assert_eq!((ready.steps, ready.step, ready.closed, ready.curves[0].values[0]), (120, 180, 119, Some(3.0)));
    holds(&plot);
    assert_eq!(svg(&plot).matches("h.86").count(), 120);
    // Into equal ones if that can be, and never into more.
    for steps in 1..1_500 {
        let plot = Plot { steps, closed: steps, curves: Vec::new(), ..plot.clone() };
        let ready = plot.ready();
        assert!(
            ready.steps <= MOST_BARS && ready.steps * ready.step as usize >= steps * 60,
            "{steps}: {}",
            ready.steps
        );
    }
    let joined = |function| Joined::of(function).join([3.0, 9.0, 6.0].into_iter());
    assert_eq!(joined(Function::Sum), Some(18.0));
    assert_eq!(joined(Function::Rate), Some(6.0));
    assert_eq!(
        (joined(Function::Min), joined(Function::Max), joined(Function::Last)),
        (Some(3.0), Some(9.0), Some(6.0))
    );
    assert_eq!(joined(Function::Quantile(0.99)), Some(9.0));
    assert_eq!(Joined::Sum.join(std::iter::empty()), None);
}

#[test]
fn answers_over_other_steps_find_their_place() {
    let mut plot = plot(Kind::Line, "ms", &[("", &[Some(1.0), Some(2.0), Some(3.0)])]);
    let mut other = series("ms", &[("b", &[Some(7.0), Some(8.0), Some(9.0), Some(f64::NAN)])]);
    other.start -= 60;
    other.more = 4;
    plot.add(&other, "p95");
    assert_eq!(plot.curves[1].values, [Some(8.0), Some(9.0), None]);
    assert_eq!((plot.curves[1].name.as_str(), plot.more), ("p95 b", 4));
    for start in [i64::MIN, i64::MAX] {
        other.start = start;
        plot.add(&other, "");
        assert_eq!(plot.curves.last().unwrap().values, [None; 3]);
    }
    holds(&plot);
}

#[test]
fn colours_are_told_apart() {
    let one: [Option<f64>; 1] = [Some(1.0)];
    let statuses = Series {
        lines: ["2xx", "3xx", "4xx", "5xx", "unknown"]
            .map(|value| Line { tags: vec![("status_category".to_owned(), value.to_owned())], values: one.to_vec() })
            .to_vec(),
        ..series("", &[("", &one)])
    };
    let plot = Plot::new("c", "", Kind::Stacked, &statuses, Function::Sum, TimeZone::UTC);
    assert_eq!((0..5).map(|at| plot.class(at).into_owned()).collect::<Vec<_>>(), ["c2", "c3", "c4", "c5", "s5"]);
    // Of many lines those of one group share a colour.
    let names = ["web.1", "web.2", "worker.1", "web.3", "clock.1", "worker.2", "web.4"];
    let many = super::tests::plot(Kind::Line, "", &names.map(|name| (name, one.as_slice())));
    assert!(figure(&many, &Links::default()).into_string().contains("class=\"chart many\""));
    assert_eq!(
        (0..7).map(|at| many.class(at).into_owned()).collect::<Vec<_>>(),
        ["s1", "s1", "s2", "s1", "s3", "s2", "s1"]
    );
}

/// Plots of every kind over values of every size, with gaps, ends and zones of every kind.
#[test]
fn every_plot_is_drawn_within_its_box() {
    let mut draw = Draw(11);
    let sizes =
        [0.0, 1.0, 1e-320, 1e-9, 0.3, 512.0, 3e9, 1e15, 1e300, f64::MAX, f64::NAN, f64::INFINITY, f64::MIN, -4.0];
    let zones = ["UTC", "Europe/Paris", "Asia/Kathmandu", "America/St_Johns"].map(|name| TimeZone::get(name).unwrap());
    for round in 0..250 {
        let kind = [Kind::Line, Kind::Stacked, Kind::Bars, Kind::Number][draw.below(4) as usize];
        let steps = [0, 1, 2, 3, 59, 121, 360][draw.below(7) as usize];
        let lines = [0, 1, 2, 4, 12][draw.below(5) as usize];
        let size = sizes[draw.below(sizes.len() as u64) as usize];
        let gaps = [0, 2, 10, 100][draw.below(4) as usize];
        let mut plot = plot(kind, ["", "ms", "bytes", "%", "/min", "bytes/min", "pages"][draw.below(7) as usize], &[]);
        plot.steps = steps;
        plot.closed = steps.saturating_sub(draw.below(4) as usize);
        plot.step = [1, 60, 900, 3_600, 86_400, u32::MAX][draw.below(6) as usize];
        // Before the summer, and before the winter.
        plot.start = [0, START, 1_774_738_800, 1_792_879_200, i64::MIN, i64::MAX - 7][draw.below(6) as usize];
        plot.zone = zones[draw.below(4) as usize].clone();
        plot.height = [30, 100, 168][draw.below(3) as usize];
        for line in 0..lines {
            let values = (0..steps).map(|_| {
                (draw.below(100) >= gaps).then(|| if draw.below(3) == 0 { size } else { size * draw.share() })
            });
            let values: Vec<_> = values.collect();
            plot.curves.push(Curve { name: format!("line {line}"), class: String::new(), values });
        }
        if draw.below(3) == 0 {
            plot.axis = Axis { min: Some(draw.share() * 90.0), max: Some(100.0) };
            plot.thresholds = vec![Threshold { value: sizes[round % sizes.len()], name: "limit".to_owned() }];
            plot.marks = (0..90)
                .map(|at| Mark { at: plot.start.saturating_add(at * 7), name: format!("v{at}"), sort: Sort::Release })
                .collect();
        }
        holds(&plot);
    }
}
