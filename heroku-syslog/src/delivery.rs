use core::fmt;

/// One request of a drain: its body, and what its headers say about it. All headers are optional.
///
/// Private Space drains send neither frame id nor drain token. Header values come from outside: whatever cannot be
/// read counts as absent.
///
/// ```
/// use heroku_syslog::{Delivery, DeliveryId, Frames};
///
/// let delivery = Delivery::new(b"16 <1>1 - - - - - -")
///     .with_header("Logplex-Msg-Count", b"1")
///     .with_header("Logplex-Frame-Id", b"3C0FFEE0D15EA5E0FEEDFACECAFEBEEF")
///     .with_header("Content-Type", b"application/logplex-1");
/// assert_eq!(delivery.id(), Some(DeliveryId::Frame("3C0FFEE0D15EA5E0FEEDFACECAFEBEEF")));
/// let frames = Frames::new(delivery.body()).filter(Result::is_ok).count();
/// assert_eq!(delivery.msg_count(), Some(frames as u64));
/// ```
#[derive(Clone, Copy)]
pub struct Delivery<'a> {
    body: &'a [u8],
    msg_count: Option<u64>,
    frame_id: Option<&'a str>,
    drain_token: Option<&'a str>,
    request_id: Option<&'a str>,
}

impl<'a> Delivery<'a> {
    /// A body without headers.
    #[must_use]
    pub const fn new(body: &'a [u8]) -> Self {
        Self { body, msg_count: None, frame_id: None, drain_token: None, request_id: None }
    }

    /// With the number of frames that the sender says it sent, where that was kept as a number.
    #[must_use]
    pub const fn with_msg_count(mut self, count: u64) -> Self {
        self.msg_count = Some(count);
        self
    }

    /// With a header as it came. Names are compared without regard to case, spaces and tabs around the value are
    /// dropped, other headers change nothing, and this never fails: a value that cannot be read makes the header
    /// absent. Names: `Logplex-Msg-Count`, `Logplex-Frame-Id`, `Logplex-Drain-Token`, `X-Request-Id`.
    ///
    /// A count is decimal digits of at most 64 bits; ids and tokens are one or more visible ASCII characters.
    ///
    /// ```
    /// use heroku_syslog::Delivery;
    ///
    /// let delivery = Delivery::new(b"").with_header("logplex-msg-count", b"many");
    /// assert_eq!(delivery.msg_count(), None);
    /// ```
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &'a [u8]) -> Self {
        let Some(header) = Header::from_name(name) else { return self };
        let value = value.trim_ascii();
        let text = (!value.is_empty() && value.iter().all(u8::is_ascii_graphic))
            .then(|| core::str::from_utf8(value).ok())
            .flatten();
        match header {
            Header::MsgCount => {
                // `parse` alone would take "+3".
                self.msg_count = text
                    .filter(|text| text.starts_with(|first: char| first.is_ascii_digit()))
                    .and_then(|text| text.parse().ok());
            }
            Header::FrameId => self.frame_id = text,
            Header::DrainToken => self.drain_token = text,
            Header::RequestId => self.request_id = text,
        }
        self
    }

    /// The body: octet-counted frames, which [`Frames`](crate::Frames) walks.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// `Logplex-Msg-Count`: the frames that the sender says it sent. Some senders count what they then leave out.
    #[must_use]
    pub const fn msg_count(&self) -> Option<u64> {
        self.msg_count
    }

    /// `Logplex-Drain-Token`: who sends, `d.` and a UUID.
    #[must_use]
    pub const fn drain_token(&self) -> Option<&'a str> {
        self.drain_token
    }

    /// What names this delivery, to count it once: the frame id, else the request id. Without either the host may hash
    /// the body; with one it must not, since the body of a retry may differ.
    ///
    /// ```
    /// use heroku_syslog::{Delivery, DeliveryId};
    /// let delivery = Delivery::new(b"").with_header("X-Request-Id", b"0ddba11");
    /// assert_eq!(delivery.id(), Some(DeliveryId::Request("0ddba11")));
    /// ```
    #[must_use]
    pub const fn id(&self) -> Option<DeliveryId<'a>> {
        match (self.frame_id, self.request_id) {
            (Some(id), _) => Some(DeliveryId::Frame(id)),
            (None, Some(id)) => Some(DeliveryId::Request(id)),
            (None, None) => None,
        }
    }
}

/// Shows the length of the body, not the body.
impl fmt::Debug for Delivery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("body", &format_args!("{} octets", self.body.len()))
            .field("msg_count", &self.msg_count)
            .field("frame_id", &self.frame_id)
            .field("drain_token", &self.drain_token)
            .field("request_id", &self.request_id)
            .finish()
    }
}

/// The headers that say something about a delivery.
#[derive(Clone, Copy)]
enum Header {
    MsgCount,
    FrameId,
    DrainToken,
    RequestId,
}

impl Header {
    const ALL: [Self; 4] = [Self::MsgCount, Self::FrameId, Self::DrainToken, Self::RequestId];

    /// The name as Logplex writes it.
    const fn name(self) -> &'static str {
        match self {
            Self::MsgCount => "Logplex-Msg-Count",
            Self::FrameId => "Logplex-Frame-Id",
            Self::DrainToken => "Logplex-Drain-Token",
            Self::RequestId => "X-Request-Id",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|header| header.name().eq_ignore_ascii_case(name))
    }
}

/// The name of a delivery. Two of different kinds are never the same.
///
/// ```
/// use heroku_syslog::DeliveryId;
/// assert_ne!(DeliveryId::Frame("1"), DeliveryId::Request("1"));
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DeliveryId<'a> {
    /// From `Logplex-Frame-Id`: names the batch, the same on every retry of it.
    Frame(&'a str),
    /// From `X-Request-Id`, which log-shuttle sets and the router in front of a Heroku app adds: names the request.
    Request(&'a str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_digits() {
        for text in ["", "-1", "+1", "1.0", "1 2", "0x1", "18446744073709551616", "\u{661}"] {
            let delivery = Delivery::new(b"").with_header("LOGPLEX-MSG-COUNT", text.as_bytes());
            assert_eq!(delivery.msg_count(), None, "{text}");
        }
        let delivery = Delivery::new(b"").with_header("Logplex-Msg-Count", b"18446744073709551615");
        assert_eq!(delivery.msg_count(), Some(u64::MAX));
    }

    #[test]
    fn the_last_of_a_repeated_header_counts() {
        let delivery = Delivery::new(b"").with_header("X-Request-Id", b"\xff").with_header("X-Request-Id", b"a");
        assert_eq!(delivery.id(), Some(DeliveryId::Request("a")));
        let delivery = delivery.with_header("X-Request-Id", b"");
        assert_eq!(delivery.id(), None);
    }
}
