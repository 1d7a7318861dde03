//! Settings and the standard `OTEL_*` variables, taken together. The variables go first, the one of a
//! signal before that of all signals, as OpenTelemetry's specification has it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use percent_encoding::percent_decode_str;

use super::settings::{Protocol, Settings};

/// Gives the value of a variable.
pub(super) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What is pushed, and where to.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    /// Attributes of whoever sends.
    pub(super) resource: Vec<(String, String)>,
    /// Receiver of metrics, if they are wanted.
    pub(super) metrics: Option<Receiver>,
    /// Receiver of log records, if they are wanted.
    pub(super) logs: Option<Receiver>,
    /// How often metrics are pushed.
    pub(super) interval: Duration,
    /// How log records are gathered.
    pub(super) gathering: Gathering,
}

/// Receiver of one signal.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Receiver {
    /// By HTTP, the address to post to; by gRPC, the origin.
    pub(super) address: Uri,
    pub(super) protocol: Protocol,
    pub(super) headers: HeaderMap,
    /// How long one attempt may take.
    pub(super) timeout: Duration,
    pub(super) gzip: bool,
    pub(super) tls: Tls,
}

/// Files with certificates, all optional.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tls {
    /// Authorities to trust instead of the system's.
    pub(super) authorities: Option<PathBuf>,
    /// Our certificate and its key.
    pub(super) identity: Option<(PathBuf, PathBuf)>,
}

/// How log records are gathered into requests (`OTEL_BLRP_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gathering {
    /// After which time at the latest they go.
    pub(super) delay: Duration,
    /// How many are kept until then.
    pub(super) most: usize,
    /// How many go at once.
    pub(super) batch: usize,
}

/// What is sent: metrics or log records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Metrics,
    Logs,
}

impl Signal {
    /// Part of the names of its variables.
    const fn variable(self) -> &'static str {
        match self {
            Self::Metrics => "METRICS",
            Self::Logs => "LOGS",
        }
    }

    /// Where HTTP receivers take it, below their endpoint.
    const fn path(self) -> &'static str {
        match self {
            Self::Metrics => "v1/metrics",
            Self::Logs => "v1/logs",
        }
    }
}

impl Plan {
    /// Takes settings and variables together.
    ///
    /// # Errors
    ///
    /// One line that names the variable or setting that is wrong.
    pub(super) fn new(settings: &Settings, variables: Variables<'_>) -> anyhow::Result<Self> {
        let variable = |name: &str| variables(name).filter(|value| !value.is_empty());
        let disabled =
            variable("OTEL_SDK_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true"));
        let receiver = |signal: Signal, by_file: bool| {
            let name = format!("OTEL_{}_EXPORTER", signal.variable());
            let wanted = match variable(&name).as_deref() {
                Some("otlp") => true,
                Some("none") => false,
                Some(other) => bail!("{name}: cannot export by `{other}`: write otlp or none"),
                None => by_file,
            };
            let wanted = wanted && !disabled;
            wanted.then(|| Receiver::new(signal, settings, &variable)).transpose()
        };
        let number = |name: &str, otherwise: u64| -> anyhow::Result<u64> {
            Ok(number(name, &variable)?.unwrap_or(otherwise))
        };
        let interval = number("OTEL_METRIC_EXPORT_INTERVAL", millis(settings.interval))?;
        let most = number("OTEL_BLRP_MAX_QUEUE_SIZE", 2048)? as usize;
        let gathering = Gathering {
            delay: Duration::from_millis(number("OTEL_BLRP_SCHEDULE_DELAY", 1000)?),
            most,
            batch: (number("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", 512)? as usize).min(most),
        };
        Ok(Self {
            resource: resource(&variable)?,
            metrics: receiver(Signal::Metrics, settings.metrics)?,
            logs: receiver(Signal::Logs, settings.logs)?,
            interval: Duration::from_millis(interval),
            gathering,
        })
    }
}

