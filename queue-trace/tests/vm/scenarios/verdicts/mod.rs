//! What `queue-trace doctor` says of listeners in trouble, and of those that nearly are: for each rule a load
//! that provokes it and one that falls short of it. One doctor judges all listeners of a scenario.

use serde_json::Value;

use crate::harness::server::Server;
use crate::harness::watching::Watching;

mod accepting;
mod causes;
mod handshakes;

pub(super) use accepting::run as accepting;
pub(super) use causes::run as causes;
pub(super) use handshakes::run as handshakes;

/// What doctor said at its end.
#[derive(Debug)]
struct Report(Value);

fn doctor(more: &[&str]) -> Watching {
    Watching::start(&[&["doctor", "--format", "json"], more].concat())
}

impl Report {
    /// Ends the doctor; whether it succeeded, and its report.
    fn of(doctor: Watching) -> (bool, Self) {
        let (status, text) = doctor.end();
        let report: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        for book in report["books"].as_array().unwrap() {
            assert_eq!(book["balanced"], true, "{book:#}");
        }
        (status.success(), Self(report))
    }

    /// The listeners on a server's port.
    fn at(&self, server: &Server) -> Vec<&Value> {
        let all = self.0["listeners"].as_array().unwrap();
        all.iter().filter(|one| one["port"] == server.address.port()).collect()
    }

    /// The one listener there.
    fn only(&self, server: &Server) -> &Value {
        let [one] = self.at(server)[..] else { panic!("{:#?}", self.at(server)) };
        one
    }

    /// What a rule says of any listener on a server's port.
    fn says(&self, server: &Server, rule: &str) -> Option<&Value> {
        let all = self.at(server).into_iter();
        let mut all = all.flat_map(|one| {
            std::iter::once(&one["verdict"]).chain(one["remarks"].as_array().unwrap())
        });
        all.find(|verdict| verdict["rule"] == rule)
    }

    /// Asserts that a rule holds at one server, with evidence and advice, and not at the other.
    fn assert(&self, rule: &str, at: &Server, not_at: &Server) {
        let said = self.says(at, rule).unwrap_or_else(|| panic!("{rule}? {:#?}", self.at(at)));
        assert!(!said["evidence"].as_object().unwrap().is_empty(), "{said:#}");
        assert!(!said["change"].as_array().unwrap().is_empty(), "{said:#}");
        let other = self.says(not_at, rule);
        assert!(other.is_none(), "{rule} at the one that falls short of it: {other:#?}");
    }
}
