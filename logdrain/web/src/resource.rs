//! What an add-on's resources are called, and their accounts.

const PREFIX: &str = "heroku-";

/// The account of a resource. No other account is called so by chance.
pub(crate) fn account_of(uuid: &str) -> String {
    format!("{PREFIX}{uuid}")
}

/// Whether an account is that of a resource: Heroku says what plan it has, and is paid for that.
pub(crate) fn is_of_one(account: &str) -> bool {
    account.strip_prefix(PREFIX).and_then(uuid).is_some()
}

/// A UUID as Heroku writes it, in lower case.
pub(crate) fn uuid(text: &str) -> Option<String> {
    let is_dash = |index: usize| matches!(index, 8 | 13 | 18 | 23);
    let fits = text.len() == 36
        && text
            .bytes()
            .enumerate()
            .all(|(index, byte)| if is_dash(index) { byte == b'-' } else { byte.is_ascii_hexdigit() });
    fits.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_of_resources_are_known_by_their_names() {
        let uuid = "01234567-89ab-cdef-0123-456789abcdef";
        assert!(is_of_one(&account_of(uuid)));
        for other in ["shop", "heroku-shop", "heroku-", uuid, "heroku-01234567-89ab-cdef-0123-456789abcdef.drain"] {
            assert!(!is_of_one(other), "{other}");
        }
    }
}
