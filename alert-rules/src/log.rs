//! Rules on lines: `rule` says what is asked, `window` holds what was found, `needles` finds which rules a line is for, with
//! `line`, a line as all rules look at it, and `walk`, a query over what was found of it, `alert` is what comes out, `rules` all
//! of them together and `state` their bytes.

mod alert;
mod line;
mod needles;
mod rule;
mod rules;
mod state;
mod walk;
mod window;

pub use alert::LogAlert;
pub use rule::{LogRule, Period};
pub use rules::{LogRules, MOST_RECORDS};
