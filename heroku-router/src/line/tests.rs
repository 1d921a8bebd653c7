//! The fast reader and the plain one say the same of every line.

use crate::code::Code;
use crate::error::FieldRefusal;
use crate::line::RouterLine;
use crate::line::client::Client;
use crate::line::fields::Field;
use crate::line::name::Name;
use proptest::prelude::*;
use testkit::traffic::Traffic;

/// Everything that a view tells.
#[derive(PartialEq, Debug)]
struct Told<'a> {
    texts: Vec<Option<&'a [u8]>>,
    times: [Option<f64>; 3],
    counts: [Option<u64>; 3],
    code: Option<Code>,
    tls: Option<bool>,
    present: Vec<bool>,
    client: Client<'a>,
    refusals: Vec<FieldRefusal>,
    fields: Vec<Field<'a>>,
}

impl<'a> Told<'a> {
    fn of(line: &RouterLine<'a>) -> Self {
        let ends = [line.at(), line.code_text(), line.desc(), line.cause(), line.sock(), line.method(), line.dyno()];
        let tail = [line.protocol(), line.tls_version(), line.agent()];
        Self {
            texts: [&ends[..], &tail].concat(),
            times: [line.connect_ms(), line.service_ms(), line.wait_ms()],
            counts: [line.status().map(u64::from), line.bytes(), line.queue()],
            code: line.code(),
            tls: line.tls(),
            present: Name::ALL.iter().map(|name| line.is_present(name.as_str())).collect(),
            client: line.client(),
            refusals: line.refusals().collect(),
            fields: line.fields().collect(),
        }
    }
}

/// Whether the fast reader took the line.
fn agree(line: &[u8]) -> bool {
    let (fast, plain) = (RouterLine::parse(line), RouterLine::parse_plainly(line));
    let is_fast = fast.as_ref().is_some_and(RouterLine::is_fast);
    assert_eq!(
        fast.as_ref().map(Told::of),
        plain.as_ref().map(Told::of),
        "{}, read by the {} reader",
        line.escape_ascii(),
        if is_fast { "fast" } else { "plain" }
    );
    is_fast
}

const TODAY: [&str; 9] = [
    r#"at=info method=GET path="/cart?item=7" host=shop.example.com request_id=0c1f7b52-6a4e-4f3c-9b1d-2f6f0e9d4a11 fwd="192.0.2.7" dyno=web.3 connect=1ms service=18ms status=200 bytes=5120 protocol=https"#,
    r#"at=info method=POST path="/" host=shop.example.com request_id=0c1f7b52-6a4e-4f3c-9b1d-2f6f0e9d4a11 fwd="198.51.100.4, 192.0.2.7" dyno=worker-pool.12 connect=0ms service=30001ms status=101 bytes=123456789 protocol=http2.0 tls=true tls_version=tls1.3"#,
    r#"at=error code=H12 desc="Request timeout" method=GET path="/pay" host=shop.example.com request_id=chosen-by-a-client-9 fwd="192.0.2.7" dyno=web.2 connect=1ms service=30001ms status=503 bytes=0 protocol=http1.1 tls=false"#,
    r#"at=error code=H10 desc="App crashed" method=GET path="/" host=shop.example.com request_id=r fwd="192.0.2.7" dyno= connect= service= status=503 bytes= protocol=https"#,
    r#"sock=client at=warning code=H27 desc="Client Request Interrupted" method=PATCH path="/a b" host=h request_id=r fwd="" dyno=web.1 connect=1ms service=29043ms status=499 bytes= protocol=https"#,
    r#"at=error code=H26 desc="Request Error" cause="bad chunk" method=M-SEARCH path="" host=h request_id=r fwd="192.0.2.7" dyno=web.1 connect=0ms service=5ms status=400 bytes=0"#,
    r#"at=info code=H80 desc="Maintenance mode" method=GET path="/a "b" c" dyno= connect=0ms service=0ms status=503 bytes=567 protocol=http1.1 tls=true tls_version=unknown"#,
    r#"at=info method=GET path="/" host=shop.example.com fwd="192.0.2.7" dyno=web.1 connect=1ms service=18ms status=304 bytes=0"#,
    r#"at=info method=GET path="/" host=h request_id=r fwd="192.0.2.7" dyno=web.1 connect=1ms service=18ms status=304 bytes=0 tls_version=tls1.2 protocol=https"#,
];

/// What changes how a line reads, and what nearly does.
const PIECES: &[&str] = &[
    "\"",
    "\\",
    " ",
    "  ",
    "=",
    "\t",
    "\n",
    "\0",
    "\u{7f}",
    "0",
    "9",
    "99999999",
    "18446744073709551615",
    "ms",
    "s",
    "\" host=",
    " host=",
    "\" host=x fwd=\"",
    " fwd=\"",
    "fwd=",
    " path=\"",
    "path=",
    " dyno=",
    "\" dyno=",
    " code=H12",
    " code=H31",
    "code=",
    " desc=\"",
    " method=",
    " status=",
    " status=421",
    " bytes=",
    "bytes=7 ",
    " connect=",
    " service=",
    " tls=true",
    " tls=x",
    " tls_version=",
    " protocol=",
    " protocol=http",
    " queue=1",
    " wait=x",
    " agent=\"",
    " cause=\"",
    "sock=",
    " at=",
    "at=info ",
    " web=",
    " request_id=",
    "!",
    "#",
    " x=\"",
    "\" dyno=web.9 connect=9ms service=9ms status=500 bytes=9",
    " dyno= connect= service= status=421 bytes= ",
    "Error H12 (Request timeout) -> GET h/ ",
    "é",
];

