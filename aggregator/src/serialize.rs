//! Plans in, reports out: the shapes of `serde`.

use crate::explain::StreamReport;
use crate::ledger::ObservationLedger;
use crate::outcome::Refusal;
use crate::quota::{CountingRule, StreamQuota};
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

/// `{"limit":300,"rule":"streams","exempt":["heroku.router."],"overflow_streams":100}`; all but `limit` may be missing.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Quota {
    limit: u32,
    #[serde(default)]
    rule: CountingRule,
    #[serde(default)]
    exempt: Vec<String>,
    #[serde(default)]
    overflow_streams: Option<u32>,
}

impl Serialize for StreamQuota {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let exempt = self.exempt().to_vec();
        Quota { limit: self.limit(), rule: self.rule(), exempt, overflow_streams: Some(self.overflow_streams()) }
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for StreamQuota {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let quota = Quota::deserialize(deserializer)?;
        if quota.exempt.iter().any(String::is_empty) {
            return Err(D::Error::custom("an empty prefix would exempt every metric"));
        }
        let empty = match quota.rule {
            CountingRule::Streams => Self::streams(quota.limit),
            CountingRule::TagSets => Self::tag_sets(quota.limit),
        };
        let exempt = quota.exempt.into_iter().fold(empty, Self::with_exempt);
        Ok(quota.overflow_streams.into_iter().fold(exempt, Self::with_overflow_streams))
    }
}

/// Reasons with their counts.
struct Refused<'a>(&'a ObservationLedger);

impl Serialize for Refused<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Refusal::ALL.len()))?;
        for reason in Refusal::ALL {
            map.serialize_entry(reason.as_str(), &self.0.refused_as(reason))?;
        }
        map.end()
    }
}

impl Serialize for ObservationLedger {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut lines = serializer.serialize_struct("ObservationLedger", 8)?;
        lines.serialize_field("observed", &self.observed())?;
        lines.serialize_field("accepted", &self.accepted())?;
        lines.serialize_field("folded", &self.folded())?;
        lines.serialize_field("late", &self.late())?;
        lines.serialize_field("future", &self.future())?;
        lines.serialize_field("refused", &Refused(self))?;
        lines.serialize_field("revising", &self.revising())?;
        lines.serialize_field("clamped", &self.clamped())?;
        lines.end()
    }
}

impl Serialize for StreamReport<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("StreamReport", 8)?;
        row.serialize_field("kind", self.kind().as_str())?;
        row.serialize_field("name", self.name())?;
        row.serialize_field("unit", self.unit().as_str())?;
        row.serialize_field("tags", self.tags())?;
        row.serialize_field("standing", self.standing().as_str())?;
        row.serialize_field("cost", &self.cost())?;
        row.serialize_field("first_seen", &format_args!("{}", self.first_seen()))?;
        row.serialize_field("observations", &self.observations())?;
        row.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AggregatorConfig;
    use crate::engine::Aggregator;
    use metric_model::{Observation, TagSet, Timestamp, Value};

    #[test]
    fn a_plan_reads_and_prints() {
        let gold: StreamQuota = serde_json::from_str(r#"{"limit":300}"#).unwrap();
        assert_eq!(gold, StreamQuota::streams(300));
        let text = r#"{"limit":7,"rule":"tag_sets","exempt":["a."],"overflow_streams":0}"#;
        let quota: StreamQuota = serde_json::from_str(text).unwrap();
        assert_eq!(quota, StreamQuota::tag_sets(7).with_exempt("a.").with_overflow_streams(0));
        assert_eq!(serde_json::to_string(&quota).unwrap(), text);
        for wrong in [r#"{}"#, r#"{"limit":-1}"#, r#"{"limit":1,"x":2}"#, r#"{"limit":1,"exempt":[""]}"#] {
            assert!(serde_json::from_str::<StreamQuota>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reports_print() {
        let mut engine = Aggregator::new(AggregatorConfig::new().with_quota(StreamQuota::streams(1))).unwrap();
        let tags = TagSet::from_iter([("user", "2")]);
        let seen = Observation::count("clicks", Value::plain(1.0), &tags, Timestamp::from_unix_seconds(0));
        let _ = engine.observe(&seen);
        assert_eq!(
            serde_json::to_string(engine.ledger()).unwrap(),
            concat!(
                r#"{"observed":1,"accepted":1,"folded":0,"late":0,"future":0,"refused":{"not_finite":0,"#,
                r#""negative_count":0,"key_too_long":0,"too_many_streams":0,"over_quota":0,"windows_full":0,"#,
                r#""bad_summary":0},"#,
                r#""revising":0,"clamped":0}"#
            )
        );
        let rows: Vec<String> = engine.explain().iter().map(|row| serde_json::to_string(row).unwrap()).collect();
        let row = concat!(
            r#"{"kind":"count","name":"clicks","unit":"","tags":{"user":"2"},"standing":"admitted","cost":1,"#,
            r#""first_seen":"1970-01-01T00:00:00Z","observations":1}"#
        );
        assert_eq!(rows, [row]);
    }
}
