//! Lines in other notations and colours, and lines that are cut: what of them reaches a row, and what the books say.

use heroku_metrics::model::Record;
use heroku_metrics::syslog::{Dialect, Frame};
use heroku_metrics::{Extractor, ExtractorConfig, LineRefusal, LineVisitor, NativeSet};

const APP: &str = "<190>1 2026-03-14T09:26:53Z host app web.1 - ";
const ROUTER: &str = "<158>1 2026-03-14T09:26:53Z host heroku router - ";
const DYNO: &str = "<45>1 2026-03-14T09:26:53Z host heroku web.1 - ";
const POSTGRES: &str = "<134>1 2026-03-14T09:26:53Z host app heroku-postgres - ";
const REDIS: &str = "<134>1 2026-03-14T09:26:53Z host app heroku-redis - ";
const BOUNCER: &str = "<134>1 2026-03-14T09:26:53Z host app heroku-pgbouncer - ";
const LOGPLEX: &str = "<172>1 2026-03-14T09:26:53Z host heroku logplex - ";

/// What a line said.
#[derive(Default, PartialEq, Debug)]
struct Said {
    class: String,
    rows: Vec<String>,
    refused: Vec<String>,
    texts: Vec<Vec<u8>>,
}

impl Said {
    fn names(&self) -> Vec<&str> {
        self.rows.iter().filter_map(|row| row.split(' ').next()).collect()
    }
}

struct Ear<'f> {
    message: &'f [u8],
    said: Said,
}

impl LineVisitor for Ear<'_> {
    fn record(&mut self, record: &Record<'_>) {
        let tags: Vec<_> = record.tags().iter().map(|(key, value)| format!("{key}={value}")).collect();
        self.said.rows.extend(record.observations().map(|seen| {
            let value = seen.value();
            format!("{} {}{} {}", seen.name(), value.number(), value.unit(), tags.join(","))
        }));
    }

    fn refusal(&mut self, refusal: &LineRefusal) {
        self.said.refused.push(refusal.reason().as_str().to_owned());
        self.said.texts.push(refusal.text(self.message).to_vec());
    }
}

fn said(head: &str, line: &[u8]) -> Said {
    let frame = [head.as_bytes(), line].concat();
    let frame = Frame::parse(&frame, Dialect::Logplex).unwrap();
    let mut ear = Ear { message: frame.message(), said: Said::default() };
    let mut extractor = Extractor::new(ExtractorConfig::new().with_native_set(NativeSet::Extended));
    ear.said.class = extractor.read(&frame, &mut ear).class().as_str().to_owned();
    ear.said
}

const REQUEST: &str = r#"at=error code=H12 desc="Request timeout" method=GET path="/cart" host=shop.example.com request_id=r fwd="192.0.2.7" dyno=web.3 connect=1ms service=5123ms status=503 bytes=3636 protocol=https"#;
const MEMORY: &str = "source=web.1 dyno=heroku.1.2 sample#memory_total=21.25MB sample#memory_pgpgin=348836pages sample#memory_quota=512.00MB";
const LOAD: &str =
    "source=web.1 dyno=heroku.1.2 sample#load_avg_1m=0.25 sample#load_avg_5m=1.50 sample#load_avg_15m=12.75";
const DATABASE: &str = "source=DATABASE addon=postgresql-lucid-40213 sample#current_transaction=1873 sample#db_size=26219348792bytes sample#tables=13 sample#load-avg-1m=0.39 sample#tmp-disk-used=543600640 sample#memory-total=4045060kB sample#memory-postgres=182592kB";
const STORE: &str = "source=REDIS addon=redis-round-51 sample#active-connections=14 sample#memory-redis=5116080bytes sample#hit-rate=0.99 sample#evicted-keys=0";
const POOL: &str = "source=pgbouncer addon=postgresql-lucid-40213 sample#client_active=56 sample#max_wait=2 sample#avg_query=8750 sample#avg_sent=1339005";

