//! Archives: the hours that are there, each to be loaded as a file.

use super::{Shared, enter};
use crate::access::Denied;
use crate::layout::{self, Frame, Tab};
use crate::{turns, v1};
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use logdrain_drain::archives::Archive;
use logdrain_drain::intake::connections::Peer;
use logdrain_terms::number;
use maud::{Markup, html};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Days with their hours, and days that are listed.
const WITH_HOURS: usize = 14;
const LISTED: usize = 400;

pub(super) async fn list(
    State(rooms): Shared,
    Extension(peer): Extension<Arc<Peer>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let viewer = match enter(&rooms.site, &peer, &headers, &uri).await {
        Ok(viewer) if viewer.sees_all_groups() => viewer,
        Ok(_) => return layout::denied(Denied::Forbidden, &rooms.site, &method, &uri, &headers),
        Err(why) => return layout::denied(why, &rooms.site, &method, &uri, &headers),
    };
    let frame = Frame::new(&rooms.site, &viewer, &headers, &uri, Tab::Archives, "Archives");
    let build = |frame: &Frame, _: &turns::Budget| match v1::archives_of(&frame.site, &frame.viewer.account) {
        Ok(archives) => (StatusCode::OK, frame.page(&content(frame, &archives))),
        Err(error) => {
            tracing::error!(%error, "archives cannot be looked at");
            let said = html! { p.banner.bad role="alert" { "The disk of the archives fails. Come again later." } };
            (StatusCode::SERVICE_UNAVAILABLE, frame.page(&said))
        }
    };
    rooms.site.pages.build(frame, build).await
}

/// An hour, or a day of them, as a file.
pub(super) async fn download(
    State(rooms): Shared,
    Extension(peer): Extension<Arc<Peer>>,
    Path(period): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    match enter(&rooms.site, &peer, &headers, &uri).await {
        Ok(viewer) if viewer.sees_all_groups() => v1::archive(&rooms.v1, &viewer, &period)
            .await
            .unwrap_or_else(|(status, why)| layout::refused(&method, &headers, status, "No such archive", &why)),
        Ok(_) => layout::denied(Denied::Forbidden, &rooms.site, &method, &uri, &headers),
        Err(why) => layout::denied(why, &rooms.site, &method, &uri, &headers),
    }
}

fn content(frame: &Frame, archives: &[Archive]) -> Markup {
    let mut days: BTreeMap<String, Vec<Archive>> = BTreeMap::new();
    for archive in archives {
        let hour = archive.hour.to_string();
        days.entry(hour.get(..10).unwrap_or_default().to_owned()).or_default().push(*archive);
    }
    let all: u64 = archives.iter().map(|archive| archive.bytes).sum();
    html! {
        section.card {
            @if archives.is_empty() {
                h2 { "No archive yet" }
                p { "An hour's file is written some minutes after the hour, if the account has a plan that asks for archives." }
                p { a href=(frame.link("/account/plan")) { "Plan and usage" } }
            } @else {
                p { b { (archives.len()) } @if archives.len() == 1 { " hour, " } @else { " hours, " } (size(all))
                    ". Each is a gzip file of lines with TABs between ten columns; hours are UTC." }
            }
        }
        @for (place, (day, hours)) in days.iter().rev().take(LISTED).enumerate() {
            section.card.day-of-files {
                h2 { a href=(frame.link(&format!("/archives/{day}"))) { (day) } " "
                    span.dim { (hours.len()) @if hours.len() == 1 { " hour, " } @else { " hours, " }
                        (size(hours.iter().map(|archive| archive.bytes).sum())) } }
                @if place < WITH_HOURS {
                    ul.hours { @for archive in hours {
                        @let hour = archive.hour.to_string();
                        li { a href=(frame.link(&format!("/archives/{hour}"))) { (hour.get(11..).unwrap_or_default()) ":00" } " "
                            span.dim { (size(archive.bytes)) } }
                    } }
                }
            }
        }
    }
}

fn size(bytes: u64) -> String {
    number::human(bytes as f64, "bytes")
}
