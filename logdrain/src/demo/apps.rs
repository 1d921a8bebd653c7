//! The applications: what they are called, what they run on, and what is asked of them.

/// An application with a drain of its own.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) name: &'static str,
    /// Of its drain.
    pub(crate) token: &'static str,
    pub(super) seed: u64,
    pub(super) host: &'static str,
    /// Requests a minute when there is most to do.
    pub(super) requests: f64,
    pub(super) web: &'static [&'static str],
    /// Other dynos.
    pub(super) workers: &'static [&'static str],
    /// What the number in the ids of its dynos is.
    pub(super) number: u32,
    pub(super) rss_mb: f64,
    pub(super) quota_mb: f64,
    pub(super) endpoints: &'static [Endpoint],
    pub(super) databases: &'static [Database],
    pub(super) releases: &'static [Release],
    /// Whether the troubles of the story are its own.
    pub(super) is_troubled: bool,
}

/// What is asked, and what it takes.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) weight: u64,
    pub(super) method: &'static str,
    /// `{}` is a number.
    pub(super) path: &'static str,
    pub(super) median_ms: u64,
    pub(super) bytes: (u64, u64),
    pub(super) status: u16,
    /// Slow when the database is.
    pub(super) asks_database: bool,
}

#[derive(Debug)]
pub(super) struct Database {
    pub(super) source: &'static str,
    pub(super) addon: &'static str,
    pub(super) seed: u64,
    pub(super) size: f64,
    /// The most bytes that its plan allows.
    pub(super) limit: f64,
    pub(super) grows_a_minute: f64,
    pub(super) tables: u32,
    pub(super) connections: f64,
    pub(super) most_connections: u32,
    pub(super) memory_kb: f64,
    /// It reads what another one writes.
    pub(super) is_follower: bool,
}

