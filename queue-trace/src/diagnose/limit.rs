//! Why a listener's limit is what it is.

use crate::model::Listener;
use crate::procfs::Sysctls;

/// One sentence: what was asked for, what came of it and why, and what it would be now.
#[must_use]
pub fn explain(listener: &Listener, sysctls: &Sysctls) -> String {
    let limit = listener.limit;
    let now = sysctls.somaxconn;
    let Some(asked) = listener.asked else {
        let most = now.map_or_else(String::new, |now| format!("; somaxconn is {now} now"));
        return format!(
            "limit {limit}: listen() ran before we looked, so what it asked for is not known{most}"
        );
    };
    // `listen()` compares as unsigned: -1 asks for the most there is.
    let wish = match asked.cast_signed() {
        ..0 => format!("asked {} (as much as there is)", asked.cast_signed()),
        asked => format!("asked {asked}"),
    };
    if asked <= limit {
        return format!("{wish}, got {limit}: all of it");
    }
    let then = listener.somaxconn.unwrap_or(limit);
    let because = format!("{wish}, got {limit} because somaxconn was {then} when listen() ran");
    match now {
        Some(now) if now > i64::from(limit) => {
            format!("{because}; it is {now} now: restart or call listen() again")
        }
        Some(_) => format!("{because}, and it still is"),
        None => because,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::made_up::{listener, sysctls};

    fn explained(asked: Option<u32>, limit: u32, somaxconn_now: i64) -> String {
        let listener = Listener { asked, limit, somaxconn: Some(128), ..listener() };
        explain(&listener, &Sysctls { somaxconn: Some(somaxconn_now), ..sysctls() })
    }

    #[test]
    fn a_limit_is_explained_by_what_was_asked_and_granted() {
        assert_eq!(
            explained(Some(4096), 128, 4096),
            "asked 4096, got 128 because somaxconn was 128 when listen() ran; it is 4096 now: restart or \
             call listen() again"
        );
        assert_eq!(
            explained(Some(4096), 128, 128),
            "asked 4096, got 128 because somaxconn was 128 when listen() ran, and it still is"
        );
        assert_eq!(explained(Some(5), 5, 4096), "asked 5, got 5: all of it");
        assert!(
            explained(Some(u32::MAX), 128, 128)
                .starts_with("asked -1 (as much as there is), got 128")
        );
        assert!(explained(None, 128, 4096).ends_with("not known; somaxconn is 4096 now"));
    }
}
