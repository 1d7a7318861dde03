//! What is done without once the kernel has refused something.

use super::attach::AttachError;
use super::hooks::Hook;
use super::machine::Machine;
use super::programs::{self, Refusal};
use super::{attach, offsets};

/// With what the next attempt is made; the whole is loaded anew each time, because the programs have to know what stands in
/// for what is missing.
pub(super) struct Fallback {
    pub(super) machine: Machine,
    /// Hooks that are left out.
    pub(super) refused: Vec<Hook>,
    /// What the kernel has said, for the user.
    pub(super) reasons: Vec<String>,
}

impl Fallback {
    /// Does without what was refused.
    ///
    /// # Errors
    ///
    /// Where nothing goes without it.
    pub(super) fn yield_to(&mut self, refusal: Refusal) -> Result<(), AttachError> {
        let denied = refusal.denied();
        let Refusal { hook, error } = refusal;
        let said = attach::explain(&*error, Some(hook));
        let objection = programs::objection(&*error);
        let about = |name| objection.as_ref().is_some_and(|objection| objection.contains(name));
        if self.machine.knows_this_cpu() && about(offsets::THIS_CPU) {
            // BTF has the variable, and the kernel has no name for it: no CONFIG_KALLSYMS_ALL.
            self.machine = self.machine.without_this_cpu();
            self.reasons.push(format!("{said}; so it is done without {}", offsets::THIS_CPU));
        } else if self.machine.casts() && objection.is_some() {
            self.machine = self.machine.without_cast();
            self.reasons.push(format!("{said}; so it is done without {}", offsets::CAST));
        } else if !hook.required && !denied {
            self.reasons.push(said);
            self.refused.push(hook);
        } else {
            return Err(AttachError::new(said, denied));
        }
        Ok(())
    }
}
