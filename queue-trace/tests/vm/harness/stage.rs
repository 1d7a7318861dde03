//! One queue-trace for many scenarios: to attach it and to detach it takes longer than a scenario.
//!
//! The scenarios play one after the other, each in its namespace. Each halts where it would stop its
//! queue-trace; when all of them have, it is stopped once, and each goes on with its own part of what it
//! wrote: the events and the paragraphs of its namespace.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use jiff::Timestamp;

use super::namespace;
use super::tracer::{Place, Trace, Tracer};

/// A scenario that shares its queue-trace, by name.
pub(crate) type Play = (String, Box<dyn Fn() + Send + Sync>);

/// What became of each scenario.
pub(crate) type Findings = BTreeMap<String, Result<(), String>>;

thread_local! {
    static ROLE: RefCell<Option<Role>> = const { RefCell::new(None) };
}

/// A scenario's part in the shared queue-trace.
#[derive(Debug)]
pub(crate) struct Role {
    tracer: Arc<Tracer>,
    halted: Sender<()>,
    trace: Receiver<Arc<Trace>>,
}

impl Role {
    /// The part of the scenario that this thread plays, if it shares its queue-trace.
    pub(crate) fn take() -> Option<Self> {
        ROLE.take()
    }

    /// The shared queue-trace.
    pub(crate) fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    /// Halts until all others have halted too; what queue-trace wrote about a namespace.
    pub(crate) fn halt(self, netns: u64) -> Trace {
        let Self { tracer, halted, trace } = self;
        drop(tracer);
        let now = Timestamp::now();
        halted.send(()).expect("the stage is gone");
        trace.recv().expect("queue-trace did not end as it should").of(netns, now)
    }
}

/// Plays them all.
pub(crate) fn play(plays: &[Play]) -> Findings {
    catch_unwind(AssertUnwindSafe(|| perform(plays))).unwrap_or_else(|panic| {
        let message = message(&*panic);
        plays.iter().map(|(name, _)| (name.clone(), Err(message.clone()))).collect()
    })
}

fn perform(plays: &[Play]) -> Findings {
    let tracer = Arc::new(Tracer::start_keeping_all(Place::Outside));
    thread::scope(|scope| {
        let mut all = Vec::new();
        for (name, run) in plays {
            let (halted, halt) = channel();
            let (give, trace) = channel();
            let role = Role { tracer: Arc::clone(&tracer), halted, trace };
            let start = Instant::now();
            let playing = scope.spawn(move || {
                namespace::within_fresh(&name.replace("::", "-"), move || {
                    ROLE.set(Some(role));
                    run();
                });
            });
            // It has halted, or failed before.
            let _ = halt.recv();
            eprintln!("{name}: {:.1} s", start.elapsed().as_secs_f64());
            all.push((name.clone(), give, playing));
        }
        let tracer = Arc::into_inner(tracer).expect("every scenario has halted");
        let trace = Arc::new(tracer.stop());
        let end = |(name, give, playing): (_, Sender<_>, thread::ScopedJoinHandle<'_, ()>)| {
            // One that failed does not wait for it.
            let _ = give.send(Arc::clone(&trace));
            (name, playing.join().map_err(|panic| message(&*panic)))
        };
        all.into_iter().map(end).collect()
    })
}

/// What a panic says.
pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or(panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}
