//! What a dashboard may be. It may come from anybody: from a form, a file, another account.

use super::{Chart, Combine, Dashboard, Kind, Source};
use crate::series::{Function, Selector};

/// The most bytes of a dashboard as JSON.
pub(super) const LONGEST: usize = 64 << 10;
/// Charts of a dashboard, series of a chart, thresholds of one.
pub const CHARTS: usize = 40;
pub const SOURCES: usize = 12;
pub const THRESHOLDS: usize = 6;
/// Series of all charts of a dashboard: each is one question, or two.
const ALL_SOURCES: usize = 100;
const SELECTORS: usize = 10;
const VALUES: usize = 20;
const GROUPS: usize = 6;
/// The longest texts: of titles and labels, of metrics and tags, of sentences.
const TITLE: usize = 100;
const NAME: usize = 255;
const SENTENCE: usize = 300;

/// Reads a dashboard from JSON that anybody may have written.
///
/// # Errors
/// What is wrong with it, in words that quote little of it.
pub fn read_json(text: &[u8]) -> Result<Dashboard, String> {
    if text.len() > LONGEST {
        return Err(format!("a dashboard has {} bytes at most, and this has {}", LONGEST, text.len()));
    }
    let read: Dashboard = serde_json::from_slice(text).map_err(|error| {
        let error: String = error.to_string().chars().take(SENTENCE).collect();
        format!("this is no dashboard: {error}")
    })?;
    bounded(read)
}

/// A dashboard within its bounds, each chart with an id of its own.
///
/// # Errors
/// What is out of bounds, where, and what would be right.
pub fn bounded(mut dashboard: Dashboard) -> Result<Dashboard, String> {
    dashboard.title = dashboard.title.trim().to_owned();
    if dashboard.title.is_empty() {
        return Err("a dashboard has a title".to_owned());
    }
    words("the title", &dashboard.title, TITLE)?;
    dashboard.app = dashboard.app.filter(|app| !app.is_empty());
    text("app", dashboard.app.as_deref().unwrap_or_default(), NAME)?;
    if dashboard.charts.len() > CHARTS {
        return Err(format!("a dashboard has {CHARTS} charts at most, and this has {}", dashboard.charts.len()));
    }
    let sources: usize = dashboard.charts.iter().map(|chart| chart.series.len()).sum();
    if sources > ALL_SOURCES {
        return Err(format!("the charts of a dashboard have {ALL_SOURCES} series at most, and these have {sources}"));
    }
    for (index, chart) in dashboard.charts.iter_mut().enumerate() {
        chart.title = chart.title.trim().to_owned();
        let named: String = chart.title.chars().filter(|c| !c.is_control()).take(40).collect();
        let at = |why: String| format!("chart {} ({named}): {why}", index + 1);
        self::chart(chart).map_err(at)?;
    }
    ids(&mut dashboard.charts);
    if serde_json::to_vec(&dashboard).map_or(usize::MAX, |text| text.len()) > LONGEST {
        return Err(format!("a dashboard has {LONGEST} bytes at most"));
    }
    Ok(dashboard)
}

