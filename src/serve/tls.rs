//! TLS on the port: an authority made for this run, and a certificate by it for the addresses of the port.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rcgen::{ExtendedKeyUsagePurpose, KeyUsagePurpose, SanType};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use crate::apiserver::base64;

/// What a connection that speaks TLS begins with: the type of a handshake record (RFC 8446, 5.1).
pub(super) const HANDSHAKE: u8 = 0x16;

/// The server's side of TLS.
#[derive(Clone)]
pub(super) struct Tls {
    pub(super) acceptor: TlsAcceptor,
    /// The certificate by which clients know the server's, as PEM (RFC 7468).
    pub(super) authority: String,
}

impl Tls {
    /// TLS for a port at an address; on the loopback it has all its names.
    pub(super) fn at(addr: SocketAddr) -> io::Result<Self> {
        let (authority, certificate, key) = certificates(addr.ip()).map_err(io::Error::other)?;
        let chain = vec![certificate, authority.clone()];
        let config = configuration(chain, key).map_err(io::Error::other)?;
        Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), authority: pem(&authority) })
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// Bytes that nobody can foretell.
pub(super) fn secret() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    let random = ring::default_provider().secure_random;
    random.fill(&mut bytes).map_err(|_| io::Error::other("the system gives no random bytes"))?;
    Ok(bytes)
}

fn configuration(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let config =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = config.with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

type Made = (CertificateDer<'static>, CertificateDer<'static>, PrivateKeyDer<'static>);

/// The authority's certificate, the server's, and the server's key.
fn certificates(ip: IpAddr) -> Result<Made, rcgen::Error> {
    let authority = CertifiedIssuer::self_signed(authority_params(), KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let server = server_params(ip)?.signed_by(&key, &authority)?;
    let authority = authority.der().clone();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    Ok((authority, server.der().clone(), key.into()))
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "driftlab");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params
}

fn server_params(ip: IpAddr) -> Result<CertificateParams, rcgen::Error> {
    let names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
    let mut params = CertificateParams::new(names.map(String::from))?;
    params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let own = Some(ip).filter(|ip| !loopback.contains(ip) && !ip.is_unspecified());
    let addresses = loopback.into_iter().chain(own).map(SanType::IpAddress);
    params.subject_alt_names.extend(addresses);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn pem(certificate: &[u8]) -> String {
    let text = base64::encode(certificate);
    let lines = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line) + "\n");
    let lines: String = lines.collect();
    format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
}
