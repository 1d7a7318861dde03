//! What user space tells the programs before it loads them: it writes each value into the instructions that ask for it.
//!
//! So the verifier knows each value: an offset is a constant in the program, and a branch whose switch is off is
//! deleted. A global variable would give the same, but its address and a load with each value.

/// The value of an offset or index that this kernel does not have.
pub const MISSING: u32 = u32::MAX;

/// How many ports `--port` takes.
pub const MAX_PORTS: usize = 16;

/// What stands in an instruction that loads a 64-bit constant until user space writes a value there: this in the upper
/// half, and in the lower half [`place`] or one of those below.
pub const MARK: u32 = 0x71_74_63_66;

/// The constant that becomes the address of the kernel's variable [`Config::this_cpu`].
pub const THIS_CPU: u32 = u32::MAX;

/// The constant that becomes the address of [`crate::Control`].
pub const CONTROL: u32 = u32::MAX - 1;

/// The constant that becomes the address of what is known of the pass that each CPU is in: [`PASS_BYTES`] for each.
pub const PASSES: u32 = u32::MAX - 2;

/// Room for what is known of a pass; whole cache lines, and a power of two.
pub const PASS_BYTES: usize = 4096;

/// What stands for the number of the kernel function [`Config::cast`] in an instruction that calls it.
pub const CAST: u32 = 0x71_74_6b_66;

/// What stands in an instruction that loads from memory, as its offset, until user space writes that of a member of a
/// kernel structure there: this, and which one of [`Offsets`] it is. Nothing of ours is as long as this.
pub const MEMBER: i16 = 0x7000;

/// Which member of [`Config`] a constant is: its offset and its size in bytes.
#[must_use]
pub const fn place(offset: usize, size: usize) -> u32 {
    (offset as u32) << 8 | size as u32
}