/// Whether this may be the id of a chart.
pub fn is_id(id: &str) -> bool {
    (1..=40).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Each chart has an id, and none has another's.
fn ids(charts: &mut [Chart]) {
    let mut seen = std::collections::BTreeSet::new();
    for chart in charts.iter_mut() {
        if !is_id(&chart.id) || seen.contains(&chart.id) {
            let mut slug = String::new();
            for c in chart.title.chars().take(30) {
                match c.to_ascii_lowercase() {
                    c if c.is_ascii_lowercase() || c.is_ascii_digit() => slug.push(c),
                    _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
                    _ => {}
                }
            }
            let slug = slug.trim_end_matches('-');
            let slug = if slug.is_empty() { "chart" } else { slug };
            let numbered = (2..).map(|number| format!("{slug}-{number}"));
            let free = std::iter::once(slug.to_owned()).chain(numbered).find(|id| !seen.contains(id));
            chart.id = free.unwrap_or_default();
        }
        seen.insert(chart.id.clone());
    }
}

fn chart(chart: &Chart) -> Result<(), String> {
    words("title", &chart.title, TITLE)?;
    words("note", &chart.note, SENTENCE)?;
    words("empty", &chart.empty, SENTENCE)?;
    text("lines", &chart.lines, SENTENCE)?;
    words("unit", chart.unit.as_deref().unwrap_or_default(), 24)?;
    if !(1..=12).contains(&chart.width) {
        return Err("width is 1 to 12 columns".to_owned());
    }
    for (name, number) in [("min", chart.min), ("max", chart.max)] {
        finite(name, number.unwrap_or_default())?;
    }
    if chart.min.zip(chart.max).is_some_and(|(min, max)| min >= max) {
        return Err("min is below max".to_owned());
    }
    if chart.thresholds.len() > THRESHOLDS {
        return Err(format!("a chart has {THRESHOLDS} thresholds at most"));
    }
    for threshold in &chart.thresholds {
        finite("a threshold", threshold.value)?;
        words("the label of a threshold", &threshold.label, TITLE)?;
    }
    tags("per", &chart.per)?;
    if chart.columns.len() > 4 {
        return Err("a table has four further columns at most".to_owned());
    }
    match chart.kind {
        Kind::Heading if chart.series.is_empty() => {}
        Kind::Heading => return Err("a heading has no series".to_owned()),
        _ if !chart.per.is_empty() => return Err("per is of headings alone".to_owned()),
        Kind::Number if chart.series.len() > 2 => return Err("a number has one series, or two".to_owned()),
        _ if chart.series.is_empty() => return Err("it has no series: name a metric".to_owned()),
        _ if chart.series.len() > SOURCES => return Err(format!("a chart has {SOURCES} series at most")),
        _ => {}
    }
    chart.series.iter().try_for_each(source)
}

fn source(source: &Source) -> Result<(), String> {
    metric(&source.metric)?;
    function(source.function)?;
    selectors(&source.tags)?;
    tags("group_by", &source.group_by)?;
    words("label", &source.label, TITLE)?;
    finite("scale", source.scale)?;
    let is_class = |class: &str| {
        class.is_empty() || (class.len() == 2 && matches!(class.as_bytes(), [b's', b'1'..=b'6'] | [b'c', b'2'..=b'5']))
    };
    if !is_class(&source.colour) {
        return Err("colour is s1 to s6, or c2 to c5".to_owned());
    }
    match &source.combine {
        None => Ok(()),
        Some(Combine { metric: other, function: of, tags, .. }) => {
            metric(other)?;
            function(*of)?;
            selectors(tags)
        }
    }
}

fn metric(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("a series has a metric".to_owned());
    }
    text("metric", name, NAME)
}

fn function(function: Function) -> Result<(), String> {
    match function {
        Function::Quantile(share) if !(0.0..=1.0).contains(&share) => Err("a quantile is p0 to p100".to_owned()),
        _ => Ok(()),
    }
}

fn selectors(selectors: &[Selector]) -> Result<(), String> {
    if selectors.len() > SELECTORS || selectors.iter().any(|selector| selector.values.len() > VALUES) {
        return Err(format!("a series has {SELECTORS} selectors at most, each with {VALUES} values at most"));
    }
    for selector in selectors {
        tags("tags", std::slice::from_ref(&selector.key))?;
        // As it is written it would be another.
        if selector.key.contains('=') || selector.key.ends_with('!') {
            return Err("a tag has no = in its name".to_owned());
        }
        selector.values.iter().try_for_each(|value| text("the value of a tag", value, NAME))?;
    }
    Ok(())
}

fn tags(name: &str, tags: &[String]) -> Result<(), String> {
    if tags.len() > GROUPS {
        return Err(format!("{name} has {GROUPS} tags at most"));
    }
    for tag in tags {
        if tag.is_empty() {
            return Err(format!("{name}: a tag has a name"));
        }
        text(name, tag, NAME)?;
    }
    Ok(())
}

