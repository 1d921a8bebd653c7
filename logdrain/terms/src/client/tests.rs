use super::*;
use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Answers requests one after the other, each with the next of `answers`, and gives what it was asked. An empty answer
/// closes the connection without one.
async fn serve(answers: Vec<&'static str>) -> (Base, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Base::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let task = tokio::spawn(async move {
        let (mut asked, mut answers) = (Vec::new(), answers.into_iter().peekable());
        while answers.peek().is_some() {
            let (stream, _) = listener.accept().await.unwrap();
            exchange(stream, &mut answers, &mut asked).await;
        }
        asked
    });
    (base, task)
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answers: &mut (impl Iterator<Item = &'static str> + Send),
    asked: &mut Vec<String>,
) {
    let mut held = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let Ok(count) = stream.read(&mut buffer).await else { return };
        if count == 0 {
            return;
        }
        held.extend_from_slice(&buffer[..count]);
        if !held.windows(4).any(|end| end == b"\r\n\r\n") {
            continue;
        }
        let Some(answer) = answers.next() else { return };
        asked.push(String::from_utf8(std::mem::take(&mut held)).unwrap());
        if answer.is_empty() {
            return;
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        if answer.contains("connection: close") {
            return;
        }
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n{\"a\":1}";

fn client(base: Base) -> Client {
    Client::of(base, None)
        .with_secret(HeaderName::from_static("x-papertrail-token"), HeaderValue::from_static("s3cr3t"))
}

#[tokio::test]
async fn a_connection_is_kept_and_opened_again_when_it_was_closed() {
    let (base, task) = serve(vec![OK, OK, "", OK, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n[]", OK]).await;
    let client = client(base);
    for _ in 0..5 {
        client.ask(&Ask::get("/api?q=1")).await.unwrap().bytes(100).await.unwrap();
    }
    drop(client);
    let asked = task.await.unwrap();
    assert_eq!(asked.len(), 6);
    assert!(asked[0].starts_with("GET /api?q=1 HTTP/1.1\r\n"), "{}", asked[0]);
    assert!(asked[0].to_ascii_lowercase().contains("x-papertrail-token: s3cr3t"), "{}", asked[0]);
}

#[tokio::test]
async fn a_change_is_not_sent_twice() {
    let (base, task) = serve(vec![OK, "", OK]).await;
    let client = client(base);
    client.ask(&Ask::get("/")).await.unwrap().bytes(100).await.unwrap();
    let error = client.ask(&Ask::new(Method::POST, "/").with_body("text/plain", "a")).await.unwrap_err();
    assert!(error.to_string().contains("the connection broke"), "{error}");
    client.ask(&Ask::get("/")).await.unwrap();
    drop(client);
    assert_eq!(task.await.unwrap().len(), 3);
}

#[tokio::test]
async fn an_answer_that_is_still_read_is_not_waited_for() {
    let (base, task) = serve(vec!["HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nopen"]).await;
    let client = client(base.clone());
    let mut first = client.ask(&Ask::get("/")).await.unwrap();
    assert_eq!(first.piece().await.unwrap().unwrap(), "open");
    // The server of this test takes one connection at a time: the second is refused or waits, and is opened all the same.
    let second = timeout(Duration::from_secs(2), client.ask(&Ask::get("/"))).await;
    assert!(!matches!(second, Ok(Ok(_))));
    drop((first, client));
    assert_eq!(task.await.unwrap().len(), 1);
}

#[tokio::test]
async fn who_is_told_to_come_again_waits() {
    let busy = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n";
    let down = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n";
    let (base, task) = serve(vec![busy, down, OK, busy]).await;
    let client = client(base);
    client.ask(&Ask::get("/")).await.unwrap().bytes(100).await.unwrap();
    let client = client.with_patience(Duration::ZERO);
    let error = client.ask(&Ask::get("/")).await.unwrap_err();
    assert_eq!((error.status(), error.may_pass()), (Some(StatusCode::TOO_MANY_REQUESTS), true));
    drop(client);
    assert_eq!(task.await.unwrap().len(), 4);
}

#[tokio::test]
async fn refusals_say_what_the_server_says() {
    for (answer, said) in [
        (
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: 33\r\n\r\n{\"message\":\"Invalid API token.\"}\r\n",
            "answers 401: Invalid API token.",
        ),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 6\r\n\r\n<html>", "answers 404 (Not Found)"),
        (
            "HTTP/1.1 302 Found\r\nlocation: https://example.com/api?token=s3cr3t\r\ncontent-length: 0\r\n\r\n",
            "answers 302: it is at https://example.com/api; if that is the server, name that address",
        ),
        ("HTTP/1.1 500 Oh\r\ncontent-length: 8\r\n\r\n\x1b[2Jgone", "answers 500: \\u{1b}[2Jgone"),
        ("SSH-2.0-OpenSSH_9.9\r\n\r\n", "answers something that is no HTTP; does it want https://"),
    ] {
        let (base, _task) = serve(vec![answer]).await;
        let error = client(base.clone()).ask(&Ask::get("/?q=private")).await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&format!("{base}: {said}")), "{text}");
        assert!(!text.contains("s3cr3t") && !text.contains("private"), "{text}");
    }
}

#[tokio::test]
async fn nobody_there_and_too_much_of_an_answer() {
    let base = Base::parse("http://127.0.0.1:1").unwrap();
    let error = client(base).ask(&Ask::get("/")).await.unwrap_err();
    assert!(error.to_string().contains("cannot be reached: ") && error.may_pass(), "{error}");

    let (base, _task) = serve(vec![OK, "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nHi 1"]).await;
    let client = client(base);
    let error = client.ask(&Ask::get("/")).await.unwrap().bytes(3).await.unwrap_err();
    assert!(error.to_string().contains("more than 3 bytes"), "{error}");
    let error = client.ask(&Ask::get("/")).await.unwrap().json::<serde_json::Value>(99).await.unwrap_err();
    assert!(error.to_string().contains("no JSON") && !error.may_pass(), "{error}");
    assert_eq!(format!("{client:?}").find("s3cr3t"), None);
}

/// A server of one connection with a certificate for this name, and what trusts it.
async fn tls_server(name: &str) -> (u16, TlsConnector) {
    let certified = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        if let Ok(stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await {
            exchange(stream, &mut vec![OK].into_iter(), &mut Vec::new()).await;
        }
    });
    let mut roots = RootCertStore::empty();
    roots.add(certified.cert.der().clone()).unwrap();
    (port, roots::connector(roots).unwrap())
}

#[tokio::test]
async fn an_encrypted_server_must_be_whom_it_says() {
    let base = |port| Base::parse(&format!("https://localhost:{port}")).unwrap();
    let (port, trust) = tls_server("localhost").await;
    let answer = Client::of(base(port), Some(trust.clone())).ask(&Ask::get("/")).await.unwrap();
    assert_eq!(answer.bytes(100).await.unwrap(), b"{\"a\":1}");

    let (port, _) = tls_server("localhost").await;
    let error = Client::of(base(port), Some(trust)).ask(&Ask::get("/")).await.unwrap_err();
    assert!(error.to_string().contains("SSL_CERT_FILE=ca.pem") && !error.may_pass(), "{error}");

    let (port, trust) = tls_server("example.com").await;
    let error = Client::of(base(port), Some(trust)).ask(&Ask::get("/")).await.unwrap_err();
    assert!(error.to_string().contains("its certificate is for another name"), "{error}");

    let (plain, _task) = serve(vec![OK]).await;
    let (_, trust) = tls_server("localhost").await;
    let error = Client::of(base(plain.port()), Some(trust)).ask(&Ask::get("/")).await.unwrap_err();
    assert!(error.to_string().contains("localhost"), "{error}");
}
