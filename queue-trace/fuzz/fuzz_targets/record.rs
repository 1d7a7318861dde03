//! The kernel side's records, up to the lines that are shown.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use queue_trace::kernel::ring::decode;
use queue_trace::model::{Listener, QueueEvent};
use queue_trace::output::clock::Clock;
use queue_trace::output::{json, text};
use queue_trace_common::{ListenerInfo, Record};

fuzz_target!(|bytes: &[u8]| {
    let record = decode(bytes);
    assert_eq!(record.is_some(), bytes.len() >= Record::SIZE);
    let Some(event) = record.as_ref().and_then(QueueEvent::from_record) else { return };
    let listener = Listener::from_info(1, &ListenerInfo::default());
    for relative in [false, true] {
        let mut clock = Clock::new(0, Timestamp::UNIX_EPOCH, relative);
        let mut lines = Vec::new();
        text::write(&mut lines, &mut clock, &listener, &event);
        json::write(&mut lines, &mut clock, &listener, &event);
        let newlines = lines.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(newlines, 2, "{}", String::from_utf8_lossy(&lines));
    }
});
