//! Arguments of the commands that attach to the kernel.

use std::path::PathBuf;

use crate::kernel::attach::Settings;
use crate::kernel::hooks::Tier;

/// How to attach.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct AttachArgs {
    /// How to attach; unless given, by fentry, or by kprobes where this kernel refuses that
    #[arg(long, value_enum, value_name = "HOW")]
    pub attach: Option<Tier>,
    /// BTF or vmlinux of this very kernel, if it does not show its BTF itself; implies kprobes
    #[arg(long, value_name = "FILE")]
    pub btf: Option<PathBuf>,
}

impl AttachArgs {
    /// Settings that attach so and do nothing else yet.
    pub(super) fn settings(&self) -> Settings {
        Settings { tier: self.attach, types: self.btf.clone(), ..Settings::default() }
    }
}
