//! The hardware token that a command is told to make keys in.

use std::{
    fmt::Display,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use frex_client::keys::token::{NewKey, TokenAddress};
use frex_proto::{error::WireCode, keys::SigningKey};
use rand_core::CryptoRng;

use super::{
    failure::{Failure, OrFail},
    passphrase,
};

/// The options that name a token.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// Make signing keys in the hardware token of this label, which never gives them away
    #[arg(long, value_name = "LABEL", requires = "module")]
    pub token: Option<String>,
    /// The library (PKCS#11 module) of the token's maker
    #[arg(long, value_name = "PATH", requires = "token")]
    pub module: Option<PathBuf>,
    /// The token's serial number, if two have the same label
    #[arg(long, value_name = "NUMBER", requires = "token")]
    pub serial: Option<String>,
}

/// A key of a member or its node that may be in a token. A sealing key may not: tokens do not know
/// its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TokenKey {
    /// Signs what the member says
    Identity,
    /// Signs the node's log
    Log,
    /// Cosigns the logs of other nodes
    Witness,
    /// Both keys that authenticate connections; each connection then waits for the token
    Tls,
}

impl TokenArgs {
    /// The token, if one is named.
    ///
    /// # Errors
    /// The failure says that there is no such module.
    pub fn address(&self) -> Result<Option<TokenAddress>, Failure> {
        match (&self.token, &self.module) {
            (Some(label), Some(module)) => address(label, module, self.serial.as_deref()).map(Some),
            _ => Ok(None),
        }
    }
}

/// The token of this label, reached through this module.
///
/// # Errors
/// The failure says that there is no such module.
pub fn address(label: &str, module: &Path, serial: Option<&str>) -> Result<TokenAddress, Failure> {
    // Written down as it is reached from anywhere.
    let found = std::path::absolute(module)
        .ok()
        .filter(|path| path.is_file());
    let Some(module) = found else {
        let what = format!("there is no PKCS#11 module {}", module.display());
        return Err(Failure::new(WireCode::BadInput, what).advise(
            "Name the library that came with the token, such as /usr/lib/softhsm/libsofthsm2.so",
        ));
    };
    Ok(TokenAddress {
        module,
        label: label.to_owned(),
        serial: serial.map(str::to_owned),
    })
}

/// A new key: in the token, if there is one.
///
/// # Errors
/// The failure says why the token makes none.
pub fn new_key(
    token: Option<&TokenAddress>,
    label: impl Display,
    rng: &mut dyn CryptoRng,
) -> Result<NewKey, Failure> {
    let Some(token) = token else {
        return Ok(SigningKey::generate(rng).into());
    };
    token
        .make_key(&format!("frex {label}"), &passphrase::unlock(), rng)
        .or_fail(format_args!(
            "no key can be made in the token {:?}",
            token.label
        ))
}
