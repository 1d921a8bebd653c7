//! Properties of any input: the readers agree, the bytes add up, offsets lie inside, nothing panics.

mod walks;

use heroku_syslog::{
    Deframed, Delivery, DeliveryId, Dialect, Frame, FrameParser, Frames, Limits, Recovery, Timestamp, deframe, rendered,
};
use proptest::prelude::*;
use walks::{Setting, bytes, in_pieces, oracle, whole};

/// Bodies of whole frames, damaged frames, false beginnings and line ends, which random bytes would never hit.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "(<1>1 - - - - - -|<45>1 2024-02-03T04:05:06Z host heroku web.1 - up\n|x{0,40})".prop_map(|message: String| {
            format!("{} {message}", message.len()).into_bytes()
        }),
        // Plain to see, with a length that may be off.
        3 => ("<45>1 2024-02-03T04:05:06Z - - - - -( a=[0-9]{1,3}|\n[0-9]{0,2} ?)?\r?\n?", prop_oneof![3 => Just(0_isize), 2 => -4_isize..=4])
            .prop_map(|(message, off)| format!("{} {message}", message.len().saturating_add_signed(off)).into_bytes()),
        2 => "[0-9]{1,3} <[0-9]{1,3}>[0-9]{1,2} ".prop_map(String::into_bytes),
        1 => "(\n|\r\n|\r| |0|<|>|[0-9]{1,22}|[0-9]{1,3} )".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn setting() -> impl Strategy<Value = Setting> {
    (1_usize..80, 0_usize..200, any::<bool>()).prop_map(|(max_frame, max_skip, resync)| Setting {
        max_frame,
        max_skip,
        recovery: if resync { Recovery::Resync } else { Recovery::Stop },
    })
}

/// Headers that are almost right.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let field = "(-|host|app|web\\.1|[a-z]{30,50}| |)";
    let text = format!(
        "<[0-9]{{0,3}}>[0-9]{{0,4}} (-|2024-0[0-9]-[0-3][0-9]T[0-2][0-9]:05:06(\\.[0-9]{{0,10}})?(Z|\\+00:00|-0)?) {field} {field} {field} {field}( (-|\\[[a-z =\"\\\\]]{{0,12}}))?( .{{0,20}})?\r?\n?"
    );
    prop_oneof![
        6 => proptest::string::string_regex(&text).expect("a regex").prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..80),
    ]
}

