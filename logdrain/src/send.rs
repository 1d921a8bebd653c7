//! `logdrain send`: the Logplex for tests, which is a crate of its own.

use logdrain_terms::failure::{Failure, Status};
use logdrain_terms::json;
use logplex::{End, Error, SendArgs};

pub(crate) fn run(args: &SendArgs) -> Result<Status, Failure> {
    match logplex::run(args, &|out, point| json::line(out, point)) {
        Ok(End::Told) => Ok(Status::Done),
        Ok(_) => Ok(Status::BadInput),
        Err(Error::Create { path, error }) => Err(Failure::create(&path, &error)),
        Err(Error::Write(error)) => Err(Failure::Write(error)),
        Err(error) => Err(Failure::Config(error.to_string())),
    }
}
