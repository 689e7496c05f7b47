//! A node's settings: `frex.toml`, read strictly.
//!
//! An unknown key is an error, so that a misspelt setting is noticed and not ignored. Everything
//! but the node's id has a default that fits a node of one organisation.

use std::{fmt, net::SocketAddr};

use frex_proto::{error::WireCode, id, limits};
use serde::Deserialize;

use self::retention::{RETENTION, Retention};
use crate::witness::outside::{OUTSIDE_MAX, OutsideConfig};

pub mod retention;

const MIB: u64 = 1024 * 1024;
/// A segment must hold the largest block with room to spare.
const SEGMENT_BYTES_MIN: u64 = 4 * MIB;
const SEGMENT_BYTES_MAX: u64 = 4096 * MIB - 1;
/// One request for each of urgent, normal and bulk.
const REQUESTS_MIN: usize = 3;

/// The settings of a node.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// This node's id, as the roster lists it.
    pub node: String,
    /// UDP address on which it takes connections.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Loopback TCP address of metrics and status, if wanted.
    #[serde(default)]
    pub metrics: Option<SocketAddr>,
    /// Size at which a journal segment is full.
    #[serde(default = "default_segment_bytes")]
    pub segment_bytes: u64,
    /// Step in which a segment is filled with zeros ahead of the writer.
    #[serde(default = "default_fill_ahead_bytes")]
    pub fill_ahead_bytes: u64,
    /// How often the published log files and the index follow the journal.
    #[serde(default = "default_publish_interval_ms")]
    pub publish_interval_ms: u64,
    /// Free space below which the node takes nothing new; below one and a half times as much only
    /// what is urgent, below twice as much nothing in bulk.
    #[serde(default = "default_disk_reserve_bytes")]
    pub disk_reserve_bytes: u64,
    /// Threads for signatures and hashes; 0: one per core.
    #[serde(default)]
    pub crypto_threads: usize,
    /// Envelopes of one delivery request.
    #[serde(default = "default_delivery_batch_max")]
    pub delivery_batch_max: usize,
    /// Requests of one peer that are worked on at once.
    #[serde(default = "default_requests_in_flight_max")]
    pub requests_in_flight_max: usize,
    /// The secret keys come from the service manager and not from the folder.
    #[serde(default)]
    pub keys_from_credentials: bool,
    /// For how long the log may wait for its witnesses before nothing normal is taken; after a
    /// quarter of that, nothing in bulk. 0: for ever.
    #[serde(default = "default_unwitnessed_max_s")]
    pub unwitnessed_max_s: u64,
    /// Loopback TCP address at which this node witnesses whatever log of the roster is brought to it by
    /// HTTP, if wanted.
    #[serde(default)]
    pub witness_listen: Option<SocketAddr>,
    /// Witnesses outside of the federation that the log is brought to.
    #[serde(default)]
    pub outside_witnesses: Vec<OutsideConfig>,
    /// A program and its arguments, run when something needs a person (DEL-45); empty: none.
    #[serde(default)]
    pub alert_command: Vec<String>,
    /// For how long what the node keeps of messages is kept.
    #[serde(default)]
    pub retention: Retention,
}

/// A setting, whether it is in order, and what it must be.
type Rule = (&'static str, bool, &'static str);

/// Why settings cannot be used. The operator must act.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not TOML, an unknown key, or a value of another type. The text names line and key.
    #[error("{0}")]
    Syntax(String),
    /// A value that no node can run with.
    #[error("{key}: {why}")]
    Value {
        /// The setting.
        key: &'static str,
        /// What it must be.
        why: &'static str,
    },
}

impl From<ConfigError> for WireCode {
    fn from(_: ConfigError) -> Self {
        Self::BadConfig
    }
}

impl NodeConfig {
    /// The defaults for a node of this id.
    #[must_use]
    pub fn new(node: &str) -> Self {
        Self {
            node: node.to_owned(),
            listen: default_listen(),
            metrics: None,
            segment_bytes: default_segment_bytes(),
            fill_ahead_bytes: default_fill_ahead_bytes(),
            publish_interval_ms: default_publish_interval_ms(),
            disk_reserve_bytes: default_disk_reserve_bytes(),
            crypto_threads: 0,
            delivery_batch_max: default_delivery_batch_max(),
            requests_in_flight_max: default_requests_in_flight_max(),
            keys_from_credentials: false,
            unwitnessed_max_s: default_unwitnessed_max_s(),
            witness_listen: None,
            outside_witnesses: Vec::new(),
            alert_command: Vec::new(),
            retention: Retention::default(),
        }
    }

