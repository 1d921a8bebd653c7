//! Lines of the platform: dyno samples, data services, error codes, dyno states.

use super::{App, Clock, Line};
use crate::random::Random;

/// A dyno's load and memory, walking at random within its quota.
#[derive(Clone, Debug)]
pub(super) struct Dyno {
    app: App,
    name: &'static str,
    id: String,
    /// Hundredths.
    load: u64,
    /// Hundredths of a megabyte.
    rss: u64,
    growth: u64,
    pages_in: u64,
    pages_out: u64,
    quota_mb: u64,
}

impl Dyno {
    pub(super) fn new(random: &mut Random, app: App, name: &'static str, rss_mb: u64, quota_mb: u64) -> Self {
        let number = match app {
            App::Shop => "310774421",
            App::Depot => "87215530",
        };
        Self {
            app,
            name,
            id: format!("heroku.{number}.{}", random.uuid()),
            load: random.between(8, 60),
            rss: rss_mb * 100 + random.below(100),
            growth: 90,
            pages_in: random.between(40_000, 90_000),
            pages_out: random.between(20_000, 39_000),
            quota_mb,
        }
    }

    /// Memory grows by up to this many hundredths of a megabyte from one report to the next.
    pub(super) fn leaking(mut self, growth: u64) -> Self {
        self.growth = growth;
        self
    }

    /// The two lines of one report: load, and some milliseconds later memory.
    pub(super) fn report(&mut self, random: &mut Random, at: u64) -> [Line; 2] {
        self.load = (self.load * 3 + random.between(2, 120)) / 4;
        self.rss += random.below(self.growth + 1);
        self.pages_in += random.between(20, 900);
        self.pages_out += random.between(10, 500);
        let (five, fifteen) = (self.load * 4 / 5 + 3, self.load / 2 + 11);
        let cache = random.between(120, 480);
        let swap = self.rss.saturating_sub(self.quota_mb * 100);
        let (name, id) = (self.name, &self.id);
        let load = format!(
            "source={name} dyno={id} sample#load_avg_1m={} sample#load_avg_5m={} sample#load_avg_15m={}",
            hundredths(self.load),
            hundredths(five),
            hundredths(fifteen)
        );
        let memory = format!(
            "source={name} dyno={id} sample#memory_total={}MB sample#memory_rss={}MB sample#memory_cache={}MB \
             sample#memory_swap={}MB sample#memory_pgpgin={}pages sample#memory_pgpgout={}pages \
             sample#memory_quota={}.00MB",
            hundredths(self.rss + cache),
            hundredths(self.rss - swap),
            hundredths(cache),
            hundredths(swap),
            self.pages_in,
            self.pages_out,
            self.quota_mb
        );
        let later = at + random.between(4_000, 30_000);
        [Line::new(self.app, at, 134, "heroku", name, load), Line::new(self.app, later, 134, "heroku", name, memory)]
    }

    /// The hint before R14 and R15: resident memory and its share of the quota.
    pub(super) fn memory_hint(&self) -> String {
        let per_mille = self.rss * 10 / self.quota_mb;
        format!("Process running mem={}M({}.{}%)", self.rss / 100, per_mille / 10, per_mille % 10)
    }
}

/// `712` is `7.12`.
fn hundredths(value: u64) -> String {
    format!("{}.{:02}", value / 100, value % 100)
}

/// A ratio with five decimals, as the data services round it.
fn ratio(part: u64, whole: u64) -> String {
    let scaled = (part * 100_000 + whole / 2) / whole;
    format!("{}.{:05}", scaled / 100_000, scaled % 100_000)
}

/// The database of `shop`: the long form with every share of a limit.
pub(super) fn postgres_long(random: &mut Random, at: u64) -> Line {
    let (total, quota) = (7_948_312, 68_719_476_736);
    let free = random.between(301_000, 344_000);
    let cached = random.between(6_800_000, 6_950_000);
    let size = 9_412_358_144 + random.below(40) * 8_192;
    let active = random.between(18, 31);
    let (read, write) = (random.between(0, 3_000), random.between(4_000, 19_000));
    let load = random.between(11, 74);
    let text = format!(
        "source=DATABASE addon=postgresql-lucid-40213 sample#current_transaction={} sample#db_size={size}bytes \
         sample#db-size-percentage-used={} sample#tables=61 sample#active-connections={active} \
         sample#waiting-connections={} sample#max-connections=120 sample#connections-percentage-used={} \
         sample#index-cache-hit-rate=0.99{} sample#table-cache-hit-rate=0.98{} sample#load-avg-1m={} \
         sample#load-avg-5m={} sample#load-avg-15m={} sample#read-iops={} sample#write-iops={} sample#max-iops=3000 \
         sample#iops-percentage-used={} sample#tmp-disk-used=543600640 sample#tmp-disk-available=72435191808 \
         sample#memory-total={total}kB sample#memory-free={free}kB sample#memory-percentage-used={} \
         sample#memory-cached={cached}kB sample#memory-postgres={}kB sample#wal-percentage-used={}",
        48_113_902 + at / 50_000,
        ratio(size, quota),
        random.below(2),
        ratio(active, 120),
        random.between(100, 999),
        random.between(100, 999),
        hundredths(load),
        hundredths(load * 4 / 5),
        hundredths(load * 2 / 3),
        hundredths(read),
        hundredths(write),
        ratio(read + write, 300_000),
        ratio(total - free, total),
        random.between(210_000, 224_000),
        ratio(random.between(61_000, 66_000), 1_000_000),
    );
    Line::new(App::Shop, at, 134, "app", "heroku-postgres", text).clock(Clock::Seconds)
}

