//! What is wrong with each service lately, in a few words: for those who ask all the time.

use std::collections::{BTreeMap, HashMap};

use super::{Diagnosis, Facts, Rule, Severity, diagnose};
use crate::model::{Key, Services, Snapshot, Totals};
use crate::procfs::Sysctls;

/// What holds at a service, and how bad it is where that is worst.
pub type Verdicts = BTreeMap<Rule, Severity>;

/// Judges the services of a snapshot, the last that went in, by the last half to whole minute; those without a
/// place of their own together, under no key. Polling knows too little to judge by.
#[must_use]
pub fn of_services(
    services: &Services,
    snapshot: &Snapshot,
    settings: &HashMap<u32, Sysctls>,
) -> BTreeMap<Option<Key>, Verdicts> {
    let mut all = BTreeMap::<_, Verdicts>::new();
    if snapshot.tier == "poll" {
        return all;
    }
    let (began_ns, lately) = services.lately(snapshot);
    let nothing = Totals::default();
    let listeners = snapshot.listeners.iter().zip(&lately);
    let listeners: Vec<_> = listeners
        .map(|((listener, _), totals)| (listener, totals.as_ref().unwrap_or(&nothing)))
        // What stands for several listeners cannot be judged.
        .filter(|(listener, _)| listener.id != 0)
        .collect();
    let said = diagnose(&Facts {
        listeners: &listeners,
        watched_ns: snapshot.time_ns.saturating_sub(began_ns),
        now_ns: snapshot.time_ns,
        own_netns: None,
        sysctls: &|netns| settings.get(&netns).copied().unwrap_or_default(),
        paid: &|_, _| None,
        addresses: &|_| None,
        process: &|_| None,
    });
    for Diagnosis { listener, main, remarks } in said {
        let Some((listener, _)) = listeners.get(listener) else { continue };
        // One that has closed is not in good health.
        if listener.closed && main.rule == Rule::Healthy {
            continue;
        }
        let verdicts = all.entry(services.key_of(listener)).or_default();
        for verdict in std::iter::once(&main).chain(&remarks) {
            let severity = verdicts.entry(verdict.rule).or_insert(verdict.severity);
            *severity = verdict.severity.max(*severity);
        }
    }
    // A service is as well as its listeners are.
    for verdicts in all.values_mut().filter(|verdicts| verdicts.len() > 1) {
        verdicts.remove(&Rule::Healthy);
    }
    all
}

#[cfg(test)]
mod tests {
    use queue_trace_common::Outcome;

    use super::*;
    use crate::diagnose::made_up::{SECOND, listener, sysctls};
    use crate::model::Listener;

    /// Two listeners: at the first so many were refused so far, and at the second nothing happens.
    fn snapshot(second: u64, refused: u64) -> Snapshot {
        let mut totals = Totals::default();
        totals.outcomes[Outcome::SynAcceptQueueFull as usize] = refused;
        totals.outcomes[Outcome::Established as usize] = 10 * second;
        totals.outcomes[Outcome::Accepted as usize] = 10 * second;
        let idle = Listener { id: 2, port: 81, ..listener() };
        let listeners = vec![(listener(), totals), (idle, Totals::default())];
        Snapshot { time_ns: second * SECOND, tier: "fentry", listeners, ..Snapshot::default() }
    }

    /// What is said of each port, 0 standing for those without a place.
    fn said(services: &mut Services, snapshot: &Snapshot) -> Vec<(u16, &'static str)> {
        services.fold(snapshot);
        let settings = HashMap::from([(1, sysctls())]);
        let all = of_services(services, snapshot, &settings).into_iter();
        let each = all.flat_map(|(key, verdicts)| {
            let port = key.map_or(0, |key| key.port);
            verdicts.into_keys().map(move |rule| (port, rule.name()))
        });
        each.collect()
    }

    #[test]
    fn a_verdict_goes_when_what_it_rests_on_is_over() {
        let mut services = Services::new(8);
        // What a former daemon counted says nothing of now.
        let fine = [(80, "healthy"), (81, "healthy")];
        assert_eq!(said(&mut services, &snapshot(100, 5)), fine);
        assert_eq!(said(&mut services, &snapshot(101, 5)), fine);
        let burst = [(80, "burst"), (81, "healthy")];
        assert!((102..132).all(|second| said(&mut services, &snapshot(second, 9)) == burst));
        let later: Vec<_> =
            (132..200).map(|second| said(&mut services, &snapshot(second, 9))).collect();
        assert_eq!(later.first().unwrap(), &burst);
        assert!(later[60..].iter().all(|said| *said == fine));
    }

    #[test]
    fn services_without_a_place_are_judged_together() {
        let mut services = Services::new(1);
        said(&mut services, &snapshot(100, 0));
        let mut refusing = snapshot(101, 0);
        refusing.listeners[1].1.outcomes[Outcome::SynAcceptQueueFull as usize] = 1;
        assert_eq!(said(&mut services, &refusing), [(0, "burst"), (80, "healthy")]);
    }

    #[test]
    fn what_is_full_and_stays_so_is_told_though_nothing_is_counted() {
        let mut services = Services::new(8);
        let mut full = snapshot(100, 0);
        (full.listeners[1].1.waiting, full.listeners[1].1.oldest_ns) = (129, Some(90 * SECOND));
        assert_eq!(said(&mut services, &full), [(80, "healthy"), (81, "stopped_acceptor")]);
        full.tier = "poll";
        assert_eq!(said(&mut services, &full), [], "accepts are not seen");
    }

    #[test]
    fn a_limit_is_explained_by_the_settings_of_its_namespace() {
        let mut services = Services::new(8);
        let mut clamped = snapshot(100, 0);
        clamped.listeners[1].0.asked = Some(8192);
        assert_eq!(said(&mut services, &clamped), [(80, "healthy"), (81, "listen_again")]);
        clamped.listeners[1].0.netns = 2;
        assert_eq!(said(&mut services, &clamped), [(80, "healthy"), (81, "healthy")]);
    }

    #[test]
    fn one_that_has_closed_is_not_in_good_health() {
        let mut services = Services::new(8);
        let mut closed = snapshot(100, 0);
        closed.listeners[1].0.closed = true;
        assert_eq!(said(&mut services, &closed), [(80, "healthy")]);
    }
}
