//! Certificates as envelopes of a key: made minimal, read for the key alone.

use std::cell::OnceCell;

use frex_proto::keys::{SigningError, SigningKey};
use rcgen::{CertificateParams, DistinguishedName, PKCS_ED25519, PublicKeyData};
use rustls::{pki_types::CertificateDer, server::ParsedCertificate};

use super::TlsError;

/// `SubjectPublicKeyInfo` of an Ed25519 key, up to the key itself (RFC 8410 §4).
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// Makes the certificate that shows `key`. Spec: TLS-2.
///
/// Serial number, names and times are constants: nobody reads them, and the same key always
/// gives the same certificate.
///
/// # Errors
/// [`TlsError::Identity`] if the certificate cannot be encoded, [`TlsError::Signing`].
pub fn self_signed(key: &SigningKey) -> Result<CertificateDer<'static>, TlsError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.serial_number = Some(1_u64.into());
    let signer = CertificateKey {
        public: *key.verifying_key().as_bytes(),
        key,
        refusal: OnceCell::new(),
    };
    match params.self_signed(&signer) {
        Ok(certificate) => Ok(certificate.der().clone()),
        Err(_) => Err(signer
            .refusal
            .get()
            .map_or(TlsError::Identity, |error| (*error).into())),
    }
}

/// The Ed25519 key of a certificate, or nothing if it holds another kind of key. Spec: TLS-2.
#[must_use]
pub fn public_key(certificate: &CertificateDer<'_>) -> Option<[u8; 32]> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let spki = parsed.subject_public_key_info();
    let key = spki.as_ref().strip_prefix(&SPKI_PREFIX)?;
    key.try_into().ok()
}

struct CertificateKey<'a> {
    public: [u8; 32],
    key: &'a SigningKey,
    /// Why the key did not sign, which the library's own error has no room for.
    refusal: OnceCell<SigningError>,
}

impl PublicKeyData for CertificateKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &PKCS_ED25519
    }
}

impl rcgen::SigningKey for CertificateKey<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.key.sign(message).map(Vec::from).map_err(|error| {
            let _ = self.refusal.set(error);
            rcgen::Error::RemoteKeyError
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // TLS-2
    #[test]
    fn certificate_gives_back_the_key_it_was_made_for() {
        let key = SigningKey::from_seed(&[7; 32]);
        let certificate = self_signed(&key).unwrap();
        assert_eq!(
            public_key(&certificate),
            Some(*key.verifying_key().as_bytes())
        );
        assert_eq!(certificate, self_signed(&key).unwrap());
    }

    // TLS-2: nothing but an Ed25519 certificate yields a key, and no bytes panic.
    #[test]
    fn other_bytes_and_other_key_kinds_give_no_key() {
        let elliptic = rcgen::generate_simple_self_signed(Vec::new()).unwrap();
        assert_eq!(public_key(elliptic.cert.der()), None);
        let certificate = self_signed(&SigningKey::from_seed(&[7; 32])).unwrap();
        for length in 0..certificate.len() {
            let cut = CertificateDer::from(certificate[..length].to_vec());
            assert_eq!(public_key(&cut), None);
        }
    }
}
