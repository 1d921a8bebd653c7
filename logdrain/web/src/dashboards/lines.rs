//! What the series of a chart come to: each is asked of the kept minutes, put together with its second, scaled, and sorted
//! into the sections that it belongs to.

use logdrain_charts::dashboard::{Chart, Combine, Operation, Source};
use logdrain_charts::series::{Asked, Function, Line, Selector, Series, Span};
use std::collections::BTreeMap;

/// Whoever asks the kept minutes: a question, its time, how long a step is, and how many lines there may be.
pub(super) type Ask<'a> = dyn Fn(&Asked, Span, Option<u32>, usize) -> Result<Series, String> + 'a;

/// One line of a chart.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Drawn {
    /// The values of the section's tags.
    pub(super) section: Vec<String>,
    /// What it is grouped by besides.
    pub(super) tags: Vec<(String, String)>,
    /// Which series of the chart it is of.
    pub(super) source: usize,
    pub(super) values: Vec<Option<f64>>,
}

/// The lines of a chart over the same steps.
#[derive(Clone, PartialEq, Default, Debug)]
pub(super) struct Lines {
    pub(super) start: i64,
    pub(super) step: u32,
    pub(super) steps: usize,
    pub(super) closed: usize,
    /// The unit of each series.
    pub(super) units: Vec<String>,
    pub(super) drawn: Vec<Drawn>,
    /// Lines that found no room.
    pub(super) more: usize,
}

/// Where and when is asked.
#[derive(Clone, Debug)]
pub(super) struct Scene<'a> {
    /// What all charts are filtered by.
    pub(super) selectors: Vec<Selector>,
    /// Tags of the section.
    pub(super) per: &'a [String],
    pub(super) span: Span,
    pub(super) step: u32,
    /// The most lines of one series.
    pub(super) most: usize,
}

impl Lines {
    /// Whether there is nothing to draw.
    pub(super) fn is_empty(&self) -> bool {
        self.drawn.iter().all(|line| line.values.iter().all(Option::is_none))
    }

    /// Those of one section.
    pub(super) fn of_section(&self, section: &[String]) -> Self {
        let drawn = self.drawn.iter().filter(|line| line.section == section).cloned().collect();
        Self { drawn, units: self.units.clone(), ..*self }
    }
}

/// All lines of a chart.
///
/// # Errors
/// Why they cannot be had, in words.
pub(super) fn gather(chart: &Chart, scene: &Scene<'_>, ask: &Ask<'_>) -> Result<Lines, String> {
    let mut all = Lines::default();
    for (index, source) in chart.series.iter().enumerate() {
        let (mut series, unit) = one(source, scene, ask)?;
        if index == 0 {
            (all.start, all.step, all.steps, all.closed) = (series.start, series.step, series.steps, series.closed);
        } else if (series.start, series.step) != (all.start, all.step) {
            return Err("its series cannot be laid over one another in this range".to_owned());
        }
        all.units.push(unit);
        all.more += series.more;
        for line in &mut series.lines {
            line.values.resize(all.steps, None);
        }
        all.drawn.extend(series.lines.into_iter().map(|line| drawn((index, source), line, scene.per)));
    }
    Ok(all)
}

fn drawn((index, source): (usize, &Source), line: Line, per: &[String]) -> Drawn {
    let mut tags = line.tags;
    // A line without the tag belongs to those without.
    let mut take = |key: &String| match tags.iter().position(|(known, _)| known == key) {
        Some(at) => tags.remove(at).1,
        None => String::new(),
    };
    let section = per.iter().map(&mut take).collect();
    for key in &source.group_by {
        if !per.contains(key) && !tags.iter().any(|(known, _)| known == key) {
            tags.push((key.clone(), String::new()));
        }
    }
    tags.sort();
    Drawn { section, tags, source: index, values: line.values }
}

/// One series, with its unit.
fn one(source: &Source, scene: &Scene<'_>, ask: &Ask<'_>) -> Result<(Series, String), String> {
    let asked = |asked: &Asked| ask(asked, scene.span, Some(scene.step), scene.most);
    let mut series = asked(&source.asked(&scene.selectors, scene.per))?;
    let mut unit = match source.function {
        Function::Count => String::new(),
        Function::Rate => format!("{}/min", series.unit),
        _ => series.unit.clone(),
    };
    if let Some(combine) = &source.combine {
        let second = asked(&combine.asked(source, &scene.selectors, scene.per))?;
        if (series.start, series.step) != (second.start, second.step) {
            return Err("its two metrics cannot be laid over one another in this range".to_owned());
        }
        if combine.operation == Operation::DividedBy {
            unit = String::new();
        }
        put_together(&mut series, &second, source, combine);
    }
    // Growth is that of a step; it is shown as that of a minute.
    let minutes = if source.change { f64::from(series.step.max(1)) / 60.0 } else { 1.0 };
    for value in series.lines.iter_mut().flat_map(|line| line.values.iter_mut().flatten()) {
        *value *= source.scale / minutes;
    }
    if source.change {
        unit = format!("{unit}/min");
    }
    Ok((series, unit))
}

