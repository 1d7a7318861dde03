//! The metrics as a real Prometheus takes them, and what we ship for it: alert rules and dashboard. Needs what
//! `cargo xtask setup` fetches.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "failing is how a test reports"
)]

mod data;
mod endpoint;
mod prometheus;

use std::collections::BTreeSet;
use std::path::PathBuf;

use endpoint::Endpoint;
use prometheus::{Prometheus, promtool};
use queue_trace::output::metrics::{self, Kind};
use queue_trace::output::prometheus::series;
use serde_json::Value;

/// A file that we ship.
fn shipped(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fleet").join(name)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[test]
fn promtool_has_nothing_to_say_of_the_text() {
    let endpoint = Endpoint::start();
    endpoint.publish_until(3);
    let page = endpoint.get("/metrics", "text/plain");
    let said = promtool(&["check", "metrics"], &page);
    assert_eq!(said, "", "promtool check metrics");
}

#[test]
fn alert_rules_are_valid_and_do_what_they_say() {
    let rules = shipped("alerts.yaml");
    let said = promtool(&["check", "rules", rules.to_str().unwrap()], "");
    assert!(said.contains("SUCCESS"), "{said}");
    let said = promtool(&["test", "rules", shipped("alerts.test.yaml").to_str().unwrap()], "");
    assert!(said.contains("SUCCESS"), "{said}");
    // Each alert has its four answers, and a case in the tests that names it.
    let (rules, tests) = (std::fs::read_to_string(rules).unwrap(), shipped("alerts.test.yaml"));
    let tests = std::fs::read_to_string(tests).unwrap();
    let alerts: Vec<_> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    for answer in ["summary:", "means:", "look_at:", "change:", "do_not:"] {
        let given = rules.lines().filter(|line| line.trim().starts_with(answer)).count();
        assert_eq!(given, alerts.len(), "{answer}");
    }
    for alert in alerts {
        assert!(tests.contains(&format!("alertname=\"{alert}\"")), "{alert} is not tested");
    }
}

#[test]
fn prometheus_takes_both_formats_and_shows_what_was_counted() {
    let endpoint = Endpoint::start();
    let prometheus = Prometheus::start(endpoint.address());
    // Some of the listeners are opened anew meanwhile.
    endpoint.publish_until(data::REOPENED + 5);
    prometheus.wait_for("count(count_over_time(up[5m]) >= 4)", 2.0);
    endpoint.publish_until(data::REOPENED + 10);
    prometheus.wait_for(
        "min(queuetrace_established_total{address=\"other\",by=\"handshake\"})",
        endpoint.counted(),
    );

    // Text and OpenMetrics, each by a job of its own.
    assert_eq!(prometheus.number("count(up == 1)"), 2.0);
    let samples = prometheus.query("scrape_samples_scraped");
    let counts: BTreeSet<_> = samples.iter().map(|sample| text(&sample["value"][1])).collect();
    assert_eq!(counts.len(), 1, "{samples:?}");

    counters_are_those_that_were_published(&prometheus, &endpoint);
    types_are_those_of_the_table(&prometheus);
    rules_are_evaluated(&prometheus);
    every_query_of_the_dashboard_returns_data(&prometheus);
}

/// The group's members were closed and opened again: sums go on and never fall.
fn counters_are_those_that_were_published(prometheus: &Prometheus, endpoint: &Endpoint) {
    let group = "address=\"0.0.0.0\",port=\"8080\"";
    for (metric, each) in [
        (
            format!(
                "queuetrace_refusals_total{{{group},stage=\"syn\",reason=\"accept_queue_full\"}}"
            ),
            1.0,
        ),
        (format!("queuetrace_accepts_total{{{group},connection=\"open\"}}"), 4.0),
        (format!("queuetrace_accept_wait_seconds_count{{{group}}}"), 4.0),
        (format!("queuetrace_accept_wait_seconds_bucket{{{group},le=\"0.000256\"}}"), 2.0),
    ] {
        let expected = each * endpoint.counted();
        assert_eq!(prometheus.number(&format!("max({metric})")), expected, "{metric}");
        assert_eq!(prometheus.number(&format!("min({metric})")), expected, "{metric}");
        assert_eq!(prometheus.number(&format!("max(resets({metric}[10m]))")), 0.0, "{metric}");
    }
    assert_eq!(prometheus.number("max(queuetrace_services_folded)"), 1.0);
    assert_eq!(
        prometheus.number(&format!("max(queuetrace_accept_queue_utilization_ratio{{{group}}})")),
        1.0
    );
    // Owners are joined by place.
    let joined = format!(
        "queuetrace_accept_queue_connections{{{group}}} * on (job, instance, netns, address, port) \
         group_left (comm, unit) queuetrace_listener_info"
    );
    let joined = prometheus.query(&joined);
    assert_eq!(joined.len(), 2, "{joined:?}");
    assert_eq!(joined[0]["metric"]["unit"], "nginx.service");
}

fn types_are_those_of_the_table(prometheus: &Prometheus) {
    let metadata = prometheus.api("metadata", &[]);
    for metric in metrics::all() {
        // OpenMetrics has names without suffixes, and a type for information.
        let open = list(&metadata[metric.name]).iter().chain(list(&metadata[series(metric)]));
        let expected = format!("{:?}", metric.kind).to_lowercase();
        let types: Vec<_> = open.map(|entry| text(&entry["type"])).collect();
        assert!(types.contains(&expected.as_str()), "{}: {types:?}", metric.name);
        let known = ["gauge", expected.as_str()];
        let alike = types.iter().all(|kind| match metric.kind {
            Kind::Info => known.contains(kind),
            _ => *kind == expected,
        });
        assert!(alike, "{}: {types:?}", metric.name);
    }
}

fn rules_are_evaluated(prometheus: &Prometheus) {
    let alert = "count(ALERTS{alertname=\"ListenQueueRefuses\", address=\"0.0.0.0\"})";
    prometheus.wait_for(alert, 2.0);
    let rules = prometheus.api("rules", &[]);
    let mut evaluated = 0;
    for rule in list(&rules["groups"]).iter().flat_map(|group| list(&group["rules"])) {
        assert_eq!(rule["health"], "ok", "{rule}");
        evaluated += 1;
    }
    assert!(evaluated > 10, "{evaluated} rules");
}

fn every_query_of_the_dashboard_returns_data(prometheus: &Prometheus) {
    let dashboard = std::fs::read(shipped("dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_slice(&dashboard).unwrap();
    let mut queries = Vec::new();
    for panel in list(&dashboard["panels"]) {
        queries.extend(list(&panel["targets"]).iter().map(|target| text(&target["expr"])));
    }
    queries.extend(list(&dashboard["annotations"]["list"]).iter().map(|one| text(&one["expr"])));
    assert!(queries.len() > 30, "{} queries", queries.len());
    let mut variables = Vec::new();
    for variable in list(&dashboard["templating"]["list"]) {
        let Some(query) = variable["query"]["query"].as_str() else { continue };
        let inner =
            query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
        let (selector, label) = inner.rsplit_once(", ").unwrap();
        variables.push(text(&variable["name"]));
        queries.push(selector);
        let values =
            prometheus.api(&format!("label/{label}/values"), &[("match[]", &filled(selector))]);
        assert!(!list(&values).is_empty(), "{query} has no values");
    }
    for query in queries {
        let used = query.match_indices('$').filter(|(at, _)| !query[*at..].starts_with("$__"));
        for (at, _) in used {
            let known = variables.iter().any(|name| query[at + 1..].starts_with(name));
            assert!(known, "unknown variable in {query}");
        }
        prometheus.wait_for_data(&filled(query));
    }
}

/// A query as Grafana asks it when nothing is narrowed down.
fn filled(query: &str) -> String {
    let all = ["$job", "$instance", "$netns", "$address", "$port"];
    let query = query.replace("$__rate_interval", "1m");
    all.iter().fold(query, |query, name| query.replace(name, ".*"))
}
