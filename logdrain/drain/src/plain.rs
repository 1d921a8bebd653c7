//! Plain syslog, as machines send it: RFC 5424 and RFC 3164, and what senders make of both.
//!
//! Nothing is refused for its form. A line that says nothing of itself is kept as it is, under the address that it came
//! from. Reading needs no clock and no list of zones: what a time without a year and a zone means is told by the time of
//! the line's id, and by the offsets of its port's zone, which are kept with the delivery.

mod line;
#[cfg(test)]
mod tests;
mod time;

pub(crate) use line::element;
pub use line::read;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// How a delivery of plain lines is to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Plain {
    /// Minutes east of UTC of the port's zone when they came, and a day before.
    offsets: [i16; 2],
    /// The system of its lines is the address that they came from, whatever they say.
    by_address: bool,
}

/// In the journal's column: this, and above it both offsets, 12 bits each, and one bit for the address.
const KIND: i64 = 1;
const KIND_BITS: u32 = 8;
const OFFSET_BITS: u32 = 12;
/// An offset is kept as a number from 0 up. None is as large as this.
const MIDDLE: i64 = 1 << (OFFSET_BITS - 1);
const ADDRESS_BIT: u32 = KIND_BITS + 2 * OFFSET_BITS;

/// A sender's clock may be ahead by so much, and be past a change of its zone already.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);
/// A line may have been on its way for so long, and be from before a change.
const BEFORE: SignedDuration = SignedDuration::from_hours(24);

impl Plain {
    /// Of lines that come now, in microseconds since 1970, from senders in this zone.
    pub fn now(zone: &TimeZone, now: i64) -> Self {
        let now = Timestamp::from_microsecond(now).unwrap_or(Timestamp::UNIX_EPOCH);
        let offset = |time: Timestamp| i16::try_from(zone.to_offset(time).seconds() / 60).unwrap_or(0);
        let latest = offset(now.saturating_add(AHEAD).unwrap_or(now));
        Self { offsets: [latest, offset(now.saturating_sub(BEFORE).unwrap_or(now))], by_address: false }
    }

    /// The same, of lines whose HOSTNAME is not believed.
    pub const fn with_address(self, by_address: bool) -> Self {
        Self { by_address, ..self }
    }

    pub const fn is_by_address(self) -> bool {
        self.by_address
    }

    /// The number that stands for it in the journal.
    pub fn code(self) -> i64 {
        let [now, before] = self.offsets.map(|offset| (i64::from(offset) + MIDDLE).clamp(0, 2 * MIDDLE - 1));
        KIND | now << KIND_BITS | before << (KIND_BITS + OFFSET_BITS) | i64::from(self.by_address) << ADDRESS_BIT
    }

    /// What a number of the journal stands for; `None` when it is another kind of delivery.
    pub fn of_code(code: i64) -> Option<Self> {
        let bits = |from: u32| i16::try_from((code >> from & (2 * MIDDLE - 1)) - MIDDLE).unwrap_or(0);
        let plain =
            Self { offsets: [bits(KIND_BITS), bits(KIND_BITS + OFFSET_BITS)], by_address: code >> ADDRESS_BIT == 1 };
        (plain.code() == code).then_some(plain)
    }
}

#[cfg(test)]
mod codes {
    use super::*;

    #[test]
    fn the_journals_number_says_all_of_it() {
        for offsets in [[0, 0], [120, 60], [-720, -720], [840, 840], [345, 330], [-1_559, 1_559]] {
            for by_address in [false, true] {
                let plain = Plain { offsets, by_address };
                assert_eq!(Plain::of_code(plain.code()), Some(plain));
            }
        }
        for other in [0, 2, -1, i64::MIN, i64::MAX, Plain::default().code() | 1 << 40] {
            assert_eq!(Plain::of_code(other), None, "{other}");
        }
    }

    #[test]
    fn a_zone_has_two_offsets_on_the_day_on_which_it_changes() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_microsecond();
        assert_eq!(Plain::now(&zone, at("2026-07-01T12:00:00Z")).offsets, [120, 120]);
        // Clocks are set back at 01:00 UTC.
        assert_eq!(Plain::now(&zone, at("2026-10-25T00:50:00Z")).offsets, [120, 120]);
        assert_eq!(Plain::now(&zone, at("2026-10-25T01:10:00Z")).offsets, [60, 120]);
        assert_eq!(Plain::now(&zone, at("2026-10-26T12:00:00Z")).offsets, [60, 60]);
        assert_eq!(Plain::now(&TimeZone::UTC, i64::MAX).offsets, [0, 0]);
    }
}
