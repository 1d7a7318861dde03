//! One file for each rule: its condition, its evidence, its advice.

mod ack_flood;
mod backlog_clamped;
mod burst;
mod deferred;
mod fastopen_limit;
mod listen_again;
mod lossy_path;
mod lost_at_restart;
mod slow_acceptor;
mod slow_timers;
mod stopped_acceptor;
mod syn_backlog;
mod syn_flood;
mod syn_rush;
mod uneven_group;

use super::Verdict;
use super::case::Case;

/// All of them; the order does not matter.
pub(super) const RULES: &[fn(&Case<'_>) -> Option<Verdict>] = &[
    ack_flood::judge,
    backlog_clamped::judge,
    burst::judge,
    deferred::judge,
    fastopen_limit::judge,
    listen_again::judge,
    lossy_path::judge,
    lost_at_restart::judge,
    slow_acceptor::judge,
    slow_timers::judge,
    stopped_acceptor::judge,
    syn_backlog::judge,
    syn_flood::judge,
    syn_rush::judge,
    uneven_group::judge,
];
