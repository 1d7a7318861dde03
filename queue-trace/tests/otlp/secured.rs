//! Log records over TLS and in gzip, to receivers that want to see our certificate.

use std::io::Read as _;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use flate2::read::GzDecoder;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;
use queue_trace::output::otlp::{Exporter, Protocol, Settings};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

use super::grpc::{run, start};
use super::published::{listener, published, refusal};
use super::receiver::{Address, until};

/// As long as the receiver has to take what is left at the end.
const PATIENCE: Duration = Duration::from_secs(20);

/// A certificate and its key, as in files.
struct Pair {
    certificate: String,
    key: String,
}

/// An authority, with whom it knows.
struct Authority {
    certificate: String,
    server: Pair,
    client: Pair,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(parameters, key);
        let pair = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
            let certificate = parameters.signed_by(&key, &issuer).unwrap().pem();
            Pair { certificate, key: key.serialize_pem() }
        };
        Self { certificate, server: pair("127.0.0.1"), client: pair("queue-trace") }
    }

    /// A server that lets in whom we know.
    fn tls(&self) -> ServerConfig {
        let provider = Arc::new(default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
        let Pair { certificate, key } = &self.server;
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(vec![certificate], key)
            .unwrap()
    }

    /// The same for gRPC.
    fn grpc_tls(&self) -> ServerTlsConfig {
        let Pair { certificate, key } = &self.server;
        ServerTlsConfig::new()
            .identity(Identity::from_pem(certificate, key))
            .client_ca_root(Certificate::from_pem(&self.certificate))
    }
}

/// Whom the exporter trusts, and a folder with the files that say so.
static TRUSTED: LazyLock<(Authority, TempDir)> = LazyLock::new(|| {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let files = [
        ("authority.pem", &authority.certificate),
        ("client.pem", &authority.client.certificate),
        ("client.key", &authority.client.key),
    ];
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    (authority, folder)
});

/// For log records only: metrics go uncompressed.
pub(crate) fn set_variables() {
    let folder = TRUSTED.1.path();
    let set = [
        ("CERTIFICATE", folder.join("authority.pem")),
        ("CLIENT_CERTIFICATE", folder.join("client.pem")),
        ("CLIENT_KEY", folder.join("client.key")),
        ("COMPRESSION", "gzip".into()),
    ];
    for (name, value) in set {
        // SAFETY: there is no other thread yet.
        unsafe { std::env::set_var(format!("OTEL_EXPORTER_OTLP_LOGS_{name}"), value) };
    }
}

/// Has a refusal pushed as a log record.
fn push(to: &Address, protocol: Protocol) -> Exporter {
    let settings = Settings {
        metrics: false,
        logs: true,
        endpoint: Some(to.secure_endpoint()),
        protocol: Some(protocol),
        ..Settings::default()
    };
    let exporter = start(&settings, published());
    exporter.refusals().expect("they are wanted").take(&listener(1, 8080), &refusal());
    exporter
}

/// The name of the only record.
fn only(requests: &[ExportLogsServiceRequest]) -> String {
    let [request] = requests else { panic!("not one request: {requests:?}") };
    let [record] = &request.resource_logs[0].scope_logs[0].log_records[..] else {
        panic!("not one record: {request:?}")
    };
    record.event_name.clone()
}

pub(super) fn by_grpc() {
    run(async {
        let address = Address::take();
        let exporter = push(&address, Protocol::Grpc);
        let receiver = address.begin_secured(TRUSTED.0.grpc_tls());
        until("a record", || !receiver.logs().is_empty()).await;
        exporter.finish(PATIENCE).await;
        assert_eq!(only(&receiver.logs()), "queue_trace.syn_refused");
    });
}

pub(super) fn by_http() {
    run(async {
        let address = Address::take();
        let exporter = push(&address, Protocol::Http);
        let acceptor = TlsAcceptor::from(Arc::new(TRUSTED.0.tls()));
        let (tell, told) = oneshot::channel();
        let receive = async move {
            let (stream, _) = address.listen().accept().await.unwrap();
            let stream = TokioIo::new(acceptor.accept(stream).await.unwrap());
            let tell = std::sync::Mutex::new(Some(tell));
            let service = service_fn(|request| {
                let tell = tell.lock().unwrap().take().expect("one request only");
                async move {
                    tell.send(read(request).await).unwrap();
                    Ok::<_, hyper::Error>(Response::new(Full::<Bytes>::default()))
                }
            });
            http1::Builder::new().serve_connection(stream, service).await.unwrap();
        };
        let receiver = tokio::spawn(receive);
        let request = told.await.unwrap();
        exporter.finish(PATIENCE).await;
        assert_eq!(only(&[request]), "queue_trace.syn_refused");
        receiver.await.unwrap();
    });
}

/// What was posted.
async fn read(request: Request<Incoming>) -> ExportLogsServiceRequest {
    assert_eq!(request.uri().path(), "/v1/logs");
    let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
    let said = ["content-type", "content-encoding", "authorization"].map(header);
    assert_eq!(said, ["application/x-protobuf", "gzip", "Bearer token"]);
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut message = Vec::new();
    GzDecoder::new(&body[..]).read_to_end(&mut message).unwrap();
    ExportLogsServiceRequest::decode(&message[..]).unwrap()
}

/// A receiver whose certificate is of an authority that we do not know.
pub(super) fn a_stranger_gets_nothing() {
    run(async {
        let address = Address::take();
        let exporter = push(&address, Protocol::Grpc);
        let receiver = address.begin_secured(Authority::new().grpc_tls());
        let [_, (_, records)] = exporter.deliveries();
        until("a second try", || records.now().retries > 1).await;
        exporter.finish(Duration::from_millis(100)).await;
        assert_eq!((receiver.logs().len(), records.now().sent), (0, 0));
        assert_eq!(records.now().overflowed, 1, "{:?}", records.now());
    });
}
