//! Answers are compressed for whoever asks for it, and only where nobody can learn from their length.
//!
//! A page holds secrets and what its address says, side by side. Whoever can have a browser load addresses of his making,
//! and sees how long the answers are, could guess the secrets piece by piece. So a page that another site led to goes out as
//! it is; browsers say so in `Sec-Fetch-Site`.

use axum::http::{HeaderMap, header};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;

/// Shorter texts are not worth it.
const LEAST: usize = 1_024;

/// Whether `Accept-Encoding` has gzip, and does not rule it out.
pub(super) fn is_asked_for(headers: &HeaderMap) -> bool {
    let all = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(',')).any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(1.0, |weight| weight.trim().parse().unwrap_or(0.0));
        name.trim().eq_ignore_ascii_case("gzip") && weight > 0.0
    })
}

/// Whether a page may be compressed: it was asked for, and not by way of another site.
pub(super) fn may_pack(headers: &HeaderMap) -> bool {
    let from = headers.get("sec-fetch-site").map(|from| from.as_bytes());
    is_asked_for(headers) && !matches!(from, Some(b"cross-site" | b"same-site"))
}

/// The text, compressed; `None` when that gains nothing.
pub(super) fn pack(text: &[u8], level: Compression) -> Option<Vec<u8>> {
    if text.len() < LEAST {
        return None;
    }
    let mut packed = GzEncoder::new(Vec::with_capacity(text.len() / 4), level);
    packed.write_all(text).ok()?;
    packed.finish().ok().filter(|packed| packed.len() < text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use flate2::read::GzDecoder;
    use std::io::Read as _;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn gzip_is_for_who_asks_for_it() {
        for accepts in ["gzip", "br, GZIP", "deflate, gzip;q=0.5", "gzip; q=1.0"] {
            assert!(is_asked_for(&headers(&[("accept-encoding", accepts)])), "{accepts}");
        }
        for accepts in ["", "br", "gzip;q=0", "x-gzip", "gzip;q=x"] {
            assert!(!is_asked_for(&headers(&[("accept-encoding", accepts)])), "{accepts}");
        }
        assert!(!is_asked_for(&HeaderMap::new()));
    }

    #[test]
    fn a_page_that_another_site_led_to_tells_nothing_by_its_length() {
        let may = |from| may_pack(&headers(&[("accept-encoding", "gzip"), ("sec-fetch-site", from)]));
        assert!(may("same-origin") && may("none") && !may("cross-site") && !may("same-site"));
        assert!(may_pack(&headers(&[("accept-encoding", "gzip")])), "no browser");
    }

    #[test]
    fn what_is_packed_is_the_text_again() {
        let text = "a line of a page\n".repeat(1_000);
        let packed = pack(text.as_bytes(), Compression::fast()).unwrap();
        let mut again = String::new();
        GzDecoder::new(&packed[..]).read_to_string(&mut again).unwrap();
        assert!(packed.len() < text.len() / 10 && again == text);
        assert_eq!(pack(b"short", Compression::fast()), None);
    }
}