macro_rules! offsets {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Byte offsets of kernel structure members, and indices into kernel arrays, as the running
        /// kernel's BTF gives them; [`MISSING`] for what it does not have.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(C)]
        pub struct Offsets {
            $($(#[$doc])* pub $name: u32,)*
        }

        impl Offsets {
            /// A block in which everything is missing.
            pub const NONE: Self = Self { $($name: MISSING,)* };
        }
    };
}

offsets! {
    /// `sock.__sk_common.skc_family`, u16; the same in `request_sock`, as all of `sock_common`.
    family,
    /// `sock.__sk_common.skc_state`, u8.
    state,
    /// `sock.__sk_common.skc_num`, u16, host order.
    local_port,
    /// `sock.__sk_common.skc_dport`, u16, network order.
    remote_port,
    /// `sock.__sk_common.skc_rcv_saddr`, IPv4.
    local_v4,
    /// `sock.__sk_common.skc_daddr`, IPv4.
    remote_v4,
    /// `sock.__sk_common.skc_v6_rcv_saddr`; missing without `CONFIG_IPV6`.
    local_v6,
    /// `sock.__sk_common.skc_v6_daddr`; missing without `CONFIG_IPV6`.
    remote_v6,
    /// `sock.__sk_common.skc_bound_dev_if`, i32.
    device,
    /// `sock.__sk_common.skc_net`, pointer to `struct net`.
    net,
    /// `sock.__sk_common.skc_cookie`, u64.
    cookie,
    /// `request_sock.__req_common.skc_listener`, pointer.
    listener,
    /// `sock.sk_ack_backlog`, u32.
    accept_depth,
    /// `sock.sk_max_ack_backlog`, u32.
    limit,
    /// `inet_connection_sock.icsk_accept_queue.qlen`, i32.
    syn_depth,
    /// `request_sock.sk`, pointer: the child that the request became.
    request_child,
    /// `request_sock.num_retrans`, u8.
    retransmits,
    /// `inet_request_sock.acked`: the byte that holds the bit; see [`Config::acked_mask`].
    acked,
    /// `request_sock.rsk_timer`.
    timer,
    /// `tcp_request_sock.snt_synack`, u64, microseconds of the monotonic clock.
    synack_time,
    /// `tcp_request_sock.is_mptcp`, a bool in a byte of its own; missing without `CONFIG_MPTCP`.
    is_mptcp,
    /// `tcp_request_sock.drop_req`, likewise: no connection of its own comes of an MPTCP request.
    drop_request,
    /// `tcp_sock.rcvq_space.time`, u64, microseconds of the monotonic clock.
    entry_time,
    /// `tcp_sock.ao_info`, pointer; missing without `CONFIG_TCP_AO`.
    authentication,
    /// `tcp_sock.srtt_us`, u32, eighths of microseconds.
    round_trip,
    /// `inet_connection_sock.icsk_accept_queue.rskq_accept_head`, pointer to the request whose child has
    /// waited longest.
    accept_head,
    /// `socket.sk`, pointer.
    socket_sk,
    /// `sk_buff.protocol`, u16, network order.
    skb_protocol,
    /// `sk_buff.head`, pointer.
    skb_head,
    /// `sk_buff.network_header`, u16.
    network_header,
    /// `sk_buff.transport_header`, u16.
    transport_header,
    /// `sk_buff.cb` + `tcp_skb_cb.seq`, u32.
    segment_start,
    /// `sk_buff.cb` + `tcp_skb_cb.end_seq`, u32.
    segment_end,
    /// `sk_buff.cb` + `tcp_skb_cb.tcp_flags`, u8 or the low byte of a u16.
    segment_flags,
    /// `net.ns.inum`, u32.
    netns,
    /// `net.net_cookie`, u64; without it, the number of a namespace that is gone may be another's.
    netns_cookie,
    /// `net.hash_mix`, u32.
    hash_mix,
    /// `net.core.sysctl_somaxconn`, i32.
    somaxconn,
    /// `sock.sk_protocol`, u16.
    protocol,
    /// `sock.sk_reuseport_cb`, pointer; null for a socket outside any `SO_REUSEPORT` group.
    reuseport,
    /// `mptcp_sock.first`, pointer to the first subflow; missing without `CONFIG_MPTCP`.
    first_subflow,
    /// `proto.rsk_prot`, pointer; null for a protocol without half-open requests.
    request_protocol,
    /// `tcp_fastopen_cookie.len`, i8: -1 for no Fast Open option, 0 for a request of a cookie.
    fastopen_length,
    /// `task_struct.files`, pointer.
    task_files,
    /// `files_struct.fdt`, pointer.
    files_table,
    /// `fdtable.fd`, pointer to an array of pointers to `struct file`.
    table_files,
    /// `file.private_data`, pointer; to a `struct socket` for sockets.
    file_private,
    /// `task_struct.stack`, pointer to the lower end of the task's kernel stack.
    task_stack,
    /// From there, the first argument of the system call that the task is in, u32.
    call_argument,
    /// `task_struct.pid`, i32: the number of a thread.
    task_pid,
    /// `task_struct.__state` or, before 5.14, `state`: its lower u32.
    task_state,
    /// `net.mib.net_statistics`, per-CPU pointer to an array of u64.
    statistics,
    /// Index of `LINUX_MIB_LISTENOVERFLOWS` in it.
    listen_overflows,
    /// Index of `LINUX_MIB_LISTENDROPS`.
    listen_drops,
    /// Index of `LINUX_MIB_TCPREQQFULLDROP`.
    syn_queue_full_drops,
    /// Index of `LINUX_MIB_TCPREQQFULLDOCOOKIES`.
    syn_queue_full_cookies,
    /// Index of `LINUX_MIB_SYNCOOKIESSENT`.
    cookies_sent,
    /// Index of `LINUX_MIB_TCPFASTOPENPASSIVEFAIL`, which `LINUX_MIB_TCPFASTOPENLISTENOVERFLOW` and
    /// `LINUX_MIB_TCPFASTOPENCOOKIEREQD` follow; missing where they do not.
    fastopen_counters,
    /// `net.mib.tcp_statistics`, likewise.
    tcp_statistics,
    /// Index of `TCP_MIB_OUTSEGS` in that.
    out_segments,
    /// Index of `LINUX_MIB_TCPMIGRATEREQSUCCESS`; missing before 5.14.
    migrate_successes,
    /// Index of `LINUX_MIB_TCPMIGRATEREQFAILURE`; missing before 5.14.
    migrate_failures,
}

/// The whole block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Config {
    /// Bit `n` set: stream the records of outcome `n`.
    pub stream: u64,
    /// Kernel address of `__per_cpu_offset`, 0 where it is not needed or could not be read.
    pub per_cpu_offset: u64,
    /// Where things are.
    pub offsets: Offsets,
    /// Local ports to stream; `port_count` of them count.
    pub ports: [u16; MAX_PORTS],
    /// How many of `ports` count; 0: every port.
    pub port_count: u32,
    /// What of this CPU's MIB slot tells what became of a SYN; bits of [`group`].
    pub syn_groups: u32,
    /// 1: how far the kernel got with a SYN is told by this CPU's MIB slot; 0: by `inet_reqsk_alloc`.
    pub progress_by_mib: u32,
    /// 1: that a SYN was queued is told by the SYN-ACK that this CPU's MIB slot counts; 0: by
    /// `inet_csk_reqsk_queue_hash_add`.
    pub queued_by_mib: u32,
    /// 1: a cookie that was counted as sent may yet be dropped (`CONFIG_TCP_AO`).
    pub cookie_can_drop: u32,
    /// 1: a handshake that ends is told by what `tcp_check_req` returns and by how the request is dropped; 0: by
    /// `inet_csk_complete_hashdance`.
    pub hashdance_by_return: u32,
    /// 1: from pass to pass it is known what the MIB slots are; see the kernel side's `ledger`.
    pub ledgers: u32,
    /// 1: tell an overflow at the final ACK by the MIB slot; 0: by how far the kernel got.
    pub ack_by_mib: u32,
    /// 1: count accepted connections when `accept()` takes them, because the kernel has no
    /// `security_sock_graft` to hook.
    pub no_graft: u32,
    /// 1: tell by the MIB slot whether a request migrated when its timer fired.
    pub migrate_by_mib: u32,
    /// 1: compare every outcome with the MIB slot and count differences (tests).
    pub verify: u32,
    /// 1: `tcp_rtx_synack` itself increments `num_retrans` (7.x); 0: its caller does afterwards.
    pub counts_retransmit: u32,
    /// The bit of `inet_request_sock.acked` in its byte.
    pub acked_mask: u32,
    /// How many CPUs there can be: as many values each slot has in `COUNTERS`.
    pub cpus: u32,
    /// How many records a CPU's own ring has, a power of two; 0: there is none, and all records go into the ring
    /// buffer.
    pub ring: u32,
    /// Bytes of the ring buffer.
    pub ring_buffer: u32,
    /// So many processes that accept are told apart; 0: none.
    pub workers: u32,
    /// 1: this CPU's slots of the kernel's counters can be found, by `this_cpu` or by `per_cpu_offset`.
    pub slots: u32,
    /// BTF number of the kernel's per-CPU variable `this_cpu_off`, which is what is added to a per-CPU pointer on this
    /// CPU (x86-64); 0 where BTF does not have it.
    pub this_cpu: u32,
    /// BTF number of the kernel function `bpf_rdonly_cast`, from 6.2 on; 0 where there is none.
    pub cast: u32,
    /// BTF number of a structure that is nothing but numbers, `struct linux_mib`, to which it casts.
    pub numbers: u32,
}

