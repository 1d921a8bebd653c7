//! What holds for every line: what a client writes changes nothing that the platform says, and any bytes are taken.

use heroku_router::{Code, MemoryHint, PlatformError, RouterLine};
use proptest::prelude::*;

/// Text that tries to be more than a value, and text that is nothing.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "\"",
        "\\",
        "\" ",
        " ",
        "/",
        "=",
        "\" host=",
        "\" host=evil.example request_id=x fwd=\"203.0.113.9",
        "\" dyno=",
        "\" dyno=web.9 connect=9ms service=9ms status=500 bytes=9",
        " dyno=web.9 connect=9ms service=9ms status=500 bytes=9 ",
        " dyno= connect= service= status=421 bytes= ",
        " status=500 ",
        " code=H12 desc=\"Request timeout\" ",
        " method=DELETE ",
        " path=\"/other",
        " fwd=\"",
        " agent=\"",
        " protocol=http9 tls=false tls_version=tls9 ",
        " queue=9 wait=9ms ",
        "Error H10 (App crashed) -> GET ",
        "\r\n",
    ];
    let piece = prop_oneof![
        4 => prop::sample::select(pieces.to_vec()).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// A word of the client's that cannot hold a space: Host, request id, a path of the legacy router.
fn word() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![3 => 0x21..=0xff_u8, 1 => Just(b'"'), 1 => Just(b'=')], 1..24)
}

/// What the platform says on a line.
#[derive(Clone, Debug)]
struct Said {
    code: Option<u8>,
    method: &'static str,
    dyno: Option<u16>,
    connect: Option<u32>,
    service: Option<u32>,
    status: Option<u16>,
    bytes: Option<u64>,
    tail: &'static str,
}

fn said() -> impl Strategy<Value = Said> {
    let code = prop::option::of((0..100_u8).prop_filter("H31 is another property", |code| *code != 31));
    let method = prop::sample::select(vec!["GET", "POST", "M-SEARCH"]);
    let tails =
        ["", " protocol=https", " tls_version=tls1.2 protocol=https", " protocol=http2.0 tls=true tls_version=tls1.3"];
    let numbers = (any::<Option<u16>>(), any::<Option<u32>>(), any::<Option<u32>>(), prop::option::of(100..1000_u16));
    let rest = (any::<Option<u64>>(), prop::sample::select(tails.to_vec()));
    (code, method, numbers, rest).prop_map(|(code, method, (dyno, connect, service, status), (bytes, tail))| Said {
        code,
        method,
        dyno,
        connect,
        service,
        status,
        bytes,
        tail,
    })
}

fn or_empty(value: Option<impl ToString>, unit: &str) -> String {
    value.map_or(String::new(), |value| value.to_string() + unit)
}

