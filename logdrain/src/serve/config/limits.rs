//! The limits that the file names, and whether they can be kept.

use super::file::{File, Size};
use super::{Wrong, span};
use logdrain_drain::door::Allowed;
use logdrain_drain::limits::{Archives, IntakeLimits, MetricsLimits};
use logdrain_drain::logs::Keeping;
use logdrain_drain::settings::{ALERT_BYTES, DrainSettings};
use std::collections::BTreeMap;
use std::time::Duration;

/// The least that `/metrics` can be: the server's own numbers.
const LEAST_METRICS: usize = 128 << 10;
/// Less than this is no batch of Logplex: one line of its longest takes some 10 kB.
const SMALLEST_BODY: usize = 16 << 10;
/// A frame at its longest, and frames that were gathered before it.
const SMALLEST_BODY_WITH_SYSLOG: usize = 128 << 10;
/// A year of some hundred streams, and then some.
const MINUTES: u64 = 4 << 30;
const MOST_CONNECTIONS: usize = 1 << 20;
const MOST_DRAINS: usize = 1 << 16;
/// Logplex gives up then.
const LOGPLEX_WAITS: Duration = Duration::from_secs(5);

/// Those of intake, but for drains and answers, which other parts of the file have a say in.
pub(super) fn of_file(file: &File, warnings: &mut Vec<String>) -> Result<IntakeLimits, Wrong> {
    let has_syslog = file.syslog.is_some() || !file.port.is_empty();
    let bodies = file.memory.map_or(64 << 20, |size| size.0);
    let limits = IntakeLimits {
        body: file.body_limit.map_or(8 << 20, |size| size.0),
        bodies,
        frames: if has_syslog { bodies / 4 } else { 0 },
        answers: 0,
        connections: file.max_connections.unwrap_or(4_096),
        drains: file.max_drains.unwrap_or(16),
        drain: file.drain_memory.map_or(256 << 20, |size| size.0),
        answer_within: file.answer_within.map_or(Duration::from_millis(4_500), |span| span.0),
        idle: span(None, file.idle_timeout, 200),
    };
    for (key, time) in [("answer_within", limits.answer_within), ("idle_timeout", limits.idle)] {
        if time < Duration::from_millis(100) {
            return Err(Wrong(format!("{key} is too short for anything to come: 1s is short")));
        }
    }
    if limits.answer_within >= LOGPLEX_WAITS {
        warnings.push("answer_within is 5 s or more: Logplex does not wait that long, and sends again".to_owned());
    }
    if limits.body < SMALLEST_BODY {
        return Err(Wrong::new("body_limit is below 16kB, and Logplex would drop most of what it sends: 1MB is small"));
    }
    if has_syslog && limits.body < SMALLEST_BODY_WITH_SYSLOG {
        return Err(Wrong::new(
            "body_limit must be at least 128kB with syslog or a [[port]]: a frame may have 64 kB, and others wait with it",
        ));
    }
    if limits.bodies < limits.body.saturating_mul(4) {
        return Err(Wrong::new(
            "memory must be at least four times body_limit: a body may be compressed, and several come at once",
        ));
    }
    if limits.connections == 0 || limits.drains == 0 {
        return Err(Wrong::new("max_connections and max_drains must be at least 1"));
    }
    if limits.connections > MOST_CONNECTIONS || limits.drains > MOST_DRAINS {
        return Err(Wrong(format!(
            "max_connections must be at most {MOST_CONNECTIONS} and max_drains at most {MOST_DRAINS}"
        )));
    }
    Ok(limits)
}

/// How many drains there may be: as the file says, and enough for those that it names.
pub(super) fn places(
    wanted: Option<usize>,
    usual: usize,
    drains: &BTreeMap<String, DrainSettings>,
) -> Result<usize, Wrong> {
    let named: usize = drains.values().map(DrainSettings::places).fold(0, usize::saturating_add);
    let most = match wanted {
        None => usual.max(named),
        Some(most) if most < named => {
            return Err(Wrong(format!(
                "max_drains is {most}, and the drains of the configuration need {named} places"
            )));
        }
        Some(_) => usual,
    };
    if most > MOST_DRAINS {
        return Err(Wrong(format!("the drains of the configuration need more than {MOST_DRAINS} places")));
    }
    Ok(most)
}

