//! How long it takes to read the counters of 10,000 listeners from maps like those of the kernel side.
//!
//! The aim is 20 ms. Making maps needs root, or `CAP_BPF`; the number of processors is this machine's.

use std::hint::black_box;
use std::time::Duration;

use aya::maps::{Array, MapError, PerCpuArray};
use criterion::Criterion;
use queue_trace::kernel::slots::Slots;
use queue_trace::model::Totals;
use queue_trace_common::ListenerInfo;

const SLOTS: u32 = 10_001;

/// Slots of which `used` are in use.
fn slots(used: u32) -> Result<Slots, MapError> {
    let (info, counters) = (Array::create(SLOTS, 0)?, PerCpuArray::create(SLOTS, 0)?);
    let mut slots = Slots::new(info, counters, Array::create(SLOTS, 0)?);
    for slot in 1..=used {
        slots.assign(slot, ListenerInfo { socket: slot.into(), ..ListenerInfo::default() })?;
    }
    Ok(slots)
}

/// As a snapshot does it.
fn visit(slots: &Slots) -> Result<Totals, MapError> {
    let mut sum = Totals::default();
    slots.visit(1, |_, _, totals| {
        sum.add(black_box(&totals));
        Ok::<_, MapError>(())
    })?;
    Ok(sum)
}

/// As it is where the kernel knows no batches, and before: three system calls a slot.
fn one_by_one(slots: &Slots) -> Result<Totals, MapError> {
    let mut sum = Totals::default();
    for slot in 0..SLOTS {
        sum.add(black_box(&slots.totals(slot, 1)?));
    }
    Ok(sum)
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
            bencher.iter(|| visit(&slots));
        });
        criterion.bench_function(&format!("slots: find {used} listeners"), |bencher| {
            bencher.iter(|| slots.used());
        });
        if used + 1 == SLOTS {
            criterion.bench_function("slots: all one by one", |bencher| {
                bencher.iter(|| one_by_one(&slots));
            });
        }
    }
    criterion.final_summary();
}
