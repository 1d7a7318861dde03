//! Who sends.

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::points::text;

/// The attributes of whoever sends.
#[derive(Debug, Clone)]
pub(super) struct Sender(Vec<(String, String)>);

impl Sender {
    pub(super) fn new(attributes: Vec<(String, String)>) -> Self {
        Self(attributes)
    }

    /// As a message has them.
    pub(super) fn resource(&self) -> Resource {
        let attributes = self.0.iter().map(|(name, value)| text(name, value)).collect();
        Resource { attributes, ..Resource::default() }
    }

    /// What made the points: this program.
    pub(super) fn scope() -> InstrumentationScope {
        InstrumentationScope {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        }
    }
}
