//! `logdrain account`: what belongs to an account. Members and tokens by the door of the running server, and without one on
//! the store itself; plans, filters and usage by the API.

mod bucket;
mod filters;
mod people;
mod served;

use crate::args::account::{AccountAction, AccountArgs};
use logdrain_terms::failure::{Failure, Status};

pub(crate) fn run(args: &AccountArgs) -> Result<Status, Failure> {
    match &args.action {
        AccountAction::Status(server) => served::status(&served::server(args, server)?),
        AccountAction::List(server) => served::list(&served::server(args, server)?),
        AccountAction::Create { name, server } => served::create(&served::server(args, server)?, name),
        AccountAction::Plan { plan, dry_run, server } => served::plan(&served::server(args, server)?, plan, *dry_run),
        AccountAction::Filter(action) => filters::run(args, action),
        AccountAction::Bucket(action) => bucket::run(args, action),
        AccountAction::Member(action) => people::member(args, action),
        AccountAction::Destroy(asked) => crate::serve::destroy::run(&args.store, asked),
        AccountAction::Purge(asked) => crate::serve::purge(&args.store, asked),
        AccountAction::Token(action) => people::token(args, action),
    }
}
