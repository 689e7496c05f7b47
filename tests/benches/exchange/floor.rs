//! The floor: what the exchange costs when nothing but its primitives runs.
//!
//! The sender seals a content key to the recipient (HPKE with X-Wing), encrypts the body
//! (AES-256-GCM), hashes it, signs, and sends frames on one pipelined QUIC stream with mutual
//! TLS. The receiver checks signature and hash, writes the frame to a file that was filled with
//! zeros before, syncs once per batch, appends to a Merkle tree, signs its head once per batch
//! and answers with inclusion proofs. The sender verifies those, writes and syncs them. With one
//! envelope in flight each side does all of it on one thread; otherwise cryptography, transport
//! and files have threads of their own. No schema, policy, roster, index or recovery.

use std::{fs::File, os::unix::fs::FileExt, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use ed25519_dalek::SigningKey;
use quinn::{EndpointConfig, MtuDiscoveryConfig, TransportConfig, VarInt};

use frex_tests::bench::roles::Role;

use crate::case::{Case, Figures};

mod receipts;
pub mod receiver;
mod seal;
pub mod sender;
mod store;
mod tree;

/// Encapsulated X-Wing key, then the sealed content key with its tag.
const WRAP_BYTES: usize = 1120 + 48;
const SIGNATURE_BYTES: usize = 64;
/// Length, sequence number and wrap before the body; path, signature and place behind it.
const AROUND_BODY_BYTES_MAX: usize = 4 + 8 + WRAP_BYTES + 6 * 32 + SIGNATURE_BYTES + 3;
const RECEIVER_FILE_BYTES: u64 = 256 * 1024 * 1024;
const SENDER_FILE_BYTES: u64 = 32 * 1024 * 1024;
const WINDOW_BYTES: u32 = 32 * 1024 * 1024;
/// Ten segments of this size still fit the 64 KiB that one send call takes.
const DATAGRAM_BYTES_MAX: u16 = 6000;

/// One receiver and one sender process for one case.
pub fn run(case: &Case, directory: &Path) -> anyhow::Result<Figures> {
    let directory = directory.to_str().context("a path that is not text")?;
    let case = case.to_argument();
    let mut receiver = Role::start("floor-receiver", &[&case, directory])?;
    let port = receiver.line()?;
    let pid = receiver.0.id().to_string();
    let mut sender = Role::start("floor-sender", &[&case, directory, &port, &pid])?;
    Figures::from_line(&sender.line()?)
}

/// Fills the files of both sides with zeros once.
pub fn prepare(directory: &Path) -> anyhow::Result<()> {
    let zeros = vec![0; 1024 * 1024];
    for (name, bytes) in [
        (receiver::FILE, RECEIVER_FILE_BYTES),
        (sender::FILE, SENDER_FILE_BYTES),
    ] {
        let file = File::create(directory.join(name))?;
        for offset in (0..bytes).step_by(zeros.len()) {
            file.write_all_at(&zeros, offset)?;
        }
        file.sync_all()?;
    }
    File::open(directory)?.sync_all()?;
    Ok(())
}

/// Both sides know all keys: a benchmark keeps no secret.
fn key(purpose: u8) -> SigningKey {
    SigningKey::from_bytes(&[purpose; 32])
}

fn sender_tls_key() -> SigningKey {
    key(1)
}

fn receiver_tls_key() -> SigningKey {
    key(2)
}

fn sender_key() -> SigningKey {
    key(3)
}

fn log_key() -> SigningKey {
    key(4)
}

fn transport() -> Arc<TransportConfig> {
    let mut discovery = MtuDiscoveryConfig::default();
    discovery.upper_bound(DATAGRAM_BYTES_MAX);
    let mut config = TransportConfig::default();
    config
        .mtu_discovery_config(Some(discovery))
        .stream_receive_window(VarInt::from_u32(WINDOW_BYTES))
        .receive_window(VarInt::from_u32(WINDOW_BYTES))
        .send_window(WINDOW_BYTES.into())
        .keep_alive_interval(Some(Duration::from_secs(5)));
    Arc::new(config)
}

fn endpoint_config() -> anyhow::Result<EndpointConfig> {
    let mut config = EndpointConfig::default();
    let bounds = config.max_udp_payload_size(DATAGRAM_BYTES_MAX);
    if bounds.is_err() {
        bail!("the datagram size is within QUIC's bounds");
    }
    Ok(config)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_io().enable_time().build()?)
}
