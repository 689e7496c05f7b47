//! The settings, and what they say.

use frex_proto::limits;

use super::{Desk, Settings, Store, StoreError};
use crate::keys::file;

const SETTINGS_BYTES_MAX: u64 = 256 * 1024;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

impl Default for Settings {
    fn default() -> Self {
        Self {
            epoch_days: 7,
            items_per_day: 256,
            items_per_day_all: 4096,
            serve: vec!["*".to_owned()],
            quota: std::collections::BTreeMap::new(),
            desk: std::collections::BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Whether this member is answered.
    #[must_use]
    pub fn serves(&self, member: &str) -> bool {
        self.serve.iter().any(|one| one == "*" || one == member)
    }

    /// Identifiers that this member may ask for within 24 hours.
    #[must_use]
    pub fn quota_of(&self, member: &str) -> u32 {
        self.quota
            .get(member)
            .copied()
            .unwrap_or(self.items_per_day)
    }

    /// Life of an epoch, milliseconds.
    #[must_use]
    pub fn epoch_ms(&self) -> u64 {
        u64::from(self.epoch_days).saturating_mul(DAY_MS)
    }

    fn check(&self) -> Result<(), String> {
        if !(1..=limits::EPOCH_MS_MAX).contains(&self.epoch_ms()) {
            return Err("epoch_days is 1 to 31".to_owned());
        }
        if self.desk.len() > limits::BOOK_DESKS_MAX {
            return Err("there are more than 64 desks".to_owned());
        }
        for (name, desk) in &self.desk {
            check_desk(name, desk)?;
        }
        Ok(())
    }
}

fn check_desk(name: &str, desk: &Desk) -> Result<(), String> {
    let letters = name.bytes().all(|byte| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
    });
    if !letters || !(1..=32).contains(&name.len()) {
        return Err("a desk's short name is 1 to 32 of a-z, 0-9, - and _".to_owned());
    }
    if desk.email.is_empty() && desk.phone.is_empty() {
        return Err(format!("desk {name} has neither e-mail nor phone"));
    }
    let length = prost::Message::encoded_len(&super::DeconflictDesk::from(desk));
    match length <= limits::DESK_BYTES_MAX {
        true => Ok(()),
        false => Err(format!("desk {name} says more than 494 bytes hold")),
    }
}

impl Store {
    /// The settings; what is not written is as it is by default.
    ///
    /// # Errors
    /// [`StoreError::Settings`].
    pub fn settings(&self) -> Result<Settings, StoreError> {
        let path = self.settings_path();
        if !path.exists() {
            return Ok(Settings::default());
        }
        let bytes = file::read_capped(&path, SETTINGS_BYTES_MAX, "settings file")?;
        let bad = |reason: String| StoreError::Settings {
            path: path.clone(),
            reason,
        };
        let settings: Settings =
            toml::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
        settings.check().map_err(bad)?;
        Ok(settings)
    }

    /// Writes the settings anew.
    ///
    /// # Errors
    /// [`StoreError::Settings`].
    pub fn write_settings(&self, settings: &Settings) -> Result<(), StoreError> {
        let path = self.settings_path();
        let bad = |reason: String| StoreError::Settings {
            path: path.clone(),
            reason,
        };
        settings.check().map_err(bad)?;
        let text = toml::to_string(settings).map_err(|error| bad(error.to_string()))?;
        file::create_private_dir(self.dir())?;
        Ok(file::replace(&path, text.as_bytes())?)
    }
}
