//! Why there is no dashboard to see, as a page.

use super::PATH;
use super::board::Refused;
use crate::layout::Frame;
use crate::pages::Built;
use maud::html;

/// The page that says why, with the way to those that there are.
pub(super) fn refused(frame: &Frame, why: &Refused) -> Built {
    let mut letters = why.why.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let content = html! {
        div.card role="alert" {
            p { (first) (letters.as_str()) "." }
            p { a href=(frame.link(PATH)) { "To the Overview" } }
        }
    };
    Built::from((why.status, frame.page(&content)))
}
