//! `logdrain health`: asks a server on this machine whether it is ready. For containers, whose images have no curl.

use crate::args::{HealthArgs, ServeArgs};
use crate::serve;
use logdrain_terms::escape::Escaped;
use logdrain_terms::failure::{Failure, Status, say};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, Stream};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// The most bytes of an answer that are read.
const ANSWER: u64 = 4 * 1024;

pub(crate) fn run(args: &HealthArgs) -> Result<Status, Failure> {
    let serve = ServeArgs { config: args.config.clone(), listen: args.listen, ..ServeArgs::default() };
    let (listen, encrypted) = serve::listens_on(&serve)?;
    let address = nearby(listen);
    Ok(match ask(address, encrypted, args.timeout) {
        Ok(answer) => {
            let is_ready = answer.starts_with("HTTP/1.1 200 ");
            let said = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).trim();
            let _ = writeln!(io::stdout(), "{}", Escaped(said));
            if is_ready { Status::Done } else { Status::BadInput }
        }
        Err(error) => {
            say(format_args!("logdrain: {address} does not answer: {error}"));
            Status::BadInput
        }
    })
}

/// An address of this machine that reaches what listens on `listen`.
fn nearby(listen: SocketAddr) -> SocketAddr {
    let host = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        host => host,
    };
    SocketAddr::new(host, listen.port())
}

fn ask(address: SocketAddr, encrypted: bool, timeout: Duration) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    if !encrypted {
        return exchange(&mut stream, address);
    }
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Whoever(provider)))
        .with_no_client_auth();
    let name = ServerName::IpAddress(address.ip().into());
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    exchange(&mut Stream::new(&mut connection, &mut stream), address)
}

fn exchange(stream: &mut (impl Read + Write), address: SocketAddr) -> io::Result<String> {
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    stream.flush()?;
    let mut answer = Vec::new();
    match stream.take(ANSWER).read_to_end(&mut answer) {
        // Some servers end an encrypted connection without saying so; what came is an answer all the same.
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof || answer.is_empty() => Err(error),
        _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
    }
}

/// Takes any certificate: it is that of a public name, which this machine's own address is not, and nothing secret is said
/// or believed.
#[derive(Debug)]
struct Whoever(Arc<CryptoProvider>);

impl ServerCertVerifier for Whoever {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
