//! Which object is asked for.

use super::answer::Answer;
use super::objects::Asked;
use super::parameters::Ask;
use super::{accounts, destinations, groups, searches, systems, users};
use crate::access::Viewer;
use crate::site::Site;
use std::sync::Arc;

/// Answers what is asked of objects: the first piece of the path names their kind.
pub(super) async fn route(site: &Arc<Site>, ask: &Ask, viewer: &Viewer) -> Result<Answer, Answer> {
    if !viewer.may_read() {
        return Err(Answer::forbidden("this token may send, and see nothing"));
    }
    let settings = site.intake.settings();
    let asked = Arc::new(Asked { site: site.clone(), viewer: viewer.clone(), ask: ask.clone(), settings });
    match ask.path().first().copied() {
        Some("systems") => systems::route(&asked).await,
        Some("groups") => groups::route(&asked).await,
        Some("searches") => searches::route(&asked).await,
        Some("destinations") => destinations::route(&asked),
        Some("users") => users::route(&asked).await,
        Some("accounts") => accounts::route(&asked),
        _ => Err(super::nothing_here()),
    }
}
