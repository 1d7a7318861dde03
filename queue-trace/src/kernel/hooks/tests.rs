//! Which hooks a kernel needs, and what stands in for which.

use super::super::btf::tests::builder::Builder;
use super::*;

const FINISHED: &str = "inet_csk_complete_hashdance";
const FASTOPEN: &str = "tcp_try_fastopen";

/// Linux 6.2 and later with MPTCP.
const ALL: Readable = Readable {
    slots: true,
    namespaces: true,
    cheaply: true,
    dear_hooks: true,
    fastopen: true,
    joins: true,
    sent: true,
    protocols: true,
};

/// A kernel that has every function of our hooks, in the newest of their shapes.
fn kernel(tier: Tier) -> Btf {
    let mut builder = Builder::new();
    let int = builder.int("int", 4);
    let mut named = Vec::new();
    for Hook { function, shape, .. } in tier.hooks().iter().rev() {
        if named.contains(function) {
            continue;
        }
        named.push(function);
        let count = if let Parameters(count) = shape { *count } else { 2 };
        let returns = if *shape == Void { 0 } else { int };
        builder.function(function, returns, &vec![("argument", int); count]);
    }
    builder.build()
}

fn plan(tier: Tier, refused: &[&str], readable: Readable) -> Plan {
    let refused: Vec<_> =
        tier.hooks().iter().filter(|hook| refused.contains(&hook.function)).copied().collect();
    Plan::new(tier, &kernel(tier), &refused, readable).unwrap()
}

/// Whether these two are hooked.
fn hooked(plan: &Plan) -> [bool; 2] {
    on(plan, [FINISHED, FASTOPEN])
}

/// Whether these functions are hooked.
fn on(plan: &Plan, functions: [&str; 2]) -> [bool; 2] {
    functions.map(|function| plan.hooks.iter().any(|hook| hook.function == function))
}

#[test]
fn where_reads_are_cheap_two_functions_need_no_hooks() {
    let cheap = plan(Tier::Fentry, &[], ALL);
    assert_eq!(hooked(&cheap), [false, false]);
    assert!(cheap.hashdance_by_return && cheap.fastopen_by_mib);
    let dear = plan(Tier::Fentry, &[], Readable { cheaply: false, ..ALL });
    assert_eq!(hooked(&dear), [true, true]);
    assert!(!dear.hashdance_by_return && !dear.fastopen_by_mib);
    // And where a SYN is queued, for which the kernel is watched for other protocols.
    assert_eq!(cheap.hooks.len() + 2, dear.hooks.len());
    assert!(cheap.losses.is_empty() && dear.losses.is_empty());
}

#[test]
fn each_is_hooked_where_what_stands_in_for_it_is_missing() {
    for function in ["inet_child_forget", "__inet_csk_reqsk_queue_drop"] {
        let without = plan(Tier::Fentry, &[function], ALL);
        assert_eq!(hooked(&without), [true, false], "without {function}");
        assert!(!without.hashdance_by_return, "without {function}");
    }
    let cannot = |readable| hooked(&plan(Tier::Fentry, &[], readable));
    assert_eq!(cannot(Readable { joins: false, ..ALL }), [true, false]);
    assert_eq!(cannot(Readable { fastopen: false, ..ALL }), [false, true]);
    assert_eq!(cannot(Readable { slots: false, ..ALL }), [false, true]);
}

/// Whether the allocation of a request is hooked, and whether the failure of one.
fn allocation(plan: &Plan) -> [bool; 2] {
    on(plan, [ALLOCATION, instead::OUT_OF_MEMORY])
}

#[test]
fn the_counters_tell_how_far_a_syn_got_where_they_are_known_when_its_pass_begins() {
    for cheaply in [true, false] {
        let told = plan(Tier::Fentry, &[], Readable { cheaply, ..ALL });
        assert_eq!(allocation(&told), [false, true]);
        assert!(told.progress_by_mib && told.ledgers && told.losses.is_empty());
    }
    // Each of these leaves passes whose beginning is not known, or hides that there is no memory.
    for function in ["tcp_req_err", "cookie_v4_check", instead::OUT_OF_MEMORY] {
        let hooked = plan(Tier::Fentry, &[function], ALL);
        assert_eq!(allocation(&hooked), [true, false], "without {function}");
        assert!(!hooked.progress_by_mib, "without {function}");
    }
    let cannot = |readable| allocation(&plan(Tier::Fentry, &[], readable));
    assert_eq!(cannot(Readable { slots: false, ..ALL }), [true, false]);
    assert_eq!(cannot(Readable { namespaces: false, ..ALL }), [true, false]);
    assert_eq!(cannot(Readable { dear_hooks: false, ..ALL }), [true, false]);
    assert_eq!(allocation(&plan(Tier::Kprobe, &[], ALL)), [true, false]);
}

/// Whether it is hooked where a SYN is queued, and where a protocol comes.
fn queueing(plan: &Plan) -> [bool; 2] {
    on(plan, [QUEUED, instead::PROTOCOL_COMES])
}

#[test]
fn a_syn_ack_tells_that_a_syn_was_queued_where_reads_are_cheap_and_nothing_but_tcp_has_requests() {
    let told = plan(Tier::Fentry, &[], ALL);
    assert_eq!(queueing(&told), [false, true]);
    assert!(told.queued_by_mib);
    for function in [instead::OUT_OF_MEMORY, instead::PROTOCOL_COMES, "tcp_req_err"] {
        let hooked = plan(Tier::Fentry, &[function], ALL);
        assert_eq!(queueing(&hooked), [true, false], "without {function}");
        assert!(!hooked.queued_by_mib, "without {function}");
    }
    for cannot in [
        Readable { cheaply: false, ..ALL },
        Readable { sent: false, ..ALL },
        Readable { protocols: false, ..ALL },
    ] {
        assert_eq!(queueing(&plan(Tier::Fentry, &[], cannot)), [true, false], "{cannot:?}");
    }
}

#[test]
fn kprobes_need_both() {
    assert_eq!(hooked(&plan(Tier::Kprobe, &[], ALL)), [true, true]);
}

#[test]
fn what_is_indispensable_is_named() {
    let refused: Vec<_> =
        HOOKS.iter().filter(|hook| hook.function == "tcp_check_req").copied().collect();
    let error = Plan::new(Tier::Fentry, &kernel(Tier::Fentry), &refused, ALL).unwrap_err();
    assert!(error.contains("tcp_check_req"), "{error}");
}

#[test]
fn with_the_program_that_others_go_on_with_go_the_others() {
    for tier in [Tier::Fentry, Tier::Kprobe] {
        let [whole, without] =
            [&[][..], &[END_OF_DISPATCH]].map(|refused| plan(tier, refused, ALL));
        let has = |plan: &Plan, function| plan.hooks.iter().any(|hook| hook.function == function);
        assert!(DISPATCH.iter().all(|function| has(&whole, *function)));
        assert!(!DISPATCH.iter().any(|function| has(&without, *function)));
        assert_eq!(whole.hooks.iter().filter(|hook| hook.ends_dispatch()).count(), 1);
        let end = |hook: &Hook| (hook.function, hook.at) == (END_OF_SYN, Return);
        assert!(without.hooks.iter().any(end) && !whole.hooks.iter().any(end));
        let hidden = |what| without.losses.iter().any(|loss| loss.contains(what));
        assert!(hidden("IPv4 broadcast") && hidden("IPv6 multicast"), "{:?}", without.losses);
    }
}
