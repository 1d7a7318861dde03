//! Whether everything adds up, to the packet.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::storm::Facts;
use crate::harness::events::{Event, Events};
use crate::harness::identities::{
    ENDED, ENTERED, FALLBACK, IDENTITIES, LEFT, OVERFLOWS, TALLIES, Terms,
};
use crate::harness::summary::{Section, Summary};
use crate::harness::told::Counts;

/// Compared otherwise, or by the other scenarios only: a storm leaves children that came to nothing.
const NOT_HERE: &[&str] = &["ListenOverflows", "PassiveOpens"];

const MIGRATED_HERE: &str = "requests and connections came over";

/// What can become of a SYN.
const SYNS: Terms = &[
    ("syn_queued", "*"),
    ("syn_cookie", "*"),
    ("syn_fastopen", "*"),
    ("syn_refused", "*"),
    ("syn_duplicate", "*"),
];

/// The outcomes of one listener, and what the summary says beside them.
struct Account<'a> {
    section: &'a Section,
    counts: Counts,
    beside: Vec<(u64, &'a str)>,
}

impl<'a> Account<'a> {
    fn of(section: &'a Section) -> Self {
        let beside = section.rows.iter().filter_map(|row| {
            let (first, rest) = row.split_once(' ')?;
            Some((first.parse().ok()?, rest.trim_start()))
        });
        Self { section, counts: section.outcomes(), beside: beside.collect() }
    }

    fn sum(&self, terms: Terms) -> u64 {
        sum(&self.counts, terms)
    }

    fn beside(&self, what: &str) -> u64 {
        self.beside.iter().filter(|(_, text)| text.starts_with(what)).map(|(count, _)| count).sum()
    }
}

fn sum(counts: &Counts, terms: Terms) -> u64 {
    let fits = |(event, reason): &(String, String)| {
        terms.iter().any(|term| event == term.0 && (term.1 == "*" || reason == term.1))
    };
    counts.iter().filter(|(key, _)| fits(key)).map(|(_, count)| count).sum()
}

/// What does not add up in one namespace; empty if everything does.
pub(super) fn differences(facts: &Facts, summary: &Summary, events: &Events) -> String {
    let sections = summary.listeners.iter().filter(|section| section.netns == facts.netns);
    let accounts: Vec<_> = sections.map(Account::of).collect();
    let mut wrong = String::new();
    counters(facts, &accounts, &mut wrong);
    for account in &accounts {
        listener(account, &mut wrong);
    }
    waiting(facts, &accounts, &mut wrong);
    syns(facts, &accounts, &mut wrong);
    migrations(&accounts, &mut wrong);
    verdict(facts, summary, &mut wrong);
    written(&accounts, summary, events, &mut wrong);
    if !wrong.is_empty() {
        unfinished(events, &mut wrong);
    }
    wrong
}

/// Our sums over the namespace are the kernel's.
fn counters(facts: &Facts, accounts: &[Account<'_>], wrong: &mut String) {
    for (counter, terms) in IDENTITIES {
        if NOT_HERE.contains(counter) || !facts.last.has(counter) {
            continue;
        }
        let kernel = facts.last.since(&facts.before, counter);
        let one = |account: &Account<'_>| {
            let beside = TALLIES.iter().filter(|(name, _)| name == counter);
            account.sum(terms) + beside.map(|(_, what)| account.beside(what)).sum::<u64>()
        };
        let ours: u64 = accounts.iter().map(one).sum();
        if kernel != ours {
            let _ = writeln!(wrong, "{counter}: kernel {kernel}, summary {ours}");
        }
        if facts.after.get(counter) != facts.last.get(counter) {
            let _ = writeln!(wrong, "{counter} still moved while queue-trace was stopping");
        }
    }
    // How many of the failed Fast Open attempts met a full accept queue the summary does not say.
    let kernel = facts.last.since(&facts.before, "ListenOverflows");
    let ours: u64 = accounts.iter().map(|account| account.sum(OVERFLOWS)).sum();
    let fallbacks: u64 = accounts.iter().map(|account| account.beside(FALLBACK)).sum();
    if !(ours..=ours + fallbacks).contains(&kernel) {
        let _ = writeln!(wrong, "ListenOverflows: kernel {kernel}, summary {ours} + {fallbacks}");
    }
}

/// What came to one listener has left it, or is waiting at the end; nothing is half-open then.
fn listener(account: &Account<'_>, wrong: &mut String) {
    let Section { name, closed, .. } = account.section;
    let closed = if *closed { ", closed" } else { "" };
    let came = account.beside(MIGRATED_HERE);
    let went = account.sum(&[("migrated", "request"), ("migrated", "connection")]);
    let (entered, left) = (account.sum(ENTERED), account.sum(LEFT));
    let (queued, ended) = (account.sum(&[("syn_queued", "*")]), account.sum(ENDED));
    let waiting = waiting_at(account);
    let balanced = if came + went == 0 {
        entered == left + waiting && queued == ended
    } else {
        // The summary does not tell requests from connections among those that came over.
        queued + entered + came == left + waiting + ended + went
    };
    if !balanced {
        let _ = writeln!(
            wrong,
            "{name}{closed}: {queued} requests queued, {ended} ended; {entered} connections entered, \
             {left} left, {waiting} wait; {came} came over, {went} went over; {:?}",
            account.counts
        );
    }
}

