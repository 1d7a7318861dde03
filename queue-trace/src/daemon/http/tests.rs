use std::path::{Path, PathBuf};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider};

use super::*;
use crate::model::Snapshot;

/// A folder of its own that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("queue-trace-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running endpoint.
struct Endpoint {
    address: Option<SocketAddr>,
    publish: watch::Sender<Arc<Published>>,
    end: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

fn published(time_ns: u64) -> Arc<Published> {
    let snapshot = Snapshot { time_ns, tier: "poll", ..Snapshot::default() };
    let [at, started] = [9, 8].map(|hour| format!("2026-11-21T0{hour}:00:00Z").parse().unwrap());
    Arc::new(Published::new(snapshot, at, started, Vec::new()))
}

impl Endpoint {
    fn start(settings: Settings) -> Self {
        let server = Server::bind(settings).unwrap();
        let (publish, receive) = watch::channel(published(0));
        let (end, ending) = oneshot::channel();
        let address = server.address();
        let task = tokio::spawn(server.run(receive, async { drop(ending.await) }));
        Self { address, publish, end, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address.unwrap()).await.unwrap()
    }

    async fn get(&self, path: &str, headers: &str) -> String {
        ask(self.connect().await, &format!("GET {path} HTTP/1.1\r\n{headers}")).await
    }

    async fn end(self) {
        self.end.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

fn settings() -> Settings {
    Settings { listen: Listen::Tcp(([127, 0, 0, 1], 0).into()), ..Settings::default() }
}

/// Sends a request whose last headers are missing; gives all that comes until the connection is closed.
async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    let request = format!("{request}Host: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn problem(settings: Settings) -> String {
    Server::bind(settings).err().map(|error| format!("{error:#}")).unwrap()
}

#[tokio::test]
async fn each_path_answers_and_others_do_not() {
    let endpoint = Endpoint::start(settings());
    for (path, expected) in [
        ("/", "text/html"),
        ("/metrics", "text/plain; version=0.0.4"),
        (
            "/api/v1/listeners",
            "{\"time\":\"2026-11-21T09:00:00Z\",\"tier\":\"poll\",\"listeners\":[]}",
        ),
        ("/-/healthy", "healthy"),
    ] {
        let answer = endpoint.get(path, "").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains(expected), "{answer}");
    }
    let open = endpoint.get("/metrics", "Accept: application/openmetrics-text\r\n").await;
    assert!(open.contains("application/openmetrics-text; version=1.0.0"), "{open}");
    assert!(open.ends_with("# EOF\n"), "{open}");
    assert!(endpoint.get("/nothing", "").await.starts_with("HTTP/1.1 404"));
    let post =
        ask(endpoint.connect().await, "POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n").await;
    assert!(post.starts_with("HTTP/1.1 405") && post.contains("allow: GET, HEAD"), "{post}");
    let head = ask(endpoint.connect().await, "HEAD /-/healthy HTTP/1.1\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
    endpoint.end().await;
}

#[tokio::test]
async fn it_is_ready_once_there_are_numbers() {
    let endpoint = Endpoint::start(settings());
    let before = endpoint.get("/-/ready", "").await;
    assert!(before.starts_with("HTTP/1.1 503") && before.ends_with("no numbers yet\n"), "{before}");
    endpoint.publish.send(published(1)).unwrap();
    let mut tries = 0;
    while !endpoint.get("/-/ready", "").await.starts_with("HTTP/1.1 200") {
        tries += 1;
        assert!(tries < 1000, "never ready");
    }
    endpoint.end().await;
    let stale = Endpoint::start(Settings { ready_within: 0, ..settings() });
    stale.publish.send(published(1)).unwrap();
    sleep(Duration::from_millis(5)).await;
    let answer = stale.get("/-/ready", "").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    stale.end().await;
}

#[tokio::test]
async fn without_the_password_nothing_is_told() {
    let folder = Folder::new("auth");
    let hash = bcrypt::hash("s:cret", 4).unwrap();
    // `user:s:cret`, `user:wrong`, `other:s:cret`, and what is no credential.
    let right = "Authorization: Basic dXNlcjpzOmNyZXQ=\r\n";
    let wrong = ["dXNlcjp3cm9uZw==", "b3RoZXI6czpjcmV0", "dXNlcg==", "%%%"];
    for secret in ["s:cret\n", hash.as_str()] {
        let password_file = folder.file("password", secret);
        let basic_auth = Some(BasicAuth { user: "user".into(), password_file });
        let endpoint = Endpoint::start(Settings { basic_auth, ..settings() });
        for _ in 0..2 {
            assert!(endpoint.get("/metrics", right).await.starts_with("HTTP/1.1 200"));
        }
        for wrong in wrong {
            let header = format!("Authorization: Basic {wrong}\r\n");
            let answer = endpoint.get("/metrics", &header).await;
            assert!(answer.starts_with("HTTP/1.1 401"), "{wrong}: {answer}");
            assert!(answer.contains("www-authenticate: Basic realm="), "{answer}");
        }
        assert!(endpoint.get("/-/healthy", "").await.starts_with("HTTP/1.1 401"));
        endpoint.end().await;
    }
}

fn connector(certificate: &str) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn with_a_certificate_it_speaks_tls_only() {
    let folder = Folder::new("tls");
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let certificate = folder.file("certificate.pem", &cert.pem());
    let key = folder.file("key.pem", &signing_key.serialize_pem());
    let tls = Tls { certificate: certificate.clone(), key };
    let endpoint = Endpoint::start(Settings { tls: Some(tls.clone()), ..settings() });
    let name = "localhost".try_into().unwrap();
    let stream = endpoint.connect().await;
    let mut stream = connector(&cert.pem()).connect(name, stream).await.unwrap();
    stream.write_all(b"GET /-/healthy HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.0 200") && answer.ends_with("healthy\n"), "{answer}");
    let mut plain = endpoint.connect().await;
    plain.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // The alert of TLS, or a reset.
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));
    endpoint.end().await;

