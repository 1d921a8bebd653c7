//! What is printed: each alert with its lines or points, then each rule with how often it fired.

use alert_rules::{Change, LogAlert, MetricAlert, Reading, Verdict};
use heroku_metrics::model::Timestamp;
use logdrain_terms::escape::Escaped;
use logdrain_terms::failure::Failure;
use logdrain_terms::json;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufWriter, Stdout, Write as _};

/// So many lines and points are shown of an alert.
const MOST_SHOWN: usize = 5;

pub(super) struct Told {
    out: BufWriter<Stdout>,
    json: bool,
    /// Those of lines, then those of metrics.
    rules: Vec<Rule>,
    of_lines: usize,
    /// Windows that begin here are of what is not known any more.
    end: Timestamp,
}

struct Rule {
    name: String,
    fired: u64,
    first: Timestamp,
    last: Timestamp,
}

impl Told {
    pub(super) fn new((of_lines, of_metrics): (Vec<String>, Vec<String>), json: bool) -> Self {
        let out = BufWriter::new(std::io::stdout());
        let count = of_lines.len();
        let (first, last) = (Timestamp::MAX, Timestamp::MIN);
        let rules = of_lines.into_iter().chain(of_metrics).map(|name| Rule { name, fired: 0, first, last });
        Self { out, json, rules: rules.collect(), of_lines: count, end: Timestamp::MAX }
    }

    pub(super) fn ends_at(&mut self, end: Timestamp) {
        self.end = end;
    }

    pub(super) fn lines(&mut self, told: Vec<Verdict<LogAlert>>, held: &BTreeMap<u64, String>) -> Result<(), Failure> {
        for verdict in told {
            let Some(alert) = self.known(verdict)? else { continue };
            if alert.started_at() >= self.end {
                continue;
            }
            let Some(name) = self.count(alert.rule(), 0, alert.ended_at(), true) else { continue };
            let lines: Vec<&String> = alert.ids().iter().filter_map(|id| held.get(id)).take(MOST_SHOWN).collect();
            let counts = alert.counts().take(MOST_SHOWN).map(|(system, counts)| {
                let sum: u64 = counts.iter().map(|(_, count)| count).sum();
                (String::from_utf8_lossy(system).into_owned(), sum)
            });
            let counts: Vec<(String, u64)> = counts.collect();
            if self.json {
                let value = json!({
                    "rule": name, "kind": "log", "at": alert.ended_at().to_string(), "change": "fired",
                    "from": alert.started_at().to_string(), "why": alert.to_string(), "count": alert.count(),
                    "lines": lines,
                    "counts": counts.into_iter().map(|(system, count)| (system, json!(count))).collect::<serde_json::Map<_, _>>(),
                });
                json::line(&mut self.out, &value)?;
                continue;
            }
            writeln!(self.out, "{} {}: {alert}", alert.ended_at(), Escaped(&name))?;
            for line in &lines {
                writeln!(self.out, "    {}", Escaped(line))?;
            }
            for (system, count) in &counts {
                writeln!(self.out, "    {}: {count}", Escaped(system))?;
            }
            let more = alert.count().saturating_sub(lines.len() as u64);
            if counts.is_empty() && more > 0 {
                writeln!(self.out, "    and {more} more")?;
            }
        }
        Ok(())
    }

