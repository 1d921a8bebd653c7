//! Small drawings, in the colour of the text beside them.

use maud::{Markup, Render, html};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Icon {
    Brand,
    Sun,
    Moon,
    /// As the system has it: half and half.
    Half,
}

impl Icon {
    const fn path(self) -> &'static str {
        match self {
            Self::Brand => "M5 7h12M5 11h8M5 15h4M15 13v4m0 0l-2-2m2 2l2-2",
            Self::Sun => {
                "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1"
            }
            Self::Moon => "M13 9.6A5.4 5.4 0 0 1 6.4 3 5.4 5.4 0 1 0 13 9.6z",
            Self::Half => "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM8 2.5v11M10 4v8M12 5.5v5",
        }
    }
}

impl Render for Icon {
    fn render(&self) -> Markup {
        html! {
            @if *self == Self::Brand {
                svg.logo viewBox="0 0 22 22" aria-hidden="true" { rect width="22" height="22" rx="6" {} path d=(self.path()) {} }
            } @else {
                svg.ic viewBox="0 0 16 16" aria-hidden="true" { path d=(self.path()) {} }
            }
        }
    }
}