/// A release, so many minutes before the end.
#[derive(Debug)]
pub(super) struct Release {
    pub(super) before_end: i64,
    pub(super) version: u32,
    pub(super) what: What,
    pub(super) by: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    Deploy(&'static str),
    Rollback(u32),
    Config(&'static str),
}

const fn ask(
    weight: u64,
    (method, path, status): (&'static str, &'static str, u16),
    median_ms: u64,
    bytes: (u64, u64),
    asks_database: bool,
) -> Endpoint {
    Endpoint { weight, method, path, median_ms, bytes, status, asks_database }
}

const fn release(before_end: i64, version: u32, what: What, by: &'static str) -> Release {
    Release { before_end, version, what, by }
}

/// The database that is slow for a while is the first one's first.
pub(crate) const APPS: &[App] = &[
    App {
        name: "shop",
        token: "d.7b1e5c20-93d4-4f6a-8a57-2c9e0d41b6f3",
        seed: 0x51,
        host: "shop.example.com",
        requests: 84.0,
        web: &["web.1", "web.2", "web.3", "web.4"],
        workers: &["worker.1", "worker.2"],
        number: 418_206_553,
        rss_mb: 318.0,
        quota_mb: 512.0,
        endpoints: &[
            ask(34, ("GET", "/products", 200), 41, (11_000, 14_600), true),
            ask(24, ("GET", "/products/{}", 200), 28, (7_400, 9_100), true),
            ask(9, ("GET", "/search?q=oolong&page={}", 200), 110, (5_000, 21_000), true),
            ask(9, ("GET", "/assets/shop-{}.css", 304), 3, (0, 0), false),
            ask(8, ("POST", "/cart/items", 201), 57, (410, 470), true),
            ask(4, ("GET", "/teas/{}", 301), 4, (120, 180), false),
            ask(4, ("POST", "/session", 302), 215, (0, 60), true),
            ask(3, ("POST", "/orders", 201), 360, (900, 1_200), true),
            ask(3, ("GET", "/favicon.png", 404), 5, (1_210, 1_210), false),
            ask(1, ("PATCH", "/account", 422), 61, (300, 420), true),
            ask(1, ("DELETE", "/cart/items/{}", 204), 44, (0, 0), true),
        ],
        databases: &[
            Database {
                source: "DATABASE",
                addon: "postgresql-amber-20417",
                seed: 11,
                size: 18_412_000_000.0,
                limit: 64_000_000_000.0,
                grows_a_minute: 91_000.0,
                tables: 64,
                connections: 46.0,
                most_connections: 120,
                memory_kb: 8_024_000.0,
                is_follower: false,
            },
            Database {
                source: "HEROKU_POSTGRESQL_OLIVE",
                addon: "postgresql-olive-61250",
                seed: 12,
                size: 18_409_000_000.0,
                limit: 64_000_000_000.0,
                grows_a_minute: 91_000.0,
                tables: 64,
                connections: 9.0,
                most_connections: 120,
                memory_kb: 4_044_000.0,
                is_follower: true,
            },
        ],
        releases: &[
            release(68 * 60, 211, What::Deploy("4f0c1e7a"), "mira@shop.example.com"),
            release(46 * 60 + 20, 212, What::Config("CHECKOUT_V2"), "jonas@shop.example.com"),
            release(26 * 60 + 4, 213, What::Deploy("b81d90c2"), "jonas@shop.example.com"),
            release(25 * 60 + 14, 214, What::Rollback(212), "mira@shop.example.com"),
            release(7 * 60 + 35, 215, What::Deploy("0a97d3f5"), "mira@shop.example.com"),
            release(95, 216, What::Deploy("e3b6402d"), "mira@shop.example.com"),
        ],
        is_troubled: true,
    },
    App {
        name: "depot",
        token: "d.c40f8d16-2b7a-4e95-b1d3-6f5a90e7284c",
        seed: 0x52,
        host: "depot.example.org",
        requests: 30.0,
        web: &["web.1", "web.2"],
        workers: &["clock.1"],
        number: 97_311_604,
        rss_mb: 141.0,
        quota_mb: 512.0,
        endpoints: &[
            ask(52, ("GET", "/api/stock/{}?fields=count,bin", 200), 13, (180, 260), true),
            ask(22, ("POST", "/api/movements", 201), 33, (90, 130), true),
            ask(12, ("GET", "/api/bins?zone=A%2F{}&full", 200), 66, (2_000, 9_400), true),
            ask(10, ("HEAD", "/health", 200), 2, (0, 0), false),
            ask(3, ("GET", "/api/stock/unknown", 404), 8, (60, 60), false),
            ask(1, ("POST", "/api/login", 401), 92, (40, 40), true),
        ],
        databases: &[Database {
            source: "DATABASE",
            addon: "postgresql-slate-88310",
            seed: 13,
            size: 742_000_000.0,
            limit: 10_000_000_000.0,
            grows_a_minute: 6_200.0,
            tables: 22,
            connections: 11.0,
            most_connections: 20,
            memory_kb: 4_044_000.0,
            is_follower: false,
        }],
        releases: &[
            release(50 * 60 + 10, 88, What::Deploy("77ce01b9"), "lena@depot.example.org"),
            release(4 * 60 + 50, 89, What::Deploy("d2508f4e"), "lena@depot.example.org"),
        ],
        is_troubled: false,
    },
    App {
        name: "blog",
        token: "d.1f6a3b97-d08c-42e1-9c74-e58b20f7a36d",
        seed: 0x53,
        host: "blog.example.net",
        requests: 9.0,
        web: &["web.1"],
        workers: &[],
        number: 55_870_219,
        rss_mb: 88.0,
        quota_mb: 512.0,
        endpoints: &[
            ask(60, ("GET", "/posts/{}", 200), 19, (8_000, 31_000), false),
            ask(20, ("GET", "/", 200), 15, (14_000, 15_000), false),
            ask(12, ("GET", "/feed.xml", 304), 4, (0, 0), false),
            ask(8, ("GET", "/wp-login.php", 404), 3, (900, 900), false),
        ],
        databases: &[],
        releases: &[release(30 * 60, 31, What::Deploy("5b1fd0aa"), "ops@blog.example.net")],
        is_troubled: false,
    },
];
