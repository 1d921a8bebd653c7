//! The numbers of a receipt as snapshots keep them.

use super::Receipt;

/// Why the numbers of a snapshot are no books.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Misfit {
    Newer,
    Senseless,
}

/// How many numbers of each group version 1 of the snapshots held, one behind the other.
const VERSION_1: [usize; 6] = [18, 3, 7, 18, 18, 18];

impl Receipt {
    /// Every number of the receipt, in groups, in the order that snapshots keep. New ones go to the end of their group,
    /// new groups behind the others: a snapshot says how many it holds of each, and those it lacks are 0.
    fn groups(&mut self) -> [Vec<&mut u64>; 7] {
        let singles = [
            &mut self.deliveries,
            &mut self.duplicates,
            &mut self.miscounted,
            &mut self.octets,
            &mut self.frame_octets,
            &mut self.separators,
            &mut self.frames,
            &mut self.native,
            &mut self.custom,
            &mut self.text,
            &mut self.filtered,
            &mut self.values,
            &mut self.observed,
            &mut self.not_in_plan,
            &mut self.ignored_samples,
            &mut self.lost_upstream,
            &mut self.accepted,
            &mut self.turned_away,
        ];
        [
            singles.into(),
            self.skipped.iter_mut().collect(),
            self.refused_frames.iter_mut().collect(),
            self.refused_values.iter_mut().collect(),
            self.refused_tags.iter_mut().collect(),
            self.refused_fields.iter_mut().collect(),
            self.seldom.iter_mut().collect(),
        ]
    }

    #[cfg(test)]
    fn numbers(&mut self) -> impl Iterator<Item = &mut u64> {
        self.groups().into_iter().flatten()
    }

    /// The numbers as a snapshot keeps them, group by group.
    pub(crate) fn to_groups(mut self) -> Vec<Vec<u64>> {
        self.groups().into_iter().map(|group| group.into_iter().map(|number| *number).collect()).collect()
    }

    /// From the groups of a snapshot; numbers that it lacks are 0.
    ///
    /// # Errors
    /// [`Misfit::Newer`] when it holds more numbers than there are here: they would be lost.
    /// [`Misfit::Senseless`] when the books do not balance, or so much was counted that going on could overflow: nobody has
    /// counted 2^63 of anything.
    pub(crate) fn from_groups(given: &[Vec<u64>]) -> Result<Self, Misfit> {
        let mut receipt = Self::default();
        let mut groups = receipt.groups();
        if given.len() > groups.len() {
            return Err(Misfit::Newer);
        }
        for (slots, numbers) in groups.iter_mut().zip(given) {
            if numbers.len() > slots.len() {
                return Err(Misfit::Newer);
            }
            for (slot, number) in slots.iter_mut().zip(numbers) {
                **slot = *number;
            }
        }
        let is_sane = given.iter().flatten().all(|number| *number <= u64::MAX / 2);
        if is_sane && receipt.balances() { Ok(receipt) } else { Err(Misfit::Senseless) }
    }

