//! How the threads of watched processes spend their time.

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Doing {
    /// It runs.
    Running,
    /// It is ready to run, and waits for a CPU.
    Ready,
    /// It sleeps, until something happens or a signal comes.
    Sleeping,
    /// It waits uninterruptibly: for a disk, mostly, or a lock in the kernel.
    Blocked,
    /// Anything else: it is stopped, idle, or has ended.
    Other,
    /// It runs or is ready to: which of them, the scheduler has not yet told.
    Unknown,
}

/// A thread, and how long it did what. Written for one thread by one CPU at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ThreadTimes {
    /// Its process.
    pub tgid: u32,
    /// What it does now, a [`Doing`].
    pub doing: u32,
    /// Since when.
    pub since_ns: u64,
    /// How long it ran before.
    pub ran_ns: u64,
    /// How long it was ready to run, and waited for a CPU.
    pub ready_ns: u64,
    /// How long it slept.
    pub slept_ns: u64,
    /// How long it waited uninterruptibly.
    pub blocked_ns: u64,
}

impl ThreadTimes {
    /// From now on it does something else; how long it did this until now is added to what it is called: by the
    /// scheduler's word, what it did may turn out only now.
    #[inline(always)]
    pub fn change(&mut self, did: Doing, now_ns: u64, doing: Doing) {
        let time = now_ns.saturating_sub(self.since_ns);
        match did {
            Doing::Running => self.ran_ns += time,
            Doing::Ready => self.ready_ns += time,
            Doing::Sleeping => self.slept_ns += time,
            Doing::Blocked => self.blocked_ns += time,
            Doing::Other | Doing::Unknown => {}
        }
        (self.since_ns, self.doing) = (now_ns, doing as u32);
    }

    /// What it does now.
    #[must_use]
    #[inline(always)]
    pub const fn doing(&self) -> Doing {
        match self.doing {
            0 => Doing::Running,
            1 => Doing::Ready,
            2 => Doing::Sleeping,
            3 => Doing::Blocked,
            4 => Doing::Other,
            _ => Doing::Unknown,
        }
    }
}

const _: () = assert!(size_of::<ThreadTimes>() == 48);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_added_to_what_was_done() {
        let mut thread = ThreadTimes { since_ns: 10, ..ThreadTimes::default() };
        thread.change(Doing::Running, 15, Doing::Sleeping);
        thread.change(thread.doing(), 35, Doing::Ready);
        thread.change(thread.doing(), 42, Doing::Running);
        // What it did at the beginning nobody knew.
        let mut unknown = ThreadTimes { doing: Doing::Unknown as u32, ..thread };
        unknown.change(unknown.doing(), 50, Doing::Other);
        assert_eq!((thread.ran_ns, thread.slept_ns, thread.ready_ns), (5, 20, 7));
        assert_eq!((unknown.ran_ns, unknown.since_ns, unknown.doing()), (5, 50, Doing::Other));
    }
}
