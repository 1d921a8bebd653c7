//! The fields of a chart, and a chart of its fields.

use super::board::Refused;
use super::form::Form;
use logdrain_charts::dashboard::{
    Chart, Column, Combine, FUNCTIONS, Good, Kind, Operation, SOURCES, Side, Source, THRESHOLDS, Threshold, selector,
    selector_word,
};
use logdrain_charts::series::Function;
use maud::{Markup, html};

/// Columns that a table may have besides, and what they are called.
const COLUMNS: [(Column, &str, &str); 4] = [
    (Column::Share, "share", "its share of all"),
    (Column::First, "first", "when it first came"),
    (Column::Last, "last", "when it last came"),
    (Column::Trend, "trend", "a small line"),
];
const COLOURS: [(&str, &str); 11] = [
    ("", "by its place"),
    ("s1", "blue"),
    ("s2", "orange"),
    ("s3", "plum"),
    ("s4", "green"),
    ("s5", "steel"),
    ("s6", "violet"),
    ("c2", "as 2xx"),
    ("c3", "as 3xx"),
    ("c4", "as 4xx"),
    ("c5", "as 5xx"),
];

/// A new chart, begun as an address says: the explorer keeps what it shows by such a link.
pub(super) fn begun(query: &str) -> Chart {
    let fields = Form::of(query.as_bytes());
    let mut chart = Chart { kind: fields.get("kind").and_then(Kind::named).unwrap_or_default(), ..Chart::default() };
    if let Some(metric) = fields.text("metric") {
        let of = fields.get("summary").and_then(|word| word.parse().ok()).unwrap_or(Function::Avg);
        let mut source = Source::of(&metric, of);
        source.tags = fields.words("tags").iter().filter_map(|word| selector(word)).collect();
        source.group_by = fields.words("group_by");
        chart.title = metric;
        chart.series.push(source);
    }
    chart
}

/// All fields of a chart.
pub(super) fn markup(chart: &Chart) -> Markup {
    let number = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    html! {
        div.card.fields {
            label { "Title" input name="title" value=(chart.title) maxlength="100" autocomplete="off" autofocus; }
            label { "Kind"
                select name="kind" {
                    @for (kind, word, name) in Kind::ALL { option value=(word) selected[kind == chart.kind] { (name) } }
                }
            }
            @if chart.kind != Kind::Heading {
                label { "Width, of 12 columns"
                    select name="width" {
                        @for width in [3, 4, 6, 8, 12] { option value=(width) selected[width == chart.width] { (width) } }
                        @if ![3, 4, 6, 8, 12].contains(&chart.width) { option value=(chart.width) selected { (chart.width) } }
                    }
                }
                label { "Unit" input name="unit" value=(chart.unit.as_deref().unwrap_or_default()) maxlength="24" placeholder="as the metric" autocomplete="off"; }
            }
            label { "Of a heading: one for each" input name="per" value=(chart.per.join(", ")) placeholder="database, addon" autocomplete="off"; }
        }
        @for index in 0..chart.series.len().max(1) { (series(chart.series.get(index), index)) }
        @if (1..SOURCES).contains(&chart.series.len()) {
            // Open when somebody asks for it; without a script it is one more form of the same fields.
            details { summary { "One more series" } (series(None, chart.series.len())) }
        }
        details.card open[!chart.thresholds.is_empty()] {
            summary { "Thresholds" }
            @for index in 0..(chart.thresholds.len() + 1).min(THRESHOLDS) {
                @let threshold = chart.thresholds.get(index);
                div.fields {
                    label { "Value" input name={ "t" (index) "_value" } value=(number(threshold.map(|threshold| threshold.value))) inputmode="decimal" autocomplete="off"; }
                    label { "Label" input name={ "t" (index) "_label" } value=(threshold.map(|threshold| threshold.label.as_str()).unwrap_or_default()) maxlength="100" autocomplete="off"; }
                    label { "Alarm"
                        select name={ "t" (index) "_alarm" } {
                            @let alarm = threshold.and_then(|threshold| threshold.alarm);
                            option value="" selected[alarm.is_none()] { "none" }
                            option value="above" selected[alarm == Some(Side::Above)] { "above it" }
                            option value="below" selected[alarm == Some(Side::Below)] { "below it" }
                        }
                    }
                }
            }
        }
        details.card {
            summary { "More: axis, lines, notes" }
            div.fields {
                label { "Axis from" input name="min" value=(number(chart.min)) inputmode="decimal" placeholder="0" autocomplete="off"; }
                label { "Axis to" input name="max" value=(number(chart.max)) inputmode="decimal" placeholder="the highest value" autocomplete="off"; }
                label { "A number is well when it"
                    select name="good" {
                        option value="" selected[chart.good.is_none()] { "is as it is" }
                        option value="up" selected[chart.good == Some(Good::Up)] { "grows" }
                        option value="down" selected[chart.good == Some(Good::Down)] { "falls" }
                    }
                }
                label { "Note" input name="note" value=(chart.note) maxlength="300" autocomplete="off"; }
                label { "Search for the lines behind it" input name="lines" value=(chart.lines) maxlength="300" autocomplete="off" spellcheck="false"; }
                label { "Said when there is nothing" input name="empty" value=(chart.empty) maxlength="300" autocomplete="off"; }
            }
            fieldset { legend { "Further columns of a table" }
                @for (column, name, said) in COLUMNS {
                    label.check { input type="checkbox" name={ "column_" (name) } value="1" checked[chart.columns.contains(&column)]; " " (said) }
                }
            }
        }
    }
}

