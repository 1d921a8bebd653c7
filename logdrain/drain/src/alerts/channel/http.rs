//! One request to a hook, and what its answer means.
//!
//! Requests are signed as *Standard Webhooks* says, so that receivers find a library for it:
//!
//! ```text
//! webhook-id: 8a5d...            the id of the message: the same when it is sent again
//! webhook-timestamp: 1795270500
//! webhook-signature: v1,BASE64(HMAC-SHA256(secret, "ID.TIMESTAMP.BODY"))
//! ```

use super::Outcome;
use crate::directory::now;
use crate::door::{Most, Outbound, Why};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use ring::hmac;
use std::time::Duration;
use tokio::time::timeout;

/// From the connection to the end of the answer, and of the whole delivery.
const ANSWER: Duration = Duration::from_secs(6);
const DELIVERY: Duration = Duration::from_secs(20);
/// What is read of an answer: its first line may say what is wrong.
const READ: usize = 4 << 10;

pub(super) const FORM: &str = "application/x-www-form-urlencoded";
pub(super) const JSON: &str = "application/json";

/// What is posted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Post<'a> {
    pub(super) url: &'a str,
    pub(super) kind: &'static str,
    pub(super) id: &'a str,
    pub(super) secret: Option<&'a str>,
}

/// A form with one field.
pub(super) fn form(payload: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair("payload", payload).finish()
}

pub(super) async fn post(outbound: &Outbound, post: Post<'_>, body: String) -> Outcome {
    let (url, basic) = split_user(post.url);
    let time = now().to_string();
    let mut request = Request::post(url)
        .header(CONTENT_TYPE, post.kind)
        .header(USER_AGENT, concat!("logdrain/", env!("CARGO_PKG_VERSION")))
        .header("webhook-id", post.id)
        .header("webhook-timestamp", &time);
    if let Some(secret) = post.secret {
        request = request.header("webhook-signature", signature(secret, post.id, &time, &body));
    }
    if let Some(basic) = basic {
        request = request.header(AUTHORIZATION, format!("Basic {basic}"));
    }
    let Ok(request) = request.body(Full::new(Bytes::from(body))) else {
        return Outcome::Refused("its URL cannot be asked".to_owned());
    };
    match timeout(DELIVERY, outbound.tell(request, Most { bytes: READ, time: ANSWER })).await {
        Ok(Ok(answer)) => outcome(&answer),
        Ok(Err(shut)) if shut.why == Why::Refused => Outcome::Refused(shut.to_string()),
        Ok(Err(shut)) => Outcome::Later(shut.to_string()),
        Err(_) => Outcome::Later(format!("it was not done within {} s", DELIVERY.as_secs())),
    }
}

/// What is wrong on our side is not tried again: nothing changes by itself.
fn outcome(answer: &Response<Bytes>) -> Outcome {
    let status = answer.status();
    if status.is_success() {
        return Outcome::Sent;
    }
    let said = said(answer.body());
    let may_change = status.is_server_error()
        || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS].contains(&status);
    if may_change {
        let why = format!("answers {}{said}", status.as_u16());
        match retry_after(answer.headers()) {
            Some(wait) => Outcome::NotFor(wait, why),
            None => Outcome::Later(why),
        }
    } else if status.is_redirection() {
        Outcome::Refused(format!("answers {}, a redirect: name the address itself", status.as_u16()))
    } else {
        Outcome::Refused(format!("answers {}{said}", status.as_u16()))
    }
}

/// How long a receiver asks to wait: so many seconds, or until a time (RFC 9110, 10.2.3). The time is of its clock, which its
/// answer says, too.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| Some(headers.get(name)?.to_str().ok()?.trim());
    let asked = text(RETRY_AFTER)?;
    if asked.bytes().all(|byte| byte.is_ascii_digit()) {
        // What is no number any more is a long time.
        return (!asked.is_empty()).then(|| Duration::from_secs(asked.parse().unwrap_or(u64::MAX)));
    }
    let seconds = |text: &str| Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_second());
    let clock = text(DATE).and_then(seconds).unwrap_or_else(now);
    let wait = u64::try_from(seconds(asked)?.saturating_sub(clock)).ok()?;
    Some(Duration::from_secs(wait))
}

/// The first line of an answer, if it is one that people read.
fn said(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() || line.starts_with('<') {
        return String::new();
    }
    format!(": {}", line.chars().filter(|letter| !letter.is_control()).take(200).collect::<String>())
}

/// A secret that begins with `whsec_` is base64 behind it; any other is what it is.
fn signature(secret: &str, id: &str, time: &str, body: &str) -> String {
    let key = secret.strip_prefix("whsec_").and_then(|rest| STANDARD.decode(rest).ok());
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_deref().unwrap_or(secret.as_bytes()));
    let mut context = hmac::Context::with_key(&key);
    for part in [id, ".", time, ".", body] {
        context.update(part.as_bytes());
    }
    format!("v1,{}", STANDARD.encode(context.sign()))
}

