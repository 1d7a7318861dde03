//! By HTTP: one POST.

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use tonic::body::Body;

use super::{Answer, Transport, explain, taken};

/// How much of an answer is read.
const MOST_ANSWER: usize = 64 << 10;

pub(super) async fn send(to: &Transport, body: Bytes) -> Answer {
    let mut request =
        Request::post(&to.receiver.address).header(CONTENT_TYPE, "application/x-protobuf");
    let body = match to.receiver.gzip {
        true => {
            request = request.header(CONTENT_ENCODING, "gzip");
            packed(&body)
        }
        false => body,
    };
    if let Some(headers) = request.headers_mut() {
        headers.extend(to.receiver.headers.clone());
    }
    let request = match request.body(Body::new(Full::new(body))) {
        Ok(request) => request,
        Err(error) => return Answer::Refused(error.to_string()),
    };
    let response = match to.connections.request(request).await {
        Ok(response) => response,
        Err(error) => return Answer::Later(None, explain(&error)),
    };
    let (head, body) = response.into_parts();
    let answer = Limited::new(body, MOST_ANSWER).collect().await;
    let answer = answer.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    match head.status {
        status if status.is_success() => taken(&answer),
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            Answer::Later(wait(&head.headers), head.status.to_string())
        }
        status => Answer::Refused(format!("{status} {}", said(&answer))),
    }
}

/// The request in gzip.
fn packed(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default().into()
}

/// How long the receiver asks us to wait; only seconds are understood, no dates.
fn wait(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// What a receiver says when it refuses: text, or a `Status` message, of which the readable part is shown.
fn said(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    text.chars()
        .filter(|c| !c.is_control() && *c != char::REPLACEMENT_CHARACTER)
        .take(200)
        .collect()
}
