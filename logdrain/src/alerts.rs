//! `logdrain alerts`: what rules would have told of recorded logs, and rules to begin with.
//!
//! ```text
//! rules file -> file -> past (lines and rows through alert-rules, by the logs' own time) -> told
//! templates  -> file
//! ```

mod past;
mod templates;
mod told;

use crate::args::alerts::{AlertsAction, AlertsArgs, CheckArgs};
use crate::input::{self, End};
use logdrain_drain::alerts::file;
use logdrain_terms::failure::{Failure, Status};
use past::Past;

pub(crate) fn run(args: &AlertsArgs) -> Result<Status, Failure> {
    match &args.action {
        AlertsAction::Check(args) => check(args),
        AlertsAction::Templates { names } => templates::print(names),
    }
}

fn check(args: &CheckArgs) -> Result<Status, Failure> {
    let rules = file::load(&args.rules)?;
    let mut past = Past::new(&rules, args)?;
    let mut status = Status::Done;
    for path in &args.input.files {
        match input::read(path, &args.input, false, &mut past)? {
            End::Complete => {}
            End::BrokeOff | End::Unread => status = Status::BadInput,
            End::Asked => break,
        }
    }
    let fired = past.end()?;
    Ok(if fired { status } else { Status::BadInput })
}
