//! The daemon's configuration: a file's text, with the environment's values over it. A mistake is one line.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use queue_trace::daemon::config::{Loaded, environment};

fuzz_target!(|text: &str| {
    // What follows a zero, which no file has, is a variable's value.
    let (text, value) = text.split_once('\0').unwrap_or((text, "2s"));
    let over = [("QUEUE_TRACE_SERVE_INTERVAL".to_owned(), value.to_owned())];
    let over = environment(over.into_iter());
    for over in [&[][..], &over] {
        match Loaded::from_text(text, Path::new("q.toml"), over) {
            Ok(mut loaded) => {
                let again = loaded.clone();
                let changes = loaded.reload(&again).map_err(|mistake| mistake.to_string());
                assert_eq!(changes, Ok(Default::default()), "the same is no change");
            }
            Err(mistake) => assert_eq!(mistake.to_string().lines().count(), 1, "{mistake}"),
        }
    }
});
