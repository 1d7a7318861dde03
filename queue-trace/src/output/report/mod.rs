//! One HTML file that tells what happened: it needs no network, no script and nothing beside it.
//!
//! Every text goes through the templates of `maud`, which escape it: names of processes, hosts and files are
//! whatever somebody made them.

mod charts;
mod environment;
mod facts;
mod listener;
mod overview;
mod page;
mod story;
mod tables;
mod victims;
mod what_if;

pub use facts::Facts;
pub use page::page;

#[cfg(test)]
mod tests;