/// Sums that nothing came to are none; a mean of nothing is not known.
const fn is_sum(function: Function) -> bool {
    matches!(function, Function::Sum | Function::Count | Function::Rate | Function::Derivative)
}

/// Lays the second over the first, line by line and step by step.
fn put_together(first: &mut Series, second: &Series, source: &Source, combine: &Combine) {
    let steps = first.steps;
    // By the tags that both are grouped by; of the second there may be fewer.
    let key = |tags: &[(String, String)], of: &[(String, String)]| -> Vec<(String, String)> {
        tags.iter().filter(|(name, _)| of.iter().any(|(known, _)| known == name)).cloned().collect()
    };
    let shape: Vec<(String, String)> = second.lines.first().map(|line| line.tags.clone()).unwrap_or_default();
    let others: BTreeMap<_, _> = second.lines.iter().map(|line| (key(&line.tags, &shape), line)).collect();
    // Where one of two sums has no line at all, nothing came to it: the steps of the other are known.
    if is_sum(source.function) && (combine.grouped || source.group_by.is_empty()) {
        for line in &second.lines {
            let has_first = first.lines.iter().any(|known| key(&known.tags, &shape) == line.tags);
            if !has_first {
                let values = line.values.iter().map(|value| value.map(|_| 0.0)).collect();
                first.lines.push(Line { tags: line.tags.clone(), values });
            }
        }
    }
    for line in &mut first.lines {
        let other = others.get(&key(&line.tags, &shape));
        line.values.resize(steps, None);
        for (step, value) in line.values.iter_mut().enumerate() {
            let second = match other {
                Some(other) => other.values.get(step).copied().flatten(),
                None => value.filter(|_| is_sum(combine.function)).map(|_| 0.0),
            };
            *value = value.zip(second).and_then(|(first, second)| match combine.operation {
                Operation::Plus => Some(first + second),
                Operation::Minus => Some(first - second),
                Operation::DividedBy => (second != 0.0).then(|| first / second),
            });
        }
    }
}

