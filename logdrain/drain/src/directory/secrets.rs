//! What lets somebody in: random, shown once, and kept as a digest alone.

use super::DirectoryError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::Digest as _;
use std::fmt;

/// The SHA-256 of a secret. Secrets have 128 bits and more of their own, so that nothing is gained by guessing at it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

/// A secret that is shown once. It never shows itself in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// One that was made before, and kept elsewhere.
    pub fn of(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text, to be shown.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub(super) fn digest(&self) -> Digest {
        digest_of(&self.0)
    }

    /// `prefix`, then 160 bits as 40 digits: what can be picked out with a double click.
    pub(super) fn token(prefix: &str) -> Result<Self, DirectoryError> {
        let bytes: [u8; 20] = random()?;
        Ok(Self(bytes.iter().fold(prefix.to_owned(), |text, byte| format!("{text}{byte:02x}"))))
    }

    /// 128 bits, as they may stand in a path that people hand on.
    pub(super) fn link() -> Result<Self, DirectoryError> {
        Ok(Self(URL_SAFE_NO_PAD.encode(random::<16>()?)))
    }

    /// 256 bits, as they may stand in a path or cookie.
    pub(super) fn opaque() -> Result<Self, DirectoryError> {
        Ok(Self(URL_SAFE_NO_PAD.encode(random::<32>()?)))
    }
}

/// What a secret is looked up by. How long that takes tells of digests, and nothing of secrets.
pub(super) fn digest_of(secret: &str) -> Digest {
    Digest(sha2::Sha256::digest(secret).into())
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], DirectoryError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| DirectoryError::Closed(format!("the system gives nothing random: {error}")))?;
    Ok(bytes)
}

/// A secret of 256 bits, as it may stand in a path or cookie.
pub fn opaque() -> Result<Secret, DirectoryError> {
    Secret::opaque()
}

impl Digest {
    /// That of something which is one already.
    pub const fn of(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    pub(super) fn hex(&self) -> String {
        self.0.iter().fold(String::with_capacity(64), |text, byte| format!("{text}{byte:02x}"))
    }

    pub(super) fn from_hex(text: &str) -> Option<Self> {
        let mut digest = [0; 32];
        let pairs = text.as_bytes().chunks_exact(2);
        if text.len() != 64 {
            return None;
        }
        for (byte, pair) in digest.iter_mut().zip(pairs) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(digest))
    }
}