fn functions(name: &str, chosen: Function) -> Markup {
    let word = chosen.to_string();
    html! {
        select name=(name) {
            @for (known, said) in FUNCTIONS { option value=(known) selected[known == word] { (said) } }
            @if !FUNCTIONS.iter().any(|(known, _)| *known == word) { option value=(word) selected { (word) } }
        }
    }
}

fn series(source: Option<&Source>, index: usize) -> Markup {
    let empty = Source::of("", Function::Avg);
    let source = source.unwrap_or(&empty);
    let name = |field: &str| format!("s{index}_{field}");
    let tags =
        |tags: &[logdrain_charts::series::Selector]| tags.iter().map(selector_word).collect::<Vec<_>>().join(", ");
    let second = source.combine.as_ref();
    html! {
        fieldset.card {
            legend { "Series " (index + 1) }
            div.fields {
                label { "Metric" input name=(name("metric")) value=(source.metric) list="metrics" maxlength="255" placeholder=[(index > 0).then_some("leave it empty for none")] autocomplete="off" spellcheck="false"; }
                label { "Function" (functions(&name("function"), source.function)) }
                label { "Tags" input name=(name("tags")) value=(tags(&source.tags)) placeholder="status_category=5xx, dyno=web.*" autocomplete="off" spellcheck="false"; }
                label { "A line for each" input name=(name("group")) value=(source.group_by.join(", ")) placeholder="dyno" autocomplete="off" spellcheck="false"; }
                label { "Label" input name=(name("label")) value=(source.label) maxlength="100" autocomplete="off"; }
                label { "Colour"
                    select name=(name("colour")) {
                        @for (class, said) in COLOURS { option value=(class) selected[class == source.colour] { (said) } }
                    }
                }
            }
            details open[second.is_some() || source.change || source.limit || (source.scale - 1.0).abs() > 0.0] {
                summary { "Scale it, or put it together with a second one" }
                div.fields {
                    label { "Times" input name=(name("scale")) value=(source.scale) inputmode="decimal" autocomplete="off"; }
                    label { "Together with"
                        select name=(name("operation")) {
                            option value="" selected[second.is_none()] { "nothing" }
                            @for (operation, word, sign) in Operation::ALL {
                                option value=(word) selected[second.is_some_and(|second| second.operation == operation)] { (sign) " the second" }
                            }
                        }
                    }
                    label { "Second metric" input name=(name("second")) value=(second.map(|second| second.metric.as_str()).unwrap_or_default()) list="metrics" maxlength="255" autocomplete="off" spellcheck="false"; }
                    label { "Its function" (functions(&name("second_function"), second.map_or(Function::Avg, |second| second.function))) }
                    label { "Its tags" input name=(name("second_tags")) value=(second.map(|second| tags(&second.tags)).unwrap_or_default()) autocomplete="off" spellcheck="false"; }
                }
                label.check { input type="checkbox" name=(name("second_grouped")) value="1" checked[second.is_some_and(|second| second.grouped)]; " the second has a line for each, too" }
                label.check { input type="checkbox" name=(name("change")) value="1" checked[source.change]; " by how much it grew a minute (of counters that only grow)" }
                label.check { input type="checkbox" name=(name("limit")) value="1" checked[source.limit]; " draw its last value as a limit" }
            }
        }
    }
}

