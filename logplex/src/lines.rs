//! The text of each kind of line, and what it is worth.

use crate::batch::{Batch, Oddities};
use crate::clock::Clock;
use crate::frame::{Dialect, Framer, Origin, Precision};
use crate::streams::{self, Observed, Stream, Streams};
use crate::tables::{
    CUSTOMERS, DYNOS, ENDPOINTS, FAILURES, LEAKS, MARKETS, METHODS, NOUNS, PATHS, SHAPES, STATUSES, TAG_SETS, Tables,
};
use crate::text::{hundredths, number, padded, uuid};
use testkit::random::Random;
use testkit::reference::Kind;
use testkit::traffic::Zipf;

/// No ordinary frame is longer than this.
pub(crate) const LONGEST: usize = 2_048;

const MEGABYTE: f64 = 1_048_576.0;
const KILOBYTE: f64 = 1_024.0;

/// Writes lines into a batch, one after the other.
#[derive(Debug)]
pub(crate) struct Lines {
    pub(crate) random: Random,
    pub(crate) streams: Streams,
    tables: Tables,
    dynos: Zipf,
    paths: Zipf,
    customers: Zipf,
    statuses: Zipf,
    framer: Framer,
    clock: Clock,
    /// The text of the line at hand.
    message: Vec<u8>,
    batch: Batch,
    oddities: Oddities,
}

impl Lines {
    pub(crate) fn new(seed: u64, app: Option<&str>, dialect: Dialect, token: &str, clock: Clock) -> Self {
        let mut random = Random::new(seed);
        Self {
            streams: Streams::new(app),
            tables: Tables::new(DYNOS, &mut random),
            dynos: Zipf::new(DYNOS),
            paths: Zipf::new(PATHS),
            customers: Zipf::new(CUSTOMERS),
            statuses: Zipf::new(STATUSES.len() as u64),
            framer: Framer::new(dialect, token),
            clock,
            message: Vec::with_capacity(LONGEST),
            batch: Batch::default(),
            oddities: Oddities::default(),
            random,
        }
    }

    /// Begins a batch that will be about this long.
    pub(crate) fn begin(&mut self, oddities: Oddities, bytes: usize, observed: usize) {
        self.oddities = oddities;
        self.batch = Batch {
            frames: Vec::with_capacity(bytes),
            observed: Vec::with_capacity(observed),
            first: self.clock.now(),
            messages: 0,
        };
    }

    /// The batch that was begun.
    pub(crate) fn end(&mut self) -> Batch {
        std::mem::take(&mut self.batch)
    }

    /// How many messages the batch has.
    pub(crate) fn messages(&self) -> u64 {
        self.batch.messages
    }

    /// How many bytes the batch has.
    pub(crate) fn len(&self) -> usize {
        self.batch.frames.len()
    }

    /// The time of the next line comes.
    pub(crate) fn tick(&mut self) {
        self.clock.tick();
    }