/// What absolute links begin with: scheme, host and port. It is no secret, and may stand in place of one.
pub(super) fn base(url: &str) -> Result<String, Wrong> {
    let wrong = || Wrong::new("url: expected https://HOST or https://HOST:PORT, as browsers reach this server");
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).ok_or_else(wrong)?;
    let host = rest.strip_suffix('/').unwrap_or(rest);
    let is_good = !host.is_empty()
        && !host.contains(['/', '?', '#', '@'])
        && host.parse::<axum::http::uri::Authority>().is_ok_and(|authority| !authority.host().is_empty());
    if is_good { Ok(url.trim_end_matches('/').to_owned()) } else { Err(wrong()) }
}

/// How lines are kept: a week of them or 10 GB.
pub(super) fn keeping(file: &File) -> Result<Keeping, Wrong> {
    const WEEK: u64 = 7 * 86_400;
    /// A file of lines has its ends, and every one would be let go as soon as it is written.
    const LEAST: usize = 128 << 10;
    if file.logs_limit.as_ref().is_some_and(|limit| (1..LEAST).contains(&limit.0)) {
        return Err(Wrong::new("logs_limit must be at least 128kB, or 0 to keep no lines: 1GB is small"));
    }
    // Of a journal with a limit, what waits for a file of lines takes a quarter at most.
    let most = file.journal_limit.map_or(usize::MAX, |limit| limit.0 / 4);
    let ahead = file.journal_ahead.map_or(256 << 20, |size| size.0).min(most);
    Ok(Keeping {
        retention: span(None, file.logs_retention, WEEK),
        limit: file.logs_limit.map_or(10 << 30, |size| size.0 as u64),
        ahead: ahead as u64,
    })
}

/// What the journal's file may take, if there is a limit.
pub(super) fn journal(limit: Option<&Size>, body: usize, warnings: &mut Vec<String>) -> Result<Option<usize>, Wrong> {
    /// The empty one and what is written ahead of it.
    const LEAST: usize = 1 << 20;
    let Some(Size(limit)) = limit else { return Ok(None) };
    if *limit < LEAST {
        return Err(Wrong::new("journal_limit must be at least 1MB, and holds next to nothing then: 1GB is small"));
    }
    if *limit < body.saturating_mul(2) {
        warnings.push("journal_limit is below twice body_limit: the longest bodies may never find room".to_owned());
    }
    Ok(Some(*limit))
}

/// What the file of minutes may take.
pub(super) fn minutes(limit: Option<Size>) -> Result<u64, Wrong> {
    /// Less would be gone before it is put together by the hour.
    const LEAST: u64 = 16 << 20;
    let limit = limit.map_or(MINUTES, |size| size.0 as u64);
    if limit < LEAST {
        return Err(Wrong::new("minutes_limit must be at least 16MB: 300 streams take some 5 to 20 MB a day"));
    }
    Ok(limit)
}

/// What rules of alerts remember.
pub(super) fn alerts(memory: Option<Size>) -> Result<usize, Wrong> {
    const LEAST: usize = 16 << 20;
    let memory = memory.map_or(ALERT_BYTES, |size| size.0);
    if memory < LEAST {
        return Err(Wrong::new("alert_memory must be at least 16MB: a signal that a rule watches takes some 2 kB"));
    }
    Ok(memory)
}

/// Which lines are archived: without a plan none, unless it is asked for; and then for a year.
pub(super) fn archives(file: &File) -> Result<Archives, Wrong> {
    const YEAR: u64 = 365 * 86_400;
    const HOUR: Duration = Duration::from_secs(3_600);
    let kept_for = span(None, file.archives_retention, YEAR);
    if kept_for < HOUR {
        return Err(Wrong::new("archives_retention is below an hour, which is what an archive holds: 30d is short"));
    }
    Ok(Archives { without_plan: file.archives, kept_for })
}

/// What accounts may name though it is inside.
pub(super) fn outbound(texts: &[String]) -> Result<Vec<Allowed>, Wrong> {
    let wrong =
        || Wrong::new("outbound_allow: expected networks and hosts, as in [\"10.1.0.0/16\", \"minio.internal:9000\"]");
    texts.iter().map(|text| Allowed::parse(text).ok_or_else(wrong)).collect()
}

/// How much `/metrics` says.
pub(super) fn metrics(rows: Option<bool>, limit: Option<Size>) -> Result<MetricsLimits, Wrong> {
    let limits = MetricsLimits { rows: rows.unwrap_or(true), bytes: limit.map_or(4 << 20, |size| size.0) };
    if limits.bytes < LEAST_METRICS {
        return Err(Wrong::new("metrics_limit must be at least 128kB"));
    }
    Ok(limits)
}
