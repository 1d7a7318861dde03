//! A running `queue-trace trace`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use jiff::Timestamp;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use super::events::{Event, Events, LeftOut};
use super::summary::Summary;
use super::wait::{self, PATIENCE};
use super::{namespace, program};

/// Where queue-trace runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the namespace of the scenario.
    Inside,
    /// In the namespace that the test program began in.
    Outside,
}

/// The running program.
#[derive(Debug)]
pub(crate) struct Tracer {
    child: Child,
    events: Arc<Feed<ByNamespace>>,
    errors: Arc<Feed<Vec<String>>>,
    left_out: Arc<Mutex<Vec<LeftOut>>>,
    readers: Vec<JoinHandle<()>>,
}

/// Events by the inode of their namespace.
type ByNamespace = BTreeMap<u64, Events>;

/// What it left.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    pub(crate) events: Events,
    pub(crate) summary: Summary,
    /// Events after the scenario's end, of requests that it left behind.
    pub(crate) later: Events,
    /// Events that were counted and not written.
    pub(crate) left_out: Vec<LeftOut>,
}

impl Trace {
    /// What concerns one namespace, in which a scenario came to its end at that time.
    pub(crate) fn of(&self, netns: u64, end: Timestamp) -> Self {
        let in_time = |event: &Event| event.time.parse::<Timestamp>().unwrap() <= end;
        let (events, later) = self.events.in_namespace(netns).0.into_iter().partition(in_time);
        let left_out = self.left_out.clone();
        Self {
            events: Events(events),
            summary: self.summary.of(netns),
            later: Events(later),
            left_out,
        }
    }
}

impl Tracer {
    /// Starts it, and waits until it counts. Of its events, those of one namespace are kept.
    pub(crate) fn start(place: Place, netns: u64, arguments: &[&str]) -> Self {
        Self::start_keeping(place, move |event| event.netns == netns, arguments, || ())
    }

    /// The same; all of its events are kept.
    pub(crate) fn start_keeping_all(place: Place) -> Self {
        Self::start_keeping(place, |_| true, &[], || ())
    }

    /// The same; nobody reads its events until the other end of `read` is dropped.
    pub(crate) fn start_unread(place: Place, read: Receiver<()>, arguments: &[&str]) -> Self {
        let begin = move || assert!(read.recv().is_err(), "nothing is sent");
        Self::start_keeping(place, |_| true, arguments, begin)
    }

    fn start_keeping(
        place: Place,
        keep: impl Fn(&Event) -> bool + Send + 'static,
        arguments: &[&str],
        begin: impl FnOnce() + Send + 'static,
    ) -> Self {
        let mut command = program::queue_trace();
        command.args(["trace", "--format", "json", "--verify"]).args(arguments);
        command.args(program::attach_arguments());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let spawn = |command: &mut Command| command.spawn().expect("cannot run queue-trace");
        let mut child = match place {
            Place::Inside => spawn(&mut command),
            Place::Outside => namespace::outside(|| spawn(&mut command)),
        };
        let events = Arc::new(Feed::<ByNamespace>::default());
        let errors = Arc::new(Feed::<Vec<String>>::default());
        let left_out = Arc::new(Mutex::new(Vec::new()));
        let missing = Arc::clone(&left_out);
        let readers = vec![
            feed(child.stdout.take(), Arc::clone(&events), begin, move |events, line| {
                if let Ok(left_out) = serde_json::from_str(&line) {
                    missing.lock().unwrap().push(left_out);
                    return;
                }
                let event: Event = serde_json::from_str(&line)
                    .unwrap_or_else(|error| panic!("{error} in the line {line}"));
                if keep(&event) {
                    events.entry(event.netns).or_default().0.push(event);
                }
            }),
            feed(child.stderr.take(), Arc::clone(&errors), || (), Vec::push),
        ];
        let tracer = Self { child, events, errors, left_out, readers };
        let tracing = |errors: &Vec<String>| errors.iter().any(|line| line.contains(": tracing "));
        if let Err(errors) = tracer.errors.wait_for(tracing) {
            panic!("queue-trace does not trace: {errors:#?}");
        }
        // By kprobes there is more that cannot be seen; and a scenario may take hooks away.
        let whole = arguments.is_empty() && !program::by_kprobes();
        let hidden = tracer.errors.look(|e| e.iter().any(|line| line.contains("not visible")));
        assert!(!(whole && hidden), "hooks are missing: {:#?}", tracer.errors.look(Vec::clone));
        tracer
    }

