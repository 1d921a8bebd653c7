use super::*;
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::sleep;

const LONG: Duration = Duration::from_secs(30);

/// A node that says whether it lives as long as it is well, and answers all else after a while, piece by piece.
#[derive(Default)]
struct Node {
    is_ill: AtomicBool,
    connections: AtomicUsize,
    asked: AtomicUsize,
    ended: AtomicUsize,
    introduced: Mutex<Option<HeaderValue>>,
}

impl Node {
    async fn start(self: &Arc<Self>) -> Arc<str> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let node = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                node.connections.fetch_add(1, Ordering::SeqCst);
                let node = node.clone();
                tokio::spawn(async move {
                    let answer = service_fn(|request| node.answer(request));
                    let _ = server::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
                    node.ended.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        url.into()
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        if request.uri().path() == "/healthz" {
            while self.is_ill.load(Ordering::SeqCst) {
                sleep(Duration::from_millis(10)).await;
            }
            return Ok(Response::new(Body::from("ok\n")));
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        *self.introduced.lock().unwrap() = request.headers().get(PASSED).cloned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let sent = request.into_body().collect().await.unwrap().to_bytes();
        let millis = query.parse().unwrap_or(0);
        sleep(Duration::from_millis(millis)).await;
        if millis > 0 {
            return Ok(Response::new(Body::from(sent)));
        }
        let (pieces, taken) = mpsc::channel::<Bytes>(1);
        tokio::spawn(async move {
            for _ in 0..3 {
                let _ = pieces.send(Bytes::from_static(b"piece ")).await;
                sleep(Duration::from_millis(20)).await;
            }
            if query == "endless" {
                pieces.closed().await;
            }
        });
        Ok(Response::new(Body::new(Pieces(taken))))
    }
}

struct Pieces(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

fn neighbours() -> Arc<Neighbours> {
    let own = Url::parse("http://127.0.0.1:1").unwrap();
    Neighbours::new(&own, &Secret::new("s".repeat(32)).unwrap())
}

fn asking(path: &'static str, body: &'static str) -> Request<Body> {
    let mut request = Request::new(Body::from(body));
    *request.uri_mut() = hyper::Uri::from_static(path);
    request
}

async fn sent(neighbour: &Arc<Neighbour>, request: Request<Body>, borne: Duration) -> Result<Response<Body>, Failed> {
    let open = neighbour.open(false).await?;
    neighbour.send(open, request, borne).await
}

async fn read(answer: Response<Body>) -> Bytes {
    answer.into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn answers_come_piece_by_piece_and_connections_are_used_again() {
    let node = Arc::new(Node::default());
    let url = node.start().await;
    let neighbour = neighbours().at(&url).unwrap();
    for (path, body, wanted) in [("/a", "", "piece piece piece "), ("/b?1", "what was sent", "what was sent")] {
        for _ in 0..3 {
            let answer = sent(&neighbour, asking(path, body), Duration::ZERO).await.unwrap();
            assert_eq!(read(answer).await, wanted);
        }
    }
    assert_eq!(node.connections.load(Ordering::SeqCst), 1);
    // What was not used for a while may be closed there by now.
    sleep(KEPT_FOR).await;
    read(sent(&neighbour, asking("/a", ""), Duration::ZERO).await.unwrap()).await;
    assert_eq!(node.connections.load(Ordering::SeqCst), 2);
    assert!(neighbour.open(true).await.is_ok());
}

#[tokio::test]
async fn who_sent_a_request_is_said_to_the_node_that_is_asked() {
    let node = Arc::new(Node::default());
    let url = node.start().await;
    let neighbour = neighbours().at(&url).unwrap();
    let mut request = asking("/a", "");
    let sender: IpAddr = "192.0.2.7".parse().unwrap();
    neighbour.introduce(request.headers_mut(), sender);
    read(sent(&neighbour, request, Duration::ZERO).await.unwrap()).await;
    let said = node.introduced.lock().unwrap().clone().unwrap();
    let there = Neighbours::new(&Url::parse(&url).unwrap(), &Secret::new("s".repeat(32)).unwrap());
    assert_eq!((there.sender(&said), neighbours().sender(&said)), (Some(sender), None));
}

#[tokio::test]
async fn who_is_slow_and_lives_is_waited_for_and_who_is_silent_is_not() {
    let node = Arc::new(Node::default());
    let url = node.start().await;
    let neighbour = neighbours().at(&url).unwrap();
    let answer = sent(&neighbour, asking("/slow?3000", "x"), Duration::ZERO).await.unwrap();
    assert_eq!(read(answer).await, "x");
    node.is_ill.store(true, Ordering::SeqCst);
    let began = Instant::now();
    let failed = sent(&neighbour, asking("/slow?20000", "x"), Duration::ZERO).await.unwrap_err();
    assert!(failed == Failed::Silent && began.elapsed() < Duration::from_secs(4), "{failed} {:?}", began.elapsed());
    // For a moment nobody tries it, but who bears its silence is answered when it wakes up.
    let Err(Failed::Unreached(why)) = neighbour.open(true).await else { panic!("it is shunned") };
    assert_eq!(why, "it was silent just now");
    sleep(SHUNNED).await;
    let waking = async {
        sleep(Duration::from_secs(3)).await;
        node.is_ill.store(false, Ordering::SeqCst);
    };
    let (answer, ()) = tokio::join!(sent(&neighbour, asking("/slow?4000", "y"), LONG), waking);
    assert_eq!(read(answer.unwrap()).await, "y");
    assert_eq!(node.asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn an_answer_whose_node_falls_silent_breaks_off() {
    let node = Arc::new(Node::default());
    let url = node.start().await;
    let neighbour = neighbours().at(&url).unwrap();
    let answer = sent(&neighbour, asking("/a?endless", ""), Duration::ZERO).await.unwrap();
    let quiet = tokio::time::timeout(Duration::from_secs(4), answer.into_body().collect()).await;
    assert!(quiet.is_err(), "it says nothing, and lives");
    let answer = sent(&neighbour, asking("/a?endless", ""), Duration::ZERO).await.unwrap();
    node.is_ill.store(true, Ordering::SeqCst);
    let broken = tokio::time::timeout(LONG, answer.into_body().collect()).await;
    assert!(broken.is_ok_and(|read| read.is_err()));
}

#[tokio::test]
async fn when_the_reader_goes_the_other_node_hears_of_it() {
    let node = Arc::new(Node::default());
    let url = node.start().await;
    let neighbour = neighbours().at(&url).unwrap();
    let mut answer = sent(&neighbour, asking("/a?endless", ""), Duration::ZERO).await.unwrap();
    assert!(answer.body_mut().frame().await.unwrap().is_ok());
    drop(answer);
    let waiting =
        tokio::time::timeout(Duration::from_millis(100), sent(&neighbour, asking("/a?20000", ""), LONG)).await;
    assert!(waiting.is_err());
    let ended = async {
        while node.ended.load(Ordering::SeqCst) < 2 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(LONG, ended).await.is_ok());
}

#[tokio::test]
async fn who_is_not_there_is_said_at_once() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let neighbour = neighbours().at(&format!("http://127.0.0.1:{port}").into()).unwrap();
    assert!(matches!(neighbour.open(false).await, Err(Failed::Unreached(why)) if why.contains("refused")));
    assert!(neighbours().at(&"http://10.0.0.1:8514".into()).is_none(), "nothing goes there in the clear");
}
