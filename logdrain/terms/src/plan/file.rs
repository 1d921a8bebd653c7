//! A plan as a file says it: what is of metrics at the top, what is of lines in `[logs]`.

use super::{LogPlan, Plan};
use serde::Deserialize;

/// What is of lines. All else is read by the plan of the metrics, which refuses what it does not know.
#[derive(Deserialize)]
struct OfLines {
    logs: Option<LogPlan>,
    /// As older files call the volume of a day.
    log_bytes_per_day: Option<u64>,
}

pub(super) fn read(text: &str, is_json: bool) -> Result<Plan, String> {
    let of_lines: Option<OfLines> = if is_json { serde_json::from_str(text).ok() } else { toml::from_str(text).ok() };
    let (logs, older) = match of_lines {
        Some(OfLines { logs, log_bytes_per_day }) => (logs, log_bytes_per_day),
        // Which of the two parts is wrong is told below, each by its own reader.
        None => (None, None),
    };
    let is_split = logs.is_some();
    let metrics = match (is_json, is_split) {
        // Whole, so that an error can point at its line.
        (true, false) => serde_json::from_str(text).map_err(|error| why_not(error, text, true))?,
        (false, false) => toml::from_str(text).map_err(|error| why_not(error, text, false))?,
        (true, true) => {
            let mut all: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).map_err(say)?;
            all.remove("logs");
            serde_json::from_value(serde_json::Value::Object(all)).map_err(say)?
        }
        (false, true) => {
            let mut all: toml::Table = toml::from_str(text).map_err(say)?;
            all.remove("logs");
            all.try_into().map_err(say)?
        }
    };
    let mut logs = logs.unwrap_or_default();
    if let (None, Some(bytes)) = (logs.volume(), older) {
        logs = logs.with_volume(bytes);
    }
    logs.check()?;
    Ok(Plan { metrics, logs })
}

fn say(error: impl ToString) -> String {
    error.to_string()
}

/// When it is the part of lines that cannot be read, its reader says why.
fn why_not(error: impl ToString, text: &str, is_json: bool) -> String {
    #[derive(Deserialize)]
    struct Logs {
        #[serde(rename = "logs")]
        _logs: Option<LogPlan>,
    }
    let of_lines = if is_json {
        serde_json::from_str::<Logs>(text).err().map(say)
    } else {
        toml::from_str::<Logs>(text).err().map(say)
    };
    of_lines.unwrap_or_else(|| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn metrics_and_lines_stand_in_one_file() {
        let text = "name = \"ours\"\nstreams = 1000\n\n[logs]\nvolume = \"250MB\"\nhard_limit = 500000000\nsearch = \"7d\"\n\
                    archive = 86400\n";
        let plan = read(text, false).unwrap();
        assert_eq!((plan.name(), plan.metrics.streams()), ("ours", Some(1_000)));
        assert_eq!((plan.logs.volume(), plan.logs.hard_limit()), (Some(250 << 20), Some(500_000_000)));
        assert_eq!(plan.logs.search(), Some(Duration::from_secs(7 * 86_400)));
        assert_eq!(plan.logs.archive(), Some(Duration::from_secs(86_400)));
        let json = r#"{"name":"ours","streams":1000,"logs":{"volume":"250MB","hard_limit":500000000,"search":"7d","archive":"1d"}}"#;
        assert_eq!(read(json, true).unwrap(), plan);
    }

    #[test]
    fn old_names_and_missing_fields_are_read() {
        let plan = read("name = \"ours\"\nlog_bytes_per_day = 10485760\nretention_hours = 168\n", false).unwrap();
        assert_eq!(plan.logs.volume(), Some(10 << 20));
        assert_eq!(plan.metrics.retention(), Some(Duration::from_secs(168 * 3_600)));
        let new = read("name = \"ours\"\nmetrics_hours = 168\n[logs]\nvolume = \"10MB\"\n", false).unwrap();
        assert_eq!(new, plan);
        assert_eq!(read("name = \"x\"", false).unwrap().logs, LogPlan::default());
        assert_eq!(
            read("name = \"x\"\nlog_bytes_per_day = 5\n[logs]\nvolume = 7", false).unwrap().logs.volume(),
            Some(7)
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let why = |text: &str| read(text, false).unwrap_err();
        assert!(why("name = \"x\"\nstrems = 4\n").contains("unknown field `strems`"));
        assert!(why("name = \"x\"\nstrems = 4\n").contains("line 2"));
        assert!(why("name = \"x\"\nstrems = 4\n[logs]\nvolume = 7").contains("unknown field `strems`"));
        assert!(why("name = \"x\"\n[logs]\nvolum = 7").contains("unknown field `volum`"));
        assert!(why("name = \"x\"\n[logs]\nsearch = \"a week\"").contains("expected a duration"));
        assert!(why("name = \"x\"\n[logs]\nvolume = -1").contains("250MB"));
        assert!(why("name = \"x\"\n[logs]\nvolume = 2\nhard_limit = 1").contains("less than logs.volume"));
        assert!(read("{\"name\":\"x\",\"logs\":{\"volume\":[]}}", true).unwrap_err().contains("250MB"));
        assert!(read("{\"logs\":{}}", true).unwrap_err().contains("name"));
    }
}
