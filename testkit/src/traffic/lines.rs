//! The text of each kind of line, written into the message of the frame to come.

use super::Writer;
use crate::random::Random;
use std::io::Write as _;

/// Statuses, the most frequent first.
pub(super) const STATUSES: &[u16] = &[200, 304, 201, 302, 404, 204, 500, 401, 422, 400];
/// Methods, the most frequent first, doubled to skew them.
const METHODS: &[&str] = &["GET", "GET", "GET", "GET", "GET", "GET", "POST", "POST", "PUT", "PATCH", "DELETE", "HEAD"];
const NOUNS: &[&str] = &["products", "orders", "cart", "account", "search", "reviews", "assets", "stock"];
const FAILURES: &[(&str, &str, u64)] = &[
    ("H12", "Request timeout", 30_000),
    ("H13", "Connection closed without response", 812),
    ("H18", "Server Request Interrupted", 93),
    ("H10", "App crashed", 0),
];
const ENDPOINTS: &[&str] = &["lookup", "list", "update", "export"];

/// Writes to the message. Writing to a `Vec` cannot fail.
macro_rules! write_message {
    ($writer:expr, $($text:tt)*) => {
        let _ = write!($writer.message, $($text)*);
    };
}

impl Writer {
    pub(super) fn router(&mut self) {
        let dyno = self.dynos.rank(&mut self.random);
        let path = self.paths.rank(&mut self.random);
        let status = STATUSES[self.statuses.rank(&mut self.random)];
        let method = self.random.below(METHODS.len() as u64) as usize;
        let service = self.random.latency(12 + path as u64 % 90);
        let connect = if self.random.chance(800) { self.random.below(2) } else { self.random.below(6) };
        let bytes = if status == 304 || status == 204 { 0 } else { self.random.latency(4_000) };
        let (id, last, long) = (self.random.uuid(), self.random.between(1, 254), self.random.chance(150));
        write_message!(self, "at=info method={} path=\"/{}/{path}", METHODS[method], NOUNS[path % NOUNS.len()]);
        if long {
            write_message!(self, "?page={}&sort=price&q=green%20tea", path % 40);
        }
        write_message!(
            self,
            "\" host=shop.example.com request_id={id} fwd=\"198.51.100.{last}\" dyno=web.{}",
            dyno + 1
        );
        write_message!(self, " connect={connect}ms service={service}ms status={status} bytes={bytes}");
        if dyno.is_multiple_of(2) {
            write_message!(self, " protocol=http2.0 tls=true tls_version=tls1.3");
        } else {
            write_message!(self, " protocol=https");
        }
        self.truth.router_lines += 1;
        self.truth.router_service_ms += service;
        self.truth.router_bytes += bytes;
        // Methods are repeated in the table, so the group is told by the first place of the name.
        let method = METHODS.iter().position(|name| *name == METHODS[method]).unwrap_or(method);
        self.router_groups.insert((dyno + 1, method, status));
        self.frame(158, "heroku", "router", "\n");
    }

    pub(super) fn router_error(&mut self) {
        let (code, text, service) = self.random.pick(FAILURES);
        let dyno = self.dynos.rank(&mut self.random);
        let path = self.paths.rank(&mut self.random);
        let id = self.random.uuid();
        write_message!(
            self,
            "at=error code={code} desc=\"{text}\" method=GET path=\"/{}/{path}\"",
            NOUNS[path % NOUNS.len()]
        );
        write_message!(self, " host=shop.example.com request_id={id} fwd=\"203.0.113.9\" ");
        if service == 0 {
            write_message!(self, "dyno= connect= service= status=503 bytes= protocol=https");
            self.router_groups.insert((0, 0, 503));
        } else {
            write_message!(
                self,
                "dyno=web.{} connect=1ms service={service}ms status=503 bytes=567 protocol=https",
                dyno + 1
            );
            self.truth.router_bytes += 567;
            self.router_groups.insert((dyno + 1, 0, 503));
        }
        self.truth.router_lines += 1;
        self.truth.router_errors += 1;
        self.truth.router_service_ms += service;
        self.frame(158, "heroku", "router", "\n");
    }

    pub(super) fn runtime(&mut self) {
        let dynos = self.traffic.scale.saturating_mul(10);
        let number = self.random.between(1, dynos);
        let name = format!("web.{number}");
        let id = Random::new(self.seed_of_ids.wrapping_add(number)).uuid();
        write_message!(self, "source={name} dyno=heroku.310774421.{id}");
        self.truth.runtime_lines += 1;
        if self.random.chance(500) {
            for average in ["1m", "5m", "15m"] {
                let load = self.random.latency(40);
                write_message!(self, " sample#load_avg_{average}={}.{:02}", load / 100, load % 100);
            }
            self.truth.runtime_samples += 3;
        } else {
            let (rss, cache, swap) =
                (self.random.between(18_000, 49_000), self.random.below(900), self.random.below(300));
            for (part, value) in [("total", rss + cache + swap), ("rss", rss), ("cache", cache), ("swap", swap)] {
                write_message!(self, " sample#memory_{part}={}.{:02}MB", value / 100, value % 100);
            }
            let (pages_in, pages_out) = (self.random.below(900_000), self.random.below(400_000));
            write_message!(self, " sample#memory_pgpgin={pages_in}pages sample#memory_pgpgout={pages_out}pages");
            write_message!(self, " sample#memory_quota=512.00MB");
            self.truth.runtime_samples += 7;
        }
        self.frame(134, "heroku", &name, "\n");
    }

