//! Landlock: which files are seen and written.

use std::path::Path;

use ::landlock::{
    ABI, Access as _, AccessFs, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError,
    RulesetStatus, path_beneath_rules,
};

use super::Needs;

/// What the crate and the kernels of today know; an older kernel does as much of it as it can.
const RIGHTS: ABI = ABI::V5;

/// What every program reads: settings of the system, libraries, time zones, the state of the kernel.
const SYSTEM: &[&str] =
    &["/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sys", "/usr/lib", "/usr/share"];

/// Lets only the system's and the configured files be read, and only what is in the folders be written.
pub(super) fn restrict(needs: &Needs) -> Result<String, String> {
    if needs.processes || needs.namespaces {
        // It takes ptrace's rights away, reading `/proc/PID/fd` and `ns` among them.
        return Err("it forbids to look at other processes, which finding owners and network \
                    namespaces takes"
            .to_owned());
    }
    let status = enforce(needs).map_err(|error| error.to_string())?;
    match status {
        RulesetStatus::FullyEnforced => Ok(said(needs)),
        RulesetStatus::PartiallyEnforced => {
            Ok(format!("{}, as far as this kernel goes", said(needs)))
        }
        RulesetStatus::NotEnforced => Err("this kernel has no Landlock, or it is off".to_owned()),
    }
}

fn enforce(needs: &Needs) -> Result<RulesetStatus, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let system = SYSTEM.iter().map(Path::new);
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(RIGHTS))?
        .create()?
        // Paths that are not there are left out.
        .add_rules(path_beneath_rules(system, read))?
        .add_rules(path_beneath_rules(&needs.read, read))?
        .add_rules(path_beneath_rules(["/dev/null"], read | AccessFs::WriteFile))?
        .add_rules(path_beneath_rules(&needs.write, everything_but_executing()))?
        .restrict_self()?;
    Ok(status.ruleset)
}

fn everything_but_executing() -> ::landlock::BitFlags<AccessFs> {
    AccessFs::from_all(RIGHTS) & !AccessFs::Execute
}

fn said(needs: &Needs) -> String {
    match needs.write.as_slice() {
        [] => "files are read, none is written".to_owned(),
        folders => {
            let folders: Vec<_> = folders.iter().map(|path| path.display().to_string()).collect();
            format!("files are written in {} only", folders.join(", "))
        }
    }
}