    /// Reads settings and checks every value.
    ///
    /// # Errors
    /// [`ConfigError`] names the line or the setting.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)
            .map_err(|error| ConfigError::Syntax(error.to_string().trim_end().to_owned()))?;
        config.check()?;
        Ok(config)
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`ConfigError::Value`].
    pub fn check(&self) -> Result<(), ConfigError> {
        let rules = [
            (
                "segment_bytes",
                (SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&self.segment_bytes),
                "must be from 4 MiB to below 4 GiB",
            ),
            (
                "fill_ahead_bytes",
                (4096..=self.segment_bytes).contains(&self.fill_ahead_bytes),
                "must be from 4096 to segment_bytes",
            ),
            (
                "publish_interval_ms",
                (10..=60_000).contains(&self.publish_interval_ms),
                "must be from 10 to 60000",
            ),
            (
                "crypto_threads",
                self.crypto_threads <= 256,
                "must be at most 256",
            ),
            (
                "delivery_batch_max",
                (1..=limits::BATCH_ENVELOPES_MAX).contains(&self.delivery_batch_max),
                "must be from 1 to 64",
            ),
            (
                "requests_in_flight_max",
                (REQUESTS_MIN..=1024).contains(&self.requests_in_flight_max),
                "must be from 3 to 1024: one is kept for urgent and one for bulk",
            ),
            (
                "alert_command",
                self.alert_command
                    .first()
                    .is_none_or(|program| !program.is_empty()),
                "must begin with a program",
            ),
        ];
        let rules = self.names().into_iter().chain(rules);
        match rules.into_iter().find(|(_, holds, _)| !holds) {
            Some((key, _, why)) => Err(ConfigError::Value { key, why }),
            None => Ok(()),
        }
    }

    /// What must hold of names and addresses.
    fn names(&self) -> [Rule; 6] {
        let outside = self.outside_witnesses.iter();
        let unread = outside.filter_map(|outside| outside.read().err()).next();
        [
            (
                "witness_listen",
                self.witness_listen
                    .is_none_or(|address| address.ip().is_loopback()),
                "must be a loopback address: a proxy of yours carries it further",
            ),
            (
                "outside_witnesses",
                self.outside_witnesses.len() <= OUTSIDE_MAX,
                "must be at most 8",
            ),
            (
                "outside_witnesses",
                unread.is_none(),
                unread.unwrap_or_default(),
            ),
            (
                "node",
                id::check_name(&self.node).is_ok(),
                "must be 1 to 64 of a-z, 0-9, . and -",
            ),
            (
                "metrics",
                self.metrics
                    .is_none_or(|address| address.ip().is_loopback()),
                "must be a loopback address: it is not protected",
            ),
            (
                "retention.authority",
                self.retention.is_sound(),
                "must be a code of 1 to 64 of A-Z, a-z, 0-9, . _ : / -",
            ),
        ]
    }

    /// Who witnesses, and who is told: the last part of the file, for it ends in tables.
    fn write_watch(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let comment = if self.alert_command.is_empty() {
            "# "
        } else {
            ""
        };
        let alert_command = toml::Value::from(self.alert_command.clone());
        write!(
            f,
            r#"# Loopback address at which this node cosigns, by the HTTP of C2SP tlog-witness, whatever log of the
# roster is brought to it. Without it there is none.
# witness_listen = "127.0.0.1:7481"

# Program and arguments that are run when something needs a person, with FREX_ALERT, FREX_NODE,
# FREX_LANE and FREX_COUNT in its environment. FREX_ALERT is half-life (something undelivered has
# come to half of its life), unwitnessed (lanes that are refused for lack of witnesses), log-doubted
# or log-forked (a log that does not extend what it has shown, or has signed two histories).
{comment}alert_command = {alert_command}

# Witnesses outside of the federation, each as a local proxy offers it. What they cosign is published
# as `cosigned` beside `checkpoint`; final is what the roster's witnesses cosign. One that signs by
# ML-DSA-44 too has a second vkey, behind \n in the same text: then both must sign.
#     [[outside_witnesses]]
#     url="http://127.0.0.1:8480/"
#     vkey="witness.example/w1+0123abcd+BA…"
"#
        )
    }
}

