//! The sending process.

use std::{
    net::Ipv4Addr,
    path::Path,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Instant,
};

use anyhow::Context;
use bytes::{Bytes, BytesMut};
use ed25519_dalek::VerifyingKey;
use frex_client::transport::udp_socket;
use frex_proto::label::Hash;
use frex_tests::{bench::roles, pinned_tls};
use quinn::{ClientConfig, Connection, Endpoint, RecvStream, SendStream, TokioRuntime};
use tokio::sync::mpsc as async_mpsc;

use super::{
    endpoint_config, log_key, receipts,
    receiver::chunk_buffers,
    receiver_tls_key, runtime,
    seal::{Sealed, Sealer},
    sender_tls_key,
    store::Store,
    transport,
};
use crate::{case::Case, measure::Meter};

pub const FILE: &str = "floor-sender";
const SEALING_THREADS: usize = 2;
const FRAMES_PER_WRITE_MAX: usize = 64;

/// Sends for the case's time, prints its figures and ends.
pub fn main(case: &Case, directory: &Path, port: u16, receiver: u32) -> anyhow::Result<()> {
    roles::end_with_parent();
    let flight = Arc::new(Flight::new(case));
    let book = Book {
        key: log_key().verifying_key(),
        store: Store::open(&directory.join(FILE))?,
        arrived: BytesMut::new(),
        flight: flight.clone(),
    };
    let measured = (*case, flight.clone());
    thread::spawn(move || {
        let (case, flight) = measured;
        match flight.meter.run(&case, std::process::id(), receiver) {
            Ok(figures) => println!("{}", figures.to_line()),
            Err(error) => eprintln!("{error:#}"),
        }
        std::process::exit(0);
    });
    runtime()?.block_on(async {
        let connection = connect(port).await?;
        let (send, receive) = connection.open_bi().await?;
        if case.concurrency == 1 {
            inline(case, &flight, book, send, receive).await
        } else {
            threaded(case, &flight, book, send, receive).await
        }
    })
}

async fn connect(port: u16) -> anyhow::Result<Connection> {
    let tls = pinned_tls::client(&sender_tls_key(), &receiver_tls_key())?;
    let mut client = ClientConfig::new(Arc::new(tls));
    client.transport_config(transport());
    let socket = udp_socket((Ipv4Addr::LOCALHOST, 0).into())?;
    let endpoint = Endpoint::new(endpoint_config()?, None, socket, Arc::new(TokioRuntime))?;
    let address = (Ipv4Addr::LOCALHOST, port).into();
    Ok(endpoint.connect_with(client, address, "peer")?.await?)
}

/// One envelope at a time: no thread is worth waking.
async fn inline(
    case: &Case,
    flight: &Flight,
    mut book: Book,
    mut send: SendStream,
    mut receive: RecvStream,
) -> anyhow::Result<()> {
    let mut sealer = Sealer::new(case)?;
    let mut chunks = chunk_buffers();
    loop {
        let one = flight.wait(1);
        for sealed in flight.seal(&mut sealer, one)? {
            send.write_chunk(sealed.frame).await?;
        }
        while flight.free() == 0 {
            let read = receive.read_chunks(&mut chunks).await?.context("closed")?;
            book.take(chunks.iter_mut().take(read))?;
        }
    }
}

/// Transport here, sealing on two threads, receipts on one.
async fn threaded(
    case: &Case,
    flight: &Arc<Flight>,
    mut book: Book,
    mut send: SendStream,
    mut receive: RecvStream,
) -> anyhow::Result<()> {
    let (sealed, mut to_send) = async_mpsc::unbounded_channel();
    for _ in 0..SEALING_THREADS {
        let (flight, sealed, case) = (flight.clone(), sealed.clone(), *case);
        thread::spawn(move || seal_all(&case, &flight, &sealed));
    }
    let (arrived, to_book) = mpsc::channel::<Vec<Bytes>>();
    thread::spawn(move || {
        while let Ok(mut chunks) = to_book.recv() {
            chunks.extend(to_book.try_iter().flatten());
            book.take(chunks.iter_mut())
                .expect("the receiver is honest");
        }
    });
    let writing = async {
        let mut frames = Vec::new();
        while to_send.recv_many(&mut frames, FRAMES_PER_WRITE_MAX).await > 0 {
            send.write_all_chunks(&mut frames).await?;
            frames.clear();
        }
        anyhow::Ok(())
    };
    let reading = async {
        let mut chunks = chunk_buffers();
        while let Some(read) = receive.read_chunks(&mut chunks).await? {
            arrived.send(chunks.iter_mut().take(read).map(std::mem::take).collect())?;
        }
        anyhow::Ok(())
    };
    tokio::try_join!(writing, reading)?;
    Ok(())
}

