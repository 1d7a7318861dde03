//! By HTTP, to VictoriaMetrics: a receiver that speaks Prometheus' query language and that Debian has. Its
//! Prometheus is built without the OTLP receiver.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use queue_trace::output::otlp::{Exporter, Protocol, Settings};
use queue_trace_common::Outcome;
use serde_json::Value;
use tokio::runtime::Builder;
use tokio::sync::watch;

use super::published::{CLIENT, published};

/// Names the program.
pub(super) const VARIABLE: &str = "QUEUE_TRACE_TEST_VICTORIA_METRICS";

/// A server that runs until it is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
    _data: tempfile::TempDir,
}

impl Server {
    /// Starts it at a port of its choice, and waits until it is ready.
    fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::var_os(VARIABLE).unwrap())
            .arg(format!("-storageDataPath={}", data.path().display()))
            .args(["-httpListenAddr=127.0.0.1:0", "-search.latencyOffset=0s"])
            .arg("-opentelemetry.usePrometheusNaming")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = lines.by_ref().map(Result::unwrap);
        let address = said.filter_map(|line| {
            let (_, address) = line.split_once("started server at http://")?;
            address.trim_end_matches('/').parse().ok()
        });
        let address = { address }.next().expect("it says where it listens");
        // Read on, or it blocks.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, _data: data }
    }

    /// What it answers to a query: each series and its value.
    fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let query: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let body = self.get(&format!("/api/v1/query?query={query}"));
        let answer: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{body}"));
        let series = |one: &Value| {
            let value = one["value"][1].as_str().unwrap().parse().unwrap();
            (one["metric"].clone(), value)
        };
        answer["data"]["result"].as_array().expect(&body).iter().map(series).collect()
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.contains(" 200 "), "{path}: {answer}");
        body.to_owned()
    }

    /// The value of the only series of a query. What was taken can be asked for a moment later.
    fn value(&self, query: &str) -> f64 {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut series = self.query(query);
        while series.is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(100));
            series = self.query(query);
        }
        let all = || self.get("/api/v1/label/__name__/values");
        assert_eq!(series.len(), 1, "{query}: {series:?}; there are {}", all());
        series[0].1
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn takes_it() {
    let (server, read) = (Server::start(), published());
    let settings = Settings {
        metrics: true,
        endpoint: Some(format!("http://{}/opentelemetry", server.address)),
        protocol: Some(Protocol::Http),
        ..Settings::default()
    };
    let ended = Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let (_, published) = watch::channel(Arc::new(read.clone()));
        let exporter = Exporter::start(&settings, &published).unwrap().unwrap();
        let [(_, points), _] = exporter.deliveries();
        exporter.finish(Duration::from_secs(60)).await;
        (points.now(), points.trouble())
    });
    let (delivered, trouble) = ended;
    assert!(delivered.sent > 0 && delivered.rejected == 0, "{delivered:?}: {trouble:?}");
    assert_eq!((delivered.overflowed, delivered.retries), (0, 0));

    server.get("/internal/force_flush");
    let totals = &read.snapshot.listeners[0].1;
    let here = r#"network_local_address="127.0.0.1",network_local_port="8080""#;
    let full = totals.of(Outcome::SynAcceptQueueFull) + 100;
    let queries = [
        (format!("queue_trace_accept_queue_usage{{{here}}}"), 3.0),
        (format!("queue_trace_accept_queue_limit{{{here}}}"), 5.0),
        (format!("queue_trace_accept_queue_full_seconds_total{{{here}}}"), 2.5),
        (
            format!(
                "queue_trace_refusals_total{{{here},queue_trace_stage=\"syn\",\
                 error_type=\"accept_queue_full\"}}"
            ),
            full as f64,
        ),
        (format!("queue_trace_accept_queue_wait_seconds_count{{{here}}}"), 20.0),
        (format!("queue_trace_accept_queue_wait_seconds_sum{{{here}}}"), 0.0075),
        (format!("queue_trace_accept_queue_wait_seconds_bucket{{{here},le=\"0.000001\"}}"), 4.0),
        (format!("queue_trace_accept_queue_wait_seconds_bucket{{{here},le=\"0.002048\"}}"), 19.0),
        (format!("queue_trace_accept_queue_wait_seconds_bucket{{{here},le=\"+Inf\"}}"), 20.0),
        ("queue_trace_accept_queue_usage{network_local_port=\"9090\"}".to_owned(), 0.0),
        (
            "queue_trace_listener_info{container_id=\"c0ffee\",network_local_port=\"8080\"}"
                .to_owned(),
            1.0,
        ),
        ("queue_trace_balance_difference{queue_trace_counter=\"ListenOverflows\"}".to_owned(), 3.0),
        ("queue_trace_records_shed_total".to_owned(), 12.0),
    ];
    for (query, expected) in queries {
        assert_eq!(server.value(&query), expected, "{query}");
    }
    let all = format!("{:?}", server.query(r#"{__name__=~"queue_trace.*"}"#));
    assert!(all.contains("edge") && !all.contains(CLIENT), "{all}");
}
