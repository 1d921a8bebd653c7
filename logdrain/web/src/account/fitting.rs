//! Lists of forms, as far as a page has room for them.

use maud::{Markup, PreEscaped};

/// The most bytes of one list: a page may have two, and be 1 MB long.
const ROOM: usize = 384 << 10;

/// The first ones, as far as a part of a page has room for them, and how many are left.
pub(super) fn fitting<T>(all: impl IntoIterator<Item = T>, one: impl Fn(T) -> Markup) -> (Markup, usize) {
    let (mut text, mut left) = (String::new(), 0);
    for each in all {
        // Those behind one that has no room have none either: nobody looks for gaps.
        if left > 0 {
            left += 1;
            continue;
        }
        let next = one(each).into_string();
        if text.len() + next.len() > ROOM {
            left = 1;
        } else {
            text.push_str(&next);
        }
    }
    (PreEscaped(text), left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use maud::html;

    #[test]
    fn what_has_no_room_is_counted() {
        let each = |len: usize| html! { p { ("x".repeat(len)) } };
        let (all, left) = fitting([1, 2, 3], each);
        assert_eq!((all.into_string().as_str(), left), ("<p>x</p><p>xx</p><p>xxx</p>", 0));
        let (some, left) = fitting([ROOM / 2, ROOM, 1], each);
        assert!(some.into_string().len() < ROOM && left == 2);
    }
}