/// Whether what stands behind it would be read in another direction.
pub const fn turns_text(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What is written to be read, also by whoever has a link: nothing in it turns what stands behind it around.
fn words(name: &str, words: &str, longest: usize) -> Result<(), String> {
    if words.contains(turns_text) {
        return Err(format!("{name} changes the direction of text"));
    }
    text(name, words, longest)
}

fn text(name: &str, text: &str, longest: usize) -> Result<(), String> {
    if text.len() > longest || text.contains(char::is_control) {
        return Err(format!("{name} has {longest} bytes at most, all of them text"));
    }
    Ok(())
}

fn finite(name: &str, number: f64) -> Result<(), String> {
    if number.is_finite() && number.abs() <= 1e15 { Ok(()) } else { Err(format!("{name} is a number up to 1e15")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{"title":"t","charts":[{"title":"A & b","series":[{"metric":"m"}]}]}"#;

    #[test]
    fn a_dashboard_is_the_same_after_it_was_written() {
        let text = r#"{"title":" Checkout ","app":"shop","charts":[
            {"title":"Latency","series":[{"metric":"a","function":"p99"},{"metric":"a","function":"p50","tags":["dyno!=run.*|x"]}],
             "thresholds":[{"value":500,"label":"goal","alarm":"above"}]},
            {"title":"Latency","kind":"bars","width":12,"series":[{"metric":"b","function":"sum","group_by":["code"],"scale":100,
             "combine":{"operation":"divided_by","metric":"c","function":"sum"}}]},
            {"title":"Databases","kind":"heading","per":["database"]}]}"#;
        let read = read_json(text.as_bytes()).unwrap();
        assert_eq!(read.title, "Checkout");
        let ids: Vec<_> = read.charts.iter().map(|chart| chart.id.as_str()).collect();
        assert_eq!(ids, ["latency", "latency-2", "databases"]);
        let written = serde_json::to_string(&read).unwrap();
        assert_eq!(read_json(written.as_bytes()).unwrap(), read);
        assert!(written.contains("\"dyno!=run.*|x\"") && written.contains("\"p99\""), "{written}");
    }

    #[test]
    fn what_is_out_of_bounds_is_said() {
        let one = read_json(ONE.as_bytes()).unwrap();
        assert_eq!(one.charts[0].id, "a-b");
        let changed = |change: &dyn Fn(&mut Dashboard)| {
            let mut changed = one.clone();
            change(&mut changed);
            bounded(changed).unwrap_err()
        };
        let chart = |change: &dyn Fn(&mut Chart)| changed(&|one| change(&mut one.charts[0]));
        for (said, part) in [
            (changed(&|one| one.title = " ".to_owned()), "has a title"),
            (changed(&|one| one.title = "é".repeat(60)), "100 bytes"),
            (changed(&|one| one.charts = vec![one.charts[0].clone(); 41]), "40 charts"),
            (chart(&|one| one.title = "\u{1b}[2J".to_owned()), "chart 1 ([2J): title"),
            (chart(&|one| one.title = "a\u{202e}b".to_owned()), "title changes the direction of text"),
            (chart(&|one| one.empty = "a\u{2067}b".to_owned()), "empty changes the direction"),
            (changed(&|one| one.title = "a\u{202d}b".to_owned()), "the title changes the direction"),
            (chart(&|one| one.width = 0), "width"),
            (chart(&|one| one.min = Some(f64::NAN)), "min"),
            (chart(&|one| (one.min, one.max) = (Some(2.0), Some(1.0))), "below max"),
            (chart(&|one| one.series.clear()), "name a metric"),
            (chart(&|one| one.kind = Kind::Heading), "no series"),
            (chart(&|one| one.per = vec!["x".to_owned()]), "headings"),
            (chart(&|one| one.series = vec![one.series[0].clone(); 13]), "12 series"),
            (chart(&|one| one.series[0].metric.clear()), "has a metric"),
            (chart(&|one| one.series[0].metric = "m".repeat(256)), "255 bytes"),
            (chart(&|one| one.series[0].scale = f64::INFINITY), "scale"),
            (chart(&|one| one.series[0].colour = "\"><".to_owned()), "colour"),
            (chart(&|one| one.series[0].group_by = vec!["t".to_owned(); 7]), "6 tags"),
            (chart(&|one| one.series[0].function = Function::Quantile(2.0)), "quantile"),
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let many = changed(&|one| {
            one.charts[0].series = vec![one.charts[0].series[0].clone(); 12];
            one.charts = vec![one.charts[0].clone(); 9];
        });
        assert!(many.contains("100 series"), "{many}");
    }

    #[test]
    fn hostile_files_are_refused_in_a_short_sentence() {
        let long = format!("{{\"title\":\"{}\"}}", "x".repeat(LONGEST));
        let deep = "[".repeat(60_000);
        for text in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"title":7}"#,
            r#"{"title":"t","evil":1}"#,
            r#"{"title":"t","charts":[{"kind":"pie"}]}"#,
            r#"{"title":"t","charts":[{"series":[{"metric":"m","function":"<script>"}]}]}"#,
            r#"{"title":"t","charts":[{"series":[{"metric":"m","tags":["x"]}]}]}"#,
            r#"{"title":"t","charts":[{"series":[{"metric":"m","scale":1e999}]}]}"#,
            &long,
            &deep,
        ] {
            let said = read_json(text.as_bytes()).unwrap_err();
            assert!(said.len() < 500, "{said}");
        }
        assert!(read_json(&[0xff; 100]).is_err());
    }
}
