//! Alerts as mail, by a server of SMTP that says nothing before TLS. `cargo test -p logdrain --test serve outbox::`.

use super::{CONFIG, House, told};
use crate::harness::{Server, request, wait_until};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use logdrain_drain::alerts::channel::Settings;
use logdrain_drain::alerts::outbox::State;
use logdrain_drain::directory::{NewMember, Rights};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// One mail, as it came.
#[derive(Clone, Debug)]
struct Mail {
    to: String,
    text: String,
}

/// A mail server with one name and password. It refuses an address for good, and has no room for another at first.
#[derive(Clone)]
struct Smtp {
    at: SocketAddr,
    tls: Arc<ServerConfig>,
    mails: Arc<Mutex<Vec<Mail>>>,
    /// How often it has no room.
    busy: Arc<Mutex<u32>>,
    /// It speaks TLS from the first byte on.
    is_implicit: bool,
}

const USER: &str = "\0logdrain\0mail-s3cret-12";

impl Smtp {
    /// Answers the certificate that it shows, too.
    fn start(busy: u32) -> (Self, String) {
        Self::speaking(busy, false)
    }

    fn speaking(busy: u32, is_implicit: bool) -> (Self, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let chain = vec![CertificateDer::from(made.cert.der().to_vec())];
        let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key.into())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let smtp =
            Self { at, tls: Arc::new(tls), mails: Arc::default(), busy: Arc::new(Mutex::new(busy)), is_implicit };
        let own = smtp.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let own = own.clone();
                std::thread::spawn(move || own.greet(stream));
            }
        });
        (smtp, made.cert.pem())
    }

    /// Until TLS begins; nothing else is taken before.
    fn greet(&self, mut stream: TcpStream) -> io::Result<()> {
        if self.is_implicit {
            let connection = ServerConnection::new(self.tls.clone()).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            stream.write_all(b"220 mail ready\r\n")?;
            stream.flush()?;
            return self.talk(stream);
        }
        stream.write_all(b"220 mail ready\r\n")?;
        let mut byte = [0; 1];
        let mut line = Vec::new();
        loop {
            // Byte by byte: what comes behind the last one is TLS.
            stream.read_exact(&mut byte)?;
            line.push(byte[0]);
            if byte[0] != b'\n' {
                continue;
            }
            let said = String::from_utf8_lossy(&line).trim().to_owned();
            line.clear();
            match said.split(' ').next().unwrap_or_default() {
                "EHLO" => stream.write_all(b"250-mail\r\n250 STARTTLS\r\n")?,
                "STARTTLS" => {
                    stream.write_all(b"220 go on\r\n")?;
                    let connection = ServerConnection::new(self.tls.clone()).unwrap();
                    return self.talk(StreamOwned::new(connection, stream));
                }
                _ => stream.write_all(b"530 TLS first\r\n")?,
            }
        }
    }

    fn talk(&self, stream: impl Read + Write) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let (mut is_known, mut to) = (false, String::new());
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim();
            let answer = match line.split(' ').next().unwrap_or_default() {
                "EHLO" => "250-mail\r\n250 AUTH PLAIN".to_owned(),
                "AUTH" => {
                    is_known = line == format!("AUTH PLAIN {}", STANDARD.encode(USER));
                    if is_known { "235 welcome".to_owned() } else { "535 who are you".to_owned() }
                }
                _ if !is_known => "530 sign in first".to_owned(),
                "RCPT" => {
                    to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                    let mut busy = self.busy.lock().unwrap();
                    match to.split('@').next() {
                        Some("gone") => "550 no such user here".to_owned(),
                        Some("full") if *busy > 0 => {
                            *busy -= 1;
                            "452 no room just now".to_owned()
                        }
                        _ => "250 ok".to_owned(),
                    }
                }
                "DATA" => {
                    stream.get_mut().write_all(b"354 go on\r\n")?;
                    let mut text = String::new();
                    while !text.ends_with("\r\n.\r\n") {
                        stream.read_line(&mut text)?;
                    }
                    self.mails.lock().unwrap().push(Mail { to: to.clone(), text });
                    "250 taken".to_owned()
                }
                "QUIT" => "221 bye".to_owned(),
                _ => "250 ok".to_owned(),
            };
            stream.get_mut().write_all(format!("{answer}\r\n").as_bytes())?;
            stream.get_mut().flush()?;
        }
    }

    fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }

    fn section(&self) -> String {
        format!(
            "[smtp]\nhost = \"localhost\"\nport = {}\nuser = \"logdrain\"\npassword = \"mail-s3cret-12\"\nfrom = \"alerts@example.com\"\n",
            self.at.port()
        )
    }
}

