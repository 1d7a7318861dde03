//! User side of queue-trace.
