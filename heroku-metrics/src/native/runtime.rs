use super::{Family, sample};
use metric_model::Unit;

/// Enabled on Heroku with `heroku labs:enable log-runtime-metrics`; two lines a dyno about every 20 seconds.
///
/// The page-in and page-out counters grow for the life of the dyno; they are passed on as they are, as samples.
pub(crate) const RUNTIME: Family = Family {
    title: "Dyno runtime",
    prefix: "heroku.dyno.",
    tags: &["app_name", "dyno", "source"],
    metrics: &[
        sample("load_avg_1m", "heroku.dyno.load.load1", Unit::NONE),
        sample("load_avg_5m", "heroku.dyno.load.load5", Unit::NONE),
        sample("load_avg_15m", "heroku.dyno.load.load15", Unit::NONE),
        sample("memory_total", "heroku.dyno.mem.total", Unit::BYTES).written_in(MEGABYTES),
        sample("memory_rss", "heroku.dyno.mem.rss", Unit::BYTES).written_in(MEGABYTES),
        sample("memory_cache", "heroku.dyno.mem.cache", Unit::BYTES).written_in(MEGABYTES),
        sample("memory_swap", "heroku.dyno.mem.swap", Unit::BYTES).written_in(MEGABYTES),
        sample("memory_pgpgin", "heroku.dyno.mem.pgin", Unit::PAGES),
        sample("memory_pgpgout", "heroku.dyno.mem.pgout", Unit::PAGES),
        sample("memory_quota", "heroku.dyno.mem.quota", Unit::BYTES).written_in(MEGABYTES),
    ],
    note: "",
};

const MEGABYTES: Unit<'static> = Unit::new("MB");
