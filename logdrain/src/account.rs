//! `logdrain account`: what belongs to an account, by the door of the running server; without one, on the store itself.

mod people;

use crate::args::account::{AccountAction, AccountArgs};
use crate::failure::{Failure, Status};

pub(crate) fn run(args: &AccountArgs) -> Result<Status, Failure> {
    match &args.action {
        AccountAction::Member(action) => people::member(args, action),
        AccountAction::Purge(asked) => crate::serve::purge(&args.store, asked),
        AccountAction::Token(action) => people::token(args, action),
    }
}