/// The chart that the fields say, laid over the one that was there, and what cannot be read of them.
pub(super) fn read(form: &Form, known: &Chart) -> (Chart, Option<Refused>) {
    let mut wrong: Option<Refused> = None;
    let mut number = |name: &str, called: &str| {
        form.number(name, called).unwrap_or_else(|why| {
            wrong.get_or_insert(why);
            None
        })
    };
    let kind = form.get("kind").and_then(Kind::named).unwrap_or(known.kind);
    let mut chart = Chart {
        id: known.id.clone(),
        title: form.text("title").unwrap_or_default(),
        kind,
        width: form.get("width").and_then(|width| width.parse().ok()).unwrap_or(known.width),
        unit: form.text("unit"),
        min: number("min", "The beginning of the axis"),
        max: number("max", "The end of the axis"),
        note: form.text("note").unwrap_or_default(),
        empty: form.text("empty").unwrap_or_default(),
        per: if kind == Kind::Heading { form.words("per") } else { Vec::new() },
        thresholds: Vec::new(),
        series: Vec::new(),
        good: match form.get("good") {
            Some("up") => Some(Good::Up),
            Some("down") => Some(Good::Down),
            _ => None,
        },
        columns: COLUMNS
            .into_iter()
            .filter(|(_, name, _)| form.get(&format!("column_{name}")).is_some())
            .map(|(column, ..)| column)
            .collect(),
        lines: form.text("lines").unwrap_or_default(),
    };
    for index in 0..THRESHOLDS {
        let Some(value) = number(&format!("t{index}_value"), "A threshold") else { continue };
        let alarm = match form.get(&format!("t{index}_alarm")) {
            Some("above") => Some(Side::Above),
            Some("below") => Some(Side::Below),
            _ => None,
        };
        let label = form.text(&format!("t{index}_label")).unwrap_or_default();
        chart.thresholds.push(Threshold { value, label, alarm });
    }
    // A heading keeps nothing that was typed for a chart.
    for index in (0..SOURCES).filter(|_| kind != Kind::Heading) {
        match source(form, index) {
            Ok(source) => chart.series.extend(source),
            Err(why) => drop(wrong.get_or_insert(why)),
        }
    }
    (chart, wrong)
}

