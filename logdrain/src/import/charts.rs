//! Spaces with their charts, as dashboards.

use super::composite;
use super::found::{Found, Names, Object, shown};
use super::metrics::{Asked, Metric, asked, function};
use super::notes::Notes;
use logdrain_charts::dashboard::{
    CHARTS, Chart, Dashboard, Kind, SOURCES, Side, Source, THRESHOLDS, Threshold, bounded,
};
use logdrain_charts::series::Function;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// As dashboards have it.
const TITLE: usize = 100;
const UNIT: usize = 24;
const METRIC: usize = 255;
const GROUPS: usize = 6;
/// Series of all charts of a dashboard, and about so many bytes of it.
const ALL_SOURCES: usize = 100;
const BYTES: usize = 56 << 10;

const SPACE: [&str; 6] = ["id", "name", "charts", "tags", "created_at", "updated_at"];
const CHART: [&str; 12] = [
    "id",
    "name",
    "type",
    "streams",
    "min",
    "max",
    "label",
    "related_space",
    "threshold",
    "thresholds",
    "tags",
    "space_id",
];
const STREAM: [&str; 22] = [
    "id",
    "name",
    "type",
    "metric",
    "source",
    "composite",
    "tags",
    "group_function",
    "group_by",
    "summary_function",
    "downsample_function",
    "transform_function",
    "period",
    "color",
    "units_short",
    "units_long",
    "min",
    "max",
    "gap_detection",
    "decimal_places",
    "position",
    "chart_id",
];

/// What is said of a metric, for charts that say nothing themselves.
#[derive(Clone, Default, Debug)]
struct Attributes {
    unit: Option<String>,
    min: Option<f64>,
    max: Option<f64>,
    is_stacked: bool,
    function: Option<Function>,
}

/// Dashboards of all spaces, and of the charts that none of them names. One that is too large here becomes several.
pub(super) fn dashboards(found: &Found, notes: &mut Notes) -> Vec<Dashboard> {
    let attributes = attributes(&found.metrics, notes);
    let by_id: HashMap<String, usize> =
        found.charts.iter().enumerate().filter_map(|(at, (chart, _))| Some((chart.id("id")?, at))).collect();
    let mut by_space: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, (chart, _)) in found.charts.iter().enumerate() {
        if let Some(space) = chart.id("space_id") {
            by_space.entry(space).or_default().push(at);
        }
    }
    let mut used = BTreeSet::new();
    let mut names = Names::default();
    let mut dashboards = Vec::new();
    for space in &found.spaces {
        let name = space.text("name").unwrap_or_default();
        notes.unknown("spaces", space, &SPACE);
        let mut charts: Vec<Object> = Vec::new();
        let said = space.id("id");
        for chart in space.objects("charts") {
            // A list of spaces has the numbers of their charts alone.
            if chart.0.contains_key("streams") {
                charts.push(chart);
            } else {
                let id = chart.id("id").unwrap_or_default();
                match by_id.get(&id).and_then(|at| Some((*at, found.charts.get(*at)?))) {
                    Some((at, (chart, _))) => {
                        used.insert(at);
                        charts.push(chart.clone());
                    }
                    None => {
                        notes.lost(
                            "chart",
                            name,
                            format!("chart {} of this space is in none of the files", shown(&id, 20)),
                        );
                    }
                }
            }
        }
        // Two spaces of one number have their charts once.
        for at in said.and_then(|id| by_space.remove(&id)).unwrap_or_default() {
            let chart = found.charts.get(at).filter(|_| used.insert(at));
            charts.extend(chart.map(|(chart, _)| chart.clone()));
        }
        fill(&mut dashboards, &mut names, name, &charts, &attributes, notes);
    }
    // By the file that they were in: it was one space's, mostly.
    let mut rest: BTreeMap<&str, Vec<Object>> = BTreeMap::new();
    for (at, (chart, stem)) in found.charts.iter().enumerate() {
        if !used.contains(&at) {
            rest.entry(stem).or_default().push(chart.clone());
        }
    }
    for (stem, charts) in rest {
        fill(&mut dashboards, &mut names, stem, &charts, &attributes, notes);
    }
    dashboards
}

