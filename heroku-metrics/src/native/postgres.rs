use super::{Family, extended, sample};
use metric_model::Unit;

/// Standard, Premium, Private and Shield databases; `database` is the attachment name (`source=` on the line). In the order
/// of the line, as all tables of samples are.
///
/// `mem.used` and `db.size_used` are read from the percentages on the line, a ratio of 0 to 1: the page names the
/// metrics and not the fields. Lines up to about 2025 have neither, and then the metric is absent.
pub(crate) const POSTGRES: Family = Family {
    title: "Postgres",
    prefix: "heroku.postgres.",
    tags: &["app_name", "database", "addon"],
    metrics: &[
        sample("current_transaction", "heroku.postgres.db.current_transaction", Unit::NONE),
        sample("db_size", "heroku.postgres.db.size", Unit::BYTES),
        extended("db-max-size", "heroku.postgres.db.size_max", Unit::BYTES),
        sample("db-size-percentage-used", "heroku.postgres.db.size_used", Unit::NONE),
        sample("tables", "heroku.postgres.db.tables", Unit::NONE),
        sample("active-connections", "heroku.postgres.db.connections_active", Unit::NONE),
        sample("waiting-connections", "heroku.postgres.db.connections_waiting", Unit::NONE),
        extended("max-connections", "heroku.postgres.db.connections_max", Unit::NONE),
        extended("connections-percentage-used", "heroku.postgres.db.connections_used", Unit::NONE),
        sample("index-cache-hit-rate", "heroku.postgres.db.index_cache_hit_rate", Unit::NONE),
        sample("table-cache-hit-rate", "heroku.postgres.db.table_cache_hit_rate", Unit::NONE),
        sample("load-avg-1m", "heroku.postgres.load.load1", Unit::NONE),
        sample("load-avg-5m", "heroku.postgres.load.load5", Unit::NONE),
        sample("load-avg-15m", "heroku.postgres.load.load15", Unit::NONE),
        sample("read-iops", "heroku.postgres.db.read_iops", Unit::NONE),
        sample("write-iops", "heroku.postgres.db.write_iops", Unit::NONE),
        extended("max-iops", "heroku.postgres.db.iops_max", Unit::NONE),
        extended("iops-percentage-used", "heroku.postgres.db.iops_used", Unit::NONE),
        extended("tmp-disk-used", "heroku.postgres.disk.tmp_used", Unit::BYTES),
        extended("tmp-disk-available", "heroku.postgres.disk.tmp_available", Unit::BYTES),
        sample("memory-total", "heroku.postgres.mem.total", Unit::BYTES).written_in(KILOBYTES),
        sample("memory-free", "heroku.postgres.mem.free", Unit::BYTES).written_in(KILOBYTES),
        sample("memory-percentage-used", "heroku.postgres.mem.used", Unit::NONE),
        sample("memory-cached", "heroku.postgres.mem.cache", Unit::BYTES).written_in(KILOBYTES),
        sample("memory-postgres", "heroku.postgres.mem.postgres", Unit::BYTES).written_in(KILOBYTES),
        extended("follower-lag-commits", "heroku.postgres.db.follower_lag_commits", Unit::NONE),
        extended("wal-percentage-used", "heroku.postgres.db.wal_used", Unit::NONE),
    ],
    note: "",
};

const KILOBYTES: Unit<'static> = Unit::new("kB");
