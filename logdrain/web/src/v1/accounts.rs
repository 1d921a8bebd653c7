//! `accounts`: what an account used today of what its plan allows.

use super::answer::Answer;
use super::objects::Asked;
use super::parameters::Method;
use super::shapes::Transfer;
use logdrain_drain::journal;
use logdrain_drain::logs::Limits;

pub(super) fn route(asked: &Asked) -> Result<Answer, Answer> {
    match (asked.ask.method(), asked.ask.path().len()) {
        (Method::Read, 1) if asked.viewer.sees_all_groups() => {
            let usage = asked.site.logs.usage(&asked.viewer.account, journal::now().unix_micros());
            let Limits { volume, hard_limit } = usage.limits;
            let transfer = Transfer { used: usage.day.used.bytes, limit: volume, hard_limit };
            Ok(Answer::json(&transfer.told()))
        }
        (Method::Read, 1) => Err(Answer::forbidden("usage is for who has access to all groups")),
        _ => Err(super::nothing_here()),
    }
}
