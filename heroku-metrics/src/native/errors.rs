use super::{Family, Native, count};

/// Requests that ended with an H code, whether `at=error`, `at=warning` or `at=info` (H80 to H82).
pub(crate) const HTTP: Native = count("code", "heroku.errors.http");
/// Log messages affected by an L code: the number in the line's text.
pub(crate) const LOGGING: Native = count("(the number in the line)", "heroku.errors.logging");
/// R codes, one for each line.
pub(crate) const RUNTIME_ERRORS: Native = count("(the line)", "heroku.errors.runtime");

pub(crate) const HTTP_ERRORS: Family = Family {
    title: "HTTP errors (H codes)",
    prefix: "heroku.errors.http",
    tags: &["app_name", "dyno", "method", "source", "status_category", "status_code", "code", "code_description"],
    metrics: &[HTTP],
    note: "",
};

pub(crate) const LOGGING_ERRORS: Family = Family {
    title: "Logging errors (L codes)",
    prefix: "heroku.errors.logging",
    tags: &["app_name", "code", "code_description"],
    metrics: &[LOGGING],
    note: "",
};

pub(crate) const DYNO_ERRORS: Family = Family {
    title: "Runtime errors (R codes)",
    prefix: "heroku.errors.runtime",
    tags: &["app_name", "code", "code_description"],
    metrics: &[RUNTIME_ERRORS],
    note: "",
};