/// Of several lines, the one number of a step.
pub(super) fn reduced(values: impl Iterator<Item = f64>, source: &Source) -> Option<f64> {
    let is_share = source.combine.as_ref().is_some_and(|combine| combine.operation == Operation::DividedBy);
    let (mut count, mut sum, mut least, mut greatest) = (0_u32, 0.0, f64::INFINITY, f64::NEG_INFINITY);
    for value in values {
        count += 1;
        sum += value;
        least = f64::min(least, value);
        greatest = f64::max(greatest, value);
    }
    let all = match source.function {
        Function::Min => least,
        Function::Max | Function::Deviation | Function::Quantile(_) => greatest,
        _ if is_share => greatest,
        Function::Avg => sum / f64::from(count),
        Function::Count | Function::Last | Function::Sum | Function::Rate | Function::Derivative => sum,
    };
    (count > 0).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use logdrain_charts::dashboard::{Dashboard, bounded};

    const SPAN: Span = Span { start: 600, end: 900 };

    fn chart(json: &str) -> Chart {
        let text = format!("{{\"title\":\"t\",\"charts\":[{json}]}}");
        bounded(serde_json::from_str::<Dashboard>(&text).unwrap()).unwrap().charts.remove(0)
    }

    fn scene(per: &[String]) -> Scene<'_> {
        Scene { selectors: Vec::new(), per, span: SPAN, step: 60, most: 10 }
    }

    fn line(tags: &[(&str, &str)], values: &[f64]) -> Line {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let values = values.iter().map(|value| Some(*value).filter(|value| !value.is_nan())).collect();
        Line { tags, values }
    }

    fn answer(span: Span, lines: Vec<Line>) -> Series {
        let steps = usize::try_from((span.end - span.start) / 60).unwrap();
        Series { start: span.start, step: 60, steps, closed: steps, unit: String::new(), lines, more: 0 }
    }

    const SHARE: &str = r#"{"series":[{"metric":"bad","function":"sum","scale":100,
        "combine":{"operation":"divided_by","metric":"all","function":"sum"}}]}"#;

    fn values(lines: &Lines) -> Vec<Option<f64>> {
        lines.drawn[0].values.clone()
    }

    #[test]
    fn a_share_is_known_where_there_was_something_to_share() {
        let ask = |asked: &Asked, span: Span, _: Option<u32>, _: usize| {
            let lines = match asked.name.as_str() {
                "bad" => vec![line(&[], &[1.0, 0.0, 0.0, f64::NAN, 2.0])],
                _ => vec![line(&[], &[4.0, 4.0, 0.0, f64::NAN, f64::NAN])],
            };
            Ok(answer(span, lines))
        };
        let lines = gather(&chart(SHARE), &scene(&[]), &ask).unwrap();
        assert_eq!(values(&lines), [Some(25.0), Some(0.0), None, None, None]);
    }

    #[test]
    fn what_never_came_is_none_of_what_came() {
        let ask = |asked: &Asked, span: Span, _: Option<u32>, _: usize| {
            let none = asked.name == "bad";
            Ok(answer(span, if none { vec![] } else { vec![line(&[], &[4.0, f64::NAN, 0.0, 1.0, 1.0])] }))
        };
        let lines = gather(&chart(SHARE), &scene(&[]), &ask).unwrap();
        assert_eq!(values(&lines), [Some(0.0), None, None, Some(0.0), Some(0.0)]);
        let nothing = |_: &Asked, span: Span, _: Option<u32>, _: usize| Ok(answer(span, Vec::new()));
        assert!(gather(&chart(SHARE), &scene(&[]), &nothing).unwrap().is_empty());
    }

    #[test]
    fn lines_go_to_the_section_of_their_tags_and_meet_their_second_there() {
        let per = ["database".to_owned()];
        let used = chart(
            r#"{"series":[{"metric":"used","function":"last","group_by":["source"],
            "combine":{"operation":"divided_by","metric":"quota","function":"last","grouped":true}}]}"#,
        );
        let ask = |asked: &Asked, span: Span, _: Option<u32>, _: usize| {
            let factor = if asked.name == "used" { 1.0 } else { 2.0 };
            Ok(answer(
                span,
                vec![
                    line(&[("database", "A"), ("source", "x")], &[1.0 * factor; 5]),
                    line(&[("database", "B"), ("source", "x")], &[3.0 * factor * factor; 5]),
                    line(&[("source", "y")], &[8.0; 5]),
                ],
            ))
        };
        let lines = gather(&used, &scene(&per), &ask).unwrap();
        let seen: Vec<_> = lines
            .drawn
            .iter()
            .map(|line| (line.section[0].as_str(), line.tags[0].1.as_str(), line.values[0]))
            .collect();
        assert_eq!(seen, [("A", "x", Some(0.5)), ("B", "x", Some(0.25)), ("", "y", Some(1.0))]);
        assert_eq!(lines.of_section(&["B".to_owned()]).drawn.len(), 1);
        // A line without a tag that it is grouped by has none of it.
        let by_market = chart(r#"{"series":[{"metric":"m","group_by":["source","market"]}]}"#);
        let lines = gather(&by_market, &scene(&[]), &ask).unwrap();
        assert_eq!(lines.drawn[2].tags, [("market".to_owned(), String::new()), ("source".to_owned(), "y".to_owned())]);
    }

    #[test]
    fn a_counter_is_drawn_as_what_it_grew_by_a_minute() {
        let counter = chart(r#"{"series":[{"metric":"pages","function":"last","change":true,"scale":2}]}"#);
        let ask = |asked: &Asked, span: Span, _: Option<u32>, _: usize| {
            assert_eq!(asked.function, Function::Derivative);
            Ok(Series { step: 120, ..answer(span, vec![line(&[], &[60.0, f64::NAN, 0.0, 3.0, 4.0])]) })
        };
        let lines = gather(&counter, &scene(&[]), &ask).unwrap();
        assert_eq!(lines.units[0], "/min");
        assert_eq!(values(&lines), [Some(60.0), None, Some(0.0), Some(3.0), Some(4.0)]);
    }

    #[test]
    fn several_lines_become_one_number_by_what_they_are() {
        let of = |function| Source::of("m", function);
        let all = || [1.0, 5.0, 3.0].into_iter();
        for (function, expected) in [
            (Function::Sum, 9.0),
            (Function::Last, 9.0),
            (Function::Avg, 3.0),
            (Function::Max, 5.0),
            (Function::Quantile(0.9), 5.0),
            (Function::Min, 1.0),
        ] {
            assert_eq!(reduced(all(), &of(function)), Some(expected));
        }
        assert_eq!(reduced(std::iter::empty(), &of(Function::Sum)), None);
    }
}
