//! The methods and paths of `/api/v2`, as one table: what is not in it is not answered, and a test holds it against the
//! OpenAPI document.

use axum::http::Method;

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Op {
    Document,
    Accounts,
    AddAccount,
    Account,
    ChangeAccount,
    Destroy,
    Bucket,
    SetBucket,
    RemoveBucket,
    TestBucket,
    Archives,
    Plans,
    Plan,
    ChangePlan,
    Filters,
    AddFilter,
    Preview,
    Filter,
    ChangeFilter,
    RemoveFilter,
    Usage,
    Series,
    Metrics,
    Patterns,
    Context,
    Purge,
    Members,
    AddMember,
    ChangeMember,
    RemoveMember,
    Tokens,
    AddToken,
    RemoveToken,
    Alerts,
    AddAlert,
    AlertTemplates,
    TryAlert,
    AllHistory,
    Alert,
    ChangeAlert,
    RemoveAlert,
    MuteAlert,
    UnmuteAlert,
    RearmAlert,
    TestAlert,
    History,
    Channels,
    AddChannel,
    Channel,
    ChangeChannel,
    RemoveChannel,
    TestChannel,
    Dashboards,
    AddDashboard,
    Dashboard,
    SetDashboard,
    RemoveDashboard,
    Shares,
    AddShare,
    RemoveShare,
}

/// Method, path behind `/api/v2/` with `{id}` for a number, what it is.
pub(super) const ROUTES: [(Method, &str, Op); 60] = [
    (Method::GET, "openapi.json", Op::Document),
    (Method::GET, "accounts", Op::Accounts),
    (Method::POST, "accounts", Op::AddAccount),
    (Method::GET, "account", Op::Account),
    (Method::PATCH, "account", Op::ChangeAccount),
    (Method::POST, "account/destroy", Op::Destroy),
    (Method::GET, "bucket", Op::Bucket),
    (Method::PUT, "bucket", Op::SetBucket),
    (Method::DELETE, "bucket", Op::RemoveBucket),
    (Method::POST, "bucket/test", Op::TestBucket),
    (Method::GET, "archives", Op::Archives),
    (Method::GET, "plans", Op::Plans),
    (Method::GET, "plan", Op::Plan),
    (Method::PUT, "plan", Op::ChangePlan),
    (Method::GET, "filters", Op::Filters),
    (Method::POST, "filters", Op::AddFilter),
    (Method::GET, "filters/preview", Op::Preview),
    (Method::GET, "filters/{id}", Op::Filter),
    (Method::PATCH, "filters/{id}", Op::ChangeFilter),
    (Method::DELETE, "filters/{id}", Op::RemoveFilter),
    (Method::GET, "usage", Op::Usage),
    (Method::GET, "series", Op::Series),
    (Method::GET, "metrics", Op::Metrics),
    (Method::GET, "patterns", Op::Patterns),
    (Method::GET, "context", Op::Context),
    (Method::POST, "purge", Op::Purge),
    (Method::GET, "members", Op::Members),
    (Method::POST, "members", Op::AddMember),
    (Method::PATCH, "members/{id}", Op::ChangeMember),
    (Method::DELETE, "members/{id}", Op::RemoveMember),
    (Method::GET, "tokens", Op::Tokens),
    (Method::POST, "tokens", Op::AddToken),
    (Method::DELETE, "tokens/{id}", Op::RemoveToken),
    (Method::GET, "alerts", Op::Alerts),
    (Method::POST, "alerts", Op::AddAlert),
    (Method::GET, "alerts/templates", Op::AlertTemplates),
    (Method::POST, "alerts/try", Op::TryAlert),
    (Method::GET, "alerts/history", Op::AllHistory),
    (Method::GET, "alerts/{id}", Op::Alert),
    (Method::PATCH, "alerts/{id}", Op::ChangeAlert),
    (Method::DELETE, "alerts/{id}", Op::RemoveAlert),
    (Method::POST, "alerts/{id}/mute", Op::MuteAlert),
    (Method::DELETE, "alerts/{id}/mute", Op::UnmuteAlert),
    (Method::POST, "alerts/{id}/rearm", Op::RearmAlert),
    (Method::POST, "alerts/{id}/test", Op::TestAlert),
    (Method::GET, "alerts/{id}/history", Op::History),
    (Method::GET, "channels", Op::Channels),
    (Method::POST, "channels", Op::AddChannel),
    (Method::GET, "channels/{id}", Op::Channel),
    (Method::PATCH, "channels/{id}", Op::ChangeChannel),
    (Method::DELETE, "channels/{id}", Op::RemoveChannel),
    (Method::POST, "channels/{id}/test", Op::TestChannel),
    (Method::GET, "dashboards", Op::Dashboards),
    (Method::POST, "dashboards", Op::AddDashboard),
    (Method::GET, "dashboards/{id}", Op::Dashboard),
    (Method::PUT, "dashboards/{id}", Op::SetDashboard),
    (Method::DELETE, "dashboards/{id}", Op::RemoveDashboard),
    (Method::GET, "shares", Op::Shares),
    (Method::POST, "shares", Op::AddShare),
    (Method::DELETE, "shares/{id}", Op::RemoveShare),
];

/// What a request comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// With the number in the path, or 0.
    To(Op, u32),
    /// There is such a path, for these methods.
    NotSo(String),
    Nowhere,
}

/// Finds the way of a method and a path behind `/api/v2/`. HEAD is as GET.
pub(super) fn way(method: &Method, path: &str) -> Way {
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    let mut allowed: Vec<&str> = Vec::new();
    for (known, pattern, op) in &ROUTES {
        let Some(id) = fits(pattern, path) else { continue };
        if known == method {
            return Way::To(*op, id);
        }
        allowed.push(known.as_str());
        if *known == Method::GET {
            allowed.push("HEAD");
        }
    }
    if allowed.is_empty() { Way::Nowhere } else { Way::NotSo(allowed.join(", ")) }
}

/// The number in a path that fits, or 0.
fn fits(pattern: &str, path: &str) -> Option<u32> {
    match pattern.split_once("{id}") {
        Some((start, end)) => {
            let id = path.strip_prefix(start)?.strip_suffix(end)?;
            let is_number = id.bytes().all(|byte| byte.is_ascii_digit()) && !id.starts_with('0');
            if is_number { id.parse().ok() } else { None }
        }
        None => (pattern == path).then_some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_found_or_said_not_to_be() {
        assert_eq!(way(&Method::GET, "filters"), Way::To(Op::Filters, 0));
        assert_eq!(way(&Method::HEAD, "filters/1000"), Way::To(Op::Filter, 1_000));
        assert_eq!(way(&Method::GET, "filters/preview"), Way::To(Op::Preview, 0));
        assert_eq!(way(&Method::POST, "alerts/1000/mute"), Way::To(Op::MuteAlert, 1_000));
        assert_eq!(way(&Method::POST, "alerts/try"), Way::To(Op::TryAlert, 0));
        assert_eq!(way(&Method::DELETE, "filters"), Way::NotSo("GET, HEAD, POST".to_owned()));
        assert_eq!(way(&Method::PUT, "filters/1000"), Way::NotSo("GET, HEAD, PATCH, DELETE".to_owned()));
        for path in [
            "",
            "filter",
            "filters/",
            "filters/01",
            "filters/0",
            "filters/-1",
            "filters/99999999999",
            "filters/1/x",
            "alerts//mute",
            "alerts/1/2/mute",
        ] {
            assert_eq!(way(&Method::GET, path), Way::Nowhere, "{path}");
        }
    }
}