/// A server that trusts the mail server's certificate.
fn start(house: &House, pem: &str) -> Server {
    let trusted = house.dir.join("trusted.pem");
    std::fs::write(&trusted, pem).unwrap();
    let trusted = format!("SSL_CERT_FILE={}", trusted.display());
    Server::start_under(&["env", &trusted], &house.dir, &["--config", &house.config])
}

fn mail(house: &House, account: &str, to: &[&str]) -> u32 {
    let settings = Settings::Mail { to: to.iter().map(|to| (*to).to_owned()).collect() };
    let sealed = house.sender.seal(account, &settings).unwrap();
    let channel = logdrain_drain::directory::Channel {
        id: 0,
        name: "people".to_owned(),
        kind: settings.kind().to_owned(),
        shown: settings.shown(),
        settings: sealed,
        created: 0,
    };
    house.directory.add_channel(account, &channel).unwrap()
}

#[test]
fn mail_goes_over_tls_to_members_and_to_who_wants_it_and_each_has_one() {
    let (smtp, pem) = Smtp::start(2);
    let house = House::new("outbox-mail", &format!("{CONFIG}{}", smtp.section()));
    for email in ["ann@example.com", "full@example.com", "gone@example.com"] {
        let new = NewMember { account: "shop".to_owned(), email: email.to_owned(), rights: Rights::all() };
        house.directory.add_member(new).unwrap();
    }
    let link = house.directory.ask_recipient("shop", "Bob@example.com").unwrap().expect("he is no member");
    assert_eq!(house.directory.ask_recipient("shop", "bob@example.com").unwrap(), None, "not twice in an hour");
    house.directory.ask_recipient("shop", "eve@example.com").unwrap().expect("she is none either");
    let bob = house.directory.confirm_recipient(link.reveal()).unwrap();
    assert_eq!((bob.account.as_str(), bob.address.as_str()), ("shop", "bob@example.com"));
    assert!(house.directory.confirm_recipient(link.reveal()).is_err(), "the link is good once");
    let all = ["ann@example.com", "bob@example.com", "eve@example.com", "full@example.com", "gone@example.com"];
    let channel = mail(&house, "shop", &all);
    let nobody = mail(&house, "shop", &["eve@example.com"]);
    house.outbox.keep(&[told("shop", 1, 1, &[channel]), told("shop", 2, 1, &[nobody])]).unwrap();
    let server = start(&house, &pem);
    let ends = |alert: u32| {
        wait_until("the mail", || Some(house.state("shop", alert)).filter(|(state, ..)| *state != State::Waiting))
    };
    let (state, tries, said) = ends(1);
    assert_eq!((state, tries), (State::Sent, 3), "{said}: {}", server.log());
    let mut to: Vec<String> = smtp.mails().into_iter().map(|mail| mail.to).collect();
    to.sort_unstable();
    assert_eq!(to, ["ann@example.com", "bob@example.com", "full@example.com"], "none has it twice");
    let one = smtp.mails().remove(0).text;
    for line in [
        "From: alerts@example.com\r\n",
        "Subject: [logdrain] \"Timeouts\" alert: 1 match (at 2026-11-21 14:16)\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "List-Unsubscribe: <https://logs.example.com/alerts/1>\r\n",
        "Nov 21 14:15:00 shop-eu heroku/router: at=error code=H12 number=1 of-shop",
        "https://logs.example.com/alerts/1",
    ] {
        assert!(one.contains(line), "{line}: {one}");
    }
    // Bob ends it by the link that only his mail has; Ann is a member, and changes the alert.
    let text = |to: &str| smtp.mails().into_iter().find(|mail| mail.to == to).unwrap().text.replace("=\r\n", "");
    assert!(!text("ann@example.com").contains("/recipients/stop/"));
    let mail = text("bob@example.com");
    assert!(mail.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"), "{mail}");
    let link = mail.split("https://logs.example.com/recipients/stop/").last().unwrap();
    let link: String = link.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    let path = format!("/recipients/stop/{link}");
    let page = server.get(&path);
    assert!(page.status == 200 && page.body.contains("bob@example.com"), "{page:?}");
    assert!(house.directory.may_get_mail("shop", "bob@example.com").unwrap(), "a look ends nothing");
    assert_eq!(request(server.address, "POST", "/recipients/stop/forged", &[], b"").unwrap().status, 404);
    assert_eq!(request(server.address, "POST", &path, &[], b"").unwrap().status, 200);
    assert!(!house.directory.may_get_mail("shop", "bob@example.com").unwrap());
    let (state, _, said) = ends(2);
    assert!(state == State::Refused && said.contains("wants mail"), "{said}");
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("mail-s3cret"), "{log}");
}

