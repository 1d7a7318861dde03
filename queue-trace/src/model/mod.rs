//! What happened, free of where it was learned and how it is shown: no clock, no I/O.

mod balance;
mod clients;
mod event;
mod listener;
mod observed;
mod times;

pub use balance::{Balance, Line};
pub use clients::{Clients, Paid, RETRIES};
pub use event::{Caller, Process, QueueEvent};
pub use listener::{Listener, Totals};
pub use observed::{ListenerTimes, Observed};
pub use times::Times;
