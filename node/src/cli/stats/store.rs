//! What a member keeps of its figures: the secret that noise comes from, and every table it has made.

use std::path::PathBuf;

use frex_client::{
    casework::statistics::{self, NoiseKey, Period, Signed},
    environment::Random,
    keys::MemberHome,
};
use frex_proto::{error::WireCode, limits};
use rand_core::Rng;

use crate::cli::{
    failure::{Failure, OrCode, OrFail},
    files,
};

/// Below the member's folder.
const FOLDER: &str = "statistics";
const NOISE_KEY: &str = "noise.key";
const TABLES: &str = "tables";
const ROUNDS: &str = "rounds";
/// How files of tables end.
const EXTENSION: &str = "frexstats";

/// The folder, made if it is not there.
pub(super) fn folder(home: &MemberHome) -> Result<PathBuf, Failure> {
    let folder = home.dir().join(FOLDER);
    files::ensure_folder(&folder)?;
    Ok(folder)
}

/// The folder of one round.
pub(super) fn round(home: &MemberHome, id: &str) -> Result<PathBuf, Failure> {
    let rounds = folder(home)?.join(ROUNDS);
    files::ensure_folder(&rounds)?;
    let round = rounds.join(id);
    files::ensure_folder(&round)?;
    Ok(round)
}

/// The secret that noise comes from, made with the first table.
pub(super) fn noise_key(home: &MemberHome) -> Result<NoiseKey, Failure> {
    if let Some(key) = kept_key(home)? {
        return Ok(key);
    }
    let mut secret = [0; 32];
    Random::System.rng().fill_bytes(&mut secret);
    let path = folder(home)?.join(NOISE_KEY);
    files::write_new(&path, format!("{}\n", hex::encode(secret)).as_bytes())?;
    Ok(NoiseKey::new(secret))
}

/// The secret, if there is one. One that is lost is not made anew silently: other noise for the same
/// reports would let others take the mean of both.
pub(super) fn kept_key(home: &MemberHome) -> Result<Option<NoiseKey>, Failure> {
    let path = home.dir().join(FOLDER).join(NOISE_KEY);
    let damaged = || format!("{} is damaged", path.display());
    if path.exists() {
        let text = files::read(&path, 128)?;
        let text = String::from_utf8(text).or_code(WireCode::KeyUnusable, damaged())?;
        let bytes = hex::decode(text.trim()).or_code(WireCode::KeyUnusable, damaged())?;
        let secret = bytes.try_into();
        let secret = secret.map_err(|_| Failure::new(WireCode::KeyUnusable, damaged()))?;
        return Ok(Some(NoiseKey::new(secret)));
    }
    if !tables(home)?.is_empty() {
        let what = format!(
            "{} is missing, though tables were made with it",
            path.display()
        );
        return Err(Failure::new(WireCode::NotHeld, what).advise(
            "Bring it back from a backup: with other noise, published figures could be averaged",
        ));
    }
    Ok(None)
}

/// Every table that was made here, oldest first.
pub(super) fn tables(home: &MemberHome) -> Result<Vec<Signed>, Failure> {
    let folder = home.dir().join(FOLDER).join(TABLES);
    let mut tables = Vec::new();
    for path in files::with_extension(&folder, EXTENSION)? {
        let bytes = files::read(&path, limits::STATISTICS_BYTES_MAX)?;
        let read = statistics::parse(&bytes);
        tables.push(read.or_fail(format_args!("{} is damaged", path.display()))?);
    }
    tables.sort_by_key(|one| (one.table.as_of_ms, one.table.revision));
    Ok(tables)
}

/// Keeps a table for good: the next one has to agree with it.
pub(super) fn keep(home: &MemberHome, made: &Signed, bytes: &[u8]) -> Result<(), Failure> {
    let folder = folder(home)?.join(TABLES);
    files::ensure_folder(&folder)?;
    let sha256 = hex::encode(&made.sha256[..8]);
    let name = format!(
        "{}-{:04}-{sha256}.{EXTENSION}",
        made.table.definition_id, made.table.revision
    );
    files::replace(&folder.join(name), bytes)
}

/// The newest table of this period; one of a period that overlaps it otherwise is a reason to refuse.
/// Spec: STA-6.
pub(super) fn before<'a>(
    tables: &'a [Signed],
    definition: &str,
    period: &Period,
    zone: &str,
) -> Result<Option<&'a Signed>, Failure> {
    let mut newest = None;
    for one in tables
        .iter()
        .filter(|one| one.table.definition_id == definition)
    {
        let of = Period::between(&one.table.first_month, &one.table.last_month);
        let of = of.or_fail("a table that is kept is damaged")?;
        if of == *period && one.table.zone == zone {
            newest = Some(one);
        } else if of.overlaps(period) {
            let what = format!(
                "these months overlap a table that was made before, of {of} in {}",
                one.table.zone
            );
            return Err(Failure::new(WireCode::Discloses, what)
                .cause("the difference of two periods is a third, of which nobody has hidden what is small")
                .advise(format!("Count the same months again, as a revision: --period {of} --zone {}", one.table.zone)));
        }
    }
    Ok(newest)
}