fn lines() -> Vec<(&'static str, &'static str)> {
    vec![
        (ROUTER, REQUEST),
        (DYNO, MEMORY),
        (DYNO, LOAD),
        (DYNO, "Error R14 (Memory quota exceeded)"),
        (POSTGRES, DATABASE),
        (REDIS, STORE),
        (BOUNCER, POOL),
        (LOGPLEX, "Error L10 (output buffer overflow): 37 messages dropped since 2026-03-14T09:20:00+00:00."),
        (APP, "paid count#orders=1 measure#q=3ms tag#market=fr source=eu count#b=x count#c, /x?count#d=1"),
        (APP, r#"{"level":30,"msg":"done count#orders=1 tag#plan=\"pro plus\" measure#q=3ms","ua":"count#f=1"}"#),
        (APP, r#"level=info msg="done count#orders=1, (measure#q=3ms)." user="x count#f=1""#),
    ]
}

#[test]
fn a_coloured_line_gives_the_same_rows() {
    // As the command line of Heroku prints them, and as loggers do.
    let request = r#"at=info method=GET path="/a" host=example.com request_id=r fwd="192.0.2.1" dyno=web.1 connect=1ms service=14ms status=200 bytes=3636"#;
    let coloured = "\x1b[2mat=\x1b[22m\x1b[2minfo\x1b[22m \x1b[2mmethod=\x1b[22m\x1b[1m\x1b[35mGET\x1b[39m\x1b[22m \x1b[2mpath=\x1b[22m\x1b[32m\"/a\"\x1b[39m \x1b[2mhost=\x1b[22m\x1b[2mexample.com\x1b[22m \x1b[2mrequest_id=\x1b[22m\x1b[2mr\x1b[22m \x1b[2mfwd=\x1b[22m\x1b[2m\"192.0.2.1\"\x1b[22m \x1b[2mdyno=\x1b[22m\x1b[36mweb.1\x1b[39m \x1b[2mconnect=\x1b[22m\x1b[92m1ms\x1b[39m \x1b[2mservice=\x1b[22m\x1b[92m14ms\x1b[39m \x1b[2mstatus=\x1b[22m\x1b[32m200\x1b[39m \x1b[2mbytes=\x1b[22m\x1b[1m3636\x1b[22m";
    assert_eq!(said(ROUTER, coloured.as_bytes()), said(ROUTER, request.as_bytes()));
    assert_eq!(said(ROUTER, request.as_bytes()).rows.len(), 4);
    for (plain, coloured) in [
        ("count#orders=1", "\x1b[32mcount#orders=1\x1b[0m"),
        ("count#orders=1 measure#q=13ms", "\x1b[32mcount#orders=1 measure#q=13ms\x1b[0m"),
        ("count#visit=1 tag#os=mac", "count#visit=1 \x1b[35mtag#os=mac\x1b[0m"),
        ("count#visit=1 source=eu", "count#visit=1 \x1b[35msource=eu\x1b[0m"),
        ("count#visit=1 tag#browser=Chrome", "count#visit=1 tag#browser=\x1b[22mChrome\x1b[0m"),
        ("count#visit=1", "\x1b[01;31m\x1b[Kcount\x1b[m\x1b[K#visit=1"),
        (
            r#"{"msg":"count#visit=1 tag#os=mac"}"#,
            r#"{"msg":"\u001b[32mcount#visit=1\u001b[0m tag#os=\u001b[1mmac\u001b[0m"}"#,
        ),
    ] {
        assert_eq!(said(APP, coloured.as_bytes()).rows, said(APP, plain.as_bytes()).rows, "{plain}");
        assert!(!said(APP, plain.as_bytes()).rows.is_empty());
    }
    let sentence = "\x1b[36mError R14 (Memory quota \x1b[1mexceeded)\x1b[0m";
    assert_eq!(said(DYNO, sentence.as_bytes()), said(DYNO, b"Error R14 (Memory quota exceeded)"));
}

/// Codes in every place of every kind of line.
#[test]
fn a_colour_code_anywhere_changes_nothing() {
    for (head, line) in lines() {
        let plain = said(head, line.as_bytes());
        for at in 0..=line.len() {
            for code in ["\x1b[32m", "\x1b[0;1;38:5:9m", "\x1b[K"] {
                let coloured = [&line[..at], code, &line[at..]].concat();
                let found = said(head, coloured.as_bytes());
                assert_eq!(
                    (&found.class, &found.rows, &found.refused),
                    (&plain.class, &plain.rows, &plain.refused),
                    "{coloured:?}"
                );
            }
        }
    }
}

#[test]
fn json_with_a_tag_at_the_end_of_its_message_is_one_stream() {
    let mut streams = std::collections::BTreeMap::<String, f64>::new();
    for nth in 0..50 {
        let line = format!(
            r#"{{"msg":"checkout done count#orders=1 tag#market=fr","time":{},"pid":23}}"#,
            1_774_864_800_000_u64 + nth
        );
        for row in said(APP, line.as_bytes()).rows {
            *streams.entry(row).or_default() += 1.0;
        }
    }
    assert_eq!(streams.into_iter().collect::<Vec<_>>(), [("orders 1 market=fr".to_owned(), 50.0)]);
}

#[test]
fn an_access_log_forges_nothing() {
    for line in [
        r#"request="GET /?q=count#orders=1 HTTP/1.1" agent="count#orders=1""#,
        r#"{"method":"GET","url":"/?count#orders=1","headers":{"msg":"count#orders=1"},"ua":"\"msg\":\"count#orders=1\""}"#,
        r#"ua="\" msg=\"count#orders=1\" \"" agent='x count#orders=1 y'"#,
        r#"{"ua":"\\\" count#orders=1 \\\"","x":"\\","y":"\",\"msg\":\"count#orders=1"}"#,
        r#"192.0.2.7 - - "GET /x count#orders=1 HTTP/1.1" 200 "-" "count#orders=1""#,
        r#"GET /{"msg":"count#orders=1"} 200"#,
        r#"Parameters: {"q"=>"count#orders=1", "msg"=>"count#orders=1"}"#,
        r#"count#orders=1 x","status":200}"#,
        r#"{"ua":"count#orders=1"#,
    ] {
        let found = said(APP, line.as_bytes());
        assert_eq!(found.rows, [""; 0], "{line}");
        assert_eq!(found.refused.len(), line.matches("count#").count(), "{line}: {:?}", found.refused);
    }
}

/// A message of exactly so many bytes: the line, behind words that say nothing.
fn piece(line: &str) -> Vec<u8> {
    format!("{} {line}", "x".repeat(9_999 - line.len())).into_bytes()
}

#[test]
fn what_touches_the_end_of_a_piece_is_cut() {
    for (line, rows, refused) in [
        ("count#a=1 measure#api.route=12", &["a 1 "][..], &["cut"][..]),
        ("count#a=1 tag#market=f", &["a 1 "], &["cut"]),
        ("count#a=1 source=e", &["a 1 "], &["cut"]),
        ("count#a=1 measure#api.ro", &["a 1 "], &["cut"]),
        ("count#a=1 measure#", &["a 1 "], &["cut"]),
        ("count#a=1 measure#q=", &["a 1 "], &["cut"]),
        ("count#a=1 tag#k=\"pro pl", &["a 1 "], &["cut"]),
        ("count#a=1 measu", &["a 1 "], &[]),
        ("count#a=1 measure#q=12ms ", &["a 1 ", "q 12ms "], &[]),
        ("count#a=1 measure#q=12ms).", &["a 1 ", "q 12ms "], &[]),
        ("count#a=1;count#b=1", &[], &["cut", "cut"]),
        (r#"msg="count#a=1 tag#market=fr"."#, &["a 1 market=fr"], &[]),
        (r#"msg="count#a=1 tag#market=f"#, &[], &["cut"]),
        ("done", &[], &[]),
    ] {
        let found = said(APP, &piece(line));
        assert_eq!(
            (&found.rows[..], &found.refused[..]),
            (
                &rows.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>()[..],
                &refused.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>()[..]
            ),
            "{line}"
        );
        // One byte more or less, and it is a whole line.
        let whole = said(APP, &piece(line)[1..]);
        assert!(!whole.refused.contains(&"cut".to_owned()), "{line}");
    }
    // What is measured is the message as it came.
    assert_eq!(said(APP, &piece("count#a=1\x1b[0m \x1b[1mmeasure#q=12")).refused, ["cut"]);
    // The rest of a word is text.
    assert_eq!(said(APP, b"3ms measure#b=2ms").rows, ["b 2ms "]);
}

#[test]
fn platform_lines_of_a_piece_lose_their_last_word() {
    let long = |line: &str, at: &str| line.replacen(at, &format!("{at}{}", "x".repeat(10_000 - line.len())), 1);
    let request = long(REQUEST.trim_end_matches(" protocol=https"), "path=\"/");
    assert_eq!(request.len(), 10_000);
    let found = said(ROUTER, request.as_bytes());
    assert!(!found.names().contains(&"heroku.router.bytes") && found.names().len() == 4, "{found:?}");
    assert_eq!(found.refused, ["cut"]);
    let samples = long("sample#memory_rss=1.00MB note= sample#memory_total=21.25MB", "note=");
    let found = said(DYNO, samples.as_bytes());
    assert_eq!((found.names(), &found.refused[..]), (vec!["heroku.dyno.mem.rss"], &["cut".to_owned()][..]));
}

/// The last word is not read, but what it shows of the words before it counts.
#[test]
fn a_piece_whose_last_word_makes_another_request_of_it_is_cut() {
    let is_cut = |line: &str| {
        let found = said(ROUTER, &piece(line));
        // Of one that is counted the last word is refused all the same.
        assert_eq!(found.refused, ["cut"], "{line}: {found:?}");
        found.rows.is_empty()
    };
    let head = r#"at=info method=GET path="/"#;
    // The quote of the last word closes the path, and the status before it is a part of that.
    assert!(is_cut(&format!(r#"{head} "msg" status=200 {{"msg"#)));
    assert!(!is_cut(&format!(r#"{head} "msg" status=200 {{msg"#)));
    // Numbers behind the last quote make a client's words of those before it.
    assert!(is_cut(&format!(r#"{head}" fwd="a" dyno=web.9 status=500 " dyno=w"#)));
    // Tags that the last word would add or change.
    assert!(is_cut(r#"at=error code=H12 path="/" dyno=web.1 status=503 desc="Request"#));
    assert!(is_cut(&format!(r#"{head}" status=200 dyno=web.1"#)));
    // Numbers that come last, as they do: only they are lost.
    let found = said(ROUTER, &piece(&format!(r#"{head}" fwd="a" dyno=web.1 connect=1ms status=200 bytes=12"#)));
    assert_eq!((found.names().len(), &found.refused[..]), (2, &["cut".to_owned()][..]), "{found:?}");
}

/// Every line of the platform, cut at every byte: no value differs from those of the whole line.
#[test]
fn a_platform_line_that_breaks_off_says_nothing_wrong() {
    for (head, line) in lines().into_iter().filter(|(head, _)| *head != APP) {
        let whole = said(head, line.as_bytes());
        assert!(whole.refused.is_empty() && !whole.rows.is_empty(), "{line}");
        for at in 0..line.len() {
            let found = said(head, &line.as_bytes()[..at]);
            for row in &found.rows {
                let is_known = whole.rows.contains(row)
                    // These end whole lines too, of other days: there is no sign that digits are missing.
                    || ["heroku.router.bytes", "heroku.redis.db.evicted_keys", "heroku.redis.db.hit_rate", "heroku.pgbouncer.avg_sent"]
                        .iter()
                        .any(|name| row.starts_with(name));
                // Without its addon a line of samples has other tags.
                assert!(is_known, "{row} of {}", &line[..at]);
            }
        }
    }
}

#[test]
fn lines_that_end_before_their_time_are_told() {
    for (head, line, names) in [
        (ROUTER, "at=info method=GET path=\"/\" dyno=web.1 connect=1ms service=51", &[][..]),
        (ROUTER, "at=info method=GET path=\"/\" dyno=web.1 connect=1ms service=5123ms", &[]),
        (ROUTER, "at=info method=GET", &[]),
        (ROUTER, "at=info method=GET path=\"/\" dyno=web.1 connect=1ms service=5123ms status=20", &[]),
        (ROUTER, "at=info method=GET path=\"/\" dyno=web.1 connect=1ms service=5123ms status=", &[]),
        (DYNO, "source=web.1 sample#memory_rss=1.00MB sample#memory_total=21", &["heroku.dyno.mem.rss"]),
        (DYNO, "source=web.1 sample#memory_rss=1.00MB sample#memory_total=21.2M", &["heroku.dyno.mem.rss"]),
        (DYNO, "source=web.1 sample#memory_rss=1.00MB sample#memory_pgpgin=21pag", &["heroku.dyno.mem.rss"]),
        (DYNO, "source=web.1 sample#memory_rss=1.00MB sample#load_avg_1m=0.2", &["heroku.dyno.mem.rss"]),
        (DYNO, "source=web.1 sample#memory_rss=1.00MB sample#memory_to", &["heroku.dyno.mem.rss"]),
        (POSTGRES, "source=DATABASE sample#db_size=262", &[]),
        (POSTGRES, "source=DATABASE sample#db_size=262bytes sample#tables=1", &["heroku.postgres.db.size"]),
        (REDIS, "source=REDIS sample#active-connections=1", &[]),
        (BOUNCER, "source=pgbouncer sample#client_active=5", &[]),
        (DYNO, "Error R14 (Memory quota exc", &[]),
        (DYNO, "Error R14", &[]),
        (LOGPLEX, "Error L10 (output buf", &[]),
        (LOGPLEX, "Error L10 (output buffer overflow): 3", &[]),
        (LOGPLEX, "Error L10 (output buffer overflow): 37 messages dropped", &[]),
    ] {
        let found = said(head, line.as_bytes());
        assert_eq!((found.names(), &found.refused[..]), (names.to_vec(), &["cut".to_owned()][..]), "{line}");
    }
}

/// Ends that whole lines have.
#[test]
fn whole_lines_are_not_cut() {
    for (head, line) in [
        (
            ROUTER,
            r#"at=error code=H10 desc="App crashed" method=GET path="/" host=h fwd="f" dyno= connect= service= status=503 bytes="#,
        ),
        (
            ROUTER,
            r#"at=error code=H24 desc="Forced close" method=GET path="/" host=h fwd="f" dyno=web.1 connect=1ms service=80000ms status= bytes=18"#,
        ),
        (ROUTER, "Error H10 (App crashed) -> GET shop.example.com/ dyno=none queue=0 wait=0ms service=0ms bytes=0"),
        (ROUTER, r#"at=info method=GET path="/" host=h fwd="f" dyno=web.1 connect=1 service=18 status=200 bytes=13"#),
        (DYNO, "source=web.1 dyno=heroku.1.2 sample#load_avg_1m=0.00"),
        (DYNO, "source=web.1 sample#memory_total=21.25MB"),
        (POSTGRES, "source=DATABASE sample#tables=13 sample#wal-percentage-used=0.06"),
        (POSTGRES, "source=DATABASE sample#tables=13 sample#memory-percentage-used=0.97971"),
        (POSTGRES, "source=DATABASE sample#tables=13 sample#memory-postgres=375912kB     "),
        (DYNO, "Error R10 (Boot timeout) -> Web process failed to bind"),
        (LOGPLEX, "L15: Error displaying log lines. Please try again."),
    ] {
        let found = said(head, line.as_bytes());
        assert!(found.refused.is_empty() && !found.rows.is_empty(), "{line}: {found:?}");
    }
}

/// Codes before any of the bytes, in many places at once.
#[test]
fn colour_codes_in_many_places_change_nothing() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below
    };
    for (head, line) in lines() {
        let plain = said(head, line.as_bytes());
        for _ in 0..500 {
            let rare = 1 + random(40);
            let mut coloured = Vec::new();
            for octet in line.bytes() {
                while random(rare + 1) == 0 {
                    let codes: [&[u8]; 4] = [b"\x1b[m", b"\x1b[1;32m", b"\x1b[K", b"\x1b[38:5:9m"];
                    coloured.extend_from_slice(codes[random(4)]);
                }
                coloured.push(octet);
            }
            let found = said(head, &coloured);
            let shown = coloured.escape_ascii();
            assert_eq!(
                (&found.class, &found.rows, &found.refused),
                (&plain.class, &plain.rows, &plain.refused),
                "{shown}"
            );
        }
    }
}