#[derive(Clone, Debug)]
enum Edit {
    Insert(usize, &'static str),
    Remove(usize, usize),
    Replace(usize, u8),
    /// A part of the line once more, elsewhere.
    Copy(usize, usize, usize),
    Cut(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = || 0..400_usize;
    prop_oneof![
        4 => (at(), prop::sample::select(PIECES)).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        2 => (at(), 0..12_usize).prop_map(|(at, len)| Edit::Remove(at, len)),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Replace(at, byte)),
        1 => (at(), 0..40_usize, at()).prop_map(|(from, len, to)| Edit::Copy(from, len, to)),
        1 => at().prop_map(Edit::Cut),
    ]
}

impl Edit {
    fn apply(&self, line: &mut Vec<u8>) {
        let within = |at: usize| at % (line.len() + 1);
        match *self {
            Self::Insert(at, piece) => {
                let at = within(at);
                line.splice(at..at, piece.bytes());
            }
            Self::Remove(at, len) => {
                let at = within(at);
                line.drain(at..line.len().min(at + len));
            }
            Self::Replace(at, byte) => {
                let at = within(at);
                if let Some(slot) = line.get_mut(at) {
                    *slot = byte;
                }
            }
            Self::Copy(from, len, to) => {
                let (from, to) = (within(from), within(to));
                let part = line[from..line.len().min(from + len)].to_vec();
                line.splice(to..to, part);
            }
            Self::Cut(at) => line.truncate(within(at)),
        }
    }
}

#[test]
fn a_view_is_small_enough_to_pass_around() {
    assert!(size_of::<RouterLine<'_>>() <= 96, "{}", size_of::<RouterLine<'_>>());
}

#[test]
fn todays_lines_are_read_fast() {
    for line in TODAY {
        assert!(agree(line.as_bytes()), "{line}");
    }
}

/// As long, as short, as great and as small as what the fast reader takes.
#[test]
fn lines_at_the_edges_of_todays_shapes_are_read_fast() {
    let line = |at: &str, middle: &str, dyno: &str, numbers: &str| {
        format!(r#"at={at} method=GET path="{middle}" dyno={dyno} {numbers}"#)
    };
    let middle = r#"/" host=h request_id=r fwd="192.0.2.7"#;
    let numbers = "connect=1ms service=1ms status=200 bytes=0";
    let mut lines = vec![line("info", "", "web.1", numbers), line("info", "\" ", "web.1", numbers)];
    for len in 1..100 {
        let long = "x".repeat(len);
        lines.push(line(&long, middle, "web.1", numbers));
        lines.push(line(&format!(r#"{long} code=H12 desc="Request timeout""#), middle, "web.1", numbers));
        lines.push(line(&format!(r#"error code=H12 desc="{long}" cause="{long}""#), middle, "web.1", numbers));
        lines.push(line("info", middle, &long, numbers));
        lines.push(line("info", &format!(r#"/{long}" host={long} request_id={long} fwd="{long}"#), "web.1", numbers));
    }
    for ms in ["", "0ms", "7ms", "9999999ms", "10000000ms", "99999999ms"] {
        for status in ["", "100", "199", "999"] {
            for bytes in ["", "0", "99999999", "100000000", "4294967296", "18446744073709551614"] {
                for tail in [
                    "",
                    " protocol=http",
                    " protocol=https",
                    " protocol=http1.1",
                    " protocol=http1.1 tls=false",
                    " protocol=http2.0 tls=false",
                    " protocol=http1.1 tls=true tls_version=tls1.3",
                    " protocol=http1.1 tls=true tls_version=unknown",
                    " tls_version=tls1.2 protocol=https",
                    " tls_version=unknown protocol=http1.1",
                ] {
                    let numbers = format!("connect={ms} service={ms} status={status} bytes={bytes}{tail}");
                    lines.push(line("info", middle, "web.1", &numbers));
                }
            }
        }
    }
    for line in lines {
        assert!(agree(line.as_bytes()), "{line}");
    }
}

#[test]
fn lines_of_other_shapes_are_read_plainly() {
    for line in [
        "",
        "at=info",
        r#"method=GET path="/" host=h fwd="f" dyno=web.1 connect=1ms service=1ms status=200 bytes=0"#,
        r#"at=info method=GET path=/ host=h fwd="f" dyno=web.1 connect=1ms service=1ms status=200 bytes=0"#,
        r#"at=info method=GET path="/" host=h fwd=f dyno=web.1 connect=1ms service=1ms status=200 bytes=0"#,
        r#"at=info method=GET path="/" host=h fwd=" dyno=web.1 connect=1ms service=1ms status=200 bytes=0"#,
        r#"at=info method=GET path=" dyno=web.1 connect=1ms service=1ms status=200 bytes=0"#,
        r#"at=info method="GET" path="/" host=h fwd="f" dyno=web.1 connect=1ms service=1ms status=200 bytes=0"#,
        r#"at=info method=GET path="/" host=h fwd="f" dyno=web.1 queue=0 wait=0ms service=1ms status=200 bytes=0"#,
        r#"at=info method=GET path="/" host=h fwd="f" dyno=web.1 connect=1 service=1ms status=200 bytes=0"#,
        r#"at=info method=GET path="/" host=h fwd="f" dyno=web.1 connect=1ms service=1ms status=020 bytes=0"#,
        r#"at=info method=GET path="/" host=h fwd="f" dyno=web.1 connect=1ms service=1ms status=200 bytes=x"#,
        r#"at=info method=GET path="/" host=h fwd="f" dyno=web.1 connect=123456789ms service=1ms status=200 bytes=0"#,
        r#"at=error code=H31 desc="Misdirected Request" method=GET path="/" host=h fwd="f" dyno= connect= service= status=421 bytes= protocol=http agent="a""#,
        r#"at=error code=H31 desc="Misdirected Request" method=GET path="/" host=h fwd="f" dyno= connect= service= status=421 bytes= protocol=http"#,
        r#"at=error code=blank-app desc="Blank app" method=GET path="/" host=h fwd="f" dyno= connect= service= status=502 bytes="#,
        r#"at=info method=GET path="/" host=h fwd="f" dyno=web.1 connect=1ms service=1ms status=200 bytes=0 code=H12"#,
        r#"at=info method=GET path="/" host=h fwd="f" dyno=web.1 connect=1ms service=1ms status=200 bytes=0 protocol=http1.1 tls=maybe"#,
        "Error H12 (Request timeout) -> POST h/p dyno=web.1 queue= wait= service=30000ms status=503 bytes=0",
    ] {
        assert!(!agree(line.as_bytes()), "{line}");
    }
}

#[test]
fn generated_traffic_is_read_fast() {
    let haystack = Traffic::new(7).bytes(400_000).generate();
    let (mut body, mut lines) = (haystack.body(), 0);
    while let Some(space) = body.iter().position(|&byte| byte == b' ') {
        let len: usize = std::str::from_utf8(&body[..space]).unwrap().parse().unwrap();
        let (frame, behind) = body[space + 1..].split_at(len);
        body = behind;
        let head = b" host heroku router - ";
        if let Some(at) = frame.windows(head.len()).position(|window| window == head) {
            let line = frame[at + head.len()..].trim_ascii_end();
            assert!(agree(line), "{}", line.escape_ascii());
            lines += 1;
        }
    }
    assert_eq!(lines, haystack.truth().router_lines);
}

/// Each byte of each of today's lines, replaced by what matters to a reader, and the line cut there.
#[test]
fn fast_is_plain_whatever_byte_changes() {
    let bytes: &[u8] = if is_long() { b" \"\\=!#0\t\0\xff" } else { b" \"" };
    for line in TODAY {
        for at in 0..line.len() {
            agree(&line.as_bytes()[..at]);
            for &byte in bytes {
                let mut changed = line.as_bytes().to_vec();
                changed[at] = byte;
                agree(&changed);
            }
        }
    }
}

#[test]
fn fast_is_plain_in_the_corpus() {
    let Some(corpus) = testkit::corpus() else { return };
    for file in ["router.jsonl", "hostile.jsonl", "logfmt.jsonl", "events.jsonl"] {
        let text = std::fs::read_to_string(corpus.join(file)).unwrap();
        for record in text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()) {
            for key in ["msg", "raw"] {
                let Some(text) = record[key].as_str() else { continue };
                agree(text.as_bytes());
                if let Some(at) = text.find("at=") {
                    agree(&text.as_bytes()[at..]);
                }
            }
        }
    }
}

fn is_long() -> bool {
    std::env::var_os("HEROKU_METRICS_LONG").is_some()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if is_long() { 200_000 } else { 1_000 }))]

    #[test]
    fn fast_is_plain(line in prop::sample::select(&TODAY[..]), edits in prop::collection::vec(edit(), 1..5)) {
        let mut line = line.as_bytes().to_vec();
        for edit in edits {
            edit.apply(&mut line);
        }
        agree(&line);
    }

    #[test]
    fn fast_is_plain_of_whole_ends_around_anything(
        front in 0..TODAY.len(), numbers in 0..TODAY.len(),
        middle in prop::collection::vec(prop::sample::select(PIECES), 0..12),
    ) {
        let (front, numbers) = (TODAY[front], TODAY[numbers]);
        let front = &front[..front.find("path=\"").unwrap() + 6];
        let numbers = &numbers[numbers.rfind("\" dyno=").unwrap()..];
        agree([front, &middle.concat(), numbers].concat().as_bytes());
    }
}
