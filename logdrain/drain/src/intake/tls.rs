//! Encrypted connections: rustls with one certificate, read again on SIGHUP.

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// A certificate and its key, ready to be used.
#[derive(Clone)]
pub struct Tls(Arc<ServerConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Reads PEM files: the certificate with those that vouch for it, and the key.
    ///
    /// # Errors
    /// What is wrong, and with which of them. Neither a path nor anything of a file is in it.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, String> {
        let certificates: Vec<_> = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect)
            .map_err(|error| format!("certificate: no certificate can be read: {}", told(&error)))?;
        if certificates.is_empty() {
            return Err("certificate: the file holds no certificate".to_owned());
        }
        let of_key =
            PrivateKeyDer::from_pem_file(key).map_err(|error| format!("key: no key can be read: {}", told(&error)))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, of_key))
            .map_err(|error| format!("certificate and key do not go together: {error}"))?;
        Ok(Self(Arc::new(config)))
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.clone())
    }
}

fn told(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.kind().to_string(),
        pem::Error::NoItemsFound => "nothing of that kind is in the file".to_owned(),
        _ => "the file is no PEM".to_owned(),
    }
}