    let with = |tls| problem(Settings { tls: Some(tls), ..settings() });
    let missing = with(Tls { key: "/nowhere/key.pem".into(), ..tls.clone() });
    assert!(missing.contains("the key (`tls.key`) /nowhere/key.pem: No such file"), "{missing}");
    let swapped = with(Tls { certificate: tls.key.clone(), ..tls.clone() });
    assert!(swapped.contains("there is no certificate in PEM"), "{swapped}");
    let no_key = with(Tls { key: certificate, ..tls });
    assert!(no_key.contains("cannot use the key (`tls.key`)"), "{no_key}");
}

fn on_socket(path: &Path) -> Settings {
    Settings { listen: Listen::Unix(path.into()), socket_mode: Mode(0o600), ..Settings::default() }
}

#[tokio::test]
async fn a_unix_socket_has_its_mode_replaces_a_dead_one_and_goes_at_the_end() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("unix");
    let path = folder.0.join("socket");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let endpoint = Endpoint::start(on_socket(&path));
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let stream = UnixStream::connect(&path).await.unwrap();
    let answer = ask(stream, "GET /-/healthy HTTP/1.1\r\n").await;
    assert!(answer.ends_with("healthy\n"), "{answer}");
    let again = problem(on_socket(&path));
    assert!(again.contains("somebody else does"), "{again}");
    endpoint.end().await;
    assert!(!path.exists());

    let file = folder.file("file", "precious");
    assert!(problem(on_socket(&file)).contains("there is something that is no socket"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    let nowhere = problem(on_socket(&folder.0.join("no/socket")));
    assert!(nowhere.contains("No such file"), "{nowhere}");
}

#[tokio::test]
async fn what_cannot_be_used_is_said_in_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = Listen::Tcp(taken.local_addr().unwrap());
    let port = problem(Settings { listen, ..settings() });
    assert!(port.contains("somebody else listens there"), "{port}");
    let folder = Folder::new("secrets");
    let with = |password_file| {
        let basic_auth = Some(BasicAuth { user: "user".into(), password_file });
        problem(Settings { basic_auth, ..settings() })
    };
    assert!(
        with("/nowhere/password".into()).contains("/nowhere/password (`basic_auth.password_file`)")
    );
    assert!(with(folder.file("empty", "\n")).contains("is empty"));
    assert!(
        with(folder.file("hash", "$2y$nonsense")).contains("begins like a bcrypt hash and is none")
    );
}

#[tokio::test]
async fn too_many_connections_and_too_long_heads_are_turned_away() {
    let endpoint = Endpoint::start(Settings { max_connections: 2, ..settings() });
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = endpoint.connect().await;
        stream.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
        // Answered, so that it is counted.
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.unwrap();
        held.push(stream);
    }
    let mut third = endpoint.connect().await;
    let mut answer = Vec::new();
    let _ = third.read_to_end(&mut answer).await;
    assert!(answer.is_empty());
    drop(held.pop());
    let mut answer = String::new();
    for _ in 0..1000 {
        let mut stream = endpoint.connect().await;
        let request = b"GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
        answer.clear();
        if stream.write_all(request).await.is_ok()
            && stream.read_to_string(&mut answer).await.is_ok()
            && !answer.is_empty()
        {
            break;
        }
    }
    assert!(answer.contains("\nqueuetrace_http_connections_refused_total "), "{answer}");
    assert!(!answer.contains("\nqueuetrace_http_connections_refused_total 0"), "{answer}");
    // The end does not wait for who is silent.
    endpoint.end().await;

    let endpoint = Endpoint::start(settings());
    let mut stream = endpoint.connect().await;
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(64 << 10));
    // It may close before it has read all.
    let _ = stream.write_all(long.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("200 OK"));
    endpoint.end().await;
}