/// The settings as a commented file, as `frex init` writes it.
impl fmt::Display for NodeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metrics = match self.metrics {
            Some(address) => format!("metrics = \"{address}\""),
            None => "# metrics = \"127.0.0.1:7480\"".to_owned(),
        };
        let Self {
            node,
            listen,
            segment_bytes,
            fill_ahead_bytes,
            publish_interval_ms,
            disk_reserve_bytes,
            crypto_threads,
            delivery_batch_max,
            requests_in_flight_max,
            keys_from_credentials,
            unwitnessed_max_s,
            ..
        } = self;
        write!(
            f,
            r#"# Settings of a FREX node. Lines that are commented out show the default.
# A key that is not known is an error.

# This node's id, as the roster lists it. Do not change it: the log is named after it.
node = "{node}"

# UDP address on which the node takes connections.
listen = "{listen}"

# Loopback address for /metrics (Prometheus), /status and /healthz. Without it there are none.
{metrics}

# Size of a journal segment, and the step in which it is filled with zeros ahead, bytes.
# segment_bytes = {segment_bytes}
# fill_ahead_bytes = {fill_ahead_bytes}

# How often the published log files and the index follow the journal, milliseconds.
# publish_interval_ms = {publish_interval_ms}

# Free bytes on disk below which nothing new is accepted. Below twice as much nothing is accepted
# in the bulk lane, below one and a half times as much only what is urgent.
# disk_reserve_bytes = {disk_reserve_bytes}

# Seconds for which the log may wait for its witnesses (frex doctor): after a quarter of it nothing
# is accepted in the bulk lane, after all of it only what is urgent. 0: for ever.
# unwitnessed_max_s = {unwitnessed_max_s}

# Threads for signatures and hashes. 0: one per core.
# crypto_threads = {crypto_threads}

# Envelopes of one delivery request (1 to 64), and requests of one peer worked on at once.
# delivery_batch_max = {delivery_batch_max}
# requests_in_flight_max = {requests_in_flight_max}

# Keys come from the service manager ($CREDENTIALS_DIRECTORY/frex-node-tls.key and
# frex-node-log.key), not from the folder.
# keys_from_credentials = {keys_from_credentials}

"#
        )?;
        self.write_watch(f)?;
        f.write_str(RETENTION)
    }
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7443))
}

const fn default_segment_bytes() -> u64 {
    64 * MIB
}

const fn default_fill_ahead_bytes() -> u64 {
    4 * MIB
}

const fn default_publish_interval_ms() -> u64 {
    1000
}

const fn default_disk_reserve_bytes() -> u64 {
    64 * MIB
}

const fn default_unwitnessed_max_s() -> u64 {
    24 * 60 * 60
}

const fn default_delivery_batch_max() -> usize {
    limits::BATCH_ENVELOPES_MAX
}

const fn default_requests_in_flight_max() -> usize {
    64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_init_writes_reads_back_as_the_same_settings() {
        let mut config = NodeConfig::new("node.fr");
        assert_eq!(NodeConfig::parse(&config.to_string()), Ok(config.clone()));
        config.metrics = Some(SocketAddr::from(([127, 0, 0, 1], 7480)));
        config.alert_command = vec!["/usr/bin/page".to_owned(), "say \"hello\"".to_owned()];
        assert_eq!(NodeConfig::parse(&config.to_string()), Ok(config));
    }

    #[test]
    fn a_commented_default_is_the_default_in_force() {
        let config = NodeConfig::new("node.fr");
        let uncommented: String = config
            .to_string()
            .lines()
            .map(|line| {
                line.strip_prefix("# ")
                    .filter(|rest| rest.contains(" = "))
                    .unwrap_or(line)
            })
            .filter(|line| !line.starts_with("metrics") && !line.starts_with("witness_listen"))
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(NodeConfig::parse(&uncommented), Ok(config));
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_name_and_line() {
        let error = NodeConfig::parse("node = \"n\"\nlisten_on = 1\n").expect_err("unknown key");
        let text = error.to_string();
        assert!(
            text.contains("listen_on") && text.contains("line 2"),
            "{text}"
        );
    }

    #[test]
    fn each_impossible_value_is_refused_by_its_key() {
        for (line, key) in [
            ("node = \"N\"", "node"),
            ("node = \"n\"\nmetrics = \"0.0.0.0:1\"", "metrics"),
            ("node = \"n\"\nsegment_bytes = 1", "segment_bytes"),
            ("node = \"n\"\nfill_ahead_bytes = 1", "fill_ahead_bytes"),
            (
                "node = \"n\"\npublish_interval_ms = 0",
                "publish_interval_ms",
            ),
            ("node = \"n\"\ncrypto_threads = 257", "crypto_threads"),
            (
                "node = \"n\"\ndelivery_batch_max = 65",
                "delivery_batch_max",
            ),
            (
                "node = \"n\"\nrequests_in_flight_max = 2",
                "requests_in_flight_max",
            ),
            ("node = \"n\"\nalert_command = [\"\"]", "alert_command"),
        ] {
            let error = NodeConfig::parse(line).expect_err(key);
            assert!(
                matches!(error, ConfigError::Value { key: found, .. } if found == key),
                "{error}"
            );
        }
    }
}
