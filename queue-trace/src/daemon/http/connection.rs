//! One connection.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::listen::Stream;
use super::routes::State;

/// A handshake and the head of a request have to be there within this; a connection without requests is
/// closed after it.
const HEAD: Duration = Duration::from_secs(30);

/// Headers of a request, at most.
const HEADERS: usize = 64;

/// Bytes of a request's head, at most.
const BUFFER: usize = 16 << 10;

/// A connection is closed at its next pause after this, and torn down a tenth of it later: a reader
/// that does not read cannot keep it.
const LIFE: Duration = Duration::from_secs(600);

/// Answers requests until the reader leaves or `end` closes.
pub(super) async fn serve(
    stream: Stream,
    tls: Option<TlsAcceptor>,
    state: Arc<State>,
    end: watch::Receiver<()>,
) {
    match (stream, tls) {
        (Stream::Tcp(stream), None) => speak(stream, state, end).await,
        (Stream::Unix(stream), None) => speak(stream, state, end).await,
        (Stream::Tcp(stream), Some(tls)) => shake_hands(stream, &tls, state, end).await,
        (Stream::Unix(stream), Some(tls)) => shake_hands(stream, &tls, state, end).await,
    }
}

async fn shake_hands(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    tls: &TlsAcceptor,
    state: Arc<State>,
    end: watch::Receiver<()>,
) {
    // Whoever does not speak TLS is of no interest.
    if let Ok(Ok(stream)) = timeout(HEAD, tls.accept(stream)).await {
        speak(stream, state, end).await;
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    state: Arc<State>,
    mut end: watch::Receiver<()>,
) {
    let service = service_fn(|request| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(state.answer(&request).await) }
    });
    let connection = Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_headers(HEADERS)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        // Errors are the reader's: it left, or sent what is no HTTP, and hyper has told it so.
        _ = &mut connection => return,
        _ = end.changed() => {}
        () = sleep(LIFE) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(LIFE / 10, connection).await;
}
