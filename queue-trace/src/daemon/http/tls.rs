//! TLS.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::settings::Tls;

/// Reads certificate and key.
pub(super) fn acceptor(tls: &Tls) -> anyhow::Result<TlsAcceptor> {
    let named = |what: &str, path: &Path| format!("cannot use the {what} {}", path.display());
    let certificate = || named("certificate (`tls.certificate`)", &tls.certificate);
    let key = || named("key (`tls.key`)", &tls.key);
    let read = |path: &Path| std::fs::read(path);
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(&read(&tls.certificate).with_context(certificate)?)
            .collect::<Result<_, _>>()
            .with_context(certificate)?;
    ensure!(!chain.is_empty(), "{}: there is no certificate in PEM in it", certificate());
    let private =
        PrivateKeyDer::from_pem_slice(&read(&tls.key).with_context(key)?).with_context(key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .context("cannot use TLS")?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .with_context(|| format!("{} with {}", certificate(), tls.key.display()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
