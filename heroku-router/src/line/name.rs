use crate::line::layout::Zone;

/// The names that routers write; `web` is `Dyno`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Name {
    Sock,
    At,
    Code,
    Desc,
    Cause,
    Method,
    Path,
    Host,
    RequestId,
    Fwd,
    Dyno,
    Queue,
    Wait,
    Connect,
    Service,
    Status,
    Bytes,
    Protocol,
    Tls,
    TlsVersion,
    Agent,
}

impl Name {
    pub(crate) const COUNT: usize = Self::ALL.len();

    /// In the order of a line, and of the discriminants.
    pub(crate) const ALL: [Self; 21] = [
        Self::Sock,
        Self::At,
        Self::Code,
        Self::Desc,
        Self::Cause,
        Self::Method,
        Self::Path,
        Self::Host,
        Self::RequestId,
        Self::Fwd,
        Self::Dyno,
        Self::Queue,
        Self::Wait,
        Self::Connect,
        Self::Service,
        Self::Status,
        Self::Bytes,
        Self::Protocol,
        Self::Tls,
        Self::TlsVersion,
        Self::Agent,
    ];

    pub(crate) fn of(name: &[u8], is_old: bool) -> Option<Self> {
        Some(match name {
            b"sock" => Self::Sock,
            b"at" => Self::At,
            b"code" => Self::Code,
            b"desc" => Self::Desc,
            b"cause" => Self::Cause,
            b"method" => Self::Method,
            b"path" => Self::Path,
            b"host" => Self::Host,
            b"request_id" => Self::RequestId,
            b"fwd" => Self::Fwd,
            b"dyno" => Self::Dyno,
            b"queue" => Self::Queue,
            b"wait" => Self::Wait,
            b"connect" => Self::Connect,
            b"service" => Self::Service,
            b"status" => Self::Status,
            b"bytes" => Self::Bytes,
            b"protocol" => Self::Protocol,
            b"tls" => Self::Tls,
            b"tls_version" => Self::TlsVersion,
            b"agent" => Self::Agent,
            b"web" if is_old => Self::Dyno,
            _ => return None,
        })
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Sock => "sock",
            Self::At => "at",
            Self::Code => "code",
            Self::Desc => "desc",
            Self::Cause => "cause",
            Self::Method => "method",
            Self::Path => "path",
            Self::Host => "host",
            Self::RequestId => "request_id",
            Self::Fwd => "fwd",
            Self::Dyno => "dyno",
            Self::Queue => "queue",
            Self::Wait => "wait",
            Self::Connect => "connect",
            Self::Service => "service",
            Self::Status => "status",
            Self::Bytes => "bytes",
            Self::Protocol => "protocol",
            Self::Tls => "tls",
            Self::TlsVersion => "tls_version",
            Self::Agent => "agent",
        }
    }

    /// Where routers write it.
    pub(crate) const fn zone(self) -> Zone {
        match self {
            Self::Sock | Self::At | Self::Code | Self::Desc | Self::Cause | Self::Method => Zone::Front,
            Self::Path | Self::Host | Self::RequestId | Self::Fwd => Zone::Middle,
            _ => Zone::Numbers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_of_their_slots() {
        for (nth, name) in Name::ALL.into_iter().enumerate() {
            assert_eq!(name as usize, nth);
            assert_eq!(Name::of(name.as_str().as_bytes(), false), Some(name));
        }
        assert_eq!((Name::of(b"web", true), Name::of(b"web", false)), (Some(Name::Dyno), None));
    }
}
