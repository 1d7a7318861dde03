//! Makes the kernel refuse what it would allow, as a security module does: a program that changes what
//! one of the `security_` functions returns (`BPF_MODIFY_RETURN`, Linux 5.7).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use aya_obj::btf::{Btf, BtfKind};
use aya_obj::generated::bpf_attach_type::BPF_MODIFY_RETURN;
use aya_obj::generated::bpf_cmd::{self, BPF_PROG_LOAD, BPF_RAW_TRACEPOINT_OPEN};
use aya_obj::generated::bpf_prog_type::BPF_PROG_TYPE_TRACING;
use aya_obj::generated::{bpf_attr, bpf_insn};

/// `___GFP_DIRECT_RECLAIM` (include/linux/gfp_types.h): whoever allocates may sleep.
const MAY_SLEEP: i32 = 0x400;

/// In force until it is dropped.
#[derive(Debug)]
pub(crate) struct Denial(#[expect(dead_code, reason = "held for the attachment")] OwnedFd);

impl Denial {
    /// Every SYN that gets so far is denied (`security_inet_conn_request`).
    pub(crate) fn of_requests() -> Self {
        Self::by("security_inet_conn_request", &[result(-libc::EACCES), END])
    }

    /// No child of a listener can be made (`security_sk_alloc`, called by `sk_prot_alloc`): children are
    /// made where nobody may sleep, the sockets of programs are not.
    pub(crate) fn of_children() -> Self {
        let program = [
            result(0),
            // The third argument: how to allocate.
            instruction(0x79, 2, 1, 16, 0),
            instruction(0x45, 2, 0, 1, MAY_SLEEP),
            result(-libc::ENOMEM),
            END,
        ];
        Self::by("security_sk_alloc", &program)
    }

    fn by(function: &str, program: &[Instruction]) -> Self {
        let types = Btf::from_sys_fs().unwrap();
        let function = types.id_by_type_name_kind(function, BtfKind::Func).unwrap();
        let instructions: Vec<_> = program.iter().map(Instruction::encode).collect();
        let mut load = blank();
        // SAFETY: all of the union is initialised.
        let attributes = unsafe { &mut load.__bindgen_anon_3 };
        attributes.prog_type = BPF_PROG_TYPE_TRACING as u32;
        attributes.expected_attach_type = BPF_MODIFY_RETURN as u32;
        attributes.attach_btf_id = function;
        attributes.insn_cnt = instructions.len() as u32;
        attributes.insns = instructions.as_ptr() as u64;
        attributes.license = c"GPL".as_ptr() as u64;
        let program = call(BPF_PROG_LOAD, &load);
        let mut open = blank();
        open.raw_tracepoint.prog_fd = program.as_raw_fd() as u32;
        Self(call(BPF_RAW_TRACEPOINT_OPEN, &open))
    }
}

/// One instruction of BPF; codes as in the kernel's `Documentation/bpf/standardization`.
#[derive(Debug, Clone, Copy)]
struct Instruction {
    code: u8,
    registers: (u8, u8),
    offset: i16,
    value: i32,
}

/// `exit`.
const END: Instruction = instruction(0x95, 0, 0, 0, 0);

/// `r0 = value`.
const fn result(value: i32) -> Instruction {
    instruction(0xb7, 0, 0, 0, value)
}

const fn instruction(code: u8, to: u8, from: u8, offset: i16, value: i32) -> Instruction {
    Instruction { code, registers: (to, from), offset, value }
}

impl Instruction {
    fn encode(&self) -> bpf_insn {
        // SAFETY: plain integers, of which zero is a value.
        let mut encoded: bpf_insn = unsafe { std::mem::zeroed() };
        encoded.code = self.code;
        encoded.set_dst_reg(self.registers.0);
        encoded.set_src_reg(self.registers.1);
        (encoded.off, encoded.imm) = (self.offset, self.value);
        encoded
    }
}

fn blank() -> bpf_attr {
    // SAFETY: plain integers, of which zero is a value.
    unsafe { std::mem::zeroed() }
}

/// The system call, for commands that give a descriptor.
fn call(command: bpf_cmd, attributes: &bpf_attr) -> OwnedFd {
    let size = size_of::<bpf_attr>();
    // SAFETY: the attributes, and what they point to, live until it returns.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command as i64, attributes, size) };
    assert!(fd >= 0, "bpf({command:?}): {}", io::Error::last_os_error());
    // SAFETY: the kernel has just given it to us.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}
