//! Numbers with units: the cases of `testdata/numbers.toml`, the texts of the errors, and properties.

use logfmt_metrics::{NumberErrorKind, number};
use metric_model::{Unit, Value};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    number: Option<f64>,
    #[serde(default)]
    unit: String,
    error: Option<String>,
    at: Option<usize>,
}

#[test]
fn cases() {
    for case in testkit::cases("numbers") {
        let expect: Expect = case.expect();
        match (number(&case.input), expect.number, expect.error) {
            (Ok(value), Some(wanted), None) => {
                assert_eq!(value, Value::new(wanted, Unit::new(&expect.unit)), "{}", case.name);
                assert!(value.number().is_sign_positive() || value.number() < 0.0, "{}: minus zero", case.name);
            }
            (Err(error), None, Some(wanted)) => {
                assert_eq!(error.kind().as_str(), wanted, "{}", case.name);
                assert_eq!(Some(error.offset()), expect.at, "{}", case.name);
            }
            (found, ..) => panic!("{}: {found:?}", case.name),
        }
    }
}

#[test]
fn errors_say_what_which_part_and_where() {
    for (text, kind, message) in [
        ("", NumberErrorKind::Empty, "no text in number at byte 0"),
        ("-ms", NumberErrorKind::NotANumber, "no digit in number at byte 1"),
        ("1e999", NumberErrorKind::NotFinite, "beyond the largest double in number at byte 0"),
        ("1.5k/s", NumberErrorKind::BadUnit, "not 1 to 16 letters or % in unit at byte 4"),
    ] {
        let error = number(text.as_bytes()).expect_err(text);
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, message));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn any_bytes(text in proptest::collection::vec(any::<u8>(), 0..40)) {
        match number(&text) {
            Ok(value) => {
                prop_assert!(value.number().is_finite());
                prop_assert!(text.ends_with(value.unit().as_str().as_bytes()));
            }
            Err(error) => prop_assert!(error.offset() <= text.len()),
        }
    }

    #[test]
    fn equal_to_the_standard_library(text in r"[+-]?([0-9]{1,25}\.?[0-9]{0,25}|\.[0-9]{1,25})([eE][+-]?[0-9]{1,4})?") {
        let std: f64 = text.parse().expect("std reads the same grammar");
        match number(text.as_bytes()) {
            Ok(value) => {
                prop_assert_eq!(value.number(), std);
                prop_assert_eq!(value.unit(), Unit::NONE);
            }
            Err(error) => {
                prop_assert_eq!(error.kind(), NumberErrorKind::NotFinite);
                prop_assert!(std.is_infinite());
            }
        }
    }

    #[test]
    fn what_is_printed_reads_the_same(bits in any::<u64>(), unit in "[A-Za-zµμ]{0,16}|%", scientific in any::<bool>()) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite());
        let text = if scientific { format!("{value:e}{unit}") } else { format!("{value}{unit}") };
        let read = number(text.as_bytes());
        prop_assert_eq!(read, Ok(Value::new(value, Unit::new(&unit))), "{}", text);
    }
}
