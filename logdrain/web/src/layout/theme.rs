//! Light or dark: as the system has it, or as somebody chose in this browser. The choice is a cookie, which is read when a
//! page is made, so that none flashes.

use super::icons::Icon;
use crate::access::is_same_origin;
use crate::back::way_back;
use crate::site::Site;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use logdrain_drain::intake::Intake;
use maud::{Markup, html};
use std::sync::Arc;
use std::time::Duration;

const COOKIE: &str = "logdrain-theme";
/// The most bytes of the form, and how long it may take to come.
const FORM: usize = 4 << 10;
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Theme {
    System,
    Light,
    Dark,
}

impl Theme {
    fn called(name: &str) -> Option<Self> {
        [Self::System, Self::Light, Self::Dark].into_iter().find(|theme| theme.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    pub(super) fn of(headers: &HeaderMap) -> Self {
        let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(|(name, _)| *name == COOKIE).find_map(|(_, value)| Self::called(value)).unwrap_or(Self::System)
    }

    /// `data-theme` of the document.
    pub(super) fn attribute(self) -> Option<&'static str> {
        (self != Self::System).then(|| self.name())
    }

    /// The way to the next one.
    pub(super) fn switch(self, here: &str) -> Markup {
        let (next, icon, said) = match self {
            Self::System => (Self::Dark, Icon::Half, "Colours: as the system. Change to dark"),
            Self::Dark => (Self::Light, Icon::Moon, "Colours: dark. Change to light"),
            Self::Light => (Self::System, Icon::Sun, "Colours: light. Change to those of the system"),
        };
        html! {
            form.theme action="/theme" method="post" {
                input type="hidden" name="theme" value=(next.name());
                input type="hidden" name="return" value=(here);
                button.btn.icon.ghost type="submit" aria-label=(said) title=(said) { (icon) }
            }
        }
    }
}

pub(crate) fn router(site: Arc<Site>) -> Router<Arc<Intake>> {
    Router::new().route("/theme", post(choose)).with_state(site)
}

/// Sets the cookie, and leads back. It is nobody's secret and changes nothing here: no form's token is asked for.
async fn choose(State(site): State<Arc<Site>>, headers: HeaderMap, body: Body) -> Response {
    let bytes = match tokio::time::timeout(PATIENCE, to_bytes(body, FORM)).await {
        Ok(Ok(bytes)) if is_same_origin(&site, &headers) => bytes,
        _ => return (StatusCode::BAD_REQUEST, "this is for the form of a page\n").into_response(),
    };
    let (mut theme, mut back) = (Theme::System, None);
    for (key, value) in form_urlencoded::parse(&bytes) {
        match &*key {
            "theme" => theme = Theme::called(&value).unwrap_or(Theme::System),
            "return" => back = Some(value.into_owned()),
            _ => {}
        }
    }
    let back = HeaderValue::from_str(way_back(back.as_deref())).unwrap_or(HeaderValue::from_static("/"));
    let secure = if site.is_secure() { "; Secure" } else { "" };
    let age = if theme == Theme::System { 0 } else { 31_536_000 };
    let cookie = format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}", theme.name());
    let cookie = HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static("logdrain-theme=; Max-Age=0"));
    let no_store = HeaderValue::from_static("no-store");
    (StatusCode::SEE_OTHER, [(header::LOCATION, back), (header::SET_COOKIE, cookie), (header::CACHE_CONTROL, no_store)])
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_of_somebody_else_is_no_theme() {
        let of = |cookies: &'static str| {
            Theme::of(&HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(cookies))]))
        };
        assert_eq!(of("a=b; logdrain-theme=dark"), Theme::Dark);
        assert_eq!(of("logdrain-theme=\"><script>"), Theme::System);
        assert_eq!(of("logdrain-theme=x; logdrain-theme=light"), Theme::Light);
        assert_eq!(Theme::of(&HeaderMap::new()).attribute(), None);
    }
}
