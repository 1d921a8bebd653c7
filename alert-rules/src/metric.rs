//! Rules on minutes of metrics: `condition` and `rule` say what is asked, `signal` holds what one stream had and `signals` all of
//! them, `identity` says who they are, `streams` finds those of a point, `room` counts what they take and `sharing` gives it to
//! many, `watching` judges a rule and holds its open incidents, `alert` is what comes out, `rules` all of them together and `state`
//! their bytes.

mod alert;
mod condition;
mod identity;
mod room;
mod rule;
mod rules;
mod sharing;
mod signal;
mod signals;
mod state;
mod streams;
mod watching;

pub use alert::{Change, Clear, MetricAlert, Reading};
pub use condition::{Condition, Function, Total};
pub use room::fair_share;
pub use rule::MetricRule;
pub use rules::{MOST_SIGNALS, MetricRules};
