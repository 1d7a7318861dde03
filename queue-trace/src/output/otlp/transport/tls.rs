//! Whom TLS trusts, and who we are.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use hyper_rustls::ConfigBuilderExt as _;
use rustls::client::WantsClientCert;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

use crate::output::otlp::environment::Tls;

/// Trusts nobody: for receivers that are spoken to in the clear.
pub(super) fn none() -> anyhow::Result<ClientConfig> {
    Ok(builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// Trusts the authorities of the file, or else those that the system does.
pub(super) fn system(tls: &Tls) -> anyhow::Result<ClientConfig> {
    let builder: ConfigBuilder<ClientConfig, WantsClientCert> = match &tls.authorities {
        Some(file) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(certificates(file)?);
            ensure!(!roots.is_empty(), "{}: no certificate in it", file.display());
            builder()?.with_root_certificates(roots)
        }
        None => builder()?.with_native_roots().context("cannot read the system's certificates")?,
    };
    let Some((file, key)) = &tls.identity else { return Ok(builder.with_no_client_auth()) };
    let secret = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("{}: cannot read a key", key.display()))?;
    builder
        .with_client_auth_cert(certificates(file)?, secret)
        .with_context(|| format!("{} and {} do not fit", file.display(), key.display()))
}

fn builder() -> anyhow::Result<ConfigBuilder<ClientConfig, WantsVerifier>> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    Ok(builder.with_safe_default_protocol_versions()?)
}

fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read = || CertificateDer::pem_file_iter(file)?.collect();
    let certificates: Result<_, rustls::pki_types::pem::Error> = read();
    certificates.with_context(|| format!("{}: cannot read certificates", file.display()))
}
