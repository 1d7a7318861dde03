//! A closed listener's requests and connections go over to another member of its group (from 5.14).

use aya_ebpf::macros::fexit;
use aya_ebpf::programs::FExitContext;

use crate::{memory::Typed, migrate};

#[fexit]
fn reuseport_migrate_sock_leave(ctx: FExitContext) -> i32 {
    migrate::sought::<Typed>(ctx.arg(0), ctx.arg(2), ctx.arg(3));
    0
}

#[fexit]
fn inet_reqsk_clone_leave(ctx: FExitContext) -> i32 {
    migrate::cloned::<Typed>(ctx.arg(0), ctx.arg(1), ctx.arg(2));
    0
}

#[fexit]
fn inet_ehash_insert_leave(ctx: FExitContext) -> i32 {
    // Only the low byte of a bool is defined.
    migrate::inserted(ctx.arg(3));
    0
}
