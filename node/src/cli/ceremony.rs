//! What the commands share by which people agree on a root or a roster: whose keys count, files of
//! signatures, and how many are missing. Spec: ROS-29, ROS-30.

use std::path::{Path, PathBuf};

use frex_client::keys::file;
use frex_proto::{
    error::WireCode,
    keys::{SigningKey, VerifyingKey},
    limits,
    roster::{
        Root, Timed,
        ceremony::{Collection, detached},
    },
    v1,
};
use serde_json::{Value, json};

use super::{
    failure::{Failure, OrFail},
    files, output, passphrase,
};

pub mod signed;

/// A holder with the key that counts here.
#[derive(Debug, Clone)]
pub struct Voter {
    /// As the root names them.
    pub name: String,
    /// The key.
    pub key: VerifyingKey,
}

/// Who must agree, and how many of them.
pub struct Quorum {
    /// What these people decide, in words.
    pub what: &'static str,
    /// The people.
    pub voters: Vec<Voter>,
    /// How many of them.
    pub threshold: usize,
}

impl Quorum {
    /// Those who change `root`.
    pub fn of_root(what: &'static str, root: &Root) -> Self {
        Self {
            what,
            voters: voters(root, &root.root_keys),
            threshold: root.root_threshold,
        }
    }

    /// Those who issue rosters under `root`.
    pub fn of_roster(root: &Root) -> Self {
        Self {
            what: "roster keys",
            voters: voters(root, &root.roster_keys),
            threshold: root.roster_threshold,
        }
    }

    fn keys(&self) -> Vec<VerifyingKey> {
        self.voters.iter().map(|voter| voter.key.clone()).collect()
    }

    fn missing(&self, collection: &Collection) -> usize {
        let have = collection.count(&self.keys());
        self.threshold.saturating_sub(have)
    }
}

fn voters(root: &Root, keys: &[Timed<VerifyingKey>]) -> Vec<Voter> {
    keys.iter()
        .enumerate()
        .map(|(place, timed)| Voter {
            name: root.holder(place),
            key: timed.key.clone(),
        })
        .collect()
}

/// Reads a holder's secret keys; each must have a say in one of `quorums`.
///
/// # Errors
/// The failure names the file.
pub fn read_keys(
    paths: &[PathBuf],
    quorums: &[Quorum],
    file_name: &str,
) -> Result<Vec<(SigningKey, String)>, Failure> {
    let mut keys = Vec::new();
    for path in paths {
        let key = file::read_signing_key(path, &passphrase::unlock())
            .or_fail("cannot read a governance key")?;
        let voter = quorums
            .iter()
            .flat_map(|quorum| &quorum.voters)
            .find(|voter| voter.key == key.verifying_key());
        let Some(voter) = voter else {
            let what = format!("{} has no say in this", path.display());
            return Err(Failure::new(WireCode::NotTrusted, what)
                .cause("the root does not list this key for this purpose")
                .advise(format!("Use the {file_name} of a holder")));
        };
        keys.push((key, voter.name.clone()));
    }
    Ok(keys)
}

/// Writes the signatures of `keys` on a proposal into a file of their own; gives its path.
///
/// # Errors
/// The failure names the file.
pub fn write_signatures(
    proposal: &v1::Signed,
    keys: &[(SigningKey, String)],
    beside: &Path,
    out: Option<&Path>,
) -> Result<PathBuf, Failure> {
    let signers: Vec<&SigningKey> = keys.iter().map(|(key, _)| key).collect();
    let path = match out {
        Some(path) => path.to_owned(),
        None => {
            let names: Vec<String> = keys.iter().map(|(_, name)| slug(name)).collect();
            let mut path = beside.as_os_str().to_owned();
            path.push(format!(".{}.sig", names.join("-")));
            PathBuf::from(path)
        }
    };
    let signatures = detached(proposal, &signers).or_fail("nothing is signed")?;
    files::replace(&path, &signatures)?;
    Ok(path)
}

/// A name as part of a file's name.
#[must_use]
pub fn slug(name: &str) -> String {
    let letter = |c: char| if c.is_alphanumeric() { c } else { ' ' };
    let words: String = name.to_lowercase().chars().map(letter).collect();
    let words: Vec<&str> = words.split_whitespace().collect();
    match words.is_empty() {
        true => "holder".to_owned(),
        false => words.join("-").chars().take(40).collect(),
    }
}

/// Collects files of signatures by anybody of `quorums`.
///
/// # Errors
/// The failure names the file that is not what it should be.
pub fn collect(
    proposal: &v1::Signed,
    files: &[PathBuf],
    quorums: &[Quorum],
) -> Result<Collection, Failure> {
    let keys: Vec<VerifyingKey> = quorums.iter().flat_map(Quorum::keys).collect();
    let mut collection = Collection::new(proposal);
    for path in files {
        let bytes = files::read(path, limits::SIGNED_BYTES_MAX)?;
        collection.add(&bytes, &keys).map_err(|error| {
            let what = format!("{} does not count", path.display());
            Failure::new(error.into(), what)
                .because(&error)
                .advise("Ask its holder to sign this very proposal, then leave the old file out")
        })?;
    }
    Ok(collection)
}

/// How many signatures are missing, of all quorums together; zero: complete.
pub fn missing(collection: &Collection, quorums: &[Quorum]) -> usize {
    let each = quorums.iter().map(|quorum| quorum.missing(collection));
    each.max().unwrap_or(0)
}

/// Prints who has signed and how many are missing.
pub fn print(collection: &Collection, quorums: &[Quorum]) {
    for quorum in quorums {
        let need = format!("{} of {}", quorum.threshold, quorum.voters.len());
        output::data(format_args!("{}: {need} must agree", quorum.what));
        for voter in &quorum.voters {
            let state = match collection.has(&voter.key) {
                true => "signed",
                false => "-",
            };
            output::data(format_args!("  {state:<8} {}", output::clean(&voter.name)));
        }
        match quorum.missing(collection) {
            0 => output::data("  enough"),
            missing => output::data(format_args!("  {missing} more must sign")),
        }
    }
}

/// The same as JSON.
pub fn to_json(collection: &Collection, quorums: &[Quorum]) -> Value {
    let quorums = quorums.iter().map(|quorum| {
        let (signed, open): (Vec<&Voter>, Vec<&Voter>) = quorum
            .voters
            .iter()
            .partition(|voter| collection.has(&voter.key));
        let names = |voters: Vec<&Voter>| -> Vec<String> {
            voters.into_iter().map(|voter| voter.name.clone()).collect()
        };
        json!({
            "what": quorum.what, "threshold": quorum.threshold, "signed": names(signed),
            "not_signed": names(open), "missing": quorum.missing(collection),
        })
    });
    Value::Array(quorums.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_makes_a_file_name() {
        assert_eq!(slug("Ana López / ES"), "ana-lópez-es");
        assert_eq!(slug("../.."), "holder");
    }
}
