//! What stays and watches: reads the counters again and again, keeps each listener's history, tells its
//! outputs, the log and the service manager.

pub mod config;
pub mod history;
pub mod http;
pub mod logging;
pub mod notify;
pub mod outputs;
pub mod privileges;
pub mod published;
pub mod refusals;

mod agent;
mod farewell;
mod memory;

pub use agent::{Agent, Reread};
pub use published::Published;