impl Config {
    /// A block with nothing known and nothing streamed.
    pub const NONE: Self = Self {
        stream: 0,
        per_cpu_offset: 0,
        offsets: Offsets::NONE,
        ports: [0; MAX_PORTS],
        port_count: 0,
        syn_groups: 0,
        progress_by_mib: 0,
        queued_by_mib: 0,
        cookie_can_drop: 0,
        hashdance_by_return: 0,
        ledgers: 0,
        ack_by_mib: 0,
        no_graft: 0,
        migrate_by_mib: 0,
        verify: 0,
        counts_retransmit: 0,
        acked_mask: 0,
        cpus: 0,
        ring: 0,
        ring_buffer: 0,
        workers: 0,
        slots: 0,
        this_cpu: 0,
        cast: 0,
        numbers: 0,
    };
}

/// What is read together of a MIB slot, and why for a SYN.
pub mod group {
    /// `ListenOverflows` and `ListenDrops`: a SYN can still be dropped after its cookie was counted as sent, and Fast
    /// Open that fails may raise them before the SYN is queued.
    pub const REFUSALS: u32 = 1 << 0;
    /// `TCPReqQFullDoCookies` and `TCPReqQFullDrop`: the kernel has no `tcp_syn_flood_action` to hook, which would
    /// tell a full SYN queue from a full accept queue.
    pub const SYN_QUEUE: u32 = 1 << 1;
    /// `SyncookiesSent`: it tells whether a cookie was sent; without it, that one was made does.
    pub const COOKIES: u32 = 1 << 2;
    /// `TCPFastOpenPassiveFail`, `TCPFastOpenListenOverflow` and `TCPFastOpenCookieReqd`: `tcp_try_fastopen` is not
    /// hooked.
    pub const FASTOPEN: u32 = 1 << 3;
}

const _: () = assert!(size_of::<Offsets>() / size_of::<u32>() <= (i16::MAX - MEMBER) as usize);
const _: () = assert!(size_of::<Config>().is_multiple_of(8));

#[cfg(feature = "user")]
mod pod {
    use crate::{
        Config, Control, Counters, FullTime, ListenerInfo, ListenerRef, Record, ThreadTimes,
        Troubles, WorkerInfo,
    };
    // SAFETY: plain integers in repr(C) without padding, sizes asserted; any bytes are a value.
    unsafe impl aya::Pod for Config {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Control {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Counters {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Troubles {}
    // SAFETY: as above.
    unsafe impl aya::Pod for FullTime {}
    // SAFETY: as above.
    unsafe impl aya::Pod for ListenerInfo {}
    // SAFETY: as above.
    unsafe impl aya::Pod for ListenerRef {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Record {}
    // SAFETY: as above.
    unsafe impl aya::Pod for WorkerInfo {}
    // SAFETY: as above.
    unsafe impl aya::Pod for ThreadTimes {}
}