    /// The events of a namespace so far.
    pub(crate) fn events_in(&self, netns: u64) -> Events {
        self.events.look(|events| events.get(&netns).cloned()).unwrap_or_default()
    }

    /// Waits until the events of a namespace so far satisfy a condition.
    pub(crate) fn wait_in(&self, netns: u64, what: &str, condition: impl Fn(&Events) -> bool) {
        let none = Events::default();
        let holds = |events: &ByNamespace| condition(events.get(&netns).unwrap_or(&none));
        if let Err(events) = self.events.wait_for(holds) {
            let events = events.get(&netns).unwrap_or(&none);
            panic!("waited in vain for {what}, with these events:\n{events}");
        }
    }

    /// Ends it as Ctrl-C does, and gives all it wrote.
    pub(crate) fn stop(self) -> Trace {
        self.signal(Signal::INT);
        self.finish()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Has it stand still, and waits until it does: it may be within a system call.
    pub(crate) fn stand_still(&self) {
        self.signal(Signal::STOP);
        let stopped = waitpid(Some(Pid::from_child(&self.child)), WaitOptions::UNTRACED).unwrap();
        assert!(stopped.is_some_and(|(_, status)| status.stopped()), "{stopped:?}");
    }

    /// Waits for its end, which has to be a success, and gives all it wrote.
    pub(crate) fn finish(mut self) -> Trace {
        let status = exit(&mut self.child);
        for reader in self.readers.drain(..) {
            reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
        let text = self.errors.look(|errors| errors.join("\n"));
        assert!(status.success(), "queue-trace ended with {status}:\n{text}");
        let events = self.events.look(|all| all.values().flat_map(|e| e.0.clone()).collect());
        let left_out = self.left_out.lock().unwrap().clone();
        let (events, later) = (Events(events), Events::default());
        Trace { events, summary: Summary::parse(text), later, left_out }
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // After a failure: what is left must not disturb the next scenario.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for the end of a child.
pub(crate) fn exit(child: &mut Child) -> ExitStatus {
    let mut status = None;
    wait::until("the end of queue-trace", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

/// What a thread gathers and others wait for.
#[derive(Debug, Default)]
struct Feed<T> {
    items: Mutex<(T, Ended)>,
    changed: Condvar,
}

type Ended = bool;

impl<T: Clone> Feed<T> {
    fn look<R>(&self, work: impl FnOnce(&T) -> R) -> R {
        work(&self.items.lock().unwrap().0)
    }

    /// Waits for a condition; what there is instead, when it can no more come true or not in time.
    fn wait_for(&self, condition: impl Fn(&T) -> bool) -> Result<(), T> {
        let deadline = Instant::now() + PATIENCE;
        let mut items = self.items.lock().unwrap();
        loop {
            if condition(&items.0) {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if items.1 || left.is_zero() {
                return Err(items.0.clone());
            }
            items = self.changed.wait_timeout(items, left).unwrap().0;
        }
    }
}

/// Adds each line of a pipe to a feed, after `begin` has returned.
fn feed<T: Send + 'static>(
    pipe: Option<impl Read + Send + 'static>,
    feed: Arc<Feed<T>>,
    begin: impl FnOnce() + Send + 'static,
    add: impl Fn(&mut T, String) + Send + 'static,
) -> JoinHandle<()> {
    thread::spawn(move || {
        begin();
        for line in BufReader::new(pipe.unwrap()).lines() {
            add(&mut feed.items.lock().unwrap().0, line.unwrap());
            feed.changed.notify_all();
        }
        feed.items.lock().unwrap().1 = true;
        feed.changed.notify_all();
    })
}
