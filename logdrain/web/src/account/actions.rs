//! What a form asks for, handed to the API.

use super::form::Form;
use super::part::Part;
use super::sent::{Outcome, Refused, Sent};
use super::{Rooms, filters, members, plan, profile, searches, tokens};
use crate::access::Viewer;
use axum::http::{HeaderMap, Method, StatusCode};
use serde_json::json;

pub(super) async fn act(
    rooms: &Rooms,
    viewer: &Viewer,
    headers: &HeaderMap,
    part: Part,
    form: &Form,
) -> Result<Outcome, Refused> {
    let sent = Sent { rooms, viewer, headers, form };
    match (part, form.text("do").unwrap_or_default()) {
        (Part::Profile, "zone") => profile::set_zone(&sent).await,
        (Part::Profile, "add-token") => tokens::add(&sent).await,
        (Part::Profile, "remove-token") => tokens::remove(&sent).await,
        (Part::Members, "add") => members::add(&sent).await,
        (Part::Members, "save") => members::save(&sent).await,
        (Part::Members, "remove") => members::remove(&sent).await,
        (Part::Plan, "try") => plan::change(&sent, true).await,
        (Part::Plan, "change") => plan::change(&sent, false).await,
        (Part::Destinations, "unknown") => {
            let takes = json!({ "takes_unknown_systems": form.is_ticked("takes") });
            sent.v2(Method::PATCH, "account", takes).await?;
            Ok(Outcome::Done("unknown"))
        }
        (Part::Filters, "preview") => filters::preview(&sent).await,
        (Part::Filters, "add") => filters::add(&sent).await,
        (Part::Filters, "turn") => filters::turn(&sent).await,
        (Part::Filters, "remove") => filters::remove(&sent).await,
        (Part::Searches, what) => searches::act(&sent, what).await,
        _ => Err((StatusCode::BAD_REQUEST, "there is no such form".to_owned())),
    }
}
