//! The BTF reader: bytes as the kernel's BTF and as a module's, asked everything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use queue_trace::kernel::btf::Btf;

fuzz_target!(|bytes: &[u8]| {
    let Ok(kernel) = Btf::from_bytes(bytes.to_vec()) else { return };
    ask(&kernel);
    let module = bytes.to_vec();
    if let Ok(both) = kernel.split(module) {
        ask(&both);
    }
});

/// The questions keep to names of the seeds, which mutations rarely touch.
fn ask(btf: &Btf) {
    for structure in ["sock", "request_sock", "inet_connection_sock", "net", "sk_buff"] {
        let _ = (btf.has_struct(structure), btf.struct_size(structure));
        for path in ["sk_ack_backlog", "__sk_common.skc_reuseport", "icsk_accept_queue.qlen", "cb"]
        {
            let _ = btf.member(structure, path).map_err(|error| error.to_string());
        }
        let _ = (btf.has_member(structure, "ns.inum"), btf.has_member(structure, "mark"));
    }
    let _ = (btf.function("tcp_check_req"), btf.function("inet_csk_accept"));
    let _ = (btf.enum_value("LINUX_MIB_LISTENDROPS"), btf.enum_value("__LINUX_MIB_MAX"));
}
