//! What scenarios are made of.

pub(crate) mod accepting;
pub(crate) mod acceptors;
pub(crate) mod books;
pub(crate) mod client;
pub(crate) mod events;
pub(crate) mod family;
pub(crate) mod held_back;
pub(crate) mod identities;
pub(crate) mod mptcp;
pub(crate) mod namespace;
pub(crate) mod netstat;
pub(crate) mod packets;
pub(crate) mod program;
pub(crate) mod scene;
pub(crate) mod server;
pub(crate) mod sockopt;
pub(crate) mod stage;
pub(crate) mod summary;
pub(crate) mod sysctl;
pub(crate) mod told;
pub(crate) mod tracer;
pub(crate) mod veth;
pub(crate) mod wait;
pub(crate) mod wire;