impl Receiver {
    fn new(signal: Signal, settings: &Settings, variables: Variables<'_>) -> anyhow::Result<Self> {
        let lookup = |name: &str| {
            let own = format!("OTEL_EXPORTER_OTLP_{}_{name}", signal.variable());
            let all = format!("OTEL_EXPORTER_OTLP_{name}");
            variables(&own)
                .map(|value| (own, value))
                .or_else(|| Some((all.clone(), variables(&all)?)))
        };
        let protocol = match lookup("PROTOCOL") {
            Some((_, value)) if value == "grpc" => Protocol::Grpc,
            Some((_, value)) if value == "http/protobuf" => Protocol::Http,
            Some((name, value)) => {
                bail!("{name}: no protocol `{value}`: write grpc or http/protobuf")
            }
            None => settings.protocol.unwrap_or(Protocol::Http),
        };
        let gzip = match lookup("COMPRESSION") {
            Some((_, value)) if value == "gzip" => true,
            Some((name, value)) if value != "none" => {
                bail!("{name}: no compression `{value}`: write gzip or none")
            }
            _ => false,
        };
        let file = |name| lookup(name).map(|(_, path)| PathBuf::from(path));
        let timeout = match lookup("TIMEOUT") {
            Some((name, _)) => number(&name, variables)?.unwrap_or_default(),
            None => 10_000,
        };
        Ok(Self {
            address: address(signal, protocol, settings, variables)?,
            protocol,
            headers: lookup("HEADERS")
                .map_or(Ok(HeaderMap::new()), |(name, v)| headers(&name, &v))?,
            timeout: Duration::from_millis(timeout),
            gzip,
            tls: Tls {
                authorities: file("CERTIFICATE"),
                identity: file("CLIENT_CERTIFICATE").zip(file("CLIENT_KEY")),
            },
        })
    }
}

/// Where to send a signal. Its own variable is taken as it stands, the others are where the receiver is.
fn address(
    signal: Signal,
    protocol: Protocol,
    settings: &Settings,
    variables: Variables<'_>,
) -> anyhow::Result<Uri> {
    let own = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.variable());
    let all = "OTEL_EXPORTER_OTLP_ENDPOINT".to_owned();
    let default = match protocol {
        Protocol::Grpc => "http://localhost:4317",
        Protocol::Http => "http://localhost:4318",
    };
    let (name, endpoint, whole) = match (variables(&own), variables(&all), &settings.endpoint) {
        (Some(value), _, _) => (own, value, true),
        (None, Some(value), _) => (all, value, false),
        (None, None, Some(value)) => ("otlp.endpoint".to_owned(), value.clone(), false),
        (None, None, None) => (String::new(), default.to_owned(), false),
    };
    let address = match protocol {
        Protocol::Http if !whole => format!("{}/{}", endpoint.trim_end_matches('/'), signal.path()),
        _ => endpoint.clone(),
    };
    let address: Option<Uri> = address.parse().ok();
    address
        .filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
        .with_context(|| format!("{name}: `{endpoint}` is no URL: write for example {default}"))
}

/// A whole number above 0, if the variable is there.
fn number(name: &str, variables: Variables<'_>) -> anyhow::Result<Option<u64>> {
    let Some(value) = variables(name) else { return Ok(None) };
    let number: Option<u64> = value.trim().parse().ok();
    let number = number.filter(|number| *number > 0);
    number.with_context(|| format!("{name}: `{value}` is no whole number above 0")).map(Some)
}

/// `name=value` pairs with commas between, values percent-encoded.
fn pairs(variable: &str, text: &str) -> anyhow::Result<Vec<(String, String)>> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').filter(|(name, _)| !name.trim().is_empty())?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        Some((name.trim().to_owned(), value.into_owned()))
    };
    let pairs: Option<_> = text.split_terminator(',').map(pair).collect();
    // The text is not shown: there may be secrets in it.
    pairs.with_context(|| format!("{variable}: write name=value, with commas between"))
}

fn headers(variable: &str, text: &str) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs(variable, text)? {
        let header = HeaderName::from_bytes(name.as_bytes()).ok();
        let value = HeaderValue::from_str(&value).ok().map(|mut value| {
            value.set_sensitive(true);
            value
        });
        let (header, value) = header.zip(value).with_context(|| {
            format!("{variable}: `{name}` cannot be a header, or its value not")
        })?;
        headers.append(header, value);
    }
    Ok(headers)
}

