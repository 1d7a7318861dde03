//! What is answered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ACCEPT, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, VARY,
    WWW_AUTHENTICATE,
};
use hyper::{Method, Request, Response, StatusCode};
use rustix::param::page_size;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;
use tokio::time::Instant;

use super::auth::Auth;
use super::settings::Settings;
use crate::daemon::Published;
use crate::model::Services;
use crate::output::metrics::{Own, View};
use crate::output::{api, prometheus};

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

const INDEX: &str = "<!doctype html><title>queue-trace</title><h1>queue-trace</h1><ul>\
    <li><a href=\"/metrics\">/metrics</a>: for Prometheus\
    <li><a href=\"/api/v1/listeners\">/api/v1/listeners</a>: the listeners as JSON\
    <li><a href=\"/-/healthy\">/-/healthy</a>: whether it runs\
    <li><a href=\"/-/ready\">/-/ready</a>: whether its numbers are fresh</ul>\n";

/// What all connections share.
#[derive(Debug)]
pub(super) struct State {
    auth: Option<Auth>,
    ready_within: Duration,
    published: watch::Receiver<Arc<Published>>,
    latest: Mutex<Latest>,
    refused: AtomicU64,
}

/// What became of the snapshots so far. It holds none: whoever publishes could not change it then.
#[derive(Debug)]
struct Latest {
    services: Services,
    /// Which was the last one; nothing at the beginning.
    edition: Option<u64>,
    /// When it came, or came again; nothing while none has been read from the kernel.
    came: Option<Instant>,
    /// Its time.
    time_ns: u64,
}

impl Latest {
    /// Takes notice of what was published; it need not be told while nothing happens.
    fn notice(&mut self, published: &Published) {
        if self.edition != Some(published.edition) {
            self.take(published);
        } else if self.time_ns != published.snapshot.time_ns {
            self.came = Some(Instant::now());
            self.time_ns = published.snapshot.time_ns;
        }
    }

    /// The same, and brings the services up to its time.
    fn take(&mut self, published: &Published) {
        let Published { snapshot, edition, .. } = published;
        if self.services.time_ns() != snapshot.time_ns {
            self.services.fold(snapshot);
            self.came = Some(Instant::now());
        }
        (self.edition, self.time_ns) = (Some(*edition), snapshot.time_ns);
    }
}

type Answer = Response<Full<Bytes>>;

impl State {
    /// Begins with what is published already.
    pub(super) fn new(
        settings: &Settings,
        auth: Option<Auth>,
        published: watch::Receiver<Arc<Published>>,
    ) -> Self {
        let services = Services::new(settings.max_services);
        let state = Self {
            auth,
            ready_within: Duration::from_secs(settings.ready_within),
            published,
            latest: Mutex::new(Latest { services, edition: None, came: None, time_ns: 0 }),
            refused: AtomicU64::new(0),
        };
        state.refresh();
        state
    }

    /// Takes notice of what was published.
    pub(super) fn refresh(&self) {
        self.latest().notice(&self.published.borrow());
    }

    /// Takes notice of a connection that was closed at once.
    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Answers a request.
    pub(super) async fn answer<B>(&self, request: &Request<B>) -> Answer {
        if let Some(auth) = &self.auth {
            let header = request.headers().get(AUTHORIZATION);
            if !auth.admits(header.map_or(&[], |header| header.as_bytes())).await {
                let answer = answer(StatusCode::UNAUTHORIZED, TEXT, "give user and password\n");
                return with(
                    answer,
                    WWW_AUTHENTICATE,
                    "Basic realm=\"queue-trace\", charset=\"UTF-8\"",
                );
            }
        }
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            let answer = answer(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n");
            return with(answer, ALLOW, "GET, HEAD");
        }
        match request.uri().path() {
            "/" => answer(StatusCode::OK, HTML, INDEX),
            "/metrics" => self.metrics(request),
            "/api/v1/listeners" => self.listeners(),
            "/-/healthy" => answer(StatusCode::OK, TEXT, "healthy\n"),
            "/-/ready" => self.ready(),
            _ => answer(StatusCode::NOT_FOUND, TEXT, "not found: / lists what there is\n"),
        }
    }

    fn metrics<B>(&self, request: &Request<B>) -> Answer {
        let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
        let format = prometheus::Format::negotiate(accept);
        let mut latest = self.latest();
        let published = Arc::clone(&self.published.borrow());
        let Published { snapshot, at, started, losses, settings, .. } = &*published;
        latest.take(&published);
        let (services, times) = (&latest.services, (*started, *at));
        let view = View::new(snapshot, services, times, losses, settings, self.own());
        let page = prometheus::write(format, &view);
        with(answer(StatusCode::OK, format.content_type(), page), VARY, "Accept")
    }

    fn listeners(&self) -> Answer {
        let published = Arc::clone(&self.published.borrow());
        match api::listeners(&published.snapshot, published.at) {
            Ok(text) => answer(StatusCode::OK, JSON, text),
            Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
        }
    }

    fn ready(&self) -> Answer {
        let age = self.latest().came.map(|came| came.elapsed());
        match age {
            Some(age) if age <= self.ready_within => answer(StatusCode::OK, TEXT, "ready\n"),
            Some(age) => {
                let text = format!("the last numbers are {} s old\n", age.as_secs());
                answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, text)
            }
            None => answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, "no numbers yet\n"),
        }
    }

    fn own(&self) -> Own {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
        Own {
            cpu_seconds: cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9,
            resident_bytes: pages * page_size() as u64,
            refused_connections: self.refused.load(Ordering::Relaxed),
        }
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(text.into()));
    *answer.status_mut() = status;
    let answer = with(answer, CONTENT_TYPE, kind);
    with(answer, CACHE_CONTROL, "no-store")
}

fn with(mut answer: Answer, name: HeaderName, value: &'static str) -> Answer {
    answer.headers_mut().insert(name, HeaderValue::from_static(value));
    answer
}
