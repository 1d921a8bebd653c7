//! Where somebody is led when he has done what he came for.

/// The longest path that one comes back to.
const RETURN: usize = 2_048;
/// Where one is led who wanted nothing else.
pub(crate) const HOME: &str = "/";

/// A path of this server to come back to; nothing that leads elsewhere, or round and round.
pub(crate) fn way_back(path: Option<&str>) -> &str {
    let is_ours = |path: &&str| {
        path.len() <= RETURN
            && path.starts_with('/')
            && !path.starts_with("//")
            && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
            && !["/login", "/logout", "/invite"].iter().any(|own| path.starts_with(own))
    };
    path.filter(is_ours).unwrap_or(HOME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_comes_back_to_this_server_alone() {
        for path in ["/", "/events?q=a%20b&time=1", "/groups/1000/events", "/x?return=//evil.example"] {
            assert_eq!(way_back(Some(path)), path);
        }
        let long = format!("/{}", "a".repeat(RETURN));
        for path in [
            "",
            "events",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/a\r\nSet-Cookie: x=1",
            "/a b",
            "/\t/evil.example",
            "/\u{e9}",
            "/login?return=/login",
            "/logout",
            "/invite/x",
            &long,
        ] {
            assert_eq!(way_back(Some(path)), HOME, "{path:?}");
        }
        assert_eq!(way_back(None), HOME);
    }
}
