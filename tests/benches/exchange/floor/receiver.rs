//! The receiving process.

use std::{
    net::Ipv4Addr,
    path::Path,
    sync::{Arc, mpsc},
    thread,
};

use anyhow::{Context, ensure};
use bytes::{Bytes, BytesMut};
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use frex_client::transport::udp_socket;
use frex_proto::label::Hash;
use frex_tests::{bench::roles, pinned_tls};
use quinn::{Endpoint, RecvStream, SendStream, ServerConfig, TokioRuntime};
use tokio::sync::mpsc as async_mpsc;

use super::{
    SIGNATURE_BYTES, WRAP_BYTES, endpoint_config, log_key, receipts, receiver_tls_key, runtime,
    seal::digest,
    sender_key, sender_tls_key,
    store::Store,
    transport,
    tree::{Tree, follow_path, leaf_hash, verify_path},
};
use crate::case::Case;

pub const FILE: &str = "floor-receiver";
const COMMIT_MAX: usize = 256;

/// Says its port on standard output and serves one connection until the parent ends it.
pub fn main(case: &Case, directory: &Path) -> anyhow::Result<()> {
    roles::end_with_parent();
    let commit = Commit {
        tree: Tree::default(),
        key: log_key(),
        store: Store::open(&directory.join(FILE))?,
    };
    runtime()?.block_on(async {
        let tls = pinned_tls::server(&receiver_tls_key(), &sender_tls_key())?;
        let mut server = ServerConfig::with_crypto(Arc::new(tls));
        server.transport_config(transport());
        let socket = udp_socket((Ipv4Addr::LOCALHOST, 0).into())?;
        let runtime = Arc::new(TokioRuntime);
        let endpoint = Endpoint::new(endpoint_config()?, Some(server), socket, runtime)?;
        println!("{}", endpoint.local_addr()?.port());
        let connection = endpoint.accept().await.context("closed")?.await?;
        let (send, receive) = connection.accept_bi().await?;
        if case.concurrency == 1 {
            inline(commit, send, receive).await
        } else {
            threaded(commit, send, receive).await
        }
    })
}

/// One envelope at a time: no thread is worth waking.
async fn inline(
    mut commit: Commit,
    mut send: SendStream,
    mut receive: RecvStream,
) -> anyhow::Result<()> {
    let mut check = Check::new();
    let mut chunks = chunk_buffers();
    while let Some(read) = receive.read_chunks(&mut chunks).await? {
        let accepted = check.take(chunks.iter_mut().take(read))?;
        if !accepted.is_empty() {
            send.write_chunk(commit.commit(&accepted)?).await?;
        }
    }
    Ok(())
}

/// Transport here, checking on one thread, committing on another, so that a sync stops neither.
async fn threaded(
    commit: Commit,
    mut send: SendStream,
    mut receive: RecvStream,
) -> anyhow::Result<()> {
    let (arrived, to_check) = mpsc::channel::<Vec<Bytes>>();
    let (checked, to_commit) = mpsc::channel();
    let (done, mut to_send) = async_mpsc::unbounded_channel();
    thread::spawn(move || check_all(&to_check, &checked));
    thread::spawn(move || commit_all(commit, &to_commit, &done));
    let reading = async {
        let mut chunks = chunk_buffers();
        while let Some(read) = receive.read_chunks(&mut chunks).await? {
            arrived.send(chunks.iter_mut().take(read).map(std::mem::take).collect())?;
        }
        anyhow::Ok(())
    };
    let writing = async {
        while let Some(frame) = to_send.recv().await {
            send.write_chunk(frame).await?;
        }
        anyhow::Ok(())
    };
    tokio::try_join!(reading, writing)?;
    Ok(())
}

fn check_all(arrived: &mpsc::Receiver<Vec<Bytes>>, checked: &mpsc::Sender<Accepted>) {
    let mut check = Check::new();
    while let Ok(mut chunks) = arrived.recv() {
        let accepted = check.take(chunks.iter_mut()).expect("the sender is honest");
        for one in accepted {
            if checked.send(one).is_err() {
                return;
            }
        }
    }
}

