//! Numbers that mostly follow each other.

/// A list of numbers, in which those that count up by one take no more than the first of them.
#[derive(Clone, Default, Debug)]
pub(crate) struct Runs {
    /// The first of each run, and the one behind its last.
    runs: Vec<(u32, u32)>,
}

impl Runs {
    /// Appends a number; it is less than the greatest there is.
    #[inline]
    pub(crate) fn push(&mut self, number: u32) {
        match self.runs.last_mut() {
            Some((_, end)) if *end == number => *end += 1,
            _ => self.runs.push((number, number.saturating_add(1))),
        }
    }

    /// The numbers in the order in which they came.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        self.runs.iter().flat_map(|(start, end)| *start..*end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_out_as_they_came_in() {
        let mut runs = Runs::default();
        let numbers = [5, 6, 7, 3, 4, 4, 5, 900, 0, 1, 2, 7];
        numbers.into_iter().for_each(|number| runs.push(number));
        assert_eq!(runs.iter().collect::<Vec<_>>(), numbers);
        assert_eq!(runs.runs.len(), 6);
    }
}