/// A URL without the user in it, and what goes into a header for him.
pub(super) fn split_user(url: &str) -> (String, Option<String>) {
    let whole = || (url.to_owned(), None);
    let Some((scheme, rest)) = url.split_once("://") else { return whole() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let Some((user, host)) = authority.rsplit_once('@') else { return whole() };
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let mut basic = unescaped(user);
    basic.push(b':');
    basic.extend(unescaped(password));
    (format!("{scheme}://{host}{path}"), Some(STANDARD.encode(basic)))
}

/// Without the `%40` of a URL.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        let digits = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *byte == b'%') {
            Some(escaped) => {
                bytes.push(escaped);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*byte);
                rest = behind;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_standard() {
        // The example of the standard's own libraries.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "{\"test\": 2432232314}");
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn the_user_of_a_url_goes_into_a_header() {
        for (url, rest, basic) in [
            ("https://example.com/hook", "https://example.com/hook", None),
            ("https://ops:pw@example.com/hook?a=b@c", "https://example.com/hook?a=b@c", Some("ops:pw")),
            ("https://o%40ps:p%3aw%2@example.com:8443", "https://example.com:8443", Some("o@ps:p:w%2")),
            ("https://token@example.com?x", "https://example.com?x", Some("token:")),
            ("https://example.com/a@b", "https://example.com/a@b", None),
            ("nonsense", "nonsense", None),
        ] {
            let basic = basic.map(|basic| STANDARD.encode(basic));
            assert_eq!(split_user(url), (rest.to_owned(), basic), "{url}");
        }
    }

    #[test]
    fn a_name_that_leads_inside_is_refused_and_not_tried_again() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let outbound = Outbound::new(Vec::new());
        for url in [
            "https://localhost:8443/",
            "https://user:pw@localhost:8443/",
            "https://2130706433:8443/",
            "https://127.1:8443/",
        ] {
            let one = Post { url, kind: JSON, id: "x", secret: None };
            let outcome = runtime.block_on(post(&outbound, one, "{}".to_owned()));
            assert!(
                matches!(&outcome, Outcome::Refused(why) if why.contains("not asked from here")),
                "{url}: {outcome:?}"
            );
        }
        let one = Post { url: "https://nowhere.invalid/", kind: JSON, id: "x", secret: None };
        let outcome = runtime.block_on(post(&outbound, one, "{}".to_owned()));
        assert!(matches!(outcome, Outcome::Later(_)), "it may have an address later: {outcome:?}");
    }

    #[test]
    fn what_an_answer_means_is_told_by_its_status() {
        let of = |status: u16, body: &'static str| {
            outcome(&Response::builder().status(status).body(Bytes::from_static(body.as_bytes())).unwrap())
        };
        for status in [200, 201, 202, 204] {
            assert_eq!(of(status, "x"), Outcome::Sent);
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert_eq!(of(status, "<html>"), Outcome::Later(format!("answers {status}")));
        }
        for status in [400, 401, 403, 404, 410, 415, 422] {
            assert_eq!(of(status, "no_service\nat all"), Outcome::Refused(format!("answers {status}: no_service")));
        }
        assert!(matches!(of(302, ""), Outcome::Refused(why) if why.contains("redirect")));
    }

    #[test]
    fn how_long_a_receiver_asks_to_wait_is_read_in_both_forms() {
        let date = "Sun, 29 Nov 2026 16:00:00 GMT";
        for (asked, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 29 Nov 2026 16:02:00 GMT", Some(120)),
            ("Sun, 29 Nov 2026 16:00:00 GMT", Some(0)),
            ("Sun, 29 Nov 2026 15:59:00 GMT", None),
            ("99999999999999999999999", Some(u64::MAX)),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
            ("", None),
        ] {
            let answer = |status: u16| {
                let head = Response::builder().status(status).header("Retry-After", asked).header("Date", date);
                outcome(&head.body(Bytes::new()).unwrap())
            };
            let why = || "answers 429".to_owned();
            let expected = match seconds {
                Some(seconds) => Outcome::NotFor(Duration::from_secs(seconds), why()),
                None => Outcome::Later(why()),
            };
            assert_eq!(answer(429), expected, "{asked}");
            assert!(matches!(answer(404), Outcome::Refused(_)), "what is of no use later is not tried later");
        }
        let unclear = Response::builder().status(503).header("Retry-After", date).body(Bytes::new()).unwrap();
        let is_over = jiff::Timestamp::now().as_second() >= 1_795_968_000;
        assert_eq!(matches!(outcome(&unclear), Outcome::NotFor(..)), !is_over, "without a clock of its own, ours");
    }
}
