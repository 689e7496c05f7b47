//! Witnesses outside of the federation, by the HTTP of C2SP tlog-witness, on the loopback interface: what
//! carries it further is a proxy of the operator's. Spec: WIT-21, WIT-22.

use frex_proto::log::WitnessVerifier;
use hyper::Uri;
use serde::Deserialize;

use crate::http::is_loopback;

pub mod push;
pub mod serve;

/// The path at which witnesses take checkpoints, behind their prefix.
const ADD_CHECKPOINT: &str = "/add-checkpoint";
/// Content type of the answer that says what a witness holds.
const SIZE_TYPE: &str = "text/x.tlog.size";
/// Outside witnesses of one node: a signed note has room for no end of lines.
pub const OUTSIDE_MAX: usize = 8;

/// An outside witness as settings name it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutsideConfig {
    /// Its submission prefix, as a local proxy offers it: `http://127.0.0.1:PORT/PREFIX`.
    pub url: String,
    /// Its verifier key; on a second line that of its ML-DSA-44 key, if both must sign.
    pub vkey: String,
}

/// An outside witness.
#[derive(Debug, Clone)]
pub struct Outside {
    /// Whom to connect to: `host:port`.
    authority: String,
    /// Path of the call.
    path: String,
    verifier: WitnessVerifier,
}

impl OutsideConfig {
    /// Checks both.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn read(&self) -> Result<Outside, &'static str> {
        const URL: &str = "must have a url of the form http://127.0.0.1:PORT/PREFIX: a local proxy carries it further";
        let url: Uri = self.url.parse().map_err(|_| URL)?;
        let host = url.host().unwrap_or_default();
        if url.scheme_str() != Some("http") || !is_loopback(host) || url.query().is_some() {
            return Err(URL);
        }
        let verifier = WitnessVerifier::from_vkey(self.vkey.trim())
            .map_err(|_| "must have the vkey of an Ed25519 cosigner, NAME+HASH+KEY, and may have that of its ML-DSA-44 key on a second line")?;
        Ok(Outside {
            authority: format!("{host}:{}", url.port_u16().unwrap_or(80)),
            path: format!("{}{ADD_CHECKPOINT}", url.path().trim_end_matches('/')),
            verifier,
        })
    }
}

#[cfg(test)]
mod tests {
    use frex_proto::keys::{CompanionKind, SigningKey};

    use super::*;

    // WIT-22: settings name loopback addresses and keys of cosigners, and nothing else.
    #[test]
    fn only_loopback_and_cosigners_are_taken() {
        let key = SigningKey::from_seed(&[3; 32]);
        let name = "witness.example/w1".to_owned();
        let verifier = WitnessVerifier::new(name.clone(), key.verifying_key());
        let read = |url: &str, vkey: &str| {
            let config = OutsideConfig {
                url: url.to_owned(),
                vkey: vkey.to_owned(),
            };
            config.read()
        };
        let vkey = verifier.vkey();
        let outside = read("http://127.0.0.1:8080/w1/", &vkey).expect("both are good");
        assert_eq!(outside.authority, "127.0.0.1:8080");
        assert_eq!(outside.path, "/w1/add-checkpoint");
        assert_eq!(
            read("http://[::1]", &vkey).expect("good").authority,
            "[::1]:80"
        );
        for url in [
            "",
            "http://witness.example/",
            "https://127.0.0.1:8080/",
            "http://127.0.0.1:8080/?a=b",
            "127.0.0.1:8080",
        ] {
            assert!(read(url, &vkey).is_err(), "{url}");
        }
        let pair = key.with_companion_of(CompanionKind::Heads, &[4; 32]);
        let pair = WitnessVerifier::new(name, pair.verifying_key()).vkey();
        assert!(read("http://127.0.0.1:8080/", &pair).is_ok());
        let second = pair.lines().last().expect("a second key").to_owned();
        assert!(read("http://127.0.0.1:8080/", &second).is_err());
        let log = frex_proto::log::LogVerifier::new("log.example".to_owned(), verifier.key);
        for vkey in ["", "witness.example/w1", &log.vkey()] {
            assert!(read("http://127.0.0.1:8080/", vkey).is_err(), "{vkey}");
        }
    }
}
