//! What a node answers by itself, what only an account's home does, and what nobody does where no lines are kept.

use crate::access::Way;

/// Of the node itself, whichever account somebody has: with what is below those that end in a slash.
const OF_NODE: [&str; 17] = [
    "/logs",
    // Deliveries, too: of what programs measure.
    "/v1/measurements",
    "/v1/metrics",
    "/healthz",
    "/readyz",
    "/metrics",
    "/status",
    "/login",
    "/logout",
    "/theme",
    "/assets/",
    "/",
    // The journal tells the owner of the account's partition.
    "/api/v2/account/destroy",
    // What has become of resources all nodes know, and what is to be done about them the journal tells the account's owner.
    "/heroku/resources",
    "/heroku/resources/",
    "/sso/login",
    "/apps/",
];
/// Who may come in: the same on all nodes.
const PEOPLE: [&str; 13] = [
    "/invite/",
    "/account/profile",
    "/account/profile/",
    "/account/members",
    "/account/members/",
    "/account/tokens",
    "/account/tokens/",
    "/api/v1/users.json",
    "/api/v1/users/",
    "/api/v2/members",
    "/api/v2/members/",
    "/api/v2/tokens",
    "/api/v2/tokens/",
];
/// The same, of whoever gets mail, and of accounts as such.
const PEOPLE_BESIDE: [&str; 6] =
    ["/recipients/", "/account", "/api/v1/users", "/api/v2/accounts", "/api/v2/openapi.json", "/api/v2/plans"];
/// Kept minutes: all nodes have them, and the home what is open still.
const MINUTES: [&str; 3] = ["/api/v2/series", "/api/v2/metrics", "/v1/measurements/"];
/// Charts of kept minutes, dashboards of them, and the links that share those. All of it is in the database.
const CHARTS: [&str; 10] = [
    "/api/v2/dashboards",
    "/api/v2/dashboards/",
    "/api/v2/shares",
    "/api/v2/shares/",
    "/charts/",
    "/dashboards",
    "/dashboards/",
    "/explore",
    "/explore/",
    "/shared/",
];

/// Who answers at a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Whose {
    /// Any node.
    Node,
    /// The home of the account that it is about.
    Home,
    /// Nobody, where nodes keep no lines.
    Missing,
}

pub(super) fn whose(path: &str, keeps_lines: bool) -> Whose {
    let is = |known: &&str| match known.strip_suffix('/') {
        Some("") => path == "/",
        Some(folder) => path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')),
        None => path.trim_end_matches('/') == *known,
    };
    if OF_NODE.iter().chain(&PEOPLE).chain(&PEOPLE_BESIDE).any(is) {
        Whose::Node
    } else if MINUTES.iter().chain(&CHARTS).any(is) {
        if keeps_lines { Whose::Home } else { Whose::Node }
    } else if keeps_lines {
        Whose::Home
    } else {
        Whose::Missing
    }
}

/// By which way somebody comes at a path.
pub(super) fn way(path: &str) -> Way {
    if path == "/api/v1" || path.starts_with("/api/v1/") || path.starts_with("/v1/") {
        Way::ApiV1
    } else if path.starts_with("/api/v2/") {
        Way::ApiV2 { is_change: false }
    } else {
        Way::Page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_of_the_node_or_of_an_account() {
        for path in ["/", "/logs", "/logs/", "/healthz", "/assets/page.css", "/login"] {
            assert_eq!(whose(path, true), Whose::Node, "{path}");
        }
        for path in ["/logs/x", "/assets", "//", "/loginx", "/api/v1/events/search.json", "/shared/x"] {
            assert_ne!(whose(path, true), Whose::Node, "{path}");
        }
        assert_eq!(["/events", "/events/text"].map(|path| whose(path, true)), [Whose::Home; 2]);
        assert_eq!(["/events", "/alerts", "/account/plan"].map(|path| whose(path, false)), [Whose::Missing; 3]);
        assert_eq!(["/alerts", "/account/plan", "/shared/x"].map(|path| whose(path, true)), [Whose::Home; 3]);
        assert_eq!(["/account", "/account/profile", "/shared/x"].map(|path| whose(path, false)), [Whose::Node; 3]);
        assert_eq!(way("/api/v1/systems.json"), Way::ApiV1);
        assert_eq!(way("/v1/measurements"), Way::ApiV1);
        assert_eq!(way("/api/v2/tail"), Way::ApiV2 { is_change: false });
        assert_eq!(way("/events"), Way::Page);
    }
}
