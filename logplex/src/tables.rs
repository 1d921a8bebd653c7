//! What lines are made of: names, codes, the dynos there are, and the streams that were opened for them.

use crate::streams::Stream;
use testkit::random::Random;

/// The number of web dynos, and of what else there is.
pub(crate) const DYNOS: u64 = 10;
pub(crate) const PATHS: u64 = 200;
pub(crate) const CUSTOMERS: u64 = 100;

/// Statuses, the most frequent first.
pub(crate) const STATUSES: [(u64, &str, &str); 10] = [
    (200, "200", "2xx"),
    (304, "304", "3xx"),
    (201, "201", "2xx"),
    (302, "302", "3xx"),
    (404, "404", "4xx"),
    (204, "204", "2xx"),
    (500, "500", "5xx"),
    (401, "401", "4xx"),
    (422, "422", "4xx"),
    (400, "400", "4xx"),
];
pub(crate) const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];
pub(crate) const NOUNS: [&str; 8] = ["products", "orders", "cart", "account", "search", "reviews", "assets", "stock"];
/// Code, description, and how long the request took; 0 for one that no dyno ever got.
pub(crate) const FAILURES: [(&str, &str, u64); 4] = [
    ("H12", "Request timeout", 30_000),
    ("H13", "Connection closed without response", 812),
    ("H18", "Server Request Interrupted", 93),
    ("H10", "App crashed", 0),
];
pub(crate) const LEAKS: [(&str, &str); 2] = [("R14", "Memory quota exceeded"), ("R15", "Memory quota vastly exceeded")];
pub(crate) const ENDPOINTS: [&str; 4] = ["lookup", "list", "update", "export"];
pub(crate) const MARKETS: [&str; 3] = ["de", "fr", "nl"];

/// What is known of dynos, and the streams that were opened, by what makes their tags.
#[derive(Debug)]
pub(crate) struct Tables {
    /// `web.1` and its instance id.
    pub(crate) dynos: Vec<(String, String)>,
    /// By dyno, method and status.
    pub(crate) router: Vec<Option<[Stream; 4]>>,
    /// By failure and dyno; of a request that no dyno got, in the place of the first.
    pub(crate) failures: Vec<Option<([Stream; 4], Stream)>>,
    pub(crate) load: Vec<Option<[Stream; 3]>>,
    pub(crate) memory: Vec<Option<[Stream; 7]>>,
    pub(crate) postgres: Option<[Stream; 18]>,
    pub(crate) leaks: [Option<Stream>; 2],
    pub(crate) custom: Vec<[Option<Stream>; 3]>,
}

/// The most different tag sets that a shape of custom lines has.
pub(crate) const TAG_SETS: usize = 100;
pub(crate) const SHAPES: usize = 7;

impl Tables {
    pub(crate) fn new(dynos: u64, random: &mut Random) -> Self {
        let names = (1..=dynos).map(|n| (format!("web.{n}"), format!("heroku.310774421.{}", random.uuid())));
        let count = dynos as usize;
        Self {
            dynos: names.collect(),
            router: vec![None; count * METHODS.len() * STATUSES.len()],
            failures: vec![None; count * FAILURES.len()],
            load: vec![None; count],
            memory: vec![None; count],
            postgres: None,
            leaks: [None; 2],
            custom: vec![[None; 3]; SHAPES * TAG_SETS],
        }
    }
}
