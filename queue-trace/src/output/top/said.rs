//! Which verdicts there were, for those who look back.

use std::collections::{BTreeMap, HashMap};

use crate::diagnose::{Diagnosis, Rule, Severity};

/// What was said of a listener.
pub(super) type Word = (Severity, Rule);

/// The verdicts of each frame that were not good.
#[derive(Debug, Default)]
pub(super) struct Said {
    frames: BTreeMap<u64, HashMap<u32, Word>>,
}

impl Said {
    /// Notes what was said at a frame, and forgets what was said before the first one that is kept.
    pub(super) fn note(&mut self, first: u64, frame: u64, verdicts: &HashMap<u32, Diagnosis>) {
        let word = |(id, said): (&u32, &Diagnosis)| {
            let word = (said.severity(), said.main.rule);
            (said.severity() > Severity::Fine).then_some((*id, word))
        };
        let words: HashMap<_, _> = verdicts.iter().filter_map(word).collect();
        self.frames.insert(frame, words);
        while self.frames.first_key_value().is_some_and(|(number, _)| *number < first) {
            self.frames.pop_first();
        }
    }

    /// What was said of a listener at a frame.
    pub(super) fn of(&self, frame: u64, listener: u32) -> Option<Word> {
        self.frames.get(&frame)?.get(&listener).copied()
    }
}
