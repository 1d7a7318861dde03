//! How long it takes to read the counters of 10,000 listeners from maps like those of the kernel side.
//!
//! The aim is 20 ms. Making maps needs root, or `CAP_BPF`; the number of processors is this machine's.

use std::hint::black_box;
use std::time::Duration;

use aya::Pod;
use aya::maps::{Array, MapError};
use criterion::Criterion;
use queue_trace::kernel::maps::MMAPABLE;
use queue_trace::kernel::shared::Shared;
use queue_trace::kernel::slots::Slots;
use queue_trace::model::Totals;
use queue_trace_common::ListenerInfo;

const SLOTS: u32 = 10_001;

/// Slots of which `used` are in use.
fn slots(used: u32) -> Result<Slots, MapError> {
    fn shared<V: Pod>(values: u32) -> Result<Shared<V>, MapError> {
        Shared::new(&Array::create(values, MMAPABLE)?)
    }
    let cpus = aya::util::nr_cpus().map_or(1, |cpus| cpus as u32);
    let mut slots = Slots::new(shared(SLOTS)?, shared(SLOTS * cpus)?, shared(SLOTS)?);
    for slot in 1..=used {
        slots.assign(slot, ListenerInfo { socket: slot.into(), ..ListenerInfo::default() });
    }
    Ok(slots)
}

/// As a snapshot does it.
fn totals(slots: &Slots) -> Totals {
    let mut sum = Totals::default();
    for (slot, info) in slots.used() {
        sum.add(black_box(&slots.totals(slot, &info, 1)));
    }
    sum
}

fn main() {
    let mut criterion =
        Criterion::default().measurement_time(Duration::from_secs(3)).configure_from_args();
    for used in [100, SLOTS - 1] {
        let slots = match slots(used) {
            Ok(slots) => slots,
            Err(error) => return println!("slots: no maps here, nothing to measure: {error}"),
        };
        criterion.bench_function(&format!("slots: the counters of {used} listeners"), |bencher| {
            bencher.iter(|| totals(&slots));
        });
        criterion.bench_function(&format!("slots: find {used} listeners"), |bencher| {
            bencher.iter(|| slots.used());
        });
    }
    criterion.final_summary();
}
