//! What everybody in a storm shares: the listeners, and a diary.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::dice::Dice;
use super::plan::{Nature, Plan, Reach, Site};
use crate::harness::family::Family;
use crate::harness::sockopt::set_tcp;

/// How many lines of the diary are kept.
const REMEMBERED: usize = 60;

/// A site with the listener that is there now.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) site: Site,
    listener: Mutex<Option<Arc<Socket>>>,
}

/// A namespace in a storm.
#[derive(Debug)]
pub(super) struct World {
    pub(super) places: Vec<Place>,
    begun: Instant,
    over: AtomicBool,
    quiet: AtomicBool,
    /// SYNs sent to the target.
    pub(super) aimed: AtomicU64,
    diary: Mutex<VecDeque<String>>,
}

impl World {
    pub(super) fn new(plan: &Plan) -> Self {
        let place = |site: &Site| Place { site: site.clone(), listener: Mutex::default() };
        Self {
            places: plan.sites.iter().map(place).collect(),
            begun: Instant::now(),
            over: AtomicBool::new(false),
            quiet: AtomicBool::new(false),
            aimed: AtomicU64::new(0),
            diary: Mutex::default(),
        }
    }

    /// Whether the storm is over.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Whether nothing moves any more.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet.load(Ordering::Relaxed)
    }

    pub(super) fn calm(&self) {
        self.quiet.store(true, Ordering::Relaxed);
    }

    /// Writes into the diary.
    pub(super) fn tell(&self, what: std::fmt::Arguments<'_>) {
        let mut diary = self.diary.lock().unwrap();
        if diary.len() == REMEMBERED {
            diary.pop_front();
        }
        diary.push_back(format!("{:>7.1} ms {what}", self.begun.elapsed().as_secs_f64() * 1000.0));
    }

    /// The last entries.
    pub(super) fn diary(&self) -> String {
        self.diary.lock().unwrap().iter().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "  {line}");
            text
        })
    }

    /// The target of crafted segments.
    pub(super) fn target(&self) -> &Place {
        &self.places[0]
    }

    /// One of the other places.
    pub(super) fn any(&self, dice: &mut Dice) -> &Place {
        &self.places[1 + dice.index(self.places.len() - 1)]
    }
}

/// A pause of up to so many milliseconds.
pub(super) fn pause(dice: &mut Dice, most_ms: u32) {
    std::thread::sleep(Duration::from_micros(u64::from(dice.within(0..=most_ms * 1000))));
}

impl Place {
    /// The listener that is here now.
    pub(super) fn listener(&self) -> Option<Arc<Socket>> {
        self.listener.lock().unwrap().clone()
    }

    /// Takes the listener away; it closes when nobody is in `accept()` any more.
    pub(super) fn vacate(&self) -> Option<Arc<Socket>> {
        self.listener.lock().unwrap().take()
    }

    /// Puts a new listener here. That may fail while the one before is still closing.
    pub(super) fn open(&self, backlog: u32, dice: &mut Dice) -> io::Result<()> {
        let domain = if self.site.reach == Reach::V4 { Domain::IPV4 } else { Domain::IPV6 };
        let socket = match self.site.nature {
            Nature::Mptcp => Socket::new(domain, Type::STREAM, Some(Protocol::MPTCP))
                .or_else(|_| Socket::new(domain, Type::STREAM, Some(Protocol::TCP)))?,
            _ => Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?,
        };
        if domain == Domain::IPV6 {
            socket.set_only_v6(self.site.reach == Reach::V6)?;
        }
        socket.set_reuse_address(true)?;
        if self.site.nature == Nature::Member {
            socket.set_reuse_port(true)?;
        }
        socket.bind(&self.wildcard().into())?;
        match self.site.nature {
            // One second: one SYN-ACK timeout.
            Nature::Deferring => set_tcp(&socket, libc::TCP_DEFER_ACCEPT, 1),
            Nature::FastOpen => {
                set_tcp(&socket, libc::TCP_FASTOPEN, dice.within(1..=6).cast_signed());
            }
            _ => {}
        }
        // Also the timeout of accept().
        let patience = Duration::from_millis(u64::from(dice.within(1..=15)));
        socket.set_read_timeout(Some(patience))?;
        // MPTCP keeps the timeout for itself, and accept() on it would never return.
        socket.set_nonblocking(self.site.nature == Nature::Mptcp)?;
        socket.listen(backlog.cast_signed())?;
        *self.listener.lock().unwrap() = Some(Arc::new(socket));
        Ok(())
    }

    fn wildcard(&self) -> SocketAddr {
        let family = if self.site.reach == Reach::V4 { Family::V4 } else { Family::V6 };
        family.wildcard(self.site.port)
    }

    /// What queue-trace calls a listener here.
    pub(super) fn name(&self) -> String {
        self.wildcard().to_string()
    }

    /// Where a client on this machine finds it.
    pub(super) fn nearby(&self, dice: &mut Dice) -> SocketAddr {
        let family = match self.site.reach {
            Reach::V4 => Family::V4,
            Reach::V6 => Family::V6,
            Reach::Both => *dice.pick(&[Family::V4, Family::V6]),
        };
        family.loopback(self.site.port)
    }

    /// Whether crafted segments of this family can reach it.
    pub(super) fn hears(&self, family: Family) -> bool {
        match self.site.reach {
            Reach::V4 => family == Family::V4,
            Reach::V6 => family == Family::V6,
            Reach::Both => true,
        }
    }
}
