use crate::stream_key::Key;
use core::cmp::Ordering;
use core::hash::BuildHasher;
use foldhash::fast::FixedState;
use metric_model::{DataPoint, Observation};

/// Which of several aggregators an observation belongs to, from 0 to `shards - 1`: all observations of a stream go to
/// the same one, so that each may run on a thread of its own.
///
/// The recipe, with as many threads as shards:
///
/// 1. give each observation to the aggregator of its shard, in the order of the input;
/// 2. call `advance` of each with the same time;
/// 3. put what they wrote in [`output_order`].
///
/// The result is that of one aggregator, byte for byte. A quota is each aggregator's own: where one must hold for all
/// together, shard by whom it belongs to instead. `merge` adds up the ledgers in the end.
///
/// ```
/// use metric_model::{DataPointBuf, Observation, TagSet, Timestamp, Value};
/// use minute_aggregator::{Aggregator, AggregatorConfig, output_order, shard};
///
/// let users: Vec<TagSet> = (0..100).map(|user| TagSet::from_iter([("user", user.to_string())])).collect();
/// let clicks = || users.iter().map(|tags| Observation::count("clicks", Value::plain(1.0), tags, Timestamp::from_unix_seconds(0)));
/// let work = |of: u32, shards: u32| {
///     let mut engine = Aggregator::new(AggregatorConfig::new()).unwrap();
///     for click in clicks().filter(|click| shard(click, shards) == of) {
///         let _ = engine.observe(&click);
///     }
///     let mut points: Vec<DataPointBuf> = Vec::new();
///     let _ = engine.finish(&mut points);
///     points
/// };
///
/// let (left, right) = std::thread::scope(|threads| {
///     let right = threads.spawn(|| work(1, 2));
///     (work(0, 2), right.join().unwrap())
/// });
/// let mut both = [left, right].concat();
/// both.sort_by(|a, b| output_order(&a.as_point(), &b.as_point()));
/// assert_eq!(both, work(0, 1));
/// ```
#[must_use]
pub fn shard(observation: &Observation<'_>, shards: u32) -> u32 {
    // A fixed seed, so that all threads agree.
    let hash = FixedState::with_seed(0x6d69_6e75_7465).hash_one(Key::of(observation));
    // The upper half of the hash as a fraction of the shards.
    (((hash >> 32) * u64::from(shards)) >> 32) as u32
}

/// The order in which an aggregator writes: by window, name, kind, unit and tags.
///
/// ```
/// use metric_model::{DataPoint, Kind, Stats, TagSet, Timestamp, Unit, Window};
/// use minute_aggregator::output_order;
///
/// let window = Window::containing(Timestamp::from_unix_seconds(0), core::time::Duration::from_secs(60));
/// let none = TagSet::new();
/// let point = |name| DataPoint::new(window, Kind::Count, name, Unit::NONE, &none, Stats::count(1, 1.0));
/// assert!(output_order(&point("a"), &point("b")).is_lt());
/// ```
#[must_use]
pub fn output_order(a: &DataPoint<'_>, b: &DataPoint<'_>) -> Ordering {
    fn key<'a>(point: &DataPoint<'a>) -> Key<'a> {
        Key { name: point.name(), kind: point.kind(), unit: point.unit(), tags: point.tags() }
    }
    (a.window(), key(a), a.revision()).cmp(&(b.window(), key(b), b.revision()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use metric_model::{TagSet, Timestamp, Value};

    #[test]
    fn shards_are_even_and_all_are_used() {
        let mut seen = [0_u32; 7];
        for user in 0..7_000 {
            let tags = TagSet::from_iter([("user", user.to_string())]);
            let click = Observation::count("clicks", Value::plain(1.0), &tags, Timestamp::from_unix_seconds(0));
            assert_eq!((shard(&click, 0), shard(&click, 1)), (0, 0));
            assert!(shard(&click, u32::MAX) < u32::MAX);
            seen[shard(&click, 7) as usize] += 1;
        }
        assert!(seen.iter().all(|count| (800..1_200).contains(count)), "{seen:?}");
    }
}
