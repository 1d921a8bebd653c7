//! Whom this machine trusts: the system's certificates, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use tokio_rustls::TlsConnector;

/// Reads them.
///
/// # Errors
/// Why none can be had.
pub fn of_machine() -> Result<TlsConnector, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Machines have old ones that no reader takes; one that can be read is enough to go on.
    let _ = roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().find(|name| std::env::var_os(name).is_some());
        let why = found.errors.first().map_or_else(String::new, |error| format!(" ({error})"));
        return Err(match named {
            Some(name) => format!("{name} names nothing that holds certificates{why}"),
            None => format!("this machine has none to check others by{why}; install the package ca-certificates"),
        });
    }
    connector(roots)
}

/// Trusts these.
///
/// # Errors
/// When TLS itself is not to be had.
pub(super) fn connector(roots: RootCertStore) -> Result<TlsConnector, String> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
