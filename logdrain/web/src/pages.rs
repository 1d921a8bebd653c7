//! Pages are built off the threads that answer deliveries, a few at a time, each within its time and in memory that is
//! counted.
//!
//! A page takes a turn and [`ROOM`] bytes while it is built. What it did not become is given back then, with the turn; the
//! rest when its last byte is sent, so that readers who do not read hold no more than what they do not read. Accounts take
//! turns, and none has all of the memory.

use super::gzip;
use super::layout::{self, Frame};
use super::pieces::{Held, in_pieces};
use super::places::{Pages, ROOM};
use super::turns::Budget;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use logdrain_drain::intake::UNIT;
use logdrain_drain::intake::http::unavailable;
use maud::{Markup, html};
use std::time::Duration;

/// The most bytes of a page.
const PAGE: usize = 1 << 20;
/// How long somebody waits for a place, and how long building may take.
const PATIENCE: Duration = Duration::from_secs(3);
const TIME: Duration = Duration::from_secs(5);

/// A page as it was built.
#[derive(Debug)]
pub struct Built {
    pub status: StatusCode,
    /// The whole document.
    pub document: Markup,
}

impl From<Markup> for Built {
    fn from(document: Markup) -> Self {
        Self { status: StatusCode::OK, document }
    }
}

impl From<(StatusCode, Markup)> for Built {
    fn from((status, document): (StatusCode, Markup)) -> Self {
        Self { status, document }
    }
}

impl Pages {
    /// Builds a page by `work`, which may read what is on the disk, and holds no more than a few MB. The budget says when its
    /// time is over; what it has then is shown.
    pub async fn build<B: Into<Built>>(
        &self,
        frame: Frame,
        work: impl FnOnce(&Frame, &Budget) -> B + Send + 'static,
    ) -> Response {
        let busy = || unavailable("others are being answered: come again\n");
        let units = u32::try_from(ROOM / UNIT).unwrap_or(u32::MAX);
        let account = frame.viewer.counts_as().to_owned();
        let Some(mut memory) = self.memory.take(&account, units, PATIENCE).await else { return busy() };
        let built = self.turns.search_for(&account, PATIENCE, TIME, move |budget| {
            let built: Built = work(&frame, budget).into();
            let (mut status, mut text) = (built.status, built.document.into_string());
            if text.len() > PAGE {
                (status, text) = (StatusCode::INTERNAL_SERVER_ERROR, too_long(&frame));
            }
            let packed = if frame.is_packed() { gzip::pack(text.as_bytes(), Compression::new(5)) } else { None };
            let is_packed = packed.is_some();
            let mut text = packed.unwrap_or_else(|| text.into_bytes());
            text.shrink_to_fit();
            memory.give_back((ROOM - text.len()) / UNIT);
            (status, is_packed, Held::bytes(text, memory))
        });
        let Ok((status, is_packed, text)) = built.await else { return busy() };
        let mut response = (status, layout::headers(), in_pieces(text)).into_response();
        if is_packed {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

fn too_long(frame: &Frame) -> String {
    frame
        .page(&html! { div.card { p { "There is more of this than fits on a page. Ask for less of it." } } })
        .into_string()
}
