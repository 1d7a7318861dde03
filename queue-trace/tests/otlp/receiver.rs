//! A gRPC receiver that records what it gets.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tonic::codec::CompressionEncoding;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

/// An address at which nobody answers until [`Self::begin`].
pub(crate) struct Address {
    socket: Socket,
}

impl Address {
    /// Takes an address; connections to it are refused.
    pub(crate) fn take() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        Self { socket }
    }

    /// As an endpoint.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.host())
    }

    /// As one that speaks TLS.
    pub(crate) fn secure_endpoint(&self) -> String {
        format!("https://{}", self.host())
    }

    fn host(&self) -> SocketAddr {
        self.socket.local_addr().unwrap().as_socket().unwrap()
    }

    /// From now on connections are taken there, within this runtime.
    pub(crate) fn listen(self) -> TcpListener {
        self.socket.listen(16).unwrap();
        self.socket.set_nonblocking(true).unwrap();
        TcpListener::from_std(self.socket.into()).unwrap()
    }

    /// From now on somebody answers there.
    pub(crate) fn begin(self) -> Receiver {
        self.begin_with(Server::builder())
    }

    /// The same, over TLS.
    pub(crate) fn begin_secured(self, tls: ServerTlsConfig) -> Receiver {
        self.begin_with(Server::builder().tls_config(tls).unwrap())
    }

    fn begin_with(self, mut server: Server) -> Receiver {
        let receiver = Receiver::default();
        let metrics = MetricsServiceServer::new(receiver.clone());
        let logs = LogsServiceServer::new(receiver.clone());
        let server = server
            .add_service(metrics)
            .add_service(logs.accept_compressed(CompressionEncoding::Gzip))
            .serve_with_incoming(TcpIncoming::from(self.listen()));
        tokio::spawn(async { server.await.unwrap() });
        receiver
    }
}

/// What was received.
#[derive(Clone, Default)]
pub(crate) struct Receiver {
    metrics: Arc<Mutex<Vec<ExportMetricsServiceRequest>>>,
    logs: Arc<Mutex<Vec<ExportLogsServiceRequest>>>,
}

impl Receiver {
    /// All metrics so far.
    pub(crate) fn metrics(&self) -> Vec<ExportMetricsServiceRequest> {
        self.metrics.lock().unwrap().clone()
    }

    /// All log records so far.
    pub(crate) fn logs(&self) -> Vec<ExportLogsServiceRequest> {
        self.logs.lock().unwrap().clone()
    }
}

#[tonic::async_trait]
impl MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        authorize(request.metadata())?;
        self.metrics.lock().unwrap().push(request.into_inner());
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        authorize(request.metadata())?;
        self.logs.lock().unwrap().push(request.into_inner());
        Ok(Response::new(Default::default()))
    }
}

/// Refuses whoever does not send the header that the variables say.
fn authorize(headers: &tonic::metadata::MetadataMap) -> Result<(), Status> {
    match headers.get("authorization") {
        Some(value) if value == "Bearer token" => Ok(()),
        other => Err(Status::unauthenticated(format!("{other:?}"))),
    }
}

/// Waits for something that is bound to come.
pub(crate) async fn until(what: &str, mut there: impl FnMut() -> bool) {
    let waiting = async {
        while !there() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let came = tokio::time::timeout(Duration::from_secs(60), waiting).await;
    assert!(came.is_ok(), "waited in vain for {what}");
}
