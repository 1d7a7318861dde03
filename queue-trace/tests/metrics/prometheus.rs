//! A real Prometheus, and its tool.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::endpoint::get;
use crate::{list, shipped, text};

/// How long anything may take on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(120);

/// Both jobs scrape the same endpoint, each in its own format.
const CONFIG: &str = r#"
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: ["RULES"]
scrape_configs:
  - {job_name: openmetrics, scrape_protocols: [OpenMetricsText1.0.0], static_configs: [{targets: ["TARGET"]}]}
  - {job_name: text, scrape_protocols: [PrometheusText0.0.4], static_configs: [{targets: ["TARGET"]}]}
"#;

/// A program of the folder that `cargo xtask setup` made.
fn program(name: &str) -> Command {
    let default = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.cache/prometheus");
    let folder = std::env::var_os("QUEUE_TRACE_PROMETHEUS").map_or_else(default, PathBuf::from);
    let path = folder.join(name);
    assert!(path.is_file(), "{} is missing: `cargo xtask setup` fetches it", path.display());
    Command::new(path)
}

/// What promtool says to an input, when it is content.
pub(crate) fn promtool(arguments: &[&str], input: &str) -> String {
    let mut tool = program("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    tool.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "promtool {arguments:?}: {}", said.concat());
    said.concat()
}

/// A server that scrapes; ends with the test.
pub(crate) struct Prometheus {
    address: SocketAddr,
    child: Child,
    folder: PathBuf,
}

impl Prometheus {
    /// Starts one that scrapes this address each second, in both formats.
    pub(crate) fn start(target: SocketAddr) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("prometheus-{}-{number}", std::process::id());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let config = CONFIG
            .replace("TARGET", &target.to_string())
            .replace("RULES", shipped("alerts.yaml").to_str().unwrap());
        std::fs::write(folder.join("prometheus.yaml"), config).unwrap();
        // Somebody else may take the free port before it does.
        let mut found = (0..3).find_map(|_| Self::try_start(&folder));
        found.take().expect("Prometheus does not start")
    }

    fn try_start(folder: &std::path::Path) -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let child = program("prometheus")
            .arg(format!("--config.file={}", folder.join("prometheus.yaml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Self { address, child, folder: folder.into() };
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if get(address, "/-/ready", "").is_some_and(|answer| answer.contains("Ready")) {
                return Some(server);
            }
            if server.child.try_wait().unwrap().is_some() {
                eprintln!("{}", std::fs::read_to_string(folder.join("log")).unwrap_or_default());
                return None;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        None
    }

    /// What its API answers.
    pub(crate) fn api(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let parameters: Vec<_> = parameters
            .iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        let path = format!("/api/v1/{path}?{}", parameters.join("&"));
        let answer = get(self.address, &path, "").expect("Prometheus does not answer");
        let mut answer: Value = serde_json::from_str(&answer).expect(&answer);
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].take()
    }

    /// The samples that a query finds now.
    pub(crate) fn query(&self, query: &str) -> Vec<Value> {
        list(&self.api("query", &[("query", query)])["result"]).to_vec()
    }

    /// The one number that a query finds now.
    pub(crate) fn number(&self, query: &str) -> f64 {
        let samples = self.query(query);
        assert_eq!(samples.len(), 1, "{query}: {samples:?}");
        text(&samples[0]["value"][1]).parse().unwrap()
    }

    /// Waits until a query finds that number.
    pub(crate) fn wait_for(&self, query: &str, number: f64) {
        self.wait(query, |samples| {
            samples.len() == 1 && text(&samples[0]["value"][1]).parse::<f64>() == Ok(number)
        });
    }

    /// Waits until a query finds anything that is a number.
    pub(crate) fn wait_for_data(&self, query: &str) {
        self.wait(query, |samples| samples.iter().any(|sample| text(&sample["value"][1]) != "NaN"));
    }

    fn wait(&self, query: &str, found: impl Fn(&[Value]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let samples = self.query(query);
            if found(&samples) {
                return;
            }
            assert!(Instant::now() < deadline, "{query} finds {samples:?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Text as a parameter of an address.
fn encoded(text: &str) -> String {
    let letter = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(letter).collect()
}