    pub(super) fn minutes(&mut self, told: Vec<Verdict<MetricAlert>>) -> Result<(), Failure> {
        for verdict in told {
            let Some(alert) = self.known(verdict)? else { continue };
            let fires = !matches!(alert.change(), Change::Cleared(_));
            let Some(name) = self.count(alert.rule(), self.of_lines, alert.time(), fires) else { continue };
            let change = match alert.change() {
                Change::Fired => "fired",
                Change::Again => "again",
                _ => "cleared",
            };
            if self.json {
                let readings: Vec<Value> = alert.readings().iter().map(reading).collect();
                let value = json!({
                    "rule": name, "kind": "metric", "at": alert.time().to_string(), "change": change, "readings": readings,
                    "more": alert.more(),
                });
                json::line(&mut self.out, &value)?;
                continue;
            }
            let of = alert.signal().map(|(drain, tags)| {
                let tags: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!(", {drain} {}", tags.join(","))
            });
            let count = alert.readings().len() + alert.more();
            let many = match count {
                0 => String::new(),
                1 => ", 1 stream".to_owned(),
                count => format!(", {count} streams"),
            };
            writeln!(
                self.out,
                "{} {}: {change}{}{many}",
                alert.time(),
                Escaped(&name),
                Escaped(&of.unwrap_or_default())
            )?;
            for reading in alert.readings().iter().take(MOST_SHOWN) {
                writeln!(self.out, "    {}", Escaped(&reading.to_string()))?;
            }
            if count > MOST_SHOWN {
                writeln!(self.out, "    and {} more", count - MOST_SHOWN)?;
            }
        }
        Ok(())
    }

    /// The alert, if it is one; what is not known is printed.
    fn known<A>(&mut self, verdict: Verdict<A>) -> Result<Option<A>, Failure> {
        match verdict {
            Verdict::Alert(alert) => return Ok(Some(alert)),
            // What comes behind the end is known to be unknown.
            Verdict::Unknown(unknown) if unknown.from() < self.end => {
                let (from, until) = (unknown.from().to_string(), unknown.until().to_string());
                let rules = unknown.rules().len();
                if self.json {
                    json::line(
                        &mut self.out,
                        &json!({ "kind": "unknown", "from": from, "until": until, "rules": rules }),
                    )?;
                } else {
                    writeln!(self.out, "{until} no line since {from}: not recorded, so no rule calls it silent")?;
                }
            }
            _ => {}
        }
        Ok(None)
    }

    /// Counts an alert of a rule, and answers its name.
    fn count(&mut self, rule: u64, before: usize, time: Timestamp, fires: bool) -> Option<String> {
        let rule = self.rules.get_mut(before + usize::try_from(rule).ok()?)?;
        if fires {
            rule.fired += 1;
            (rule.first, rule.last) = (rule.first.min(time), rule.last.max(time));
        }
        Some(rule.name.clone())
    }

    /// How often each fired. Answers whether any did.
    /// `standing` says of each rule how it stood at the end.
    pub(super) fn summary(mut self, lines: u64, standing: &[Vec<String>]) -> Result<bool, Failure> {
        let fired = self.rules.iter().any(|rule| rule.fired > 0);
        if self.json {
            self.out.flush()?;
            return Ok(fired);
        }
        writeln!(self.out, "\n{lines} lines up to {}", self.end)?;
        for (rule, standing) in self.rules.iter().zip(standing) {
            let name = Escaped(&rule.name);
            match rule.fired {
                0 => {
                    writeln!(self.out, "{name}: did not fire")?;
                    for reading in standing.iter().take(MOST_SHOWN) {
                        writeln!(self.out, "    {}", Escaped(reading))?;
                    }
                    if standing.len() > MOST_SHOWN {
                        writeln!(self.out, "    and {} more", standing.len() - MOST_SHOWN)?;
                    }
                }
                1 => writeln!(self.out, "{name}: fired once, at {}", rule.first)?,
                many => writeln!(self.out, "{name}: fired {many} times, from {} to {}", rule.first, rule.last)?,
            }
        }
        self.out.flush()?;
        Ok(fired)
    }
}

fn reading(reading: &Reading) -> Value {
    let tags: serde_json::Map<String, Value> =
        reading.tags().iter().map(|(key, value)| (key.to_owned(), json!(value))).collect();
    json!({
        "metric": reading.metric(), "system": reading.drain(), "tags": tags, "value": reading.value(),
        "points": reading.points(), "violating": reading.violating(), "why": reading.to_string(),
    })
}