#[test]
fn mail_goes_over_tls_from_the_first_byte_where_the_operator_says_so() {
    let (smtp, pem) = Smtp::speaking(0, true);
    let house = House::new("outbox-mail-implicit", &format!("{CONFIG}{}tls = \"implicit\"\n", smtp.section()));
    let new = NewMember { account: "shop".to_owned(), email: "ann@example.com".to_owned(), rights: Rights::all() };
    house.directory.add_member(new).unwrap();
    let channel = mail(&house, "shop", &["ann@example.com"]);
    house.outbox.keep(&[told("shop", 1, 1, &[channel])]).unwrap();
    let server = start(&house, &pem);
    let ends = wait_until("the mail", || Some(house.state("shop", 1)).filter(|(state, ..)| *state != State::Waiting));
    assert_eq!((ends.0, smtp.mails().len()), (State::Sent, 1), "{ends:?}: {}", server.log());
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_mail_server_that_is_not_the_one_named_gets_no_mail_and_no_password() {
    let (smtp, _) = Smtp::start(0);
    let (_, other) = Smtp::start(0);
    let house = House::new("outbox-mail-other", &format!("{CONFIG}{}", smtp.section()));
    let new = NewMember { account: "shop".to_owned(), email: "ann@example.com".to_owned(), rights: Rights::all() };
    house.directory.add_member(new).unwrap();
    let channel = mail(&house, "shop", &["ann@example.com"]);
    house.outbox.keep(&[told("shop", 1, 1, &[channel])]).unwrap();
    // It trusts the certificate of another one.
    let server = start(&house, &other);
    let waits = wait_until("a try", || Some(house.state("shop", 1)).filter(|(_, tries, _)| *tries > 0));
    assert!(waits.0 == State::Waiting && waits.2.contains("does not take it now"), "{waits:?}");
    assert!(smtp.mails().is_empty());
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_mail_server_whose_line_has_no_end_is_left_before_it_takes_much_memory() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            // No more than this machine can bear.
            std::thread::spawn(move || (0..16_384).all(|_| stream.write_all(&[b'2'; 1 << 16]).is_ok()));
        }
    });
    let section =
        format!("[smtp]\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\nfrom = \"alerts@example.com\"\n");
    let house = House::new("outbox-mail-endless", &format!("{CONFIG}{section}"));
    let new = NewMember { account: "shop".to_owned(), email: "ann@example.com".to_owned(), rights: Rights::all() };
    house.directory.add_member(new).unwrap();
    let channel = mail(&house, "shop", &["ann@example.com"]);
    house.outbox.keep(&[told("shop", 1, 1, &[channel])]).unwrap();
    let server = house.start();
    let waits = wait_until("a try", || Some(house.state("shop", 1)).filter(|(_, tries, _)| *tries > 0));
    assert!(waits.0 == State::Waiting && waits.2.contains("does not take it now"), "{waits:?}");
    assert!(server.memory() < 200 << 20, "{} bytes", server.memory());
    let (code, log) = server.stop();
    assert!(code == Some(0) && log.contains("says more than"), "{code:?}: {log}");
}
