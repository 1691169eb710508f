//! A registry over HTTP on the loopback, to read from: just enough of HTTP/1.1 and of the distribution
//! specification for a client that pulls.
//!
//! Each connection answers one request. A client that begins with TLS is hung up on, as it would be by
//! any server without TLS.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use ringsite_names::{Digest, RepositoryName};
use ringsite_oci::{OciError, Registry, TagOrDigest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Bytes of the head of a request, and of a blob: more is no test.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const BLOB_BYTES_MAX: u64 = 1 << 30;

/// What is answered in place of the truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 401 without a challenge.
    Unauthorized,
    /// 404 with the error that the specification asks for.
    NotFound,
    /// 500 with a text.
    ServerError,
    /// 200 with other bytes, and no digest header.
    Bytes(Bytes),
    /// 200 with the first half of the body; the connection ends before the announced length.
    Half,
    /// 200 with one byte more than there is, the length announced accordingly.
    Longer,
}

/// Serves a registry for reading until it is dropped.
#[derive(Debug)]
pub struct HttpRegistry {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    requests: Mutex<Vec<String>>,
    answers: Mutex<Vec<(String, Answer)>>,
}

impl HttpRegistry {
    /// Serves `registry` on a free port of the loopback.
    ///
    /// # Panics
    /// When this machine gives no port.
    pub async fn serve(registry: Arc<impl Registry + 'static>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("the loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared::default());
        let serving = tokio::spawn(accept(listener, registry, Arc::clone(&shared)));
        Self { address, shared, serving }
    }

    /// Returns the host and port, as references have them.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Answers every request whose line, such as `GET /v2/a/manifests/t`, contains `part` with `answer`.
    pub fn answer(&self, part: &str, answer: Answer) {
        lock(&self.shared.answers).push((part.to_owned(), answer));
    }

    /// Answers the truth again.
    pub fn answer_truth(&self) {
        lock(&self.shared.answers).clear();
    }

    /// Returns the requests since the last call, in their order, such as `GET /v2/a/manifests/t`.
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.shared.requests))
    }
}

impl Drop for HttpRegistry {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, registry: Arc<impl Registry + 'static>, shared: Arc<Shared>) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (registry, shared) = (Arc::clone(&registry), Arc::clone(&shared));
        connections.spawn(async move {
            let mut stream = stream;
            if let Some(line) = read_request(&mut stream).await {
                // A client that goes away needs no answer.
                let _ = respond(&mut stream, &line, &*registry, &shared).await;
            }
        });
    }
}

/// Reads a request and returns its method and path; nothing for what is no HTTP.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let count = stream.read(&mut buffer).await.ok()?;
        head.extend_from_slice(&buffer[..count]);
        if count == 0 || head.len() > HEAD_BYTES_MAX || !head[0].is_ascii_uppercase() {
            return None;
        }
    }
    let line = head.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    Some(line.strip_suffix(" HTTP/1.1").unwrap_or(line).to_owned())
}

struct Found {
    status: &'static str,
    media_type: String,
    digest: Option<Digest>,
    body: Bytes,
}

impl Found {
    fn error(status: &'static str, code: &str) -> Self {
        let body = serde_json::json!({"errors": [{"code": code, "message": "as the test wants it"}]});
        Self { status, media_type: "application/json".into(), digest: None, body: body.to_string().into() }
    }
}

async fn respond(
    stream: &mut TcpStream,
    line: &str,
    registry: &impl Registry,
    shared: &Shared,
) -> std::io::Result<()> {
    lock(&shared.requests).push(line.to_owned());
    let (method, path) = line.split_once(' ').unwrap_or((line, ""));
    let mut found = find(path, registry).await;
    let answer = lock(&shared.answers).iter().find(|(part, _)| line.contains(part)).cloned();
    let mut cut = None;
    match answer.map(|(_, answer)| answer) {
        None => {}
        Some(Answer::Unauthorized) => found = Found::error("401 Unauthorized", "UNAUTHORIZED"),
        Some(Answer::NotFound) => found = Found::error("404 Not Found", "MANIFEST_UNKNOWN"),
        Some(Answer::ServerError) => found = Found::error("500 Internal Server Error", "BROKEN"),
        Some(Answer::Bytes(body)) => {
            found = Found { status: "200 OK", media_type: "application/json".into(), digest: None, body };
        }
        Some(Answer::Half) => cut = Some(found.body.len() / 2),
        Some(Answer::Longer) => found.body = [&*found.body, b"x"].concat().into(),
    }
    let digest = found.digest.map(|digest| format!("Docker-Content-Digest: {digest}\r\n"));
    let head = format!(
        "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}Connection: close\r\n\r\n",
        found.status,
        found.media_type,
        found.body.len(),
        digest.unwrap_or_default(),
    );
    stream.write_all(head.as_bytes()).await?;
    if method != "HEAD" {
        stream.write_all(&found.body[..cut.unwrap_or(found.body.len())]).await?;
    }
    stream.shutdown().await
}

async fn find(path: &str, registry: &impl Registry) -> Found {
    let unknown = |code| Found::error("404 Not Found", code);
    if path == "/v2/" {
        return Found {
            status: "200 OK",
            media_type: "application/json".into(),
            digest: None,
            body: Bytes::from_static(b"{}"),
        };
    }
    let rest = path.strip_prefix("/v2/").unwrap_or_default();
    if let Some((name, reference)) = rest.split_once("/manifests/")
        && let (Ok(name), Ok(reference)) = (RepositoryName::new(name), reference.parse::<TagOrDigest>())
    {
        return match registry.manifest(&name, &reference).await {
            Ok(stored) => Found {
                status: "200 OK",
                media_type: stored.media_type,
                digest: Some(stored.digest),
                body: stored.bytes,
            },
            Err(error) => refused(&error, "MANIFEST_UNKNOWN"),
        };
    }
    if let Some((name, digest)) = rest.split_once("/blobs/")
        && let (Ok(name), Ok(digest)) = (RepositoryName::new(name), digest.parse::<Digest>())
    {
        return match registry.blob_bytes(&name, &digest, BLOB_BYTES_MAX).await {
            Ok(body) => Found {
                status: "200 OK",
                media_type: "application/octet-stream".into(),
                digest: Some(digest),
                body,
            },
            Err(error) => refused(&error, "BLOB_UNKNOWN"),
        };
    }
    unknown("NAME_UNKNOWN")
}

fn refused(error: &OciError, code: &str) -> Found {
    if error.is_not_found() {
        Found::error("404 Not Found", code)
    } else {
        Found::error("500 Internal Server Error", "BROKEN")
    }
}
