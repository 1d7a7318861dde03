//! The messages of a census: what is to be seen around the listeners. What they say stands in `source`, for a
//! reader of recordings knows nothing of the system.

use prost::Message;

use super::wire;

/// The payload of a block.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Census {
    #[prost(message, repeated, tag = "1")]
    pub(crate) namespaces: Vec<Contents>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) owners: Vec<Holder>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) processes: Vec<Look>,
}

/// A network namespace.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Contents {
    #[prost(uint64, tag = "1")]
    pub(crate) inode: u64,
    #[prost(string, optional, tag = "2")]
    pub(crate) name: Option<String>,
    #[prost(bool, tag = "3")]
    pub(crate) own: bool,
    #[prost(message, repeated, tag = "4")]
    pub(crate) listeners: Vec<Listed>,
    /// Half-open requests at none of the listeners.
    #[prost(uint32, tag = "5")]
    pub(crate) unattributed: u32,
    #[prost(message, repeated, tag = "6")]
    pub(crate) devices: Vec<Device>,
    #[prost(message, repeated, tag = "7")]
    pub(crate) settings: Vec<Setting>,
}

/// A listener as `sock_diag` lists it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Listed {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) address: Vec<u8>,
    #[prost(uint32, tag = "2")]
    pub(crate) port: u32,
    #[prost(uint32, optional, tag = "3")]
    pub(crate) device: Option<u32>,
    #[prost(bool, optional, tag = "4")]
    pub(crate) v6only: Option<bool>,
    #[prost(uint32, tag = "5")]
    pub(crate) depth: u32,
    #[prost(uint32, tag = "6")]
    pub(crate) limit: u32,
    #[prost(uint32, tag = "7")]
    pub(crate) inode: u32,
    #[prost(uint32, tag = "8")]
    pub(crate) uid: u32,
    #[prost(uint64, tag = "9")]
    pub(crate) cookie: u64,
    #[prost(uint32, optional, tag = "10")]
    pub(crate) drops: Option<u32>,
    #[prost(uint64, optional, tag = "11")]
    pub(crate) cgroup_id: Option<u64>,
    /// Half-open requests of it and those that share them.
    #[prost(uint32, tag = "12")]
    pub(crate) half_open: u32,
    #[prost(uint32, tag = "13")]
    pub(crate) shared_by: u32,
}

/// A network device.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Device {
    #[prost(uint32, tag = "1")]
    pub(crate) index: u32,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
}

/// A setting that the kernel has.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Setting {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(int64, tag = "2")]
    pub(crate) value: i64,
}

/// A process that holds a socket.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Holder {
    #[prost(uint32, tag = "1")]
    pub(crate) inode: u32,
    #[prost(message, optional, tag = "2")]
    pub(crate) process: Option<wire::Process>,
    #[prost(uint32, tag = "3")]
    pub(crate) fd: u32,
}

/// What a process did; see `procfs::Sample`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Look {
    #[prost(uint32, tag = "1")]
    pub(crate) pid: u32,
    #[prost(uint64, tag = "2")]
    pub(crate) started: u64,
    #[prost(uint32, tag = "3")]
    pub(crate) state: u32,
    #[prost(uint64, tag = "4")]
    pub(crate) awaiting: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) threads: u64,
    #[prost(uint64, tag = "6")]
    pub(crate) voluntary: u64,
    #[prost(uint64, tag = "7")]
    pub(crate) involuntary: u64,
    #[prost(uint64, optional, tag = "8")]
    pub(crate) ran_ns: Option<u64>,
    #[prost(uint64, optional, tag = "9")]
    pub(crate) delayed_ns: Option<u64>,
    #[prost(uint64, optional, tag = "10")]
    pub(crate) files: Option<u64>,
    #[prost(uint64, tag = "11")]
    pub(crate) file_limit: u64,
    #[prost(uint64, optional, tag = "12")]
    pub(crate) throttled_ns: Option<u64>,
    #[prost(uint64, optional, tag = "13")]
    pub(crate) pressure_ns: Option<u64>,
    /// The folder of a control group with a quota.
    #[prost(string, optional, tag = "14")]
    pub(crate) group: Option<String>,
    #[prost(uint64, tag = "15")]
    pub(crate) quota_us: u64,
    #[prost(uint64, tag = "16")]
    pub(crate) period_us: u64,
}
