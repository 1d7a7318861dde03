//! Instructions, read off the time stamp counter: under `-icount shift=0` it counts nothing else.

use std::arch::{asm, x86_64::_rdtsc};
use std::time::Duration;

use anyhow::{Result, ensure};

/// Instructions that this processor has executed.
pub(crate) fn now() -> u64 {
    // SAFETY: every x86-64 processor has it, and Linux lets user space read it.
    unsafe { _rdtsc() }
}

/// Makes sure that the counter counts instructions.
pub(crate) fn check() -> Result<()> {
    const ROUNDS: u64 = 10_000;
    let spin = || {
        let start = now();
        // SAFETY: changes one register and the flags.
        unsafe {
            asm!("2: dec {0}", "jnz 2b", inout(reg) ROUNDS => _, options(nomem, nostack));
        }
        now() - start
    };
    // Others may come in between, but not each time.
    let counted = (0..100).map(|_| spin()).min().unwrap_or_default();
    ensure!(
        (2 * ROUNDS..2 * ROUNDS + 100).contains(&counted),
        "{} instructions were counted as {counted}: run this with --icount",
        2 * ROUNDS
    );
    Ok(())
}

/// Spins for a while, and gives what long interruptions took of it.
///
/// A timer tick alone takes less than `LONG`; the timers of a batch expire together.
pub(crate) fn interruptions(window: Duration) -> u64 {
    const LONG: u64 = 20_000;
    let start = now();
    let (mut last, mut stolen) = (start, 0);
    // A nanosecond is an instruction.
    while u128::from(last - start) < window.as_nanos() {
        let time = now();
        if time - last > LONG {
            stolen += time - last;
        }
        last = time;
    }
    stolen
}
