//! TLS by rustls, as the web configuration file describes it.

use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{Error, RootCertStore, ServerConfig, SupportedProtocolVersion};

/// Certificates of clients. The toolkit has two more modes, which accept any certificate unverified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Clients {
    /// Nothing.
    #[default]
    Anonymous,
    /// A certificate of the client CA, or none.
    VerifiedIfGiven,
    /// A certificate of the client CA.
    Verified,
}

/// The TLS section of the file. Certificates and keys are PEM.
#[derive(Debug, Default)]
pub struct Wanted {
    /// The server's certificate and the intermediate ones.
    pub certificate: Option<Vec<u8>>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Whether clients need certificates.
    pub clients: Option<Clients>,
    /// The CA that signs their certificates.
    pub authority: Option<Vec<u8>>,
    /// Whether TLS 1.3 is not offered.
    pub tls12_only: bool,
    /// Whether TLS 1.2 is not offered.
    pub tls13_only: bool,
    /// The cipher suites for TLS 1.2, by name; all when empty.
    pub suites: Vec<&'static str>,
    /// The curves, by the toolkit's names, the best first; all when empty.
    pub curves: Vec<&'static str>,
    /// Whether the exporter's order of cipher suites decides; it does unless the file denies it.
    pub own_order: Option<bool>,
}

/// The name of a certificate or key in the file, and what is wrong with it.
pub type Fault = (&'static str, String);

/// The names of all cipher suites for TLS 1.2.
pub fn suites() -> Vec<&'static str> {
    let all = ring::default_provider().cipher_suites;
    all.iter().filter(|suite| suite.tls13().is_none()).filter_map(|suite| suite.suite().as_str()).collect()
}

/// The toolkit's names of all curves, and those of rustls.
pub const CURVES: [(&str, &str); 3] =
    [("X25519", "X25519"), ("CurveP256", "secp256r1"), ("CurveP384", "secp384r1")];

/// Builds the configuration of a listener, or says which member is wrong.
pub fn configure(wanted: &Wanted) -> Result<Arc<ServerConfig>, Fault> {
    let mut provider = ring::default_provider();
    if !wanted.suites.is_empty() {
        let chosen = |name: Option<&str>| name.is_some_and(|name| wanted.suites.contains(&name));
        provider.cipher_suites.retain(|suite| suite.tls13().is_some() || chosen(suite.suite().as_str()));
    }
    if !wanted.curves.is_empty() {
        let groups = wanted.curves.iter().filter_map(|wanted| {
            let (_, name) = CURVES.iter().find(|(name, _)| name == wanted)?;
            provider.kx_groups.iter().find(|group| group.name().as_str() == Some(name)).copied()
        });
        provider.kx_groups = groups.collect();
    }
    let provider = Arc::new(provider);
    let versions: Vec<&SupportedProtocolVersion> =
        [(!wanted.tls12_only, &TLS13), (!wanted.tls13_only, &TLS12)]
            .into_iter()
            .filter_map(|(on, version)| on.then_some(version))
            .collect();
    let of_certificate = |error: Error| ("cert", error.to_string());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(of_certificate)?;
    let builder = match wanted.clients.unwrap_or_default() {
        Clients::Anonymous => builder.with_no_client_auth(),
        clients @ (Clients::VerifiedIfGiven | Clients::Verified) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(authority(wanted)?), provider);
            let verifier =
                if clients == Clients::Verified { verifier } else { verifier.allow_unauthenticated() };
            let verifier = verifier.build().map_err(|error| ("client_ca", error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = certificates(wanted.certificate.as_deref()).map_err(|wrong| ("cert", wrong))?;
    let key = PrivateKeyDer::from_pem_slice(wanted.key.as_deref().unwrap_or_default())
        .map_err(|_| ("key", "no private key in PEM found".to_owned()))?;
    let mut config = builder.with_single_cert(chain, key).map_err(of_certificate)?;
    config.ignore_client_order = wanted.own_order.unwrap_or(true);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn authority(wanted: &Wanted) -> Result<RootCertStore, Fault> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(wanted.authority.as_deref()).map_err(|wrong| ("client_ca", wrong))? {
        roots.add(certificate).map_err(|error| ("client_ca", error.to_string()))?;
    }
    Ok(roots)
}

fn certificates(pem: Option<&[u8]>) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.unwrap_or_default()).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err("no certificate in PEM found".to_owned()),
    }
}