    pub(super) fn postgres(&mut self) {
        let database = self.random.below(self.traffic.scale / 4 + 1);
        let (transaction, size) = (self.random.below(90_000_000), self.random.between(1 << 30, 1 << 36));
        let (active, read, write) = (self.random.below(90), self.random.below(2_000), self.random.below(30_000));
        let (free, cached, load) =
            (self.random.below(600_000), self.random.between(5_000_000, 7_000_000), self.random.latency(40));
        write_message!(self, "source=DATABASE_{database} addon=postgresql-lucid-{:05}", 40_213 + database);
        write_message!(self, " sample#current_transaction={transaction} sample#db_size={size}bytes sample#tables=61");
        write_message!(self, " sample#active-connections={active} sample#waiting-connections=0");
        write_message!(self, " sample#index-cache-hit-rate=0.99{:03}", active + 7);
        write_message!(self, " sample#table-cache-hit-rate=0.98{:03}", active + 100);
        for (average, load) in [("1m", load), ("5m", load * 4 / 5), ("15m", load / 2)] {
            write_message!(self, " sample#load-avg-{average}={}.{:02}", load / 100, load % 100);
        }
        write_message!(self, " sample#read-iops={}.{:02}", read / 100, read % 100);
        write_message!(self, " sample#write-iops={}.{:02}", write / 100, write % 100);
        write_message!(self, " sample#tmp-disk-used=543600640 sample#tmp-disk-available=72435191808");
        write_message!(self, " sample#memory-total=7948312kB sample#memory-free={free}kB");
        write_message!(self, " sample#memory-cached={cached}kB sample#memory-postgres={}kB", free / 3);
        write_message!(self, " sample#wal-percentage-used=0.0642713{read}");
        self.truth.postgres_lines += 1;
        self.truth.postgres_samples += 19;
        self.frame(134, "app", "heroku-postgres", "\n");
    }

    pub(super) fn runtime_error(&mut self) {
        let dyno = format!("web.{}", self.dynos.rank(&mut self.random) + 1);
        let text = self.random.pick(&["Error R14 (Memory quota exceeded)", "Error R15 (Memory quota vastly exceeded)"]);
        self.message.extend_from_slice(text.as_bytes());
        self.truth.runtime_errors += 1;
        self.frame(134, "heroku", &dyno, "\n");
    }

    pub(super) fn logging_error(&mut self) {
        let lost = self.random.between(1, 900);
        write_message!(
            self,
            "Error L10 (output buffer overflow): {lost} messages dropped since 2026-03-14T08:59:41+00:00."
        );
        self.truth.logging_errors += 1;
        self.truth.messages_lost += lost;
        self.frame(172, "heroku", "logplex", "");
    }

    pub(super) fn custom(&mut self) {
        let customer = self.customers.rank(&mut self.random);
        let shape = self.random.below(6) as u8;
        let took = self.random.latency(30);
        // The groups of a shape: what its tags can be, beside the shape itself.
        let (observations, group) = match shape {
            0 => {
                write_message!(self, "count#api.calls=1 tag#customer_id={customer}");
                (1, customer)
            }
            1 => {
                let endpoint = self.random.below(ENDPOINTS.len() as u64) as usize;
                write_message!(self, "tag#endpoint={} measure#api.time={took}ms", ENDPOINTS[endpoint]);
                (1, endpoint)
            }
            2 => {
                write_message!(self, "sample#queue.depth={} source=queue_{}", took % 50, customer % 8);
                (1, customer % 8)
            }
            3 => {
                write_message!(
                    self,
                    "handled job in {took} ms measure#jobs.time={took}.5ms count#jobs.done=1 sample#jobs.left={customer}"
                );
                (3, 0)
            }
            4 => {
                write_message!(
                    self,
                    "measure#db.query={}.{:03}s tag#shard=s{}",
                    took / 1_000,
                    took % 1_000,
                    customer % 32
                );
                (1, customer % 32)
            }
            _ => {
                write_message!(
                    self,
                    "sample#cache.size={}.{}MB tag#customer_id={customer} tag#plan=gold",
                    took,
                    customer % 10
                );
                (1, customer)
            }
        };
        for metric in 0..observations {
            self.custom_groups.insert((shape * 3 + metric, group));
        }
        self.truth.custom_lines += 1;
        self.truth.custom_observations += u64::from(observations);
        let dyno = format!("web.{}", self.dynos.rank(&mut self.random) + 1);
        self.frame(190, "app", &dyno, "\n");
    }

    pub(super) fn text(&mut self) {
        let took = self.random.latency(38);
        match self.random.below(5) {
            0 => {
                write_message!(self, "[{}] Started GET \"/products/{took}\" for 198.51.100.7", self.random.uuid());
            }
            1 => {
                write_message!(
                    self,
                    "Completed 200 OK in {took}ms (Views: {}ms | ActiveRecord: {}ms)",
                    took / 2,
                    took / 3
                );
            }
            2 => {
                write_message!(
                    self,
                    "{{\"level\":\"info\",\"event\":\"cart\",\"items\":{},\"took_ms\":{took}}}",
                    took % 9
                );
            }
            3 => {
                write_message!(
                    self,
                    "\u{1b}[1m\u{1b}[36mProduct Load ({took}.0ms)\u{1b}[0m  SELECT * FROM products WHERE id = $1"
                );
            }
            _ => {
                write_message!(self, "level=info msg=\"cache miss\" key=product/{took} took={took}ms");
            }
        }
        self.truth.text_lines += 1;
        let dyno = format!("worker.{}", took % 4 + 1);
        self.frame(190, "app", &dyno, "\n");
    }
}
