use super::*;

/// Counts bytes and nothing else: MSG-LEN SP, then that many.
fn frames(mut body: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while !body.is_empty() {
        let space = body.iter().position(|&b| b == b' ').expect("a count and a space");
        let length: usize = core::str::from_utf8(&body[..space]).expect("digits").parse().expect("a number");
        let (frame, rest) = body[space + 1..].split_at(length);
        frames.push(frame);
        body = rest;
    }
    frames
}

fn contains(text: &[u8], part: &str) -> bool {
    text.windows(part.len()).any(|window| window == part.as_bytes())
}

#[test]
fn the_committed_files_are_what_the_generator_writes() {
    for (name, bytes) in [("demo.logplex", logplex()), ("demo.txt", rendered())] {
        let committed = std::fs::read(crate::testdata().join(name)).expect(name);
        assert!(committed == bytes, "testdata/{name} is old: cargo run -p testkit --bin write-testdata");
    }
}

#[test]
fn every_frame_has_its_length_and_lies_in_the_three_minutes() {
    let body = logplex();
    let frames = frames(&body);
    assert_eq!(frames.len(), frame_count());
    assert!((300..=600).contains(&frames.len()), "{}", frames.len());
    for line in story::lines() {
        assert!(line.at < 180_000_000, "{line:?}");
    }
    for frame in frames {
        assert!(contains(frame, " 2026-03-14T09:2") || contains(frame, " 2026-03-14T10:2"));
    }
}

#[test]
fn both_senders_frame_as_they_do() {
    let body = logplex();
    let (mut https, mut syslog) = (0, 0);
    for frame in frames(&body) {
        match (contains(frame, " host "), contains(frame, DEPOT_TOKEN)) {
            (_, true) => syslog += usize::from(contains(frame, " - - ")),
            (true, false) => https += 1,
            (false, false) => panic!("{:?}", String::from_utf8_lossy(frame)),
        }
    }
    assert_eq!(https + syslog, frame_count());
    assert!(https > 250 && syslog > 80, "{https} {syslog}");
}

#[test]
fn every_kind_of_line_is_there() {
    let body = logplex();
    for part in [
        "tls_version=tls1.3",
        "protocol=https",
        "queue=0 wait=0ms",
        "path=/labels?",
        "path=\"/products/Green tea 250 g\"",
        "code=H10",
        "code=H12",
        "code=H13",
        "sock=backend at=error code=H18",
        "code=H19",
        "sock=client at=warning code=H27",
        "at=info code=H80",
        "Error H12 (Request timeout) -> ",
        "status=101",
        "connect=0 service=1 ",
        "cause=\"bad header\"",
        "Error R10 (",
        "Error R12 (",
        "Error R14 (",
        "Error R15 (",
        "Process running mem=",
        " messages dropped since 2026-03-14T09:26:58+00:00.",
        "' dropped 3 messages since ",
        "L11 (Tail buffer overflow)",
        "Error L12: 27 messages dropped",
        "Error L13: 5 messages lost",
        "sample#load_avg_15m=",
        "sample#memory_quota=512.00MB",
        "sample#memory-percentage-used=",
        "sample#db-size-percentage-used=",
        "sample#db_size=731906048.0bytes",
        "sample#follower-lag-commits=",
        "sample#memory-redis=",
        "sample#avg_query=",
        "State changed from",
        "Release v214",
        "[COBALT] [7-2] \t",
        "\u{1b}[36m",
        "{\"level\":",
        "sample#cache.size=",
        "measure#db.query=0.",
        "tag#source=nightly",
        "source=eu-west count#",
        "tag#plan=\"small business\"",
        "count#heroku.",
        "NaN",
    ] {
        assert!(contains(&body, part), "{part}");
    }
    assert!(body.windows(2).any(|pair| pair == b"\xe9 "), "bytes that are not UTF-8");
    assert!(contains(&body, " web.1 - \n"), "an empty message over HTTPS");
    assert!(contains(&body, " web.1 - - \n"), "an empty message over syslog");
    let glued = body.windows(4).any(|four| four[0] == b'.' && four[1..].iter().all(u8::is_ascii_digit));
    assert!(glued, "L10 and the next count stand side by side");
}

#[test]
fn the_rendering_is_one_line_of_text_each() {
    let text = String::from_utf8(rendered()).expect("UTF-8");
    assert_eq!(text.lines().count(), rendered_count());
    assert_eq!(text.matches('\n').count(), rendered_count());
    assert_eq!(frames(&logplex_of_rendered()).len(), rendered_count());
    assert_eq!(frame_count() - rendered_count(), 3, "two that are not UTF-8, one of several lines");
    for line in text.lines() {
        assert!(line.starts_with("2026-03-14T"), "{line}");
        assert!(line.contains(" app[") || line.contains(" heroku["), "{line}");
    }
}