fn commit_all(
    mut commit: Commit,
    checked: &mpsc::Receiver<Accepted>,
    done: &async_mpsc::UnboundedSender<Bytes>,
) {
    while let Ok(first) = checked.recv() {
        let mut batch = vec![first];
        batch.extend(checked.try_iter().take(COMMIT_MAX - 1));
        let frame = commit
            .commit(&batch)
            .expect("the disk of a benchmark works");
        if done.send(frame).is_err() {
            return;
        }
    }
}

pub fn chunk_buffers() -> Vec<Bytes> {
    vec![Bytes::new(); 64]
}

/// An envelope whose signature and hash hold.
struct Accepted {
    sequence: u64,
    digest: Hash,
    frame: Bytes,
}

struct Check {
    key: VerifyingKey,
    arrived: BytesMut,
    /// The last batch root whose signature was verified.
    verified: Option<(Hash, [u8; SIGNATURE_BYTES])>,
}

impl Check {
    fn new() -> Self {
        Self {
            key: sender_key().verifying_key(),
            arrived: BytesMut::new(),
            verified: None,
        }
    }

    fn take<'a>(
        &mut self,
        chunks: impl Iterator<Item = &'a mut Bytes>,
    ) -> anyhow::Result<Vec<Accepted>> {
        let mut accepted = Vec::new();
        for chunk in chunks {
            self.arrived.extend_from_slice(&std::mem::take(chunk));
            while let Some(frame) = receipts::next_frame(&mut self.arrived) {
                accepted.push(self.one(&frame.freeze())?);
            }
        }
        Ok(accepted)
    }

    fn one(&mut self, frame: &Bytes) -> anyhow::Result<Accepted> {
        let (sequence, rest) = frame.split_first_chunk().context("short")?;
        let (wrap, rest) = rest.split_first_chunk::<WRAP_BYTES>().context("short")?;
        let (rest, [index, size, hashes]) = rest.split_last_chunk().context("short")?;
        let (rest, signature) = rest.split_last_chunk().context("short")?;
        let body = rest.len().checked_sub(usize::from(*hashes) * 32);
        let (body, path) = rest.split_at(body.context("short")?);
        let digest = digest(wrap, body);
        if *size == 1 && path.is_empty() {
            self.key
                .verify_strict(&digest, &Signature::from_bytes(signature))?;
        } else {
            self.batch(&digest, *index, *size, path.as_chunks().0, signature)?;
        }
        Ok(Accepted {
            sequence: u64::from_be_bytes(*sequence),
            digest,
            frame: frame.clone(),
        })
    }

    /// The path is followed for each envelope, the root's signature verified once.
    fn batch(
        &mut self,
        digest: &Hash,
        index: u8,
        size: u8,
        path: &[Hash],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> anyhow::Result<()> {
        let leaf = leaf_hash(digest);
        if let Some((root, verified)) = &self.verified
            && verified == signature
        {
            let holds = verify_path(leaf, index.into(), size.into(), path, root);
            ensure!(holds, "a false path");
            return Ok(());
        }
        let root = follow_path(leaf, index.into(), size.into(), path).context("a false path")?;
        self.key
            .verify_strict(&root, &Signature::from_bytes(signature))?;
        self.verified = Some((root, *signature));
        Ok(())
    }
}

struct Commit {
    tree: Tree,
    key: SigningKey,
    store: Store,
}

impl Commit {
    /// Writes and syncs a batch, and only then signs for it.
    fn commit(&mut self, batch: &[Accepted]) -> anyhow::Result<Bytes> {
        let first = self.tree.len();
        for accepted in batch {
            self.store.append(&accepted.frame)?;
            self.tree.push(leaf_hash(&accepted.digest));
        }
        self.store.sync()?;
        let sequences: Vec<u64> = batch.iter().map(|accepted| accepted.sequence).collect();
        let edge = self.tree.edge();
        Ok(receipts::write(
            &self.tree, &edge, &self.key, first, &sequences,
        ))
    }
}
