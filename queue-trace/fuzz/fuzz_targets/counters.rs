//! The kernel's own counters, as `/proc/net/netstat` and `/proc/net/snmp` have them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use queue_trace::procfs::Counters;

fuzz_target!(|text: &str| {
    let mut counters = Counters::default();
    counters.parse(text);
    let before = counters.clone();
    counters.parse(text);
    assert_eq!(counters, before, "the same text says the same");
    assert!(counters.since(&before).iter().all(|(_, growth)| growth == 0));
});
