//! A list of numbers that takes half the memory where they allow it.

/// Numbers in the order in which they came, with four bytes each as long as all of them are the same with four as with
/// eight. Whole numbers up to 16 million are, which is what most lines say: milliseconds and bytes.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    Short(Vec<f32>),
    Long(Vec<f64>),
}

/// The numbers of a list, or of a slice.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Numbers<'a> {
    Short(&'a [f32]),
    Long(&'a [f64]),
}

/// Whether it is the same number in four bytes.
#[inline]
fn is_short(value: f64) -> bool {
    f64::from(value as f32) == value
}

impl Values {
    /// An empty list with room for so many.
    pub(crate) fn with_room(len: usize) -> Self {
        Self::Short(Vec::with_capacity(len))
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.numbers().len()
    }

    /// For how many it has room.
    #[inline]
    pub(crate) fn room(&self) -> usize {
        match self {
            Self::Short(values) => values.capacity(),
            Self::Long(values) => values.capacity(),
        }
    }

    /// Makes room for so many in all, and no more.
    pub(crate) fn make_room(&mut self, len: usize) {
        match self {
            Self::Short(values) => values.reserve_exact(len.saturating_sub(values.len())),
            Self::Long(values) => values.reserve_exact(len.saturating_sub(values.len())),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, value: f64) {
        self.extend(core::iter::once(value));
    }

    #[inline]
    pub(crate) fn extend(&mut self, more: impl Iterator<Item = f64> + Clone) {
        if let Self::Short(values) = self {
            if more.clone().all(is_short) {
                return values.extend(more.map(|value| value as f32));
            }
            self.set_long();
        }
        if let Self::Long(values) = self {
            values.extend(more);
        }
    }

    /// Eight bytes for each from here on; the room stays.
    #[cold]
    fn set_long(&mut self) {
        let mut long = Vec::with_capacity(self.room());
        long.extend(self.numbers().iter());
        *self = Self::Long(long);
    }

    #[inline]
    pub(crate) fn numbers(&self) -> Numbers<'_> {
        match self {
            Self::Short(values) => Numbers::Short(values),
            Self::Long(values) => Numbers::Long(values),
        }
    }
}

impl Numbers<'_> {
    #[inline]
    pub(crate) const fn len(self) -> usize {
        match self {
            Self::Short(values) => values.len(),
            Self::Long(values) => values.len(),
        }
    }

    #[inline]
    pub(crate) fn get(self, at: usize) -> Option<f64> {
        match self {
            Self::Short(values) => values.get(at).copied().map(f64::from),
            Self::Long(values) => values.get(at).copied(),
        }
    }

    #[inline]
    pub(crate) fn iter(self) -> impl Iterator<Item = f64> + Clone {
        self.every(0, 1)
    }

    /// Each `step`-th from the one at `first` on.
    #[inline]
    pub(crate) fn every(self, first: usize, step: usize) -> impl Iterator<Item = f64> + Clone {
        (first..self.len()).step_by(step).map_while(move |at| self.get(at))
    }

    /// Copies each `step`-th from the one at `first` on; answers how many there were.
    #[inline]
    pub(crate) fn copy_every(self, first: usize, step: usize, into: &mut [f64]) -> usize {
        fn copy<T: Copy + Into<f64>>(from: &[T], first: usize, step: usize, into: &mut [f64]) -> usize {
            let (mut at, mut count) = (first, 0);
            for place in into {
                let Some(value) = from.get(at) else { break };
                *place = (*value).into();
                (at, count) = (at + step, count + 1);
            }
            count
        }
        match self {
            Self::Short(values) => copy(values, first, step, into),
            Self::Long(values) => copy(values, first, step, into),
        }
    }

    /// Looks at them as a slice.
    #[inline]
    pub(crate) fn with<T>(self, look: impl FnOnce(&[f64]) -> T) -> T {
        let (mut few, mut many, all);
        look(match self {
            Self::Long(values) => values,
            // A copy, of which no more is filled twice than need be.
            Self::Short(values) if values.len() <= 16 => {
                few = [0.0; 16];
                copied(&mut few, values)
            }
            Self::Short(values) if values.len() <= 64 => {
                many = [0.0; 64];
                copied(&mut many, values)
            }
            Self::Short(values) => {
                all = values.iter().copied().map(f64::from).collect::<Vec<f64>>();
                &all
            }
        })
    }
}

#[inline]
fn copied<'a>(to: &'a mut [f64], values: &[f32]) -> &'a [f64] {
    to.iter_mut().zip(values).for_each(|(place, value)| *place = f64::from(*value));
    to.get(..values.len()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_is_short_until_a_number_is_not() {
        let mut list = Values::with_room(12);
        [0.0, 1.5, 16_777_216.0, -7.25].into_iter().for_each(|value| list.push(value));
        assert!(matches!(list, Values::Short(_)));
        list.push(0.1);
        assert!(matches!(list, Values::Long(_)));
        assert_eq!((list.len(), list.room()), (5, 12));
        list.numbers().with(|all| assert_eq!(all, [0.0, 1.5, 16_777_216.0, -7.25, 0.1]));
    }

    proptest! {
        #[test]
        fn what_was_put_in_comes_out_to_the_bit(
            parts in prop::collection::vec(prop::collection::vec(prop_oneof![
                any::<f64>().prop_filter("finite", |value| value.is_finite()),
                any::<f32>().prop_filter("finite", |value| value.is_finite()).prop_map(f64::from),
                (-300..3_000_i32).prop_map(f64::from),
            ], 0..20), 0..8),
            first in 0usize..9,
            step in 1usize..5,
        ) {
            let mut list = Values::with_room(2);
            parts.iter().for_each(|part| list.extend(part.iter().copied()));
            let all = parts.concat();
            let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            list.numbers().with(|found| assert_eq!(bits(found), bits(&all)));
            let every: Vec<f64> = all.iter().copied().skip(first).step_by(step).collect();
            prop_assert_eq!(bits(&list.numbers().every(first, step).collect::<Vec<_>>()), bits(&every));
            let mut copied = [0.0; 160];
            let count = list.numbers().copy_every(first, step, &mut copied);
            prop_assert_eq!(bits(&copied[..count]), bits(&every));
            prop_assert_eq!(list.numbers().get(all.len()), None);
        }
    }
}
