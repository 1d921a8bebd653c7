//! Secrets that must be had again are kept sealed by a key in a file of its own, beside the configuration: whoever gets the
//! store alone gets none of them.
//!
//! ```text
//! sealed = base64(nonce:12 ChaCha20-Poly1305(text))
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const KEY: usize = 32;

/// Where the key is. It is read, or made, when something is sealed or unsealed first.
#[derive(Debug)]
pub struct KeyFile {
    path: Option<PathBuf>,
    seal: Mutex<Option<Seal>>,
}

impl KeyFile {
    /// `None` where there is no configuration that it could lie beside.
    pub const fn new(path: Option<PathBuf>) -> Self {
        Self { path, seal: Mutex::new(None) }
    }

    /// Waits for the disk, the first time.
    pub fn seal(&self, what: &str, text: &str) -> io::Result<String> {
        self.with(|seal| seal.seal(what, text))
    }

    /// `None` when it was sealed with another key, for something else, or is damaged; or the key cannot be read.
    pub fn unseal(&self, what: &str, sealed: &str) -> Option<String> {
        self.with(|seal| Ok(seal.unseal(what, sealed))).ok().flatten()
    }

    /// Reads the key, or makes it, if that was not done yet.
    pub fn open(&self) -> io::Result<()> {
        self.with(|_| Ok(()))
    }

    fn with<T>(&self, work: impl FnOnce(&Seal) -> io::Result<T>) -> io::Result<T> {
        let mut known = self.seal.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            let path = self.path.as_ref().ok_or_else(|| {
                io::Error::other("there is no key file: say key_file in a configuration file (--config)")
            })?;
            *known = Some(Seal::open(path)?);
        }
        known.as_ref().map_or_else(|| Err(io::Error::other("there is no key")), work)
    }
}

/// The key.
struct Seal(LessSafeKey);

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// Reads the key, or makes one that this user alone can read.
    fn open(path: &Path) -> io::Result<Self> {
        let bytes = match fs::read_to_string(path) {
            Ok(text) => STANDARD.decode(text.trim()).map_err(|_| io::Error::other("it holds no key"))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let bytes: [u8; KEY] = random()?;
                let mut options = fs::OpenOptions::new();
                options.write(true).create_new(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                let mut file = options.open(path)?;
                writeln!(file, "{}", STANDARD.encode(bytes))?;
                file.sync_all()?;
                bytes.to_vec()
            }
            Err(error) => return Err(error),
        };
        let key =
            UnboundKey::new(&CHACHA20_POLY1305, &bytes).map_err(|_| io::Error::other("its key has another length"))?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// `what` it is of is sealed with it: it opens nowhere else.
    fn seal(&self, what: &str, text: &str) -> io::Result<String> {
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut bytes = text.as_bytes().to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(what), &mut bytes)
            .map_err(|_| io::Error::other("it cannot be sealed"))?;
        Ok(STANDARD.encode([&nonce[..], &bytes].concat()))
    }

    /// `None` when it was sealed with another key, for something else, or is damaged.
    fn unseal(&self, what: &str, sealed: &str) -> Option<String> {
        let bytes = STANDARD.decode(sealed).ok()?;
        let (nonce, rest) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let mut rest = rest.to_vec();
        let text = self.0.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(what), &mut rest).ok()?;
        String::from_utf8(text.to_vec()).ok()
    }
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

/// Random digits, as they may stand in a URL.
pub fn password() -> io::Result<String> {
    let bytes: [u8; 20] = random()?;
    Ok(hex(&bytes))
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |text, byte| format!("{text}{byte:02x}"))
}