fn attributes(metrics: &[Object], notes: &mut Notes) -> HashMap<String, Attributes> {
    const KNOWN: [&str; 10] = [
        "name",
        "type",
        "period",
        "attributes",
        "composite",
        "created_at",
        "updated_at",
        "last_updated",
        "source_lag",
        "description",
    ];
    const OF_ATTRIBUTES: [&str; 10] = [
        "display_units_short",
        "display_units_long",
        "display_min",
        "display_max",
        "display_stacked",
        "summarize_function",
        "aggregate",
        "gap_detection",
        "created_by_ua",
        "display_transform",
    ];
    let mut all = HashMap::new();
    for metric in metrics {
        let name = metric.text("name").unwrap_or_default();
        notes.unknown("metrics", metric, &KNOWN);
        if metric.text("type") == Some("composite") || metric.text("composite").is_some() {
            notes.lost("metric", name, "a composite metric is a series of a chart here: draw it there");
            continue;
        }
        let Some(said) = metric.object("attributes") else { continue };
        notes.unknown("attributes of metrics", &said, &OF_ATTRIBUTES);
        let unit = said.text("display_units_short").or_else(|| said.text("display_units_long"));
        all.insert(
            Metric::of(name).name,
            Attributes {
                unit: unit.map(|unit| shown(unit, UNIT)),
                min: said.number("display_min"),
                max: said.number("display_max"),
                is_stacked: said.flag("display_stacked") == Some(true),
                function: said.text("summarize_function").and_then(function),
            },
        );
    }
    all
}

/// Puts charts into as many dashboards as they need.
fn fill(
    dashboards: &mut Vec<Dashboard>,
    names: &mut Names,
    name: &str,
    charts: &[Object],
    attributes: &HashMap<String, Attributes>,
    notes: &mut Notes,
) {
    let mut pages: Vec<Vec<Chart>> = vec![Vec::new()];
    let (mut sources, mut bytes) = (0, 0);
    for chart in charts {
        let said = format!("{}: {}", shown(name, 60), shown(chart.text("name").unwrap_or("unnamed"), 60));
        notes.unknown("charts", chart, &CHART);
        let made = match of_chart(chart, &said, attributes, notes).and_then(one) {
            Ok(made) => made,
            Err(why) => {
                notes.lost("chart", &said, why);
                continue;
            }
        };
        let len = serde_json::to_vec(&made).map_or(0, |text| text.len() + 1);
        let is_full = pages.last().is_some_and(|page| {
            page.len() >= CHARTS || sources + made.series.len() > ALL_SOURCES || bytes + len > BYTES
        });
        if is_full {
            pages.push(Vec::new());
            (sources, bytes) = (0, 0);
        }
        sources += made.series.len();
        bytes += len;
        if let Some(page) = pages.last_mut() {
            page.push(made);
        }
    }
    if pages.len() > 1 {
        notes.changed(
            "space",
            name,
            format!("it has more charts than a dashboard: they are {} dashboards", pages.len()),
        );
    }
    for charts in pages {
        if charts.is_empty() {
            notes.lost("space", name, "it has no chart");
            continue;
        }
        let title = names.give(name, TITLE);
        // Each of its charts was looked at.
        match bounded(Dashboard { title: title.clone(), app: None, charts }) {
            Ok(dashboard) => dashboards.push(dashboard),
            Err(why) => notes.lost("space", &title, why),
        }
    }
}

/// A chart by itself, as it may be.
fn one(chart: Chart) -> Result<Chart, String> {
    let alone = bounded(Dashboard { title: "alone".to_owned(), app: None, charts: vec![chart] })?;
    alone.charts.into_iter().next().ok_or_else(|| "it is not there".to_owned())
}

fn of_chart(
    chart: &Object,
    name: &str,
    attributes: &HashMap<String, Attributes>,
    notes: &mut Notes,
) -> Result<Chart, String> {
    let mut made = Chart { title: shown(chart.text("name").unwrap_or_default(), TITLE), ..Chart::default() };
    made.kind = match chart.text("type") {
        Some("stacked") => Kind::Stacked,
        Some("bignumber" | "big_number" | "number") => Kind::Number,
        Some("line") | None => Kind::Line,
        Some(other) => {
            notes.changed("chart", name, format!("there is no chart {}: it is one of lines", shown(other, 30)));
            Kind::Line
        }
    };
    if let Some(unit) = chart.text("label") {
        made.unit = Some(shown(unit, UNIT));
    }
    (made.min, made.max) = (chart.number("min"), chart.number("max"));
    let most = if made.kind == Kind::Number { 2 } else { SOURCES };
    for stream in chart.objects("streams") {
        notes.unknown("streams", &stream, &STREAM);
        if made.series.len() >= most {
            notes.changed("chart", name, format!("it has {most} series at the most: others are left out"));
            break;
        }
        match of_stream(&stream, name, attributes, notes) {
            Ok((source, said)) => {
                let unit =
                    stream.text("units_short").or_else(|| stream.text("units_long")).map(|unit| shown(unit, UNIT));
                made.unit = made.unit.take().or(unit).or(said.unit);
                made.min = made.min.or_else(|| stream.number("min")).or(said.min);
                made.max = made.max.or_else(|| stream.number("max")).or(said.max);
                if said.is_stacked && made.kind == Kind::Line && chart.text("type").is_none() {
                    made.kind = Kind::Stacked;
                }
                made.series.push(source);
            }
            Err(why) => notes.lost("series", name, why),
        }
    }
    if made.series.is_empty() {
        return Err("none of its series could be carried over".to_owned());
    }
    if made.min.zip(made.max).is_some_and(|(min, max)| min >= max) {
        notes.changed("chart", name, "its axis ended before it began: both ends are left out");
        (made.min, made.max) = (None, None);
    }
    let thresholds = [chart.objects("thresholds"), chart.objects("threshold")].concat();
    if thresholds.len() > THRESHOLDS {
        notes.changed("chart", name, format!("it has {THRESHOLDS} thresholds at the most: others are left out"));
    }
    for threshold in thresholds.iter().take(THRESHOLDS) {
        let Some(value) = threshold.number("value") else { continue };
        let alarm = match threshold.text("operator") {
            Some(">") => Some(Side::Above),
            Some("<") => Some(Side::Below),
            _ => None,
        };
        made.thresholds.push(Threshold {
            value,
            label: shown(threshold.text("type").unwrap_or_default(), TITLE),
            alarm,
        });
    }
    if chart.id("related_space").is_some() {
        notes.changed("chart", name, "its link to another space is left out");
    }
    Ok(made)
}