    /// From a snapshot of version 1, which holds all numbers in one row.
    pub(crate) fn from_version_1(numbers: &[u64]) -> Result<Self, Misfit> {
        let (mut rest, mut groups) = (numbers, Vec::new());
        for len in VERSION_1 {
            let group;
            (group, rest) = rest.split_at_checked(len).ok_or(Misfit::Senseless)?;
            groups.push(group.to_vec());
        }
        if rest.is_empty() { Self::from_groups(&groups) } else { Err(Misfit::Senseless) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FRAME, FRAMING, SELDOM, place};
    use super::*;
    use crate::{Class, Reason};

    /// A receipt whose numbers are all different, and what it holds.
    fn filled(step: u64) -> (Receipt, Vec<u64>) {
        let mut receipt = Receipt::default();
        receipt.numbers().zip(1..).for_each(|(number, n)| *number = step * n);
        let numbers = receipt.to_groups().concat();
        (receipt, numbers)
    }

    #[test]
    fn adding_adds_every_number_to_its_own() {
        let numbers = Receipt::default().numbers().count();
        // Behind all others.
        let seldom = FRAMING.len() + FRAME.len() + 3 * Reason::ALL.len() + SELDOM.len();
        for without in [false, true] {
            // Each number alone, then all of them, with and without those that are nearly always 0.
            for chosen in (0..numbers).map(Some).chain([None]) {
                let (mut mine, before) = filled(1_000);
                let wanted =
                    |place| chosen.is_none_or(|chosen| chosen == place) && !(without && place >= numbers - seldom);
                let mut theirs = Receipt::default();
                for (place, number) in theirs.numbers().enumerate().filter(|(place, _)| wanted(*place)) {
                    *number = 1 + place as u64;
                }
                let added = theirs.to_groups().concat();
                mine.add(&theirs);
                let sums: Vec<_> = before.iter().zip(added).map(|(mine, theirs)| mine + theirs).collect();
                assert_eq!(mine.to_groups().concat(), sums, "{chosen:?}");
            }
        }
        let mut full = Receipt { octets: u64::MAX, ..Receipt::default() };
        full.add(&Receipt { octets: 1, ..Receipt::default() });
        assert_eq!(full.octets, u64::MAX);
    }

    #[test]
    fn numbers_that_a_snapshot_lacks_are_nought_and_more_than_there_are_is_newer() {
        let mut receipt = Receipt::default();
        receipt.enter_frame(Class::Custom, 0);
        receipt.enter_frame(Class::UnreadError, 0);
        let groups = receipt.to_groups();
        assert_eq!(Receipt::from_groups(&groups), Ok(receipt));
        let mut short = groups.clone();
        for group in short.iter_mut().skip(1) {
            while group.last() == Some(&0) {
                group.pop();
            }
        }
        assert_eq!(Receipt::from_groups(&short), Ok(receipt));
        for group in 0..groups.len() {
            let mut long = groups.clone();
            long[group].push(0);
            assert_eq!(Receipt::from_groups(&long), Err(Misfit::Newer), "group {group}");
        }
        assert_eq!(Receipt::from_groups(&[groups, vec![vec![]]].concat()), Err(Misfit::Newer));
    }

    #[test]
    fn version_1_held_the_first_numbers_of_each_group() {
        let numbers: usize = VERSION_1.iter().sum();
        let mut row = vec![0; numbers];
        // frames, text, refused as bad_pri; octets and skipped as truncated; values and refused as no_timestamp
        for (place, count) in [(6, 2), (9, 1), (21, 1), (3, 5), (20, 5), (11, 1), (28 + 17, 1)] {
            row[place] = count;
        }
        let receipt = Receipt::from_version_1(&row).unwrap();
        assert_eq!((receipt.frames, receipt.text, receipt.refused_frames()), (2, 1, 1));
        assert_eq!((receipt.octets, receipt.skipped[2]), (5, 5));
        assert_eq!(receipt.refused_values[Reason::NoTimestamp.place()], 1);
        assert_eq!(Receipt::from_version_1(&row[1..]), Err(Misfit::Senseless));
        assert_eq!(Receipt::from_version_1(&[&row[..], &[0]].concat()), Err(Misfit::Senseless));
    }

    #[test]
    fn every_kind_of_the_reading_crate_has_a_line_of_its_own() {
        use heroku_syslog::{FrameErrorKind as Frame, FramingErrorKind as Framing};
        for kind in [Framing::BadLength, Framing::TooLong, Framing::Truncated] {
            assert_eq!(FRAMING[place(&FRAMING, kind.as_str())], kind.as_str());
        }
        for kind in [
            Frame::BadPri,
            Frame::BadVersion,
            Frame::BadTimestamp,
            Frame::MissingField,
            Frame::BadStructuredData,
            Frame::NotUtf8,
            Frame::FieldTooLong,
        ] {
            assert_eq!(FRAME[place(&FRAME, kind.as_str())], kind.as_str());
        }
        assert_eq!(FRAMING[place(&FRAMING, "not known here")], "other");
    }
}