/// Headers as drains write them, of few minutes, some of them no minutes.
fn usual_line() -> impl Strategy<Value = Vec<u8>> {
    let text = "<(158|190|45|134|199)>1 20(24|23)-02-(03|29|30)T0[49]:(05|59|60):[0-6][0-9]\\.[0-9]{6}\\+0(0|0|0|1):00 (host|d\\.5ca1ab1e-0000-4000-8000-00000000beef|shop) (heroku|app) (router|web\\.[0-9]{1,2}|heroku-postgres|proc\u{e9}) (-|ID47)( (-|\\[a\\]|at=info))? .{0,20}\n?";
    proptest::string::string_regex(text).expect("a regex").prop_map(String::into_bytes)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn readers_agree_with_the_oracle(body in body(), setting in setting(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5)) {
        let expected = oracle(&body, setting);
        prop_assert_eq!(&whole(&body, setting), &expected);
        prop_assert_eq!(bytes(&expected), body.len() as u64);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &body[cut[0]..cut[1]]);
        prop_assert_eq!(&in_pieces(pieces, setting), &expected);
        prop_assert_eq!(&in_pieces(body.chunks(1), setting), &expected);
    }

    #[test]
    fn deframe_uses_what_is_there(buf in body()) {
        match deframe(&buf, Limits::new()) {
            Ok(Deframed::Message { bytes, used }) => {
                prop_assert!(used <= buf.len());
                prop_assert_eq!(&buf[used - bytes.len()..used], bytes);
            }
            Ok(Deframed::Separator { used }) => prop_assert!(matches!(&buf[..used], b"\n" | b"\r\n")),
            Ok(Deframed::NeedMore { at_least }) => prop_assert!(at_least > buf.len()),
            Ok(other) => prop_assert!(false, "{:?}", other),
            Err(error) => {
                prop_assert!(error.offset() < buf.len() as u64);
                prop_assert_eq!((error.start(), error.skipped()), (0, 0));
            }
        }
    }

    #[test]
    fn frames_are_made_of_their_bytes(line in line()) {
        for dialect in [Dialect::Logplex, Dialect::Rfc5424] {
            match Frame::parse(&line, dialect) {
                Ok(frame) => {
                    prop_assert_eq!(frame.bytes(), &line[..]);
                    let message = frame.message_offset()..frame.message_offset() + frame.message().len();
                    prop_assert_eq!(&line[message.clone()], frame.message());
                    prop_assert!(matches!(&line[message.end..], b"" | b"\n" | b"\r\n"));
                    let kept = frame.to_frame_buf();
                    prop_assert_eq!(kept.as_frame(), frame);
                    if dialect == Dialect::Logplex {
                        // The header, written again from its fields, is the header.
                        let nil = |field: Option<&str>| field.unwrap_or("-").to_owned();
                        let (pri, rest) = (frame.pri().map_or(0, |pri| pri.value()), [
                            nil(frame.timestamp_text()), nil(frame.hostname()), nil(frame.app_name()), nil(frame.proc_id()), nil(frame.msg_id()),
                        ].join(" "));
                        let header = std::str::from_utf8(&line[..frame.message_offset()])?;
                        let (start, end) = header.split_once(' ').unwrap_or_default();
                        prop_assert_eq!(end.strip_suffix(' ').unwrap_or(end), rest);
                        prop_assert_eq!(start.trim_start_matches("<").trim_start_matches('0').split('>').next().unwrap_or_default().parse().unwrap_or(0), pri);
                    }
                }
                Err(error) => prop_assert!(error.offset() <= line.len() as u64),
            }
        }
    }

    #[test]
    fn a_parser_that_remembers_reads_the_same(lines in prop::collection::vec(prop_oneof![4 => usual_line(), 1 => line()], 0..12)) {
        let mut parser = FrameParser::new();
        let lines: Vec<_> = lines.into_iter().filter(|line| !line.is_empty()).collect();
        let body: Vec<u8> = lines.iter().flat_map(|line| [line.len().to_string().as_bytes(), b" ", line].concat()).collect();
        let mut count = 0;
        for (raw, line) in Frames::new(&body).with_recovery(Recovery::Stop).flatten().zip(&lines) {
            prop_assert_eq!(raw.bytes(), &line[..]);
            for dialect in [Dialect::Logplex, Dialect::Rfc5424, Dialect::ByHostname] {
                let frame = parser.parse(raw, dialect);
                prop_assert_eq!(frame, raw.parse(dialect));
                prop_assert_eq!(frame, Frame::parse(line, dialect).map_err(|error| error.shifted(raw.message_offset())));
                if let Ok(frame) = frame {
                    prop_assert_eq!(frame.app_name_bytes(), frame.app_name().map(str::as_bytes));
                    prop_assert_eq!(frame.proc_id_bytes(), frame.proc_id().map(str::as_bytes));
                    let router = (frame.app_name_bytes(), frame.proc_id_bytes()) == (Some(b"heroku"), Some(b"router"));
                    prop_assert_eq!(frame.is_router(), router);
                }
            }
            count += 1;
        }
        prop_assert_eq!(count, lines.len());
    }

    #[test]
    fn rendered_lines_add_up(lines in prop::collection::vec(prop_oneof!["2024-02-03T04:05:06Z app\\[web\\.[0-9]\\]:( .{0,20})?", ".{0,30}"], 0..6), end in "(\n|\r\n)?") {
        let text = lines.join("\n") + &end;
        let mut reader = rendered::Lines::new(text.as_bytes());
        let mut bytes = 0;
        for line in &mut reader {
            let len = line.bytes().len() as u64;
            if let Err(error) = line.parse(rendered::Form::Printed) {
                prop_assert!((line.offset()..=line.offset() + len).contains(&error.offset()));
            }
            bytes += len;
        }
        prop_assert_eq!(bytes + reader.separators(), text.len() as u64);
    }

    #[test]
    fn instants_read_back(seconds in -62_167_219_200_i64..253_402_300_800, micros in 0_i64..1_000_000, offset in -1_439_i64..=1_439) {
        // By days and 400-year eras as a calendar has it, one year after the other: slow and plain.
        let local = seconds + offset * 60;
        let (mut days, in_day) = (local.div_euclid(86_400) + 719_528, local.rem_euclid(86_400));
        prop_assume!((0..3_652_425).contains(&days));
        let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let mut year = 0;
        while days >= 365 + i64::from(leap(year)) {
            days -= 365 + i64::from(leap(year));
            year += 1;
        }
        let mut month = 0;
        let lengths = [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        while days >= lengths[month] {
            days -= lengths[month];
            month += 1;
        }
        let text = format!(
            "{year:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{micros:06}{}{:02}:{:02}",
            month + 1, days + 1, in_day / 3_600, in_day / 60 % 60, in_day % 60,
            if offset < 0 { '-' } else { '+' }, offset.abs() / 60, offset.abs() % 60,
        );
        prop_assert_eq!(Timestamp::parse(text.as_bytes())?.unix_micros(), seconds * 1_000_000 + micros);
    }

    #[test]
    fn deliveries_take_any_header(name in "(Logplex-Msg-Count|logplex-frame-id|LOGPLEX-DRAIN-TOKEN|x-request-id|.{0,8})", value in prop::collection::vec(any::<u8>(), 0..12), body in body()) {
        let delivery = Delivery::new(&body).with_header(&name, &value);
        prop_assert_eq!(delivery.body(), &body[..]);
        let id = delivery.id().map(|id| match id {
            DeliveryId::Frame(id) | DeliveryId::Request(id) => id,
            other => panic!("{other:?}"),
        });
        for id in [id, delivery.drain_token()].into_iter().flatten() {
            prop_assert!(!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic()));
        }
        if let Some(count) = delivery.msg_count() {
            let digits = std::str::from_utf8(value.trim_ascii()).unwrap();
            prop_assert_eq!(digits.parse(), Ok(count));
        }
    }
}