/// What a stream draws, and what is said of its metric.
fn of_stream(
    stream: &Object,
    name: &str,
    attributes: &HashMap<String, Attributes>,
    notes: &mut Notes,
) -> Result<(Source, Attributes), String> {
    if let Some(text) = stream.text("composite") {
        let mut source = composite::source(text)?;
        source.label = shown(stream.text("name").unwrap_or_default(), TITLE);
        return Ok((source, Attributes::default()));
    }
    if stream.text("type") == Some("annotation") {
        return Err("annotations are not drawn: releases and restarts of the logs are".to_owned());
    }
    let said = stream.text("metric").ok_or("a series names no metric")?;
    let metric = Metric::of(&shown(said, METRIC));
    if metric.is_renamed {
        notes.changed("chart", name, format!("{} is {} here", shown(said, METRIC), metric.full()));
    }
    let of_metric = attributes.get(&metric.name).cloned().unwrap_or_default();
    let [summary, group] = ["summary_function", "group_function"].map(|key| stream.text(key));
    let is_breakout = group == Some("breakout");
    let of = |word: &str| function(word).ok_or_else(|| format!("there is no function {}", shown(word, 30)));
    let asked_for = match (summary, group.filter(|_| !is_breakout)) {
        (None, None) => None,
        (Some(one), None) | (None, Some(one)) => Some(of(one)?),
        (Some(summary), Some(group)) => {
            let (one, other) = (of(summary)?, of(group)?);
            if one != other {
                let why = format!("the {group} over streams of their {summary} is drawn as the {group} of all values");
                notes.changed("chart", name, why);
            }
            // Of a counter it is what it grew, whatever is done with several.
            Some(if one == Function::Derivative { one } else { other })
        }
    };
    let mut source = Source::of(&metric.name, asked_for.or(of_metric.function).unwrap_or(Function::Avg));
    if let Some((quantile, _)) = metric.percentile {
        source.function = Function::Quantile(quantile);
    }
    let Asked { selectors, mut grouped, dynamic } = asked(stream);
    for tag in dynamic {
        // The page chooses the app of all charts.
        if tag != "app_name" {
            notes.changed(
                "chart",
                name,
                format!("the tag {} was chosen on the page: it is any value", shown(&tag, 64)),
            );
        }
    }
    grouped.extend(stream.texts("group_by").into_iter().filter(|tag| tag != "*"));
    if is_breakout && grouped.is_empty() {
        grouped.push("source".to_owned());
    }
    grouped.sort();
    grouped.dedup();
    if grouped.len() > GROUPS {
        notes.changed("chart", name, format!("a series is grouped by {GROUPS} tags at the most"));
        grouped.truncate(GROUPS);
    }
    (source.tags, source.group_by) = (selectors, grouped);
    source.label = shown(stream.text("name").unwrap_or_default(), TITLE);
    if let Some(transform) = stream.text("transform_function") {
        match scale(transform) {
            Some(scale) => source.scale = scale,
            None => notes.changed(
                "chart",
                name,
                format!("its values were changed by {}, and are not", shown(transform, 60)),
            ),
        }
    }
    Ok((source, of_metric))
}

/// `x*100`, `x / 1024`, `0.5 * x`: what each value is multiplied by.
fn scale(transform: &str) -> Option<f64> {
    let text: String = transform.chars().filter(|one| !one.is_whitespace()).collect();
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite() && *number != 0.0);
    let scale = match text.split_once(['*', '/'])? {
        ("x", right) if text.contains('/') => 1.0 / number(right)?,
        ("x", right) => number(right)?,
        (left, "x") if text.contains('*') => number(left)?,
        _ => return None,
    };
    (scale.is_finite() && scale.abs() <= 1e15).then_some(scale)
}

#[cfg(test)]
mod tests;
