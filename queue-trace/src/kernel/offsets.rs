//! Where this kernel keeps what the kernel side reads.

use queue_trace_common::{MEMBER, MISSING, Offsets};

use super::btf::{Btf, BtfError};

/// Looks up every offset in the running kernel's BTF.
///
/// # Errors
///
/// The first member without which nothing can be counted; what only IPv6 needs may be missing.
pub fn resolve(btf: &Btf) -> Result<Offsets, BtfError> {
    let member = |structure: &str, path: &str| {
        let offset = btf.member(structure, path)?.offset;
        // Else it does not fit into an instruction that loads.
        let fits = offset < MEMBER.cast_unsigned().into();
        fits.then_some(offset)
            .ok_or_else(|| BtfError::NoMember { structure: structure.into(), path: path.into() })
    };
    let common = |name: &str| member("sock", &format!("__sk_common.{name}"));
    let control = |name| Ok::<_, BtfError>(member("sk_buff", "cb")? + member("tcp_skb_cb", name)?);
    let counter = |name| index(btf, name);
    let flag = |name| {
        let member = btf.member("tcp_request_sock", name).ok()?;
        member.bits.is_none().then_some(member.offset)
    };
    Ok(Offsets {
        family: common("skc_family")?,
        state: common("skc_state")?,
        local_port: common("skc_num")?,
        remote_port: common("skc_dport")?,
        local_v4: common("skc_rcv_saddr")?,
        remote_v4: common("skc_daddr")?,
        local_v6: common("skc_v6_rcv_saddr").unwrap_or(MISSING),
        remote_v6: common("skc_v6_daddr").unwrap_or(MISSING),
        device: common("skc_bound_dev_if")?,
        net: common("skc_net.net")?,
        cookie: common("skc_cookie")?,
        listener: member("request_sock", "__req_common.skc_listener")?,
        accept_depth: member("sock", "sk_ack_backlog")?,
        limit: member("sock", "sk_max_ack_backlog")?,
        syn_depth: member("inet_connection_sock", "icsk_accept_queue.qlen")?,
        request_child: member("request_sock", "sk")?,
        retransmits: member("request_sock", "num_retrans")?,
        acked: acked(btf).map_or(MISSING, |(byte, _)| byte),
        timer: member("request_sock", "rsk_timer")?,
        synack_time: member("tcp_request_sock", "snt_synack")?,
        is_mptcp: flag("is_mptcp").unwrap_or(MISSING),
        drop_request: flag("drop_req").unwrap_or(MISSING),
        entry_time: member("tcp_sock", "rcvq_space.time")?,
        authentication: member("tcp_sock", "ao_info").unwrap_or(MISSING),
        round_trip: member("tcp_sock", "srtt_us")?,
        accept_head: member("inet_connection_sock", "icsk_accept_queue.rskq_accept_head")?,
        socket_sk: member("socket", "sk")?,
        skb_protocol: member("sk_buff", "protocol")?,
        skb_head: member("sk_buff", "head")?,
        network_header: member("sk_buff", "network_header")?,
        transport_header: member("sk_buff", "transport_header")?,
        segment_start: control("seq")?,
        segment_end: control("end_seq")?,
        segment_flags: control("tcp_flags")?,
        netns: member("net", "ns.inum")?,
        netns_cookie: member("net", "net_cookie").unwrap_or(MISSING),
        hash_mix: member("net", "hash_mix").unwrap_or(MISSING),
        somaxconn: member("net", "core.sysctl_somaxconn").unwrap_or(MISSING),
        protocol: member("sock", "sk_protocol")?,
        reuseport: member("sock", "sk_reuseport_cb")?,
        first_subflow: member("mptcp_sock", "first").unwrap_or(MISSING),
        request_protocol: member("proto", "rsk_prot").unwrap_or(MISSING),
        fastopen_length: member("tcp_fastopen_cookie", "len").unwrap_or(MISSING),
        task_files: member("task_struct", "files").unwrap_or(MISSING),
        files_table: member("files_struct", "fdt").unwrap_or(MISSING),
        table_files: member("fdtable", "fd").unwrap_or(MISSING),
        file_private: member("file", "private_data").unwrap_or(MISSING),
        task_stack: member("task_struct", "stack").unwrap_or(MISSING),
        call_argument: call_argument(btf).unwrap_or(MISSING),
        task_pid: member("task_struct", "pid").unwrap_or(MISSING),
        task_state: member("task_struct", "__state")
            .or_else(|_| member("task_struct", "state"))
            .unwrap_or(MISSING),
        statistics: member("net", "mib.net_statistics")?,
        listen_overflows: counter("LINUX_MIB_LISTENOVERFLOWS"),
        listen_drops: counter("LINUX_MIB_LISTENDROPS"),
        syn_queue_full_drops: counter("LINUX_MIB_TCPREQQFULLDROP"),
        syn_queue_full_cookies: counter("LINUX_MIB_TCPREQQFULLDOCOOKIES"),
        cookies_sent: counter("LINUX_MIB_SYNCOOKIESSENT"),
        fastopen_counters: fastopen_counters(btf),
        tcp_statistics: member("net", "mib.tcp_statistics").unwrap_or(MISSING),
        out_segments: counter("TCP_MIB_OUTSEGS"),
        migrate_successes: counter("LINUX_MIB_TCPMIGRATEREQSUCCESS"),
        migrate_failures: counter("LINUX_MIB_TCPMIGRATEREQFAILURE"),
    })
}

