//! One attempt to send one request.

use std::fmt;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tonic::body::Body;

use super::environment::{Receiver, Signal};
use super::settings::Protocol;

mod grpc;
mod http;
mod tls;

type Connections = Client<HttpsConnector<HttpConnector>, Body>;

/// How an attempt ended.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// It was taken, but for so many of its items, for the reason that is said.
    Taken { rejected: u64, why: String },
    /// Another attempt may succeed, not before that time if the receiver says one.
    Later(Option<Duration>, String),
    /// It is not wanted, and never will be.
    Refused(String),
}

/// A receiver with connections to it.
#[derive(Debug)]
pub(super) struct Transport {
    connections: Connections,
    receiver: Receiver,
    signal: Signal,
}

impl Transport {
    /// Reads certificates, if there are any to read; connects when there is something to send.
    ///
    /// # Errors
    ///
    /// One line that names a file that cannot be used.
    pub(super) fn new(receiver: Receiver, signal: Signal) -> anyhow::Result<Self> {
        let secure = receiver.address.scheme_str() == Some("https");
        let grpc = receiver.protocol == Protocol::Grpc;
        let tls = if secure { tls::system(&receiver.tls) } else { tls::none() };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.context("cannot speak TLS to the OTLP receiver")?)
            .https_or_http();
        let connector = match grpc {
            true => connector.enable_http2().build(),
            false => connector.enable_http1().build(),
        };
        let connections = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(1)
            .http2_only(grpc)
            .build(connector);
        Ok(Self { connections, receiver, signal })
    }

    /// Sends an encoded request.
    pub(super) async fn send(&self, body: Bytes) -> Answer {
        let attempt = async {
            match self.receiver.protocol {
                Protocol::Grpc => grpc::send(self, body).await,
                Protocol::Http => http::send(self, body).await,
            }
        };
        let late = || format!("no answer within {:?}", self.receiver.timeout);
        let answer = tokio::time::timeout(self.receiver.timeout, attempt).await;
        answer.unwrap_or_else(|_| Answer::Later(None, late()))
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without a name and password that may stand before the host.
        let address = &self.receiver.address;
        write!(f, "{}", address.host().unwrap_or_default())?;
        address.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// An error with all its causes: the first often says nothing.
fn explain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said += &format!(": {error}");
        cause = error.source();
    }
    said
}

/// What a receiver says that took a part only. Metrics and log records have the same message here.
fn taken(answer: &[u8]) -> Answer {
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse as Response;
    let part = <Response as prost::Message>::decode(answer).ok().and_then(|r| r.partial_success);
    let part = part.unwrap_or_default();
    Answer::Taken {
        rejected: u64::try_from(part.rejected_data_points).unwrap_or(0),
        why: part.error_message,
    }
}