/// Connections that the summary says are waiting.
fn waiting_at(account: &Account<'_>) -> u64 {
    let row = account.section.rows.iter().find_map(|row| row.strip_prefix("still waiting"));
    row.and_then(|row| row.split_ascii_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// As many are waiting as the sockets say.
fn waiting(facts: &Facts, accounts: &[Account<'_>], wrong: &mut String) {
    for account in accounts.iter().filter(|account| account.section.closed) {
        let waiting = waiting_at(account);
        if waiting > 0 {
            let name = &account.section.name;
            let _ = writeln!(wrong, "{name} is closed and yet {waiting} are said to wait there");
        }
    }
    for (name, sockets) in &facts.waiting {
        let open = accounts.iter().filter(|a| !a.section.closed && a.section.name == *name);
        let mut told: Vec<_> = open.map(waiting_at).filter(|count| *count > 0).collect();
        let mut found: Vec<_> = sockets.iter().copied().filter(|count| *count > 0).collect();
        told.sort_unstable();
        found.sort_unstable();
        if told != found {
            let _ = writeln!(wrong, "{name}: {found:?} are waiting, the summary says {told:?}");
        }
    }
}

/// Every SYN to the target has one outcome.
fn syns(facts: &Facts, accounts: &[Account<'_>], wrong: &mut String) {
    let target = accounts.iter().filter(|account| account.section.name == facts.target);
    let told: u64 = target.map(|account| account.sum(SYNS)).sum();
    if told != facts.aimed {
        let (target, aimed) = (&facts.target, facts.aimed);
        let _ = writeln!(wrong, "{target}: {aimed} SYNs were sent to it, {told} have an outcome");
    }
}

/// What went over from one listener came to another.
fn migrations(accounts: &[Account<'_>], wrong: &mut String) {
    let went: Terms = &[("migrated", "request"), ("migrated", "connection")];
    let went: u64 = accounts.iter().map(|account| account.sum(went)).sum();
    let came: u64 = accounts.iter().map(|account| account.beside(MIGRATED_HERE)).sum();
    if went != came {
        let _ = writeln!(wrong, "{went} migrated from a listener, {came} to one");
    }
}

/// The summary comes to the same verdict.
fn verdict(facts: &Facts, summary: &Summary, wrong: &mut String) {
    let start = format!("namespace {}: ", facts.netns);
    let mut lines = summary.text.lines().skip_while(|line| !line.starts_with(&start));
    if lines.next().is_some_and(|line| line.ends_with("the books balance")) {
        return;
    }
    let _ = writeln!(wrong, "the summary's verdict on namespace {} is:", facts.netns);
    let lines = lines.take_while(|line| line.starts_with("  "));
    for line in lines.filter(|line| !line.ends_with("difference 0")) {
        let _ = writeln!(wrong, "{line}");
    }
}

/// As many events were written as the summary counts, but for those that it says were left out.
fn written(accounts: &[Account<'_>], summary: &Summary, events: &Events, wrong: &mut String) {
    let mut counted = BTreeMap::<_, i64>::new();
    for account in accounts {
        for ((event, reason), count) in &account.counts {
            let key = (account.section.name.clone(), event.clone(), reason.clone());
            *counted.entry(key).or_default() += count.cast_signed();
        }
    }
    for event in &events.0 {
        let reason = event.reason.clone().unwrap_or_default();
        let key = (event.listens_at().to_string(), event.event.clone(), reason);
        *counted.entry(key).or_default() -= 1;
    }
    for ((name, event, reason), difference) in counted {
        // Of all namespaces together.
        let left_out: u64 = summary.left_out(&event, &reason).iter().sum();
        // A server that finds nothing to accept is counted and not shown.
        if !(0..=left_out.cast_signed()).contains(&difference) && reason != "eagain" {
            let _ = writeln!(
                wrong,
                "{name}: of {event} {reason} the summary counts {difference} more than were written"
            );
        }
    }
}

/// Clients that came in and did not leave, each with everything that happened to it.
fn unfinished(events: &Events, wrong: &mut String) {
    const SHOWN: usize = 10;
    let mut clients = BTreeMap::<_, Vec<_>>::new();
    for event in &events.0 {
        if let Some(client) = event.client() {
            clients.entry((client, event.port)).or_default().push(event);
        }
    }
    let count = |story: &[&Event], kinds: &[&str]| {
        story.iter().filter(|event| kinds.contains(&event.event.as_str())).count()
    };
    let odd = clients.iter().filter(|(_, story)| {
        let entered = count(story, &["established", "cookie_valid", "syn_fastopen"]);
        entered != count(story, &["accept", "abandoned"])
    });
    for ((client, port), story) in odd.take(SHOWN) {
        let story: Vec<_> = story
            .iter()
            .map(|event| format!("{} {}", event.event, event.reason.as_deref().unwrap_or("")))
            .collect();
        let _ = writeln!(wrong, "{client} at {port}: {}", story.join(", "));
    }
}