fn seal_all(case: &Case, flight: &Flight, sealed: &async_mpsc::UnboundedSender<Bytes>) {
    let mut sealer = Sealer::new(case).expect("the system gives randomness");
    loop {
        let count = flight.wait(case.batch_max());
        let batch = flight.seal(&mut sealer, count).expect("a fixed key seals");
        for Sealed { frame, .. } in batch {
            if sealed.send(frame).is_err() {
                return;
            }
        }
    }
}

/// What is between seal and receipt.
struct Flight {
    free: Mutex<usize>,
    freed: Condvar,
    next: AtomicU64,
    slots: Vec<Mutex<Slot>>,
    meter: Meter,
}

#[derive(Clone, Copy)]
struct Slot {
    start: Instant,
    digest: Hash,
}

impl Flight {
    fn new(case: &Case) -> Self {
        let empty = Slot {
            start: Instant::now(),
            digest: [0; 32],
        };
        // Numbers are given out in order but complete in any: twice the concurrency is not
        // enough for a straggler, sixteen times is.
        let slots = (16 * case.concurrency).max(1024);
        Self {
            free: Mutex::new(case.concurrency),
            freed: Condvar::new(),
            next: AtomicU64::new(0),
            slots: (0..slots).map(|_| Mutex::new(empty)).collect(),
            meter: Meter::new(),
        }
    }

    fn free(&self) -> usize {
        *self.free.lock().expect("no thread panics with it")
    }

    /// Takes up to `most` free places, waiting for at least one.
    fn wait(&self, most: usize) -> usize {
        let free = self.free.lock().expect("no thread panics with it");
        let mut free = self
            .freed
            .wait_while(free, |free| *free == 0)
            .expect("no thread panics with it");
        let taken = most.min(*free);
        *free -= taken;
        taken
    }

    fn release(&self, count: usize) {
        *self.free.lock().expect("no thread panics with it") += count;
        self.freed.notify_all();
    }

    fn slot(&self, sequence: u64) -> &Mutex<Slot> {
        let place = sequence % self.slots.len() as u64;
        &self.slots[usize::try_from(place).expect("below the number of slots")]
    }

    fn seal(&self, sealer: &mut Sealer, count: usize) -> anyhow::Result<Vec<Sealed>> {
        let start = Instant::now();
        let first = self.next.fetch_add(count as u64, Ordering::Relaxed);
        let batch = sealer.seal(first, count)?;
        for sealed in &batch {
            let mut slot = self
                .slot(sealed.sequence)
                .lock()
                .expect("no thread panics with it");
            *slot = Slot {
                start,
                digest: sealed.digest,
            };
        }
        Ok(batch)
    }
}

/// Verifies and keeps receipts.
struct Book {
    key: VerifyingKey,
    store: Store,
    arrived: BytesMut,
    flight: Arc<Flight>,
}

impl Book {
    /// Whole frames among what has arrived become durable with one sync.
    fn take<'a>(&mut self, chunks: impl Iterator<Item = &'a mut Bytes>) -> anyhow::Result<()> {
        for chunk in chunks {
            self.arrived.extend_from_slice(&std::mem::take(chunk));
        }
        let mut starts = Vec::new();
        let flight = &self.flight;
        let slot = |sequence| {
            *flight
                .slot(sequence)
                .lock()
                .expect("no thread panics with it")
        };
        while let Some(frame) = receipts::next_frame(&mut self.arrived) {
            let frame = frame.freeze();
            self.store.append(&frame)?;
            let digest_of = |sequence| slot(sequence).digest;
            receipts::verify(frame, &self.key, digest_of, |sequence| {
                starts.push(slot(sequence).start);
            })?;
        }
        if starts.is_empty() {
            return Ok(());
        }
        self.store.sync()?;
        self.flight.meter.complete(starts.iter().copied());
        self.flight.release(starts.len());
        Ok(())
    }
}
