//! The floor: programs that do nothing, at the very hooks that queue-trace takes on this kernel.

use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use aya_obj::btf::{Btf, BtfKind};
use aya_obj::generated::bpf_attach_type::{BPF_TRACE_FENTRY, BPF_TRACE_FEXIT};
use aya_obj::generated::bpf_cmd::{self, BPF_PROG_LOAD, BPF_RAW_TRACEPOINT_OPEN};
use aya_obj::generated::bpf_prog_type::BPF_PROG_TYPE_TRACING;
use aya_obj::generated::{bpf_attach_type, bpf_attr, bpf_insn};

/// A function, and where on it.
#[derive(Debug, Clone)]
pub(crate) struct Hook {
    at: bpf_attach_type,
    function: String,
}

impl Hook {
    /// The entry of a function.
    pub(crate) fn entry(function: &str) -> Self {
        Self { at: BPF_TRACE_FENTRY, function: function.into() }
    }

    /// The return of a function.
    pub(crate) fn exit(function: &str) -> Self {
        Self { at: BPF_TRACE_FEXIT, function: function.into() }
    }

    /// As the tables call it.
    pub(crate) fn name(&self) -> String {
        let at = if self.at == BPF_TRACE_FENTRY { "entry" } else { "return" };
        format!("{} {at}", self.function)
    }
}

/// Attaches; dropping what comes back detaches.
pub(crate) fn attach(hooks: &[Hook]) -> Result<Vec<OwnedFd>> {
    let types = Btf::from_sys_fs()?;
    let attach = |Hook { at, function }: &Hook| {
        let id = types.id_by_type_name_kind(function, BtfKind::Func)?;
        let program = load(*at, id).with_context(|| format!("cannot load for {function}"))?;
        open(&program).with_context(|| format!("cannot attach to {function}"))
    };
    hooks.iter().map(attach).collect()
}

/// Where queue-trace attaches on this kernel, by its own word and in that order.
pub(crate) fn hooks() -> Result<Vec<Hook>> {
    let output = Command::new("queue-trace")
        .args(["doctor", "--duration", "1ms"])
        .output()
        .context("no queue-trace here")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let hooks: Vec<_> = text
        .lines()
        .filter_map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["entry", function] => Some(Hook::entry(function)),
            ["return", function] => Some(Hook::exit(function)),
            _ => None,
        })
        .collect();
    ensure!(!hooks.is_empty(), "queue-trace doctor names no hooks");
    Ok(hooks)
}

/// One hook for each of a SYN, a final ACK and an accepted connection.
pub(crate) fn least(hooks: &[Hook]) -> Vec<Hook> {
    const PLACES: [&[&str]; 3] = [
        &["tcp_conn_request"],
        &["tcp_check_req"],
        &["security_sock_graft", "inet_csk_accept", "__inet_accept"],
    ];
    let first =
        |place: &[&str]| hooks.iter().find(|hook| place.contains(&&*hook.function)).cloned();
    PLACES.iter().filter_map(|place| first(place)).collect()
}

/// Loads `return 0`.
fn load(at: bpf_attach_type, function: u32) -> Result<OwnedFd> {
    /// `r0 = 0`, `exit`; opcodes of the kernel's `Documentation/bpf/standardization`.
    const CODES: [u8; 2] = [0xb7, 0x95];
    let instructions = CODES.map(|code| {
        // SAFETY: plain integers, of which zero is a value.
        let mut instruction: bpf_insn = unsafe { zeroed() };
        instruction.code = code;
        instruction
    });
    // SAFETY: as above.
    let mut attributes: bpf_attr = unsafe { zeroed() };
    // SAFETY: all of the union is initialised.
    let program = unsafe { &mut attributes.__bindgen_anon_3 };
    program.prog_type = BPF_PROG_TYPE_TRACING as u32;
    program.expected_attach_type = at as u32;
    program.attach_btf_id = function;
    program.insn_cnt = CODES.len() as u32;
    program.insns = instructions.as_ptr() as u64;
    program.license = c"GPL".as_ptr() as u64;
    call(BPF_PROG_LOAD, &attributes)
}

/// Attaches a program to the function that it was loaded for.
fn open(program: &OwnedFd) -> Result<OwnedFd> {
    // SAFETY: plain integers, of which zero is a value.
    let mut attributes: bpf_attr = unsafe { zeroed() };
    attributes.raw_tracepoint.prog_fd = program.as_raw_fd() as u32;
    call(BPF_RAW_TRACEPOINT_OPEN, &attributes)
}

/// The system call, for commands that give a descriptor.
fn call(command: bpf_cmd, attributes: &bpf_attr) -> Result<OwnedFd> {
    // Kernels refuse what they do not know unless it is zero: that is, beyond any field we set.
    let size = size_of::<bpf_attr>();
    // SAFETY: the attributes, and what they point to, live until it returns.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command as i64, attributes, size) };
    ensure!(fd >= 0, std::io::Error::last_os_error());
    // SAFETY: the kernel has just given it to us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
