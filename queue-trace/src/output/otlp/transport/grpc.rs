//! By gRPC: a unary call.

use std::error::Error as _;

use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::{Code, Extensions, Request, Status};

use super::{Answer, Signal, Transport, explain, taken};

/// Methods of the services that take the signals.
const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

pub(super) async fn send(to: &Transport, body: Bytes) -> Answer {
    let mut client = Grpc::with_origin(to.connections.clone(), to.receiver.address.clone());
    if to.receiver.gzip {
        client = client.send_compressed(CompressionEncoding::Gzip);
    }
    let headers = MetadataMap::from_headers(to.receiver.headers.clone());
    let request = Request::from_parts(headers, Extensions::default(), body);
    let method = PathAndQuery::from_static(match to.signal {
        Signal::Metrics => METRICS,
        Signal::Logs => LOGS,
    });
    if let Err(error) = client.ready().await {
        return Answer::Later(None, explain(&error));
    }
    match client.unary(request, method, Encoded).await {
        Ok(answer) => taken(answer.get_ref()),
        Err(status) => failed(&status),
    }
}

fn failed(status: &Status) -> Answer {
    // No status of the receiver: it was not reached, or the connection broke.
    if let Some(cause) = status.source() {
        return Answer::Later(None, explain(cause));
    }
    let said = format!("{}: {}", status.code(), status.message());
    match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Answer::Later(None, said),
        // With details the receiver is too busy; without, the request is too large for it.
        Code::ResourceExhausted if !status.details().is_empty() => Answer::Later(None, said),
        _ => Answer::Refused(said),
    }
}

/// Messages that are encoded already: a retry does not encode anew.
struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(message);
        Ok(())
    }
}

impl Decoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}
