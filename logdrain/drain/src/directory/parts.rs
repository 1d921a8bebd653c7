//! What all accounts have together is bounded, and none of them can take all of it.

use super::DirectoryError;

/// An account has so many in any case.
const FEW: i64 = 10;
/// Of what is left an account may have one part in so many.
const PART: i64 = 4;

/// How much of something there is: what an account has and may have, and what all have and may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) own: i64,
    pub(super) of_account: i64,
    pub(super) taken: i64,
    pub(super) all: i64,
}

impl Part {
    /// Whether the account may have one more.
    ///
    /// The fuller it is, the less an account may have: no more than a part of what is left. So accounts that take whatever they
    /// get leave the others some, a hundred of them one place in 26.
    ///
    /// # Errors
    /// Why not; `what` is what these are called.
    pub(super) fn one_more(self, what: &str) -> Result<(), DirectoryError> {
        self.more(FEW, what)
    }

    /// The same where an account has so many in any case.
    ///
    /// # Errors
    /// As [`Part::one_more`].
    pub(super) fn more(self, few: i64, what: &str) -> Result<(), DirectoryError> {
        let Self { own, of_account, taken, all } = self;
        let left = all - taken;
        if own >= of_account {
            return Err(DirectoryError::TooMany(format!("an account has {of_account} {what} at most: remove some")));
        }
        if left <= 0 || (own >= few && own >= left / PART) {
            return Err(DirectoryError::TooMany(format!(
                "all accounts together have so many {what} that this one may have no more now: remove some"
            )));
        }
        Ok(())
    }
}

/// A length as a number of the file.
pub(super) fn count(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_that_take_what_they_get_leave_the_others_some() {
        const ALL: i64 = 10_000;
        let mut own = [0; 100];
        let may = |own: i64, taken: i64| Part { own, of_account: 1_000, taken, all: ALL }.one_more("members").is_ok();
        let mut taken = 0;
        loop {
            let before = taken;
            for account in &mut own {
                if may(*account, taken) {
                    *account += 1;
                    taken += 1;
                }
            }
            if taken == before {
                break;
            }
        }
        assert!((ALL / 30..ALL / 20).contains(&(ALL - taken)), "{taken}");
        assert!(may(0, taken) && may(9, taken));
        let why =
            |own, taken| Part { own, of_account: 500, taken, all: ALL }.one_more("tokens").unwrap_err().to_string();
        assert_eq!(why(500, 500), "an account has 500 tokens at most: remove some");
        assert!(why(0, ALL).contains("all accounts together") && why(20, ALL - 79).contains("all accounts together"));
    }
}
