//! Lines as senders write them.

use super::{Plain, read};

/// 2026-11-21T14:15:00Z
const RECEIVED: i64 = 1_795_270_500_000_000;
const MINUTE: i64 = 60_000_000;

struct Said(&'static str, &'static str, Option<i64>, u8, u8, &'static str);

/// What a line says: host, program, when (relative to when it came), facility, severity, message.
fn check(name: &str, line: &[u8], said: &Said) {
    let Said(host, program, generated, facility, severity, message) = said;
    let line = read(line, RECEIVED, Plain::default());
    let (got_host, got_message) = (line.host.unwrap_or("-"), String::from_utf8_lossy(line.message));
    assert_eq!((got_host, line.program, &*got_message), (*host, *program, *message), "{name}");
    assert_eq!((line.facility, line.severity), (*facility, *severity), "{name}");
    assert_eq!(line.generated.map(|time| time - RECEIVED), *generated, "{name}");
}

#[test]
fn what_senders_write_is_read_as_they_mean_it() {
    let two_seconds_ago = Some(-2_000_000);
    for (name, line, said) in [
        (
            "rsyslog, traditional",
            &b"<38>Nov 21 14:14:58 bastion sshd[4711]: Accepted publickey for deploy from 192.0.2.7"[..],
            Said("bastion", "sshd", two_seconds_ago, 4, 6, "Accepted publickey for deploy from 192.0.2.7"),
        ),
        (
            "rsyslog, RSYSLOG_ForwardFormat",
            b"<86>2026-11-21T14:14:58.000000+00:00 bastion CRON[77]: pam_unix(cron:session): session opened",
            Said("bastion", "CRON", two_seconds_ago, 10, 6, "pam_unix(cron:session): session opened"),
        ),
        (
            "rsyslog, RSYSLOG_SyslogProtocol23Format",
            b"<30>1 2026-11-21T14:14:58.000000+00:00 bastion systemd 1 - - Started Session 5.",
            Said("bastion", "systemd", two_seconds_ago, 3, 6, "Started Session 5."),
        ),
        (
            "util-linux logger",
            b"<13>1 2026-11-21T15:14:58.000000+01:00 host root - - [timeQuality tzKnown=\"1\" isSynced=\"1\"] \xef\xbb\xbfhello",
            Said("host", "root", two_seconds_ago, 1, 5, "hello"),
        ),
        (
            "snmptrapd",
            b"<28>Nov 21 14:14:58 nms snmptrapd[911]: 2026-11-21 14:14:58 switch1 [UDP: [192.0.2.9]:161->[192.0.2.1]:162]: IF-MIB::linkDown",
            Said(
                "nms",
                "snmptrapd",
                two_seconds_ago,
                3,
                4,
                "2026-11-21 14:14:58 switch1 [UDP: [192.0.2.9]:161->[192.0.2.1]:162]: IF-MIB::linkDown",
            ),
        ),
        (
            "auditd by audisp-syslog",
            b"<14>Nov 21 14:14:58 db1 audisp-syslog: type=USER_LOGIN msg=audit(1795270498.1:42): pid=1 uid=0 res=failed",
            Said(
                "db1",
                "audisp-syslog",
                two_seconds_ago,
                1,
                6,
                "type=USER_LOGIN msg=audit(1795270498.1:42): pid=1 uid=0 res=failed",
            ),
        ),
        (
            "NXLog, to_syslog_bsd()",
            b"<11>Nov 21 14:14:58 WIN-DC01.corp.example.com Microsoft-Windows-Security-Auditing[640]: An account failed to log on.",
            Said(
                "WIN-DC01.corp.example.com",
                "Microsoft-Windows-Security-Auditing",
                two_seconds_ago,
                1,
                3,
                "An account failed to log on.",
            ),
        ),
        (
            "NXLog, to_syslog_ietf()",
            b"<11>1 2026-11-21T14:14:58.000000+00:00 WIN-DC01 Microsoft-Windows-Security-Auditing 640 - [NXLOG@14506 EventID=\"4625\" Channel=\"Security\"] An account failed to log on.",
            Said(
                "WIN-DC01",
                "Microsoft-Windows-Security-Auditing",
                two_seconds_ago,
                1,
                3,
                "[NXLOG@14506 EventID=\"4625\" Channel=\"Security\"] An account failed to log on.",
            ),
        ),
        (
            "NXLog, a source longer than APP-NAME may be",
            b"<14>1 2026-11-21T14:14:58Z WIN-DC01 Microsoft-Windows-TerminalServices-RemoteConnectionManager 640 - - Listener RDP-Tcp",
            Said(
                "WIN-DC01",
                "Microsoft-Windows-TerminalServices-RemoteConnectionManager",
                two_seconds_ago,
                1,
                6,
                "Listener RDP-Tcp",
            ),
        ),
        (
            "nginx, access_log syslog:",
            b"<190>Nov 21 14:14:58 web1 nginx: 192.0.2.7 - - [21/Nov/2026:14:14:58 +0000] \"GET / HTTP/1.1\" 200 612",
            Said(
                "web1",
                "nginx",
                two_seconds_ago,
                23,
                6,
                "192.0.2.7 - - [21/Nov/2026:14:14:58 +0000] \"GET / HTTP/1.1\" 200 612",
            ),
        ),
        (
            "nginx, nohostname",
            b"<187>Nov 21 14:14:58 nginx: 2026/11/21 14:14:58 [error] 31#31: *1 open() failed",
            Said("-", "nginx", two_seconds_ago, 23, 3, "2026/11/21 14:14:58 [error] 31#31: *1 open() failed"),
        ),
        (
            "glibc, without a host",
            b"<34>Nov 21 14:14:58 su[12]: 'su root' failed for lonvick on /dev/pts/8",
            Said("-", "su", two_seconds_ago, 4, 2, "'su root' failed for lonvick on /dev/pts/8"),
        ),
        (
            "Cisco",
            b"<189>4321: *Nov 21 14:14:58.123: %SYS-5-CONFIG_I: Configured from console",
            Said("-", "%SYS-5-CONFIG_I", Some(-1_877_000), 23, 5, "Configured from console"),
        ),
        (
            "an address of IPv6 as host",
            b"<13>Nov 21 14:14:58 2001:db8::1 app: up",
            Said("2001:db8::1", "app", two_seconds_ago, 1, 5, "up"),
        ),
        (
            "rsyslog says that a line came again",
            b"<13>Nov 21 14:14:58 bastion last message repeated 5 times",
            Said("bastion", "", two_seconds_ago, 1, 5, "last message repeated 5 times"),
        ),
        ("no PRI", b"just words: here", Said("-", "", None, 1, 5, "just words: here")),
        ("a tag alone", b"<13>app[1]: up", Said("-", "app", None, 1, 5, "up")),
        ("PRI alone", b"<13>", Said("-", "", None, 1, 5, "")),
        ("PRI beyond all", b"<192>x: y", Said("-", "<192>x", None, 1, 5, "y")),
        (
            "no field has a value",
            b"<13>1 - - - - - -",
            Said("-", "", None, 1, 5, ""),
        ),
        (
            "structured data that does not end",
            b"<13>1 - h a - - [x y=\"z] more",
            Said("h", "a", None, 1, 5, "[x y=\"z] more"),
        ),
        (
            "a bracket in a value",
            b"<13>1 - h a - - [x@1 y=\"a\\\"] b\"][z@2] text",
            Said("h", "a", None, 1, 5, "[x@1 y=\"a\\\"] b\"][z@2] text"),
        ),
        (
            "a name of C++",
            b"<13>Nov 21 14:14:58 h ns::f failed",
            Said("h", "", two_seconds_ago, 1, 5, "ns::f failed"),
        ),
        (
            "bytes that are no text",
            b"<13>Nov 21 14:14:58 \xff\xfe app: up",
            Said("-", "", two_seconds_ago, 1, 5, "\u{fffd}\u{fffd} app: up"),
        ),
    ] {
        check(name, line, &said);
    }
}

#[test]
fn any_bytes_are_read_and_none_are_lost_behind_the_head() {
    let lines: [&[u8]; 4] = [
        b"<38>Nov 21 14:14:58 bastion sshd[4711]: Accepted",
        b"<13>1 2026-11-21T14:14:58Z host app 1 ID [a@1 b=\"c\"] text",
        b"<189>4321: *Nov 21 2026 14:14:58.123: %SYS-5",
        b"\0\0\0",
    ];
    for line in lines {
        for end in 0..line.len() {
            for byte in [0, b'<', b'[', b']', b':', b' ', b'"', b'\\', 0xff] {
                let mut changed = line.to_vec();
                changed[end] = byte;
                for text in [&line[..end], &changed] {
                    let read = read(text, RECEIVED, Plain::default());
                    assert!(text.ends_with(read.message) && text.ends_with(read.text), "{}", text.escape_ascii());
                }
            }
        }
    }
    let _ = read(b"<13>Nov 21 14:14:58 h a: b", i64::MIN, Plain::default());
    assert!(read(b"<13>Nov 21 14:14:58 h a: b", RECEIVED + MINUTE, Plain::default()).generated.is_some());
}

/// One pass over each line, whatever it holds.
#[test]
fn long_lines_take_no_longer_than_they_are() {
    for piece in ["[a b=\"", "[a]", "\\\"", "<13>", "1 ", ": ", "x[", " "] {
        let mut line = b"<13>1 - h a - - ".to_vec();
        line.extend_from_slice(piece.repeat((64 << 10) / piece.len()).as_bytes());
        let began = std::time::Instant::now();
        for _ in 0..20 {
            let _ = read(&line, RECEIVED, Plain::default());
        }
        assert!(began.elapsed().as_secs() < 5, "{piece}: {:?}", began.elapsed());
    }
}