/// Attributes of whoever sends: what the variables say, and what we are.
fn resource(variables: Variables<'_>) -> anyhow::Result<Vec<(String, String)>> {
    let name = "OTEL_RESOURCE_ATTRIBUTES";
    let mut attributes = pairs(name, &variables(name).unwrap_or_default())?;
    let own = [
        ("service.name", "queue-trace".to_owned()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("host.name", rustix::system::uname().nodename().to_string_lossy().into_owned()),
    ];
    if let Some(service) = variables("OTEL_SERVICE_NAME") {
        attributes.retain(|(name, _)| name != "service.name");
        attributes.push(("service.name".to_owned(), service));
    }
    for (name, value) in own {
        if attributes.iter().all(|(known, _)| known != name) {
            attributes.push((name.to_owned(), value));
        }
    }
    Ok(attributes)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(settings: &Settings, set: &[(&str, &str)]) -> Result<Plan, String> {
        let variables = |wanted: &str| {
            let found = set.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| (*value).to_owned())
        };
        Plan::new(settings, &variables).map_err(|error| format!("{error:#}"))
    }

    fn both() -> Settings {
        Settings { metrics: true, logs: true, ..Settings::default() }
    }

    fn addresses(settings: &Settings, set: &[(&str, &str)]) -> [String; 2] {
        let plan = plan(settings, set).unwrap();
        [plan.metrics, plan.logs].map(|receiver| receiver.unwrap().address.to_string())
    }

    #[test]
    fn nothing_is_pushed_unless_asked_for() {
        let plan = plan(&Settings::default(), &[]).unwrap();
        assert_eq!((plan.metrics, plan.logs), (None, None));
    }

    #[test]
    fn variables_switch_on_and_off() {
        let on = plan(&Settings::default(), &[("OTEL_METRICS_EXPORTER", "otlp")]).unwrap();
        assert!(on.metrics.is_some() && on.logs.is_none());
        let off = plan(&both(), &[("OTEL_LOGS_EXPORTER", "none")]).unwrap();
        assert!(off.metrics.is_some() && off.logs.is_none());
        let off = plan(&both(), &[("OTEL_SDK_DISABLED", "TRUE")]).unwrap();
        assert!(off.metrics.is_none() && off.logs.is_none());
    }

    #[test]
    fn endpoints_are_where_the_specification_puts_them() {
        let local = ["metrics", "logs"].map(|path| format!("http://localhost:4318/v1/{path}"));
        assert_eq!(addresses(&both(), &[]), local);
        let file = Settings { endpoint: Some("http://a:1/base/".into()), ..both() };
        let below = ["metrics", "logs"].map(|path| format!("http://a:1/base/v1/{path}"));
        assert_eq!(addresses(&file, &[]), below);
        let set = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://b:2"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://c:3/otlp"),
        ];
        assert_eq!(addresses(&file, &set), ["http://c:3/otlp", "https://b:2/v1/logs"]);
        let grpc = [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
        assert_eq!(addresses(&both(), &grpc), ["http://localhost:4317/"; 2]);
    }

    #[test]
    fn headers_are_decoded_and_stay_secret() {
        let set = [("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x, x-scope=a")];
        let receiver = plan(&both(), &set).unwrap().metrics.unwrap();
        assert_eq!(receiver.headers["authorization"], "Bearer x");
        assert_eq!(receiver.headers["x-scope"], "a");
        assert!(!format!("{receiver:?}").contains("Bearer"));
    }

    #[test]
    fn the_resource_says_who_sends() {
        let set = [
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=x,region=eu%2Cwest,host.name=h"),
            ("OTEL_SERVICE_NAME", "edge"),
        ];
        let resource = plan(&both(), &set).unwrap().resource;
        let of = |wanted: &str| {
            let found: Vec<_> = resource.iter().filter(|(name, _)| name == wanted).collect();
            assert_eq!(found.len(), 1, "{wanted}: {resource:?}");
            found[0].1.clone()
        };
        assert_eq!(["service.name", "region", "host.name"].map(of), ["edge", "eu,west", "h"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (name, value, said) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "is no URL"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "no protocol"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "no compression"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "no whole number"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "secret", "name=value"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "0", "no whole number"),
            ("OTEL_METRICS_EXPORTER", "console", "cannot export"),
            ("OTEL_RESOURCE_ATTRIBUTES", "=x", "name=value"),
        ] {
            let error = plan(&both(), &[(name, value)]).unwrap_err();
            assert!(error.starts_with(name) && error.contains(said), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