impl Said {
    fn front(&self) -> Vec<u8> {
        let code = self.code.map_or(String::new(), |code| format!(r#" code=H{code:02} desc="An error""#));
        format!("at=info{code} method={}", self.method).into_bytes()
    }

    fn numbers(&self) -> Vec<u8> {
        let dyno = self.dyno.map_or(String::new(), |dyno| format!("web.{dyno}"));
        let (connect, service) = (or_empty(self.connect, "ms"), or_empty(self.service, "ms"));
        let (status, bytes) = (or_empty(self.status, ""), or_empty(self.bytes, ""));
        format!(" dyno={dyno} connect={connect} service={service} status={status} bytes={bytes}{}", self.tail)
            .into_bytes()
    }

    /// All that the platform said, and nothing besides.
    fn check(&self, line: &[u8]) -> Result<(), TestCaseError> {
        self.check_what_was_said(line)?;
        let shown = line.escape_ascii().to_string();
        let read = RouterLine::parse(line).ok_or_else(|| TestCaseError::fail(shown.clone()))?;
        prop_assert_eq!(read.protocol().is_some(), self.tail.contains("protocol="), "{}", shown);
        prop_assert_eq!(read.tls(), self.tail.contains(" tls=").then_some(true), "{}", shown);
        prop_assert_eq!(read.tls_version().is_some(), self.tail.contains("tls_version="), "{}", shown);
        prop_assert_eq!((read.sock(), read.cause(), read.agent()), (None, None, None), "{}", shown);
        prop_assert_eq!((read.queue(), read.wait_ms()), (None, None), "{}", shown);
        let of_client = ["path", "host", "request_id", "fwd", "unknown"];
        prop_assert!(read.refusals().all(|refusal| of_client.contains(&refusal.field())), "{}", shown);
        Ok(())
    }

    /// All that the platform said.
    fn check_what_was_said(&self, line: &[u8]) -> Result<(), TestCaseError> {
        let shown = line.escape_ascii().to_string();
        let read = RouterLine::parse(line).ok_or_else(|| TestCaseError::fail(shown.clone()))?;
        let code = self.code.map(|code| format!("H{code:02}"));
        prop_assert_eq!(read.at(), Some(&b"info"[..]), "{}", shown);
        prop_assert_eq!(read.code().map(|code| code.to_string()), code, "{}", shown);
        prop_assert_eq!(read.desc().is_some(), self.code.is_some(), "{}", shown);
        prop_assert_eq!(read.method(), Some(self.method.as_bytes()), "{}", shown);
        prop_assert_eq!(
            read.dyno().map(<[u8]>::to_vec),
            self.dyno.map(|dyno| format!("web.{dyno}").into_bytes()),
            "{}",
            shown
        );
        prop_assert_eq!(read.connect_ms(), self.connect.map(f64::from), "{}", shown);
        prop_assert_eq!(read.service_ms(), self.service.map(f64::from), "{}", shown);
        prop_assert_eq!(read.status(), self.status, "{}", shown);
        prop_assert_eq!(read.bytes(), self.bytes, "{}", shown);
        Ok(())
    }
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// An empty value is absent.
fn value(text: &[u8]) -> Option<&[u8]> {
    Some(text).filter(|text| !text.is_empty())
}

/// Lines that end before, in and behind what they begin to say.
fn any_line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        hostile(),
        hostile().prop_map(|text| [b"method=GET path=\"", &text[..]].concat()),
        prop::collection::vec(any::<u8>(), 0..200),
    ]
}

/// Lines of the dyno manager and Logplex, and nearly such lines.
fn platform_line() -> impl Strategy<Value = Vec<u8>> {
    let shape =
        "(- )?(Error )?[HRL][0-9]{1,3}[ :]?(\\([a-z ]*\\)?)?(:|->)? ?[0-9]{0,22} messages( dropped| lost)? since .*";
    prop_oneof![any_line(), shape.prop_map(String::into_bytes)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_client_changes_nothing_that_the_platform_says(
        said in said(), path in hostile(), host in word(), id in word(), fwd in hostile(),
    ) {
        let client = [b" path=\"", &path[..], b"\" host=", &host, b" request_id=", &id, b" fwd=\"", &fwd, b"\""].concat();
        said.check(&[said.front(), client, said.numbers()].concat())?;
    }

    #[test]
    fn its_own_words_come_back_when_its_addresses_hold_no_host(said in said(), path in hostile(), fwd in hostile()) {
        // The opening quote counts: `fwd=" host=x"`.
        let is_taken = holds(&fwd, b"\" host=") || fwd.starts_with(b" host=");
        let fwd = if is_taken { b"192.0.2.7".to_vec() } else { fwd };
        let client = [b" path=\"", &path[..], b"\" host=shop.example.com request_id=r fwd=\"", &fwd, b"\""].concat();
        let line = [said.front(), client, said.numbers()].concat();
        said.check(&line)?;
        let read = RouterLine::parse(&line).unwrap();
        prop_assert_eq!(read.client().path(), value(&path), "{}", line.escape_ascii());
        prop_assert_eq!(read.client().host(), Some(&b"shop.example.com"[..]));
        prop_assert_eq!(read.client().fwd(), value(&fwd), "{}", line.escape_ascii());
        let is_one_of = |name: &&[u8]| [&b"path"[..], b"dyno"].contains(name);
        let names: Vec<_> = read.fields().map(|field| field.name()).filter(is_one_of).collect();
        prop_assert_eq!(names, [&b"path"[..], b"dyno"], "no field is made of what a client wrote");
    }

    // Such a line, H80 of Router 2.0, has no second end to the path; its own two ends are whole all the same.
    #[test]
    fn a_line_without_a_host(said in said(), code in 80..83_u8, path in hostile()) {
        let said = Said { code: Some(code), ..said };
        said.check(&[&said.front()[..], b" path=\"", &path, b"\"", &said.numbers()].concat())?;
    }

    #[test]
    fn bare_addresses(said in said(), path in hostile(), host in word()) {
        let client = [b" path=\"", &path[..], b"\" host=", &host, b" fwd=192.0.2.7"].concat();
        said.check(&[said.front(), client, said.numbers()].concat())?;
    }

    #[test]
    fn bare_paths(said in said(), path in word(), host in word(), fwd in hostile()) {
        let client = [b" path=/", &path[..], b" host=", &host, b" fwd=\"", &fwd, b"\""].concat();
        said.check(&[said.front(), client, said.numbers()].concat())?;
    }

    #[test]
    fn the_agent_of_a_misdirected_request(
        path in hostile(), fwd in hostile(), agent in hostile(), is_new in any::<bool>(),
    ) {
        let front = b"at=error code=H31 desc=\"Misdirected Request\" method=GET path=\"";
        let numbers: &[u8] = if is_new {
            b" dyno= connect=0ms service=0ms status=421 bytes=567 protocol=http1.1 tls=true"
        } else {
            b" dyno= connect= service= status=421 bytes= protocol=http"
        };
        let client = [&path[..], b"\" host=h fwd=\"", &fwd, b"\""].concat();
        let line = [front, &client[..], numbers, b" agent=\"", &agent, b"\""].concat();
        let read = RouterLine::parse(&line).unwrap();
        let shown = line.escape_ascii().to_string();
        prop_assert_eq!(read.code().map(Code::as_str), Some("H31"), "{}", shown);
        prop_assert_eq!((read.method(), read.dyno(), read.status()), (Some(&b"GET"[..]), None, Some(421)), "{}", shown);
        let idle = |time: Option<f64>| time.is_none_or(|time| time == 0.0);
        prop_assert!(idle(read.connect_ms()) && idle(read.service_ms()), "{}", shown);
    }

    #[test]
    fn lines_before_october_2012(
        method in "[A-Z]{1,9}", host in "[a-z.]{1,20}", path in word(), service in any::<u32>(), bytes in any::<u64>(),
    ) {
        let head = format!("Error H12 (Request timeout) -> {method} {host}/").into_bytes();
        let tail = format!(" dyno=web.1 queue=2 wait=3ms service={service}ms status=503 bytes={bytes}").into_bytes();
        let line = [&head[..], &path, &tail].concat();
        let read = RouterLine::parse(&line).unwrap();
        prop_assert_eq!((read.method(), read.client().host()), (Some(method.as_bytes()), Some(host.as_bytes())));
        prop_assert_eq!(read.client().path(), Some(&[b"/", &path[..]].concat()[..]));
        prop_assert_eq!((read.dyno(), read.service_ms()), (Some(&b"web.1"[..]), Some(f64::from(service))));
        prop_assert_eq!((read.queue(), read.wait_ms()), (Some(2), Some(3.0)));
        prop_assert_eq!((read.status(), read.bytes()), (Some(503), Some(bytes)));
    }

    #[test]
    fn fields_in_any_order(order in Just((0..11).collect::<Vec<usize>>()).prop_shuffle()) {
        const PARTS: [&str; 11] = [
            "at=info",
            "method=GET",
            "path=\"/a b\"",
            "host=shop.example.com",
            "request_id=r",
            "fwd=\"192.0.2.7\"",
            "dyno=web.3",
            "connect=1ms",
            "service=18ms",
            "status=200",
            "bytes=5120",
        ];
        let line = order.iter().map(|&nth| PARTS[nth]).collect::<Vec<_>>().join(" ");
        let read = RouterLine::parse(line.as_bytes()).unwrap();
        prop_assert_eq!((read.at(), read.method()), (Some(&b"info"[..]), Some(&b"GET"[..])), "{}", line);
        prop_assert_eq!((read.dyno(), read.client().request_id()), (Some(&b"web.3"[..]), Some(&b"r"[..])), "{}", line);
        prop_assert_eq!((read.connect_ms(), read.service_ms()), (Some(1.0), Some(18.0)), "{}", line);
        prop_assert_eq!((read.status(), read.bytes()), (Some(200), Some(5120)), "{}", line);
        let client = (Some(&b"/a b"[..]), Some(&b"shop.example.com"[..]), Some(&b"192.0.2.7"[..]));
        prop_assert_eq!((read.client().path(), read.client().host(), read.client().fwd()), client, "{}", line);
    }

    #[test]
    fn fields_lie_in_the_line_in_order(line in any_line()) {
        let Some(read) = RouterLine::parse(&line) else { return Ok(()) };
        let mut end = 0;
        for field in read.fields() {
            prop_assert!(end <= field.offset() && field.offset() <= field.value_offset());
            end = field.value_offset() + field.value().map_or(0, <[u8]>::len);
            prop_assert!(end <= line.len());
            if let Some(value) = field.value() {
                prop_assert_eq!(value, &line[field.value_offset()..end]);
            }
        }
        for refusal in read.refusals() {
            prop_assert!(!refusal.is_empty_or_outside(&line), "{}", refusal);
        }
    }

    #[test]
    fn platform_errors_take_any_bytes(line in platform_line()) {
        let hint = MemoryHint::parse(&line);
        prop_assert!(hint.is_none_or(|hint| hint.percent().is_finite()));
        let Some(error) = PlatformError::parse(&line) else { return Ok(()) };
        prop_assert!(line.trim_ascii_end().ends_with(error.text()));
        prop_assert!(error.count().is_none() || error.refusal().is_none());
        if let Some(refusal) = error.refusal() {
            prop_assert!(!refusal.is_empty_or_outside(&line), "{}", refusal);
        }
    }

    #[test]
    fn losses_print_as_they_are_read(
        count in any::<u64>(), nth in 10..14_u8, since in "[0-9T:+.-]{1,30}[0-9]", shape in 0..4,
    ) {
        let line = match shape {
            0 => format!("Error L{nth} (a name): {count} messages dropped since {since}."),
            1 => format!("Error L{nth}: {count} messages lost since {since}."),
            2 => format!("Error L{nth} (a name): drain 'd.1' dropped {count} messages since {since}."),
            _ => format!("L{nth} (a name) -> This tail session dropped {count} messages since {since}"),
        };
        let error = PlatformError::parse(line.as_bytes()).unwrap();
        prop_assert_eq!((error.count(), error.since()), (Some(count), Some(since.as_str())));
        prop_assert_eq!((error.code().number(), error.drain()), (nth, (shape == 2).then_some("d.1")));
    }
}

trait InLine {
    fn is_empty_or_outside(&self, line: &[u8]) -> bool;
}

impl InLine for heroku_router::FieldRefusal {
    fn is_empty_or_outside(&self, line: &[u8]) -> bool {
        line.get(self.offset()..self.offset() + self.len()).is_none_or(<[u8]>::is_empty)
    }
}
