use super::{Family, extended};
use metric_model::Unit;

/// Key-Value Store. The add-on's page has no names for it; these follow those of Postgres.
pub(crate) const REDIS: Family = Family {
    title: "Key-Value Store",
    prefix: "heroku.redis.",
    tags: &["addon", "app_name", "database"],
    metrics: &[
        extended("active-connections", "heroku.redis.db.connections_active", Unit::NONE),
        extended("max-connections", "heroku.redis.db.connections_max", Unit::NONE),
        extended("connection-percentage-used", "heroku.redis.db.connections_used", Unit::NONE),
        extended("load-avg-1m", "heroku.redis.load.load1", Unit::NONE),
        extended("load-avg-5m", "heroku.redis.load.load5", Unit::NONE),
        extended("load-avg-15m", "heroku.redis.load.load15", Unit::NONE),
        extended("read-iops", "heroku.redis.db.read_iops", Unit::NONE),
        extended("write-iops", "heroku.redis.db.write_iops", Unit::NONE),
        extended("max-iops", "heroku.redis.db.iops_max", Unit::NONE),
        extended("iops-percentage-used", "heroku.redis.db.iops_used", Unit::NONE),
        extended("memory-total", "heroku.redis.mem.total", Unit::BYTES).written_in(KILOBYTES),
        extended("memory-free", "heroku.redis.mem.free", Unit::BYTES).written_in(KILOBYTES),
        extended("memory-percentage-used", "heroku.redis.mem.used", Unit::NONE),
        extended("memory-cached", "heroku.redis.mem.cache", Unit::BYTES).written_in(KILOBYTES),
        extended("memory-redis", "heroku.redis.mem.redis", Unit::BYTES),
        extended("hit-rate", "heroku.redis.db.hit_rate", Unit::NONE),
        extended("evicted-keys", "heroku.redis.db.evicted_keys", Unit::NONE),
    ],
    note: "",
};

const KILOBYTES: Unit<'static> = Unit::new("kB");
