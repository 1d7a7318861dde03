//! What a seed decides beforehand.

use std::time::Duration;

use super::dice::Dice;
use crate::harness::family::Family;

/// For how long everybody is at it.
pub(super) const STORM: Duration = Duration::from_millis(1500);

/// Which clients a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    V4,
    V6,
    Both,
}

/// What is special about a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    Plain,
    /// One of several on its port (`SO_REUSEPORT`).
    Member,
    /// `TCP_DEFER_ACCEPT`.
    Deferring,
    /// `TCP_FASTOPEN`.
    FastOpen,
    /// An MPTCP socket, where the kernel has that.
    Mptcp,
}

/// A place for a listener; over time, several listeners come and go there.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) port: u16,
    pub(super) reach: Reach,
    pub(super) nature: Nature,
    /// Whether what is there at the end of the storm stays, with what waits in it.
    pub(super) stays: bool,
    /// Only crafted segments are sent here, and nobody closes or accepts.
    pub(super) target: bool,
}

/// Everything that a seed decides.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) sites: Vec<Site>,
    /// The family of the crafted segments.
    pub(super) wire: Family,
    /// Whether SYN-ACKs can be sent to the wire until the last half-open request has died.
    pub(super) wire_stays: bool,
    /// Settings and the values that they take.
    pub(super) settings: Vec<(&'static str, Vec<u32>)>,
    /// Threads that connect, and threads that accept.
    pub(super) clients: u32,
    pub(super) acceptors: u32,
    /// Whether the namespace is there before queue-trace.
    pub(super) older: bool,
    /// The rest is thrown as it comes.
    pub(super) dice: Dice,
}

/// The port of the listener that only crafted segments are sent to.
const TARGET: u16 = 9000;

impl Plan {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let wire = *dice.pick(&[Family::V4, Family::V6]);
        let natures = [
            Nature::Plain,
            Nature::Plain,
            Nature::Member,
            Nature::Member,
            Nature::Deferring,
            Nature::FastOpen,
            Nature::Mptcp,
        ];
        let mut sites = vec![target(&mut dice, wire)];
        for number in 0..dice.within(3..=5) as u16 {
            let nature = *dice.pick(&natures);
            let reach = *dice.pick(&[Reach::V4, Reach::V6, Reach::Both]);
            let stays = matches!(nature, Nature::Plain | Nature::Member) && dice.once_in(2);
            let site = Site { port: 8001 + number, reach, nature, stays, target: false };
            let members = if nature == Nature::Member { dice.within(2..=3) } else { 1 };
            sites.extend((0..members).map(|_| site.clone()));
        }
        let settings = vec![
            ("ipv4.tcp_syncookies", vec![0, 1, 1, 2]),
            ("ipv4.tcp_abort_on_overflow", vec![0, 0, 1]),
            ("ipv4.tcp_max_syn_backlog", vec![4, 16, 32, 512]),
            ("core.somaxconn", vec![2, 8, 4096]),
            ("ipv4.tcp_migrate_req", vec![0, 1, 1]),
            // Client 1, server 2, no cookie needed to send data 4, nor to accept it 512.
            ("ipv4.tcp_fastopen", vec![3, 3, 7, 0x207, 1]),
            ("ipv4.tcp_synack_retries", vec![0, 1, 1]),
        ];
        Self {
            seed,
            sites,
            wire,
            wire_stays: dice.once_in(2),
            settings,
            clients: dice.within(1..=3),
            acceptors: dice.within(1..=3),
            older: dice.once_in(2),
            dice,
        }
    }
}

fn target(dice: &mut Dice, wire: Family) -> Site {
    let single = match wire {
        Family::V4 => Reach::V4,
        Family::V6 => Reach::V6,
    };
    let reach = *dice.pick(&[single, Reach::Both]);
    Site { port: TARGET, reach, nature: Nature::Plain, stays: dice.once_in(2), target: true }
}