    /// The event time of the next line.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now()
    }

    pub(crate) fn framer(&mut self) -> &mut Framer {
        &mut self.framer
    }

    /// Notes what the line at hand is worth.
    fn observe(&mut self, stream: Stream, value: f64) {
        self.batch.observed.push(Observed { stream, value, time: self.clock.now() });
    }

    /// Puts the message that was written into a frame.
    fn frame(&mut self, pri: u64, app_name: &'static str, proc_id: &[u8]) {
        let line_end = !(self.oddities.glued && self.random.chance(250));
        let origin = Origin { pri, app_name, proc_id };
        let (body, time) = (&mut self.batch.frames, self.clock.now());
        self.framer.write(body, origin, time, Precision::Micros, &self.message, line_end);
        self.batch.messages += 1;
        self.message.clear();
    }

    fn say(&mut self, text: &str) {
        self.message.extend_from_slice(text.as_bytes());
    }

    fn say_number(&mut self, key: &str, value: u64) {
        self.say(key);
        number(&mut self.message, value);
    }

    fn say_hundredths(&mut self, key: &str, value: u64) {
        self.say(key);
        hundredths(&mut self.message, value);
    }

    fn say_id(&mut self, key: &str) {
        self.say(key);
        uuid(&mut self.message, &mut self.random);
    }

    pub(crate) fn router(&mut self) {
        self.request(b"");
    }

    /// A request of a path that goes on like this.
    fn request(&mut self, rest: &[u8]) {
        let dyno = self.dynos.rank(&mut self.random);
        let path = self.paths.rank(&mut self.random) as u64;
        let status = self.statuses.rank(&mut self.random);
        // More than half of all requests are the first.
        let method = (self.random.below(METHODS.len() as u64 * 2) as usize).saturating_sub(METHODS.len());
        let service = self.random.latency(12 + path % 90);
        let connect = if self.random.chance(800) { self.random.below(2) } else { self.random.below(6) };
        let bytes = if matches!(STATUSES[status].0, 304 | 204) { 0 } else { self.random.latency(4_000) };

        self.say("at=info method=");
        self.say(METHODS[method]);
        self.say(" path=\"/");
        self.say(NOUNS[path as usize % NOUNS.len()]);
        self.say_number("/", path);
        self.message.extend_from_slice(rest);
        if self.random.chance(150) {
            self.say_number("?page=", path % 40);
            self.say("&sort=price&q=green%20tea");
        }
        self.say_id("\" host=shop.example.com request_id=");
        let last = self.random.between(1, 254);
        self.say_number(" fwd=\"198.51.100.", last);
        self.say_number("\" dyno=web.", dyno as u64 + 1);
        self.say_number(" connect=", connect);
        self.say_number("ms service=", service);
        self.say_number("ms status=", STATUSES[status].0);
        self.say_number(" bytes=", bytes);
        self.say(if dyno.is_multiple_of(2) {
            " protocol=http2.0 tls=true tls_version=tls1.3"
        } else {
            " protocol=https"
        });

        let streams = self.request_streams(Some(dyno), method, STATUSES[status]);
        for (stream, value) in streams.into_iter().zip([1, service, connect, bytes]) {
            self.observe(stream, value as f64);
        }
        self.frame(158, "heroku", b"router");
    }

    fn request_streams(&mut self, dyno: Option<usize>, method: usize, status: (u64, &str, &str)) -> [Stream; 4] {
        let index = dyno.zip(STATUSES.iter().position(|known| known.0 == status.0));
        let index = index.map(|(dyno, status)| (dyno * METHODS.len() + method) * STATUSES.len() + status);
        if let Some(streams) = index.and_then(|index| self.tables.router[index]) {
            return streams;
        }
        let tags = request_tags(dyno.map(|dyno| self.tables.dynos[dyno].0.as_str()), METHODS[method], status);
        let streams = self.streams.open_all(&streams::ROUTER, &tags);
        if let Some(index) = index {
            self.tables.router[index] = Some(streams);
        }
        streams
    }

    pub(crate) fn router_error(&mut self) {
        let failure = self.random.below(FAILURES.len() as u64) as usize;
        let (code, description, service) = FAILURES[failure];
        let dyno = if service == 0 { None } else { Some(self.dynos.rank(&mut self.random)) };
        let path = self.paths.rank(&mut self.random) as u64;
        self.say("at=error code=");
        self.say(code);
        self.say(" desc=\"");
        self.say(description);
        self.say("\" method=GET path=\"/");
        self.say(NOUNS[path as usize % NOUNS.len()]);
        self.say_number("/", path);
        self.say_id("\" host=shop.example.com request_id=");
        self.say(" fwd=\"203.0.113.9\"");
        match dyno {
            Some(dyno) => {
                self.say_number(" dyno=web.", dyno as u64 + 1);
                self.say_number(" connect=1ms service=", service);
                self.say("ms status=503 bytes=567 protocol=https");
            }
            None => self.say(" dyno= connect= service= status=503 bytes= protocol=https"),
        }

        let index = failure * self.tables.dynos.len() + dyno.unwrap_or(0);
        let (streams, error) = match self.tables.failures[index] {
            Some(known) => known,
            None => {
                let status = (503, "503", "5xx");
                let streams = self.request_streams(dyno, 0, status);
                let dyno = dyno.map(|dyno| self.tables.dynos[dyno].0.as_str());
                let mut tags = request_tags(dyno, METHODS[0], status);
                tags.extend([("code", code), ("code_description", description)]);
                let opened = (streams, self.streams.open(streams::HTTP_ERRORS, &tags));
                self.tables.failures[index] = Some(opened);
                opened
            }
        };
        let values = if dyno.is_some() { &[1, service, 1, 567][..] } else { &[1] };
        for (stream, value) in streams.into_iter().zip(values) {
            self.observe(stream, *value as f64);
        }
        self.observe(error, 1.0);
        self.frame(158, "heroku", b"router");
    }

    pub(crate) fn runtime(&mut self) {
        let dyno = self.random.below(self.tables.dynos.len() as u64) as usize;
        let (name, id) = self.tables.dynos[dyno].clone();
        self.say("source=");
        self.say(&name);
        self.say(" dyno=");
        self.say(&id);
        let tags = [("source", name.as_str()), ("dyno", id.as_str())];
        if self.random.chance(500) {
            let open = || self.streams.open_all(&streams::LOAD, &tags);
            let streams = *self.tables.load[dyno].get_or_insert_with(open);
            for (stream, key) in streams.into_iter().zip(["1m=", "5m=", "15m="]) {
                let load = self.random.latency(40);
                self.say(" sample#load_avg_");
                self.say_hundredths(key, load);
                self.observe(stream, load as f64 / 100.0);
            }
        } else {
            let open = || self.streams.open_all(&streams::MEMORY, &tags);
            let streams = *self.tables.memory[dyno].get_or_insert_with(open);
            let [rss, cache, swap] = [(18_000, 49_000), (0, 900), (0, 300)].map(|(a, b)| self.random.between(a, b));
            let parts = [(" sample#memory_total=", rss + cache + swap), (" sample#memory_rss=", rss)];
            let rest = [(" sample#memory_cache=", cache), (" sample#memory_swap=", swap)];
            for ((key, value), stream) in parts.into_iter().chain(rest).zip(streams) {
                self.say_hundredths(key, value);
                self.say("MB");
                self.observe(stream, value as f64 / 100.0 * MEGABYTE);
            }
            let [pages_in, pages_out] = [900_000, 400_000].map(|most| self.random.below(most));
            self.say_number(" sample#memory_pgpgin=", pages_in);
            self.say_number("pages sample#memory_pgpgout=", pages_out);
            self.say("pages sample#memory_quota=512.00MB");
            for (stream, value) in streams[4..].iter().zip([pages_in as f64, pages_out as f64, 512.0 * MEGABYTE]) {
                self.observe(*stream, value);
            }
        }
        self.frame(134, "heroku", name.as_bytes());
    }

    pub(crate) fn postgres(&mut self) {
        let tags = [("database", "DATABASE"), ("addon", "postgresql-lucid-40213")];
        let streams = *self.tables.postgres.get_or_insert_with(|| self.streams.open_all(&streams::POSTGRES, &tags));
        let [transaction, active, read, write, free] =
            [90_000_000, 90, 2_000, 30_000, 600_000].map(|most| self.random.below(most));
        let (size, cached) = (self.random.between(1 << 30, 1 << 36), self.random.between(5_000_000, 7_000_000));
        let load = self.random.latency(40);
        let loads = [load, load * 4 / 5, load / 2];

        self.say_number("source=DATABASE addon=postgresql-lucid-40213 sample#current_transaction=", transaction);
        self.say_number(" sample#db_size=", size);
        self.say_number("bytes sample#db-size-percentage-used=0.1", active + 100);
        self.say_number(" sample#tables=61 sample#active-connections=", active);
        self.say(" sample#waiting-connections=0 sample#max-connections=120");
        self.say_number(" sample#index-cache-hit-rate=0.99", active + 100);
        self.say_number(" sample#table-cache-hit-rate=0.98", active + 200);
        for (key, load) in
            [" sample#load-avg-1m=", " sample#load-avg-5m=", " sample#load-avg-15m="].into_iter().zip(loads)
        {
            self.say_hundredths(key, load);
        }
        self.say_hundredths(" sample#read-iops=", read);
        self.say_hundredths(" sample#write-iops=", write);
        self.say(" sample#tmp-disk-used=543600640 sample#memory-total=7948312kB");
        self.say_number(" sample#memory-free=", free);
        self.say_number("kB sample#memory-percentage-used=0.9", active + 100);
        self.say_number(" sample#memory-cached=", cached);
        self.say_number("kB sample#memory-postgres=", free / 3);
        self.say_number("kB sample#wal-percentage-used=0.0642713", read);

        // What is left out is collected on request only: max-connections, tmp-disk-used, wal-percentage-used.
        let thousandths = |first: u64, rest: u64, places: f64| (first as f64 * places + rest as f64) / (places * 10.0);
        let values = [
            transaction as f64,
            size as f64,
            thousandths(1, active + 100, 1_000.0),
            61.0,
            active as f64,
            0.0,
            (99_100 + active) as f64 / 100_000.0,
            (98_200 + active) as f64 / 100_000.0,
            loads[0] as f64 / 100.0,
            loads[1] as f64 / 100.0,
            loads[2] as f64 / 100.0,
            read as f64 / 100.0,
            write as f64 / 100.0,
            7_948_312.0 * KILOBYTE,
            free as f64 * KILOBYTE,
            thousandths(9, active + 100, 1_000.0),
            cached as f64 * KILOBYTE,
            (free / 3) as f64 * KILOBYTE,
        ];
        for (stream, value) in streams.into_iter().zip(values) {
            self.observe(stream, value);
        }
        self.frame(134, "app", b"heroku-postgres");
    }

    pub(crate) fn runtime_error(&mut self) {
        let dyno = self.dynos.rank(&mut self.random);
        let leak = self.random.below(LEAKS.len() as u64) as usize;
        let (code, description) = LEAKS[leak];
        self.say("Error ");
        self.say(code);
        self.say(" (");
        self.say(description);
        self.say(")");
        let open = || self.streams.open(streams::RUNTIME_ERRORS, &[("code", code), ("code_description", description)]);
        let stream = *self.tables.leaks[leak].get_or_insert_with(open);
        self.observe(stream, 1.0);
        let name = self.tables.dynos[dyno].0.clone();
        self.frame(134, "heroku", name.as_bytes());
    }

    /// A line of log-shuttle, which reports what it could not pass on. (Logplex's own L10 lines tell of losses of ours.)
    pub(crate) fn logging_error(&mut self) {
        let lost = self.random.between(1, 900);
        self.say_number("Error L13: ", lost);
        self.say(" messages lost since 2026-03-14T08:59:41+00:00.");
        let tags = [("code", "L13"), ("code_description", "Local delivery error")];
        let stream = self.streams.open(streams::LOGGING_ERRORS, &tags);
        self.observe(stream, lost as f64);
        self.frame(172, "app", b"log-shuttle");
    }

    fn custom_stream(
        &mut self,
        (shape, tag, metric): (usize, usize, usize),
        open: (&'static str, Kind, &'static str),
        tags: &[(&str, &str)],
    ) -> Stream {
        let index = shape * TAG_SETS + tag;
        *self.tables.custom[index][metric].get_or_insert_with(|| self.streams.open(open, tags))
    }

    pub(crate) fn custom(&mut self) {
        let customer = self.customers.rank(&mut self.random);
        let took = self.random.latency(30);
        let shape = self.random.below(SHAPES as u64 - 1) as usize;
        match shape {
            0 => {
                self.say_number("count#api.calls=1 tag#customer_id=", customer as u64);
                let id = customer.to_string();
                let stream =
                    self.custom_stream((0, customer, 0), ("api.calls", Kind::Count, ""), &[("customer_id", &id)]);
                self.observe(stream, 1.0);
            }
            1 => {
                let at = self.random.below(ENDPOINTS.len() as u64) as usize;
                self.say("tag#endpoint=");
                self.say(ENDPOINTS[at]);
                self.say_number(" measure#api.time=", took);
                self.say("ms");
                let tags = [("endpoint", ENDPOINTS[at])];
                let stream = self.custom_stream((1, at, 0), ("api.time", Kind::Measure, "ms"), &tags);
                self.observe(stream, took as f64);
            }
            2 => {
                let queue = customer % 8;
                self.say_number("sample#queue.depth=", took % 50);
                self.say_number(" source=queue_", queue as u64);
                let source = format!("queue_{queue}");
                let stream =
                    self.custom_stream((2, queue, 0), ("queue.depth", Kind::Sample, ""), &[("source", &source)]);
                self.observe(stream, (took % 50) as f64);
            }
            3 => {
                self.say_number("handled job in ", took);
                self.say_number(" ms measure#jobs.time=", took);
                self.say_number(".5ms count#jobs.done=1 sample#jobs.left=", customer as u64);
                let metrics = [
                    ("jobs.time", Kind::Measure, "ms"),
                    ("jobs.done", Kind::Count, ""),
                    ("jobs.left", Kind::Sample, ""),
                ];
                for (index, value) in [took as f64 + 0.5, 1.0, customer as f64].into_iter().enumerate() {
                    let stream = self.custom_stream((3, 0, index), metrics[index], &[]);
                    self.observe(stream, value);
                }
            }
            4 => {
                let shard = customer % 32;
                self.say_number("measure#db.query=", took / 1_000);
                self.say(".");
                padded(&mut self.message, took % 1_000, 3);
                self.say_number("s tag#shard=s", shard as u64);
                let name = format!("s{shard}");
                let stream = self.custom_stream((4, shard, 0), ("db.query", Kind::Measure, "ms"), &[("shard", &name)]);
                self.observe(stream, took as f64);
            }
            _ => {
                let tenths = took * 10 + customer as u64 % 10;
                self.say_number("sample#cache.size=", took);
                self.say_number(".", tenths % 10);
                self.say_number("MB tag#customer_id=", customer as u64);
                self.say(" tag#plan=gold");
                let id = customer.to_string();
                let tags = [("customer_id", id.as_str()), ("plan", "gold")];
                let stream = self.custom_stream((5, customer, 0), ("cache.size", Kind::Sample, "bytes"), &tags);
                self.observe(stream, tenths as f64 / 10.0 * MEGABYTE);
            }
        }
        let dyno = self.dynos.rank(&mut self.random);
        let name = self.tables.dynos[dyno].0.clone();
        self.frame(190, "app", name.as_bytes());
    }

    pub(crate) fn text(&mut self) {
        let took = self.random.latency(38);
        match self.random.below(6) {
            0 => {
                self.say_id("[");
                self.say_number("] Started GET \"/products/", took);
                self.say("\" for 198.51.100.7");
            }
            1 => {
                self.say_number("Completed 200 OK in ", took);
                self.say_number("ms (Views: ", took / 2);
                self.say("ms)");
            }
            2 => {
                self.say_number("{\"level\":\"info\",\"event\":\"cart\",\"took_ms\":", took);
                self.say("}");
            }
            3 => {
                self.say_number("\u{1b}[1m\u{1b}[36mProduct Load (", took);
                self.say(".0ms)\u{1b}[0m  SELECT * FROM products WHERE id = $1");
            }
            4 => self.say_number("- at=info method=GET path=/fake dyno=web.1 status=200 service=", took),
            _ => self.say_number("level=info msg=\"Grüße aus dem Lager ✓\" took=", took),
        }
        self.frame(190, "app", [b"worker.1", b"worker.2", b"worker.3", b"worker.4"][took as usize % 4]);
    }

    /// A message longer than the 64 KiB that a receiver may be expected to take.
    pub(crate) fn oversize(&mut self) {
        let len = self.random.between(70_000, 90_000) as usize;
        self.say("Traceback: ");
        self.message.resize(len, b'x');
        self.frame(190, "app", b"worker.1");
    }

    /// A message with bytes that are not UTF-8: around a metric, in a request's path, in the value of a tag.
    pub(crate) fn invalid(&mut self) {
        match self.random.below(3) {
            0 => {
                self.message.extend_from_slice(b"\xff\xfe menu of the caf\xe9, then count#menu.imports=2 \xc3");
                let stream = self.custom_stream((6, 0, 0), ("menu.imports", Kind::Count, ""), &[]);
                self.observe(stream, 2.0);
                self.frame(190, "app", b"worker.1");
            }
            1 => self.request(b"/caf\xe9"),
            _ => {
                // The one tag is refused, and the value stands without it.
                let at = self.random.below(MARKETS.len() as u64) as usize;
                self.message.extend_from_slice(b"tag#city=K\xf6ln measure#menu.time=12ms tag#market=");
                self.say(MARKETS[at]);
                let metric = ("menu.time", Kind::Measure, "ms");
                let stream = self.custom_stream((6, at + 1, 0), metric, &[("market", MARKETS[at])]);
                self.observe(stream, 12.0);
                self.frame(190, "app", b"worker.1");
            }
        }
    }
}

fn request_tags<'a>(
    dyno: Option<&'a str>,
    method: &'a str,
    (_, status, category): (u64, &'a str, &'a str),
) -> Vec<(&'a str, &'a str)> {
    let mut tags = vec![("method", method), ("status_category", category), ("status_code", status)];
    if let Some(dyno) = dyno {
        tags.extend([("dyno", dyno), ("source", dyno)]);
    }
    tags
}