/// The byte that holds `inet_request_sock.acked`, and its bit in it.
#[must_use]
pub fn acked(btf: &Btf) -> Option<(u32, u32)> {
    let member = btf.member("inet_request_sock", "acked").ok()?;
    Some((member.offset, 1 << member.bits?.first))
}

/// The kernel function that makes a typed pointer of any address, from 6.2 on.
pub const CAST: &str = "bpf_rdonly_cast";

/// The per-CPU variable that is added to a per-CPU pointer; in BTF from 6.1 on.
pub const THIS_CPU: &str = "this_cpu_off";

/// The numbers of [`CAST`], which makes a typed pointer of any address, and of a structure that is nothing
/// but numbers: `struct linux_mib`, an array of a thousand bytes.
#[must_use]
pub fn cast(btf: &Btf) -> Option<[u32; 2]> {
    Some([btf.function_number(CAST)?, btf.structure("linux_mib")?])
}

/// Where on its kernel stack a task keeps the first argument of the system call that it is in: the
/// registers of user space lie at the upper end.
fn call_argument(btf: &Btf) -> Result<u32, BtfError> {
    /// `THREAD_SIZE`, which BTF does not tell: of x86-64, and of arm64 with pages up to 16 KiB.
    const STACK: u32 = 16 << 10;
    let register = if cfg!(target_arch = "x86_64") { "di" } else { "orig_x0" };
    // `TOP_OF_KERNEL_STACK_PADDING`: kernels that know FRED leave room for what it saves beside.
    let padding = if btf.has_struct("fred_frame") { 16 } else { 0 };
    let registers = STACK.saturating_sub(padding + btf.struct_size("pt_regs")?);
    Ok(registers + btf.member("pt_regs", register)?.offset)
}

/// Index of the first of the three counters of Fast Open that are read at once.
fn fastopen_counters(btf: &Btf) -> u32 {
    let [first, second, third] = [
        "LINUX_MIB_TCPFASTOPENPASSIVEFAIL",
        "LINUX_MIB_TCPFASTOPENLISTENOVERFLOW",
        "LINUX_MIB_TCPFASTOPENCOOKIEREQD",
    ]
    .map(|name| index(btf, name));
    let follow = [second, third] == [first.wrapping_add(1), first.wrapping_add(2)];
    if follow { first } else { MISSING }
}

/// Index of a counter; the numbers move between kernels, the names do not.
fn index(btf: &Btf, name: &str) -> u32 {
    btf.enum_value(name).and_then(|value| u32::try_from(value).ok()).unwrap_or(MISSING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_kernels_have_the_offsets_that_were_read_from_their_source() {
        // kernel.md section 4, for kernels 5.10, 6.1, 6.12, 7.2.
        let expected = [
            ("5.10", [576, 988, 256, 144, 408, 19, 75]),
            ("6.1", [552, 1004, 264, 144, 408, 19, 75]),
            ("6.12", [604, 1012, 264, 136, 440, 19, 75]),
            ("7.2", [616, 1056, 264, 280, 744, 23, 79]),
        ];
        for (kernel, values) in expected {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/kernel/btf/tests/data");
            let btf = Btf::from_file(format!("{folder}/linux-{kernel}.btf")).unwrap();
            let found = resolve(&btf).unwrap();
            let read = [
                found.accept_depth,
                found.syn_depth,
                found.synack_time,
                found.netns,
                found.statistics,
                found.listen_overflows,
                found.syn_queue_full_drops,
            ];
            assert_eq!(read, values, "{kernel}");
        }
    }
}
