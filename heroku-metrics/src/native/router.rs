use super::{Family, Native, count, measure};
use metric_model::Unit;

/// One for each router line, with or without an error.
pub(super) const REQUESTS: Native = count("(the line)", "heroku.router.http.requests");
/// Milliseconds from the dyno's accept to the end of the response.
pub(super) const SERVICE: Native = measure("service", "heroku.router.service.response_time", Unit::MILLISECONDS);
/// Milliseconds to connect to the dyno.
pub(super) const CONNECT: Native = measure("connect", "heroku.router.connect.latency", Unit::MILLISECONDS);
/// Octets of the response. The page lists no percentiles for it.
pub(super) const BYTES: Native = measure("bytes", "heroku.router.bytes", Unit::BYTES).without_percentiles();

pub(super) const ROUTER_TAGS: &[&str] = &["app_name", "dyno", "method", "source", "status_category", "status_code"];

pub(crate) const ROUTER: Family = Family {
    title: "Router",
    prefix: "heroku.router.",
    tags: ROUTER_TAGS,
    metrics: &[REQUESTS, SERVICE, CONNECT, BYTES],
    note: "",
};
