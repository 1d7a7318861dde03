//! What the configuration file says of the push.

use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de::Error};

/// The section `[otlp]`. The standard `OTEL_*` variables go before it, and are the only place for
/// headers, which may be secrets.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Push metrics (`OTEL_METRICS_EXPORTER=otlp` or `none`).
    pub metrics: bool,
    /// Push each refusal as a log record (`OTEL_LOGS_EXPORTER`).
    pub logs: bool,
    /// Where the receiver is, without `/v1/metrics`.
    pub endpoint: Option<String>,
    /// How it is spoken to; without it by HTTP, as OpenTelemetry says.
    pub protocol: Option<Protocol>,
    /// How often metrics are pushed (`OTEL_METRIC_EXPORT_INTERVAL`, there in milliseconds).
    #[serde(deserialize_with = "duration")]
    pub interval: Duration,
    /// The most addresses that have series of their own; what is more is summed up in one that has no
    /// address.
    pub listeners: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            metrics: false,
            logs: false,
            endpoint: None,
            protocol: None,
            interval: Duration::from_secs(60),
            listeners: 1000,
        }
    }
}

/// How a receiver is spoken to; the names are those of `OTEL_EXPORTER_OTLP_PROTOCOL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Protocol {
    /// HTTP/2, with trailers.
    #[serde(rename = "grpc")]
    Grpc,
    /// One POST for each push.
    #[serde(rename = "http/protobuf")]
    Http,
}

/// A time such as 500ms, 10s or 2m.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let parsed: Option<SignedDuration> = text.parse().ok();
    parsed
        .and_then(|duration| Duration::try_from(duration).ok())
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| D::Error::custom("not a time: write for example 500ms, 10s or 2m"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    fn read(section: Value) -> Result<Settings, String> {
        from_value(section).map_err(|error| error.to_string())
    }

    #[test]
    fn a_section_is_read_and_what_it_leaves_out_is_as_ever() {
        let section = json!({"metrics": true, "protocol": "grpc", "interval": "10s"});
        let wanted = Settings {
            metrics: true,
            protocol: Some(Protocol::Grpc),
            interval: Duration::from_secs(10),
            ..Settings::default()
        };
        assert_eq!(read(section), Ok(wanted));
        assert_eq!(read(json!({})), Ok(Settings::default()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (section, said) in [
            (json!({"metric": true}), "unknown field `metric`"),
            (json!({"protocol": "http/json"}), "unknown variant `http/json`"),
            (json!({"interval": "soon"}), "not a time"),
            (json!({"interval": "0s"}), "not a time"),
        ] {
            let error = read(section).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
