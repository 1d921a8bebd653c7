use super::{Family, extended};
use metric_model::Unit;

/// Connection pooling. The add-on's page has no names for it.
///
/// `max_wait` is in seconds and `avg_query` in microseconds, as PgBouncer documents its own statistics; Heroku's lines
/// carry no unit.
pub(crate) const PGBOUNCER: Family = Family {
    title: "PgBouncer",
    prefix: "heroku.pgbouncer.",
    tags: &["addon", "app_name", "database"],
    metrics: &[
        extended("client_active", "heroku.pgbouncer.clients.active", Unit::NONE),
        extended("client_waiting", "heroku.pgbouncer.clients.waiting", Unit::NONE),
        extended("server_active", "heroku.pgbouncer.servers.active", Unit::NONE),
        extended("server_idle", "heroku.pgbouncer.servers.idle", Unit::NONE),
        extended("max_wait", "heroku.pgbouncer.max_wait", Unit::MILLISECONDS).written_in(Unit::new("s")),
        extended("avg_query", "heroku.pgbouncer.avg_query", Unit::MILLISECONDS).written_in(Unit::new("us")),
        extended("avg_recv", "heroku.pgbouncer.avg_recv", Unit::BYTES),
        extended("avg_sent", "heroku.pgbouncer.avg_sent", Unit::BYTES),
    ],
    note: "",
};