fn source(form: &Form, index: usize) -> Result<Option<Source>, Refused> {
    let name = |field: &str| format!("s{index}_{field}");
    let Some(metric) = form.text(&name("metric")) else { return Ok(None) };
    let of = |field: &str| form.get(&name(field)).and_then(|word| word.parse().ok()).unwrap_or(Function::Avg);
    let tags = |field: &str| {
        let read = |word: &String| {
            let said: String = word.chars().take(40).collect();
            let why = format!("Series {}: “{said}” is no tag with its value: write tag=value or tag!=value", index + 1);
            selector(word).ok_or_else(|| Refused::wrong(why))
        };
        form.words(&name(field)).iter().map(read).collect::<Result<Vec<_>, _>>()
    };
    let is_on = |field: &str| form.get(&name(field)).is_some();
    let operation = form.get(&name("operation")).unwrap_or_default();
    let operation = Operation::ALL.into_iter().find(|(_, word, _)| *word == operation);
    let combine = match operation {
        None => None,
        Some((operation, ..)) => {
            let second = form.text(&name("second"));
            let missing = || Refused::wrong(format!("Series {}: name the second metric, or choose nothing", index + 1));
            Some(Combine {
                operation,
                metric: second.ok_or_else(missing)?,
                function: of("second_function"),
                tags: tags("second_tags")?,
                grouped: is_on("second_grouped"),
            })
        }
    };
    Ok(Some(Source {
        function: of("function"),
        tags: tags("tags")?,
        group_by: form.words(&name("group")),
        label: form.text(&name("label")).unwrap_or_default(),
        colour: form.text(&name("colour")).unwrap_or_default(),
        scale: form.number(&name("scale"), "What a series is multiplied by")?.unwrap_or(1.0),
        change: is_on("change"),
        limit: is_on("limit"),
        combine,
        ..Source::of(&metric, Function::Avg)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use logdrain_charts::dashboard::shipped;

    /// The fields of a page as a browser sends them: enough of HTML for what maud writes.
    fn sent(page: &str) -> String {
        let unescaped =
            |text: &str| text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        let attribute = |tag: &str, name: &str| {
            let rest = tag.split(&format!(" {name}=\"")).nth(1)?;
            Some(unescaped(rest.split('"').next()?))
        };
        let mut fields = form_urlencoded::Serializer::new(String::new());
        let mut select = String::new();
        for tag in page.split('<').skip(1) {
            let tag = tag.split('>').next().unwrap();
            let is_on = |word: &str| tag.split('"').step_by(2).any(|part| part.split(' ').any(|found| found == word));
            match tag.split(' ').next().unwrap() {
                "input" if attribute(tag, "type").as_deref() == Some("checkbox") && !is_on("checked") => {}
                "input" => drop(
                    fields.append_pair(&attribute(tag, "name").unwrap(), &attribute(tag, "value").unwrap_or_default()),
                ),
                "select" => select = attribute(tag, "name").unwrap(),
                "option" if is_on("selected") => drop(fields.append_pair(&select, &attribute(tag, "value").unwrap())),
                _ => {}
            }
        }
        fields.finish()
    }

    #[test]
    fn a_form_that_is_sent_as_it_is_changes_nothing() {
        let mut charts = 0;
        for shipped in shipped() {
            for chart in &shipped.dashboard.charts {
                let form = Form::of(sent(&markup(chart).into_string()).as_bytes());
                let known = Chart { id: chart.id.clone(), ..Chart::default() };
                let (read, wrong) = read(&form, &known);
                assert_eq!(wrong, None, "{}", chart.id);
                assert_eq!(&read, chart, "{}: {}", shipped.name, chart.id);
                charts += 1;
            }
        }
        assert!(charts > 40, "{charts}");
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (fields, part) in [
            ("s0_metric=m&s0_tags=x", "Series 1: “x”"),
            ("s0_metric=m&s0_operation=plus", "second metric"),
            ("s0_metric=m&s0_scale=ten", "is a number"),
            ("t0_value=high", "A threshold is a number"),
            ("min=1e999", "axis"),
        ] {
            let (_, wrong) = read(&Form::of(fields.as_bytes()), &Chart::default());
            assert!(wrong.as_ref().is_some_and(|wrong| wrong.why.contains(part)), "{fields}: {wrong:?}");
        }
        let begun = begun("metric=app.orders&summary=p95&tags=dyno%3Dweb.*&group_by=dyno");
        assert_eq!(begun.series[0].asked(&[], &[]).name, "app.orders");
        assert_eq!((begun.series[0].group_by.as_slice(), begun.series[0].tags.len()), (&["dyno".to_owned()][..], 1));
    }
}
