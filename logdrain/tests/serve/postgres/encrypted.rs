//! TLS to the database, with a certificate of an authority that the test makes.

use super::{deliver, delivery};
use crate::certified::certified;
use crate::harness::{Server, scratch};
use std::fs;
use testkit::postgres::{PASSWORD, Postgres};

/// Where the database is by a name that is not this machine's, and leads here all the same.
fn at(postgres: &Postgres, host: &str, mode: &str) -> String {
    format!("postgres://postgres:{PASSWORD}@{host}:{}/postgres?hostaddr=127.0.0.1{mode}", postgres.port())
}

#[test]
fn the_certificate_of_the_database_is_checked_and_what_is_wrong_with_it_is_said() {
    let ([authority, certificate, key], [stranger, ..]) = (certified("db.example.com"), certified("db.example.com"));
    let settings = ["ssl=on", "ssl_cert_file=../server.pem", "ssl_key_file=../server.key"];
    let files = [("server.pem", certificate.as_str()), ("server.key", key.as_str())];
    let Some(postgres) = Postgres::start_with(&settings, &files) else { return };
    let dir = scratch("postgres-encrypted");
    for (name, text) in [("authority.pem", &authority), ("stranger.pem", &stranger)] {
        fs::write(dir.join(name), text).unwrap();
    }
    let start = |host: &str, trusted: &str| {
        let config = super::config(&dir, &at(&postgres, host, ""));
        let trusted = format!("SSL_CERT_FILE={}", dir.join(trusted).display());
        let under = ["env", "-u", "SSL_CERT_DIR", &trusted];
        Server::try_start_under(&under, &dir, &["--config", &config])
    };
    for (host, trusted, wanted) in [
        (
            "db.example.com",
            "stranger.pem",
            "to trust an authority of your own, name its certificate: SSL_CERT_FILE=ca.pem",
        ),
        ("logs.example.com", "authority.pem", "its certificate is for another name; use a name that it is for"),
        ("db.example.com", "nothing.pem", "SSL_CERT_FILE names nothing that holds certificates"),
    ] {
        let (code, log) = start(host, trusted).map(Server::stop).unwrap_err();
        assert!(code == Some(2) && log.contains(wanted), "{host}, {trusted}: {code:?}: {log}");
        assert!(log.contains(&format!("postgres://{host}:")) && !log.contains(PASSWORD), "{log}");
    }
    let server = start("db.example.com", "authority.pem").unwrap();
    deliver(&server, &delivery(1));
    // Who writes and both who read; asked by the database, which knows.
    let plain =
        "SELECT count(*) FILTER (WHERE ssl) > 0, count(*) FILTER (WHERE NOT ssl) FROM pg_stat_ssl JOIN pg_stat_activity
        USING (pid) WHERE application_name = 'logdrain'";
    assert_eq!(postgres.sql(plain), "t|0");
    let (code, log) = server.stop();
    assert!(code == Some(0) && !log.contains(PASSWORD), "{code:?}: {log}");
}

#[test]
fn what_goes_in_the_clear_is_said_and_a_database_without_tls_is_not_taken_for_one_with() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("postgres-plain");
    let start = |mode: &str, host: &str| {
        Server::try_start(&dir, &["--config", &super::config(&dir, &at(&postgres, host, mode))])
    };
    let said = "journal: sslmode=disable: password and deliveries can be read on the way";
    for mode in ["", "&sslmode=prefer", "&sslmode=require"] {
        let (code, log) = start(mode, "db.example.com").map(Server::stop).unwrap_err();
        assert!(code == Some(2) && log.contains("does not speak TLS: set ssl = on there"), "{mode}: {code:?}: {log}");
        assert!(!log.contains(said) && !log.contains(PASSWORD), "{log}");
    }
    for (host, is_said) in [("db.example.com", true), ("localhost", false)] {
        let server = start("&sslmode=disable", host).unwrap();
        deliver(&server, &delivery(1));
        let (code, log) = server.stop();
        assert_eq!((code, log.contains(said)), (Some(0), is_said), "{log}");
        assert!(!log.contains(PASSWORD), "{log}");
    }
}
