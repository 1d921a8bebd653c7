//! Rules on minutes of metrics: `condition` and `rule` say what is asked, `signal` holds what one stream had, `watching` the
//! signals of a rule and its open incidents, `identity` who they are, `index` finds those of a point, `alert` is what comes out, `rules` all of
//! them together and `state` their bytes.

mod alert;
mod condition;
mod identity;
mod index;
mod rule;
mod rules;
mod signal;
mod state;
mod watching;

pub use alert::{Change, Clear, MetricAlert, Reading};
pub use condition::{Condition, Function};
pub use rule::MetricRule;
pub use rules::{MOST_SIGNALS, MetricRules};
