//! Where the database is, as the configuration says it.

use super::failure::{Elsewhere, LinkError};
use super::tls::Tls;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// How long a connection may take to be made, and how long a peer may be silent in the middle of something.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where the database is.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(tokio_postgres::Config);

impl Address {
    /// Reads `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with a password that may stand elsewhere.
    ///
    /// # Errors
    /// Why it is none; nothing of it is repeated.
    pub fn parse(text: &str, password: Option<&str>) -> Result<Self, &'static str> {
        if !["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Err("begins with postgres://");
        }
        let mut config: tokio_postgres::Config = text.parse().map_err(|_| {
            "is postgres://USER:PASSWORD@HOST:PORT/DATABASE; in user and password, what is no letter and no digit is \
             percent-encoded (/ is %2F), and of options those that rust-postgres knows can be given"
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err("names no host");
        }
        if config.get_dbname().is_none() {
            return Err("names no database");
        }
        if let Some(password) = password {
            if config.get_password().is_some() {
                return Err("holds a password: give journal_password_file or that one");
            }
            config.password(password);
        }
        // What a machine in between could turn off is no encryption.
        if config.get_ssl_mode() == SslMode::Prefer {
            config.ssl_mode(if is_here(&config) { SslMode::Disable } else { SslMode::Require });
        }
        config
            .application_name("logdrain")
            .connect_timeout(PATIENCE)
            .tcp_user_timeout(PATIENCE)
            .keepalives(true)
            .keepalives_idle(Duration::from_secs(1))
            .keepalives_interval(Duration::from_secs(1))
            .keepalives_retries(2)
            // Of several, the one that can be written: a standby is none.
            .target_session_attrs(TargetSessionAttrs::ReadWrite);
        Ok(Self(config))
    }

    /// Whether there is a password in it.
    pub fn holds_password(&self) -> bool {
        self.0.get_password().is_some()
    }

    /// Whether others can read along on the way.
    pub fn is_plain(&self) -> bool {
        self.0.get_ssl_mode() == SslMode::Disable && !is_here(&self.0)
    }

    pub(super) const fn config(&self) -> &tokio_postgres::Config {
        &self.0
    }

    pub(super) fn tls(&self) -> Result<Tls, LinkError> {
        match self.0.get_ssl_mode() {
            SslMode::Disable => Ok(Tls::none()),
            _ => Tls::of_machine().map_err(|why| LinkError::Elsewhere(Elsewhere::for_good(format!("{self}: {why}")))),
        }
    }
}

/// Without user and password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        for (number, host) in self.0.get_hosts().iter().enumerate() {
            if number > 0 {
                f.write_str(",")?;
            }
            match host {
                Host::Tcp(name) => f.write_str(name)?,
                #[cfg(unix)]
                Host::Unix(path) => write!(f, "{}", path.display())?,
            }
            let ports = self.0.get_ports();
            if let Some(port) = ports.get(number).or(ports.first()) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", self.0.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// Whether nothing leaves this machine on the way.
fn is_here(config: &tokio_postgres::Config) -> bool {
    let loopback = |host: &Host| match host {
        Host::Tcp(name) => {
            name == "localhost" || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    };
    config.get_hosts().iter().all(loopback) && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_an_address_holds_no_password() {
        let address = Address::parse("postgres://drain:s3cret@db.example.com:5433/logs", None).unwrap();
        assert_eq!(address.to_string(), "postgres://db.example.com:5433/logs");
        assert!(!format!("{address:?}").contains("s3cret") && address.holds_password());
        for wrong in
            ["mysql://a:s3cret@b/c", "postgres://a:s3/cret@b:x/c", "postgres://a:s3cret@b/c?s3cret=1", "postgres:///c"]
        {
            let why = Address::parse(wrong, None).unwrap_err();
            assert!(!why.contains("s3"), "{why}");
        }
        assert!(Address::parse("postgres://a:b@c/d", Some("e")).unwrap_err().contains("journal_password_file"));
    }

    #[test]
    fn what_leaves_the_machine_is_encrypted_unless_it_is_said_otherwise() {
        let mode = |text| Address::parse(text, None).unwrap().0.get_ssl_mode();
        assert_eq!(mode("postgres://a@127.0.0.1/d"), SslMode::Disable);
        assert_eq!(mode("postgres://a@[::1]/d"), SslMode::Disable);
        assert_eq!(mode("postgres://a@localhost/d"), SslMode::Disable);
        assert_eq!(mode("postgres://a@%2Frun%2Fpostgresql/d"), SslMode::Disable);
        assert_eq!(mode("postgres://a@db/d"), SslMode::Require);
        assert_eq!(mode("postgres://a@localhost,db/d"), SslMode::Require);
        assert_eq!(mode("postgres://a@db/d?sslmode=prefer"), SslMode::Require);
        assert!(Address::parse("postgres://a@db/d?sslmode=disable", None).unwrap().is_plain());
    }
}
