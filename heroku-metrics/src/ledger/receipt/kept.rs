//! The numbers of a receipt as snapshots keep them.

use super::{FRAME, FRAMING, NUMBERS, REASONS, Receipt, SKIPPED, UNREAD};

/// Why the numbers of a snapshot are no books.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Misfit {
    Newer,
    Senseless,
}

/// How many numbers there are of each group. New ones go to the end of their group, new groups behind the others: a
/// snapshot says how many it holds of each, and those it lacks are 0.
const GROUPS: [usize; 7] =
    [SKIPPED, FRAMING.len(), FRAME.len(), REASONS.len(), REASONS.len(), REASONS.len(), NUMBERS - UNREAD];

/// How many numbers of each group version 1 of the snapshots held, one behind the other.
const VERSION_1: [usize; 6] = [18, 3, 7, 18, 18, 18];

impl Receipt {
    /// The numbers as a snapshot keeps them, group by group.
    pub(crate) fn groups(&self) -> impl ExactSizeIterator<Item = &[u64]> {
        let mut rest = &self.0[..];
        GROUPS.into_iter().map(move |len| {
            let group;
            (group, rest) = rest.split_at(len);
            group
        })
    }

    /// From the groups of a snapshot; numbers that it lacks are 0.
    ///
    /// # Errors
    /// [`Misfit::Newer`] when it holds more numbers than there are here: they would be lost.
    /// [`Misfit::Senseless`] when the books do not balance, or so much was counted that going on could overflow: nobody has
    /// counted 2^63 of anything.
    pub(crate) fn from_groups(given: &[impl AsRef<[u64]>]) -> Result<Self, Misfit> {
        let mut receipt = Self::default();
        if given.len() > GROUPS.len() {
            return Err(Misfit::Newer);
        }
        let mut rest = &mut receipt.0[..];
        for (len, numbers) in GROUPS.into_iter().zip(given) {
            let group;
            (group, rest) = rest.split_at_mut(len);
            let numbers = numbers.as_ref();
            group.get_mut(..numbers.len()).ok_or(Misfit::Newer)?.copy_from_slice(numbers);
        }
        let is_sane = receipt.0.iter().all(|number| *number <= u64::MAX / 2);
        if is_sane && receipt.balances() { Ok(receipt) } else { Err(Misfit::Senseless) }
    }

    /// From a snapshot of version 1, which holds all numbers in one row.
    pub(crate) fn from_version_1(numbers: &[u64]) -> Result<Self, Misfit> {
        let (mut rest, mut groups) = (numbers, Vec::new());
        for len in VERSION_1 {
            let group;
            (group, rest) = rest.split_at_checked(len).ok_or(Misfit::Senseless)?;
            groups.push(group);
        }
        if rest.is_empty() { Self::from_groups(&groups) } else { Err(Misfit::Senseless) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BYTES, FRAMES, REFUSED_VALUES, TEXT, index};
    use super::*;
    use crate::classify::Class;
    use crate::refusal::Why;

    #[test]
    fn adding_adds_every_number_to_its_own() {
        for without in [false, true] {
            // Each number alone, then all of them, with and without those that are nearly always 0.
            for chosen in (0..NUMBERS).map(Some).chain([None]) {
                let wanted = |at| chosen.is_none_or(|chosen| chosen == at) && !(without && at >= SKIPPED);
                let before: [u64; NUMBERS] = std::array::from_fn(|at| 1_000 * (at as u64 + 1));
                let theirs = std::array::from_fn(|at| if wanted(at) { 1 + at as u64 } else { 0 });
                let mut mine = Receipt(before);
                mine.add(&Receipt(theirs));
                assert_eq!(mine.0, std::array::from_fn(|at| before[at] + theirs[at]), "{chosen:?}");
            }
        }
        let mut full = Receipt([u64::MAX; NUMBERS]);
        full.add(&Receipt([1; NUMBERS]));
        assert_eq!(full, Receipt([u64::MAX; NUMBERS]));
    }

    #[test]
    fn the_groups_hold_every_number() {
        let receipt = Receipt(std::array::from_fn(|at| at as u64));
        assert_eq!(receipt.groups().collect::<Vec<_>>().concat(), receipt.0);
        // In this order in every snapshot that there is.
        assert_eq!(receipt.groups().map(<[u64]>::len).collect::<Vec<_>>(), [18, 5, 8, 22, 22, 22, 7]);
    }

    #[test]
    fn numbers_that_a_snapshot_lacks_are_nought_and_more_than_there_are_is_newer() {
        let mut receipt = Receipt::default();
        receipt.enter_frame(Class::Custom, 0);
        receipt.enter_frame(Class::UnreadError, 0);
        let groups: Vec<_> = receipt.groups().map(<[u64]>::to_vec).collect();
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
        // frames, text, refused as bad_pri; bytes and skipped as truncated; values and refused as no_timestamp
        for (at, count) in [(6, 2), (9, 1), (21, 1), (3, 5), (20, 5), (11, 1), (28 + 17, 1)] {
            row[at] = count;
        }
        let receipt = Receipt::from_version_1(&row).unwrap();
        assert_eq!((receipt.0[FRAMES], receipt.0[TEXT], receipt.refused_frames()), (2, 1, 1));
        assert_eq!((receipt.0[BYTES], receipt.0[SKIPPED + 2]), (5, 5));
        assert_eq!(receipt.0[REFUSED_VALUES + Why::NoTimestamp.index()], 1);
        assert_eq!(Receipt::from_version_1(&row[1..]), Err(Misfit::Senseless));
        assert_eq!(Receipt::from_version_1(&[&row[..], &[0]].concat()), Err(Misfit::Senseless));
    }

    #[test]
    fn every_kind_of_the_reading_crate_has_a_line_of_its_own() {
        use heroku_syslog::{FrameErrorKind as Frame, FramingErrorKind as Framing};
        for kind in [Framing::BadLength, Framing::TooLong, Framing::Truncated] {
            assert_eq!(FRAMING[index(&FRAMING, kind.as_str())], kind.as_str());
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
            assert_eq!(FRAME[index(&FRAME, kind.as_str())], kind.as_str());
        }
        assert_eq!(FRAMING[index(&FRAMING, "not known here")], "other");
    }
}
