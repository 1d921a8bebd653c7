//! By what a node knows that another one passes a request on. The secret itself goes to nobody: what is said is made of it,
//! for one node and one sender.

use super::Url;
use axum::http::HeaderValue;
use ring::hmac;
use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::sync::Arc;

/// The fewest bytes of a secret.
const LEAST: usize = 32;

/// What all nodes have.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// `None` if it is shorter than a secret is.
    pub fn new(text: String) -> Option<Self> {
        (text.len() >= LEAST).then_some(Self(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Makes what is said to others, and checks what others say.
pub(super) struct Proofs {
    own: Url,
    key: hmac::Key,
}

impl fmt::Debug for Proofs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proofs").field("own", &self.own).finish_non_exhaustive()
    }
}

impl Proofs {
    pub(super) fn new(own: &Url, secret: &Secret) -> Arc<Self> {
        Arc::new(Self { own: own.clone(), key: hmac::Key::new(hmac::HMAC_SHA256, secret.0.as_bytes()) })
    }

    /// What is said to the node at an address of a request from there: `ADDRESS PROOF`.
    pub(super) fn of(&self, to: &Url, sender: IpAddr) -> HeaderValue {
        let tag = hmac::sign(&self.key, text(to, sender).as_bytes());
        let mut said = format!("{sender} ");
        for byte in tag.as_ref() {
            let _ = write!(said, "{byte:02x}");
        }
        // Digits, letters, dots and colons alone.
        HeaderValue::try_from(said).unwrap_or(HeaderValue::from_static(""))
    }

    /// The sender, if it was said by one who has the secret, and to this node.
    pub(super) fn check(&self, said: &HeaderValue) -> Option<IpAddr> {
        let (sender, proof) = said.to_str().ok()?.split_once(' ')?;
        let sender = sender.parse().ok()?;
        let proof = proof.as_bytes().chunks(2).map(byte).collect::<Option<Vec<u8>>>()?;
        // It takes the same time wherever they differ.
        hmac::verify(&self.key, text(&self.own, sender).as_bytes(), &proof).ok()?;
        Some(sender)
    }
}

fn text(to: &Url, sender: IpAddr) -> String {
    format!("logdrain passes to {to} from {sender}")
}

fn byte(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.len() == 2)?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_the_secret_is_believed_by_the_node_he_speaks_to_and_nobody_else_is() {
        let (one, two) = (Url::parse("https://10.0.0.1:8514").unwrap(), Url::parse("https://10.0.0.2:8514").unwrap());
        let secret = |letter: &str| Secret::new(letter.repeat(32)).unwrap();
        let at = |own: &Url, letter: &str| Proofs::new(own, &secret(letter));
        for sender in ["192.0.2.7", "2001:db8::7"].map(|address| address.parse::<IpAddr>().unwrap()) {
            let said = at(&one, "s").of(&two, sender);
            assert_eq!(at(&two, "s").check(&said), Some(sender));
            assert_eq!(at(&two, "t").check(&said), None, "another secret");
            assert_eq!(at(&one, "s").check(&said), None, "said to another node");
            let text = said.to_str().unwrap();
            assert!(!text.contains("ssss"));
            let wrong = [
                text.replace(&sender.to_string(), "192.0.2.8"),
                text.split_once(' ').unwrap().0.to_owned(),
                text[..text.len() - 1].to_owned(),
                text[..text.len() - 2].to_owned(),
                format!("{text}00"),
                text.split_once(' ').unwrap().1.to_owned(),
                String::new(),
                "127.0.0.1 ".to_owned(),
            ];
            for wrong in wrong {
                assert_eq!(at(&two, "s").check(&HeaderValue::try_from(&wrong).unwrap()), None, "{wrong}");
            }
        }
    }

    #[test]
    fn a_secret_is_long_and_shown_to_nobody() {
        assert!(Secret::new("s".repeat(31)).is_none());
        assert_eq!(format!("{:?}", Secret::new("s".repeat(32))), "Some(Secret)");
    }
}
