//! What pages load beside themselves: one style sheet, three scripts, an icon. They are part of the program.
//!
//! A file is under `/assets/` by a name that has its digest in it, so that a browser keeps it for good and asks for another
//! one after an update. Nothing of it is anybody's secret: whoever asks gets it.

use super::gzip;
use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use flate2::Compression;
use hyper::body::Bytes;
use logdrain_drain::intake::Intake;
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, LazyLock};

/// Every page's style, from one file for each part of it.
const STYLE: &str = concat!(
    include_str!("assets/css/frame.css"),
    include_str!("assets/css/parts.css"),
    include_str!("assets/css/charts.css"),
    include_str!("assets/css/dashboards.css"),
    include_str!("assets/css/events.css"),
    include_str!("assets/css/explore.css"),
    include_str!("assets/css/forms.css"),
    include_str!("assets/css/alerts.css"),
);

/// The viewer's module, from one file for each part of it.
const EVENTS: &str = concat!(
    include_str!("assets/events/list.js"),
    include_str!("assets/events/following.js"),
    include_str!("assets/events/line.js"),
    include_str!("assets/events/picking.js"),
    include_str!("assets/events/counts.js"),
    include_str!("assets/events/keys.js"),
    include_str!("assets/events/begin.js"),
);

/// One of the files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asset {
    Style,
    /// The module of pages with charts.
    Charts,
    /// The module of the viewer.
    Events,
    /// The module of the explorer.
    Explore,
    Icon,
}

/// A file as it is sent.
struct File {
    path: String,
    kind: &'static str,
    /// Both forms have a mark of their own.
    tags: [HeaderValue; 2],
    plain: Bytes,
    packed: Option<Bytes>,
}

const ALL: [(Asset, &str, &str, &str); 5] = [
    (Asset::Style, "app", "css", STYLE),
    (Asset::Charts, "chart", "js", include_str!("assets/chart.js")),
    (Asset::Events, "events", "js", EVENTS),
    (Asset::Explore, "explore", "js", include_str!("assets/explore.js")),
    (Asset::Icon, "icon", "svg", include_str!("assets/icon.svg")),
];

static FILES: LazyLock<[File; ALL.len()]> =
    LazyLock::new(|| ALL.map(|(_, name, end, text)| File::new(name, end, text)));

impl File {
    fn new(name: &str, end: &str, text: &'static str) -> Self {
        let digest = Sha256::digest(text);
        let digest = digest.iter().take(8).fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        // Letters and digits are a header's value.
        let tag =
            |form| HeaderValue::from_str(&format!("\"{digest}{form}\"")).unwrap_or(HeaderValue::from_static("\"\""));
        Self {
            path: format!("/assets/{name}-{digest}.{end}"),
            kind: match end {
                "css" => "text/css; charset=utf-8",
                "js" => "text/javascript; charset=utf-8",
                _ => "image/svg+xml",
            },
            tags: [tag(""), tag("-gzip")],
            plain: Bytes::from_static(text.as_bytes()),
            packed: gzip::pack(text.as_bytes(), Compression::best()).map(Bytes::from),
        }
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let packed = self.packed.as_ref().filter(|_| gzip::is_asked_for(headers));
        let [plain_tag, packed_tag] = &self.tags;
        let tag = if packed.is_some() { packed_tag } else { plain_tag };
        let fixed = [
            (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
            (header::ETAG, tag.clone()),
            (header::VARY, HeaderValue::from_static("accept-encoding")),
            (header::CONTENT_TYPE, HeaderValue::from_static(self.kind)),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            // An icon is a document, too, to who opens it.
            (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'")),
        ];
        let known = headers.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok()).unwrap_or_default();
        if known.split(',').any(|one| one.trim().trim_start_matches("W/").as_bytes() == tag.as_bytes()) {
            return (StatusCode::NOT_MODIFIED, fixed).into_response();
        }
        match packed {
            Some(packed) => {
                (fixed, [(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))], packed.clone()).into_response()
            }
            None => (fixed, self.plain.clone()).into_response(),
        }
    }
}

impl Asset {
    /// Where it is.
    pub fn path(self) -> &'static str {
        let files = ALL.iter().zip(FILES.iter());
        files.filter(|((asset, ..), _)| *asset == self).map(|(_, file)| file.path.as_str()).next().unwrap_or_default()
    }
}

pub(super) fn router() -> Router<Arc<Intake>> {
    Router::new().route("/assets/{name}", get(send))
}

async fn send(Path(name): Path<String>, headers: HeaderMap) -> Response {
    match FILES.iter().find(|file| file.path.strip_prefix("/assets/") == Some(&name)) {
        Some(file) => file.answer(&headers),
        None => {
            (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, "no-store")], "there is no such file\n").into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(pairs: &[(header::HeaderName, &str)]) -> Response {
        let headers = pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        FILES[0].answer(&headers)
    }

    #[test]
    fn a_file_has_one_name_as_long_as_it_is_the_same() {
        let paths: Vec<_> = ALL.iter().map(|(asset, ..)| asset.path()).collect();
        for (path, (_, name, end, _)) in paths.iter().zip(ALL) {
            assert!(path.starts_with(&format!("/assets/{name}-")) && path.ends_with(end), "{path}");
        }
        assert_ne!(File::new("a", "js", "1").path, File::new("a", "js", "2").path);
        assert_eq!(File::new("a", "js", "1").path, File::new("a", "js", "1").path);
    }

    #[test]
    fn who_has_it_is_told_so() {
        let whole = ask(&[]);
        assert_eq!(whole.status(), StatusCode::OK);
        let tag = whole.headers()[header::ETAG].to_str().unwrap().to_owned();
        assert_eq!(ask(&[(header::IF_NONE_MATCH, &tag)]).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(ask(&[(header::IF_NONE_MATCH, &format!("\"x\", W/{tag}"))]).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(ask(&[(header::IF_NONE_MATCH, "\"x\"")]).status(), StatusCode::OK);
        let packed = ask(&[(header::ACCEPT_ENCODING, "gzip")]);
        assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip");
        assert_ne!(packed.headers()[header::ETAG], tag.as_str());
        assert!(packed.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    }

    #[test]
    fn the_style_is_small() {
        assert!(FILES[0].packed.as_ref().unwrap().len() < 12_000);
    }
}
