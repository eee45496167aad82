//! TLS of a source: PEM files in, the server's side of rustls out.
//!
//! The certificate file holds the chain, the server's own first; the key file one private key (PKCS#8, PKCS#1 or SEC1). TLS 1.2 and 1.3, with
//! ring. Files are read once, at the start and at `weir check`; each is at most [`PEM_BYTES_MAX`] long. Clients show no certificate. Errors
//! name the file and what to do.

use std::io;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use weir_core::config::TlsSpec;

/// A chain of certificates has a few KiB.
const PEM_BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {file}: {error}; name a PEM file that this user may read")]
    Read { file: String, error: io::Error },
    #[error("{file} has {bytes} bytes, at most {PEM_BYTES_MAX} are taken; is it the right file?")]
    TooLong { file: String, bytes: u64 },
    #[error("{file} holds no certificate in PEM (`-----BEGIN CERTIFICATE-----`)")]
    NoCertificate { file: String },
    #[error("{file} is not whole PEM: {error}")]
    Pem { file: String, error: pem::Error },
    #[error("{file} holds no private key in PEM (`-----BEGIN PRIVATE KEY-----`)")]
    NoKey { file: String },
    #[error(
        "the key in {key} is not that of the first certificate in {certificate}; put the server's own certificate first, or name its key"
    )]
    Apart { certificate: String, key: String },
    #[error("{certificate} and {key} cannot be used: {error}")]
    Unusable { certificate: String, key: String, error: rustls::Error },
}

pub fn acceptor(spec: &TlsSpec) -> Result<TlsAcceptor, TlsError> {
    let chain = chain(&spec.certificate)?;
    let key = key(&spec.key)?;
    let names = || (spec.certificate.clone(), spec.key.clone());
    let unusable = |error| {
        let (certificate, key) = names();
        match error {
            rustls::Error::InconsistentKeys(_) => TlsError::Apart { certificate, key },
            error => TlsError::Unusable { certificate, key, error },
        }
    };
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn chain(file: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(file)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|error| TlsError::Pem { file: file.to_owned(), error })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { file: file.to_owned() });
    }
    Ok(chain)
}

fn key(file: &str) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(file)?).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey { file: file.to_owned() },
        error => TlsError::Pem { file: file.to_owned(), error },
    })
}

fn read(file: &str) -> Result<Vec<u8>, TlsError> {
    let failed = |error| TlsError::Read { file: file.to_owned(), error };
    let bytes = std::fs::metadata(file).map_err(failed)?.len();
    if bytes > PEM_BYTES_MAX {
        return Err(TlsError::TooLong { file: file.to_owned(), bytes });
    }
    std::fs::read(file).map_err(failed)
}

/// A certificate for `localhost`, its key, and both in files.
#[cfg(test)]
pub mod made {
    use super::TlsSpec;

    pub struct Made {
        pub folder: tempfile::TempDir,
        pub spec: TlsSpec,
        pub certificate_pem: String,
    }

    pub fn made() -> Made {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_string_lossy().into_owned()
        };
        let certificate_pem = made.cert.pem();
        let certificate = file("certificate.pem", &certificate_pem);
        let key = file("key.pem", &made.signing_key.serialize_pem());
        Made { spec: TlsSpec { certificate, key }, folder, certificate_pem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spec: &TlsSpec, words: &str) {
        let error = acceptor(spec).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(words), "`{words}` is not in: {error}");
    }

    #[test]
    fn what_is_wrong_with_files_is_named() {
        let (one, other) = (made::made(), made::made());
        assert!(acceptor(&one.spec).is_ok());
        let with =
            |certificate: &str, key: &str| TlsSpec { certificate: certificate.into(), key: key.into() };
        let TlsSpec { certificate, key } = &one.spec;
        check(&with("/none/such.pem", key), "cannot read /none/such.pem");
        check(&with(key, key), "holds no certificate");
        check(&with(certificate, certificate), "holds no private key");
        check(&with(certificate, &other.spec.key), "is not that of the first certificate");
        let cut = one.folder.path().join("cut.pem");
        std::fs::write(&cut, one.certificate_pem.get(..100).unwrap()).unwrap();
        check(&with(&cut.to_string_lossy(), key), "not whole PEM");
    }
}