/// The follower of `shop`: as the leader, with the lag behind it.
pub(super) fn postgres_follower(random: &mut Random, at: u64) -> Line {
    let text = format!(
        "source=HEROKU_POSTGRESQL_TEAL addon=postgresql-tidy-77120 sample#current_transaction={} \
         sample#db_size=9412374528bytes sample#tables=61 sample#active-connections={} sample#waiting-connections=0 \
         sample#index-cache-hit-rate=0.99871 sample#table-cache-hit-rate=0.97015 sample#load-avg-1m=0.05 \
         sample#load-avg-5m=0.045 sample#load-avg-15m=0.04 sample#read-iops={} sample#write-iops=61.48 \
         sample#memory-total=7948312kB sample#memory-free=498120kB sample#memory-cached=6901184kB \
         sample#memory-postgres=88604kB sample#follower-lag-commits={} sample#wal-percentage-used=0.0641870330215521",
        48_113_890 + at / 50_000,
        random.between(2, 6),
        hundredths(random.between(0, 800)),
        random.between(0, 14),
    );
    Line::new(App::Shop, at, 134, "app", "heroku-postgres", text).clock(Clock::Seconds)
}

/// The database of `depot`: the short form of older services, decimals on kilobytes, no add-on name.
pub(super) fn postgres_short(random: &mut Random, at: u64) -> Line {
    let text = format!(
        "source=HEROKU_POSTGRESQL_AMBER sample#current_transaction={} sample#db_size=731906048.0bytes sample#tables=19 \
         sample#active-connections={} sample#waiting-connections=0 sample#index-cache-hit-rate=0.99902 \
         sample#table-cache-hit-rate=0.99447 sample#load-avg-1m=0.02 sample#load-avg-5m=0.015 sample#load-avg-15m=0.01 \
         sample#read-iops=0 sample#write-iops={} sample#memory-total=4044932.0kB sample#memory-free={}kB \
         sample#memory-cached=3388120.0kB sample#memory-postgres=61140kB",
        801_544 + at / 900_000,
        random.between(3, 7),
        hundredths(random.between(20, 900)),
        random.between(190_000, 201_000),
    );
    Line::new(App::Depot, at, 134, "app", "heroku-postgres", text).clock(Clock::Seconds)
}

pub(super) fn redis(random: &mut Random, at: u64) -> Line {
    let (total, free, connections) = (16_082_664, random.between(10_400_000, 10_900_000), random.between(9, 14));
    let text = format!(
        "source=REDIS addon=redis-plum-52096 sample#active-connections={connections} sample#max-connections=40 \
         sample#connection-percentage-used={} sample#load-avg-1m=0.21 sample#load-avg-5m=0.185 sample#load-avg-15m=0.17 \
         sample#read-iops=0 sample#write-iops={} sample#memory-total={total}kB sample#memory-free={free}kB \
         sample#memory-percentage-used={} sample#memory-cached=1904412kB sample#memory-redis={}bytes \
         sample#hit-rate=0.9{} sample#evicted-keys=0",
        ratio(connections, 40),
        hundredths(random.between(0, 90)),
        ratio(total - free, total),
        random.between(5_000_000, 5_300_000),
        random.between(1_000, 8_999),
    );
    Line::new(App::Shop, at, 134, "app", "heroku-redis", text).clock(Clock::SixDigits)
}

pub(super) fn pgbouncer(random: &mut Random, at: u64) -> Line {
    let text = format!(
        "source=pgbouncer addon=postgresql-lucid-40213 sample#client_active={} sample#client_waiting=0 \
         sample#server_active={} sample#server_idle={} sample#max_wait=0 sample#avg_query={} sample#avg_recv={} \
         sample#avg_sent={}",
        random.between(22, 37),
        random.between(1, 5),
        random.between(8, 14),
        random.between(1_900, 4_100),
        random.between(21_000, 33_000),
        random.between(310_000, 420_000),
    );
    Line::new(App::Shop, at, 134, "app", "heroku-pgbouncer", text).clock(Clock::Seconds)
}

/// A line of the dyno manager.
pub(super) fn dyno_manager(app: App, at: u64, dyno: &str, text: impl Into<Vec<u8>>) -> Line {
    Line::new(app, at, 134, "heroku", dyno, text)
}

/// A line of Logplex itself: whole seconds, no line end.
pub(super) fn logplex(app: App, at: u64, text: &str) -> Line {
    Line::new(app, at, 172, "heroku", "logplex", text).clock(Clock::Seconds).end(super::End::Glued)
}

/// A line of log-shuttle, which reports what it could not send.
pub(super) fn log_shuttle(app: App, at: u64, text: &str) -> Line {
    Line::new(app, at, 172, "app", "log-shuttle", text).clock(Clock::Zulu)
}

/// A line of the platform API.
pub(super) fn api(app: App, at: u64, text: &str) -> Line {
    Line::new(app, at, 133, "app", "api", text)
}

/// A line of the database server's own log.
pub(super) fn postgres_server(at: u64, text: &str) -> Line {
    Line::new(App::Shop, at, 134, "app", "postgres.2207415", text).clock(Clock::Seconds)
}
