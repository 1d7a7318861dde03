//! What entering and leaving programs takes, put together from what one empty program takes.
//!
//! The floor measures the same, but with all that varies from run to run: pages that the kernel takes and clears, and
//! memory that RCU frees in one batch or in the next. This is the same on each run.

use std::collections::BTreeMap;

use super::sample::Sample;

/// Instructions of an empty program.
#[derive(Debug, Clone, Copy)]
pub(super) struct Empty {
    entry: f64,
    exit: f64,
    both: f64,
}

impl Empty {
    /// What was measured, if it was.
    pub(super) fn of(samples: &[Sample]) -> Option<Self> {
        samples.iter().find_map(|sample| match *sample {
            Sample::Hook { entry, exit, both } => {
                Some(Self { entry: entry as f64, exit: exit as f64, both: both as f64 })
            }
            _ => None,
        })
    }

    /// As a sentence.
    pub(super) fn told(&self) -> String {
        let Self { entry, exit, both } = self;
        format!(
            "An empty program takes {entry} instructions at a function's entry, {exit} at its return, and one at \
             each takes {both}."
        )
    }

    /// Instructions for programs by their hooks and runs; a hook is a function's name and `entry` or `return`.
    pub(super) fn entering<'a>(&self, programs: impl Iterator<Item = (&'a str, f64)>) -> f64 {
        let mut functions = BTreeMap::<_, [f64; 2]>::new();
        for (hook, runs) in programs {
            let (function, at) = hook.rsplit_once(' ').unwrap_or((hook, "entry"));
            functions.entry(function).or_default()[usize::from(at == "return")] += runs;
        }
        let of = |[entries, returns]: [f64; 2]| {
            let both = entries.min(returns);
            both * self.both + (entries - both) * self.entry + (returns - both) * self.exit
        };
        functions.into_values().map(of).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_programs_of_a_function_share_what_it_takes() {
        let empty = Empty { entry: 100.0, exit: 160.0, both: 230.0 };
        let entering = |programs: &[(&'static str, f64)]| empty.entering(programs.iter().copied());
        assert_eq!(entering(&[("a entry", 1.0), ("b return", 2.0)]), 420.0);
        assert_eq!(entering(&[("a entry", 1.0), ("a return", 1.0)]), 230.0);
        assert_eq!(entering(&[("a entry", 3.0), ("a return", 1.0)]), 430.0);
        assert_eq!(entering(&[]), 0.0);
    }
}
