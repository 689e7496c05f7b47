//! Frames on a stream: read within caps and deadlines, written coalesced.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use frex_proto::{
    delivery::LaneClass,
    error::WireCode,
    wire::{self, FrameError, FrameType, HEADER_BYTES},
};
use prost::Message;
use quinn::{ReadError, RecvStream, SendStream};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{
    Frame, TransportError, close_code,
    memory::{Held, Share},
};
use crate::tls::config::LARGE_FRAME_BYTES;

/// Pieces taken from the connection at once: its lock is taken once for all of them.
const CHUNKS_AT_ONCE: usize = 16;
/// Longer payloads are sent from where they are.
const COPIED_BYTES_MAX: usize = 4 * 1024;
/// What every started frame gets, however small.
const FRAME_TIMEOUT: Duration = Duration::from_secs(20);
/// What any request counts for: its task, its stream, and most of those that are small.
const REQUEST_BYTES: usize = 4 * 1024;
/// The slowest progress that is waited for, bytes per second.
const SLOWEST_BYTES_PER_SECOND: usize = 4096;

/// Reads frames. A cancelled read loses nothing: the next one goes on where it stopped.
#[derive(Debug)]
pub struct FrameReader {
    stream: RecvStream,
    buffer: BytesMut,
    large_frames: Arc<Semaphore>,
    broken_off: bool,
    meter: Option<Meter>,
}

/// Counts what a peer's request takes up. Spec: ADM-8.
#[derive(Debug)]
struct Meter {
    held: Held,
    /// Bytes of frames that were read and are kept.
    kept: usize,
    class: LaneClass,
}

impl FrameReader {
    /// Of what is read, nothing is counted without a `share`.
    pub(super) fn new(
        stream: RecvStream,
        large_frames: Arc<Semaphore>,
        share: Option<&Share>,
    ) -> Self {
        let meter = share.map(|share| Meter {
            held: share.nothing(),
            kept: 0,
            // Until it is known, so that urgent requests are heard.
            class: LaneClass::Urgent,
        });
        Self {
            stream,
            buffer: BytesMut::new(),
            large_frames,
            broken_off: false,
            meter,
        }
    }

    /// Whether the peer has given up the request, or finished it, before it was whole.
    #[must_use]
    pub fn was_broken_off(&self) -> bool {
        self.broken_off
    }

    /// Says of which lanes the request is: what is read from now on counts so. Spec: ADM-9.
    pub fn set_class(&mut self, class: LaneClass) {
        if let Some(meter) = &mut self.meter {
            meter.class = class;
        }
    }

    /// Holds memory for so many further bytes, in one step. Spec: TRN-8.
    ///
    /// # Errors
    /// [`TransportError::NoRoom`].
    pub async fn reserve(&mut self, bytes: usize) -> Result<(), TransportError> {
        match &mut self.meter {
            Some(meter) => meter.held.grow(bytes, meter.class).await,
            None => Ok(()),
        }
    }

    /// Gives back what was reserved and turned out not to be needed.
    pub fn release_unused(&mut self) {
        if let Some(meter) = &mut self.meter {
            meter.keep(self.buffer.len());
        }
    }

    /// Gives back the memory of what was read: it is no longer kept.
    pub fn release(&mut self) {
        if let Some(meter) = &mut self.meter {
            meter.kept = 0;
            meter.keep(self.buffer.len());
        }
    }

    /// The next frame, or nothing where the peer has finished between two frames.
    ///
    /// `wait` bounds the time to its first byte; a started frame must then go on at a few
    /// kilobytes per second. Memory grows with what has arrived, never with what a header
    /// announces. Spec: WIR-1, WIR-3, TRN-5.
    ///
    /// # Errors
    /// [`TransportError`]: not a frame, too long, too slow, cut off, or the stream is gone.
    pub async fn next(&mut self, wait: Duration) -> Result<Option<Frame>, TransportError> {
        self.read(None, wait).await
    }

    /// The payload of the next frame, which must be of this type.
    ///
    /// # Errors
    /// As [`next`](Self::next); also [`FrameError::Unexpected`] and [`TransportError::Ended`].
    pub async fn expect(
        &mut self,
        kind: FrameType,
        wait: Duration,
    ) -> Result<Bytes, TransportError> {
        let frame = self.read(Some(kind), wait).await?;
        self.broken_off |= frame.is_none();
        Ok(frame.ok_or(TransportError::Ended)?.payload)
    }

    /// The message of the next frame, which must be of this type.
    ///
    /// # Errors
    /// As [`expect`](Self::expect); also [`FrameError::Malformed`].
    pub async fn message<M: Message + Default>(
        &mut self,
        kind: FrameType,
        wait: Duration,
    ) -> Result<M, TransportError> {
        let payload = self.expect(kind, wait).await?;
        Ok(wire::decode(payload)?)
    }

    /// Tells the peer that nothing more is read.
    pub fn stop(&mut self, code: WireCode) {
        // Nothing is left to stop if the peer has already finished.
        let _ = self.stream.stop(close_code(code));
    }

    async fn read(
        &mut self,
        due: Option<FrameType>,
        wait: Duration,
    ) -> Result<Option<Frame>, TransportError> {
        if self.buffer.is_empty() && !within(wait, self.fill(1)).await? {
            return Ok(None);
        }
        self.fill_within(HEADER_BYTES).await?;
        let header = self.buffer[..HEADER_BYTES]
            .try_into()
            .expect("the buffer holds a header");
        let (kind, length) = wire::parse_header(header)?;
        if due.is_some_and(|due| due != kind) {
            return Err(FrameError::Unexpected.into());
        }
        self.count(HEADER_BYTES + length).await?;
        let _turn = if length > LARGE_FRAME_BYTES {
            let large_frames = Arc::clone(&self.large_frames);
            Some(large_frames.acquire_owned().await)
        } else {
            None
        };
        self.fill_within(HEADER_BYTES + length).await?;
        self.count(self.buffer.len()).await?;
        if let Some(meter) = &mut self.meter {
            meter.kept += HEADER_BYTES + length;
        }
        let mut frame = self.buffer.split_to(HEADER_BYTES + length);
        let payload = frame.split_off(HEADER_BYTES).freeze();
        Ok(Some(Frame { kind, payload }))
    }

    async fn fill_within(&mut self, bytes: usize) -> Result<(), TransportError> {
        if self.buffer.len() >= bytes {
            return Ok(());
        }
        if within(allowance(bytes), self.fill(bytes)).await? {
            Ok(())
        } else {
            self.broken_off = true;
            Err(TransportError::Ended)
        }
    }

    /// Counts so many bytes beside the frames that are kept: of the frame that is being read, or
    /// that came with it. Counting them again changes nothing.
    async fn count(&mut self, bytes: usize) -> Result<(), TransportError> {
        match &mut self.meter {
            Some(meter) => meter.count(bytes).await,
            None => Ok(()),
        }
    }

    /// Reads until the buffer holds so many bytes; false if the stream ends before.
    async fn fill(&mut self, bytes: usize) -> Result<bool, TransportError> {
        while self.buffer.len() < bytes {
            let mut chunks: [Bytes; CHUNKS_AT_ONCE] = Default::default();
            let read = self.stream.read_chunks(&mut chunks).await;
            self.broken_off |= matches!(read, Err(ReadError::Reset(_)));
            let Some(count) = read? else {
                return Ok(false);
            };
            for chunk in &chunks[..count] {
                self.buffer.extend_from_slice(chunk);
            }
        }
        Ok(true)
    }
}

impl Meter {
    async fn count(&mut self, bytes: usize) -> Result<(), TransportError> {
        let due = (self.kept + bytes).max(REQUEST_BYTES);
        match due.saturating_sub(self.held.bytes()) {
            0 => Ok(()),
            missing => self.held.grow(missing, self.class).await,
        }
    }

    /// Gives back all but what is kept, with so many bytes beside it.
    fn keep(&mut self, bytes: usize) {
        self.held.keep((self.kept + bytes).max(REQUEST_BYTES));
    }
}

/// Collects frames and sends them together.
///
/// A writer that is dropped before [`finish`](Self::finish) resets its stream, so that a cut-off
/// request never looks complete.
#[derive(Debug)]
pub struct FrameWriter {
    stream: SendStream,
    /// Whole pieces in front of what the buffer collects.
    pieces: Vec<Bytes>,
    pieces_bytes: usize,
    buffer: BytesMut,
    finished: bool,
    /// Where a request with a large frame takes its turn; answers take none.
    turns: Option<Arc<Semaphore>>,
    turn: Turn,
    /// Counts what its reader asked for and has not taken yet. Spec: ADM-8.
    held: Option<Held>,
    /// There was no room for what was added: it is dropped, and the stream is of no use.
    overrun: bool,
}

/// Whether a writer may send large frames.
#[derive(Debug)]
enum Turn {
    /// There are none so far.
    NotNeeded,
    /// With the next flush, which waits for it.
    Needed,
    /// Until the peer has all of the request.
    Held(OwnedSemaphorePermit),
}

impl FrameWriter {
    /// For an answer, whose reader has asked for it.
    pub(super) fn new(stream: SendStream, share: Option<&Share>) -> Self {
        Self::with(stream, None, share)
    }

    /// For a request: one with a large frame waits for its turn among those of its session, so
    /// that parts of many never fill the connection's window while none is whole. Spec: TRN-8.
    pub(super) fn in_turn(stream: SendStream, turns: Arc<Semaphore>) -> Self {
        Self::with(stream, Some(turns), None)
    }

    fn with(stream: SendStream, turns: Option<Arc<Semaphore>>, share: Option<&Share>) -> Self {
        Self {
            stream,
            pieces: Vec::new(),
            pieces_bytes: 0,
            buffer: BytesMut::new(),
            finished: false,
            turns,
            turn: Turn::NotNeeded,
            held: share.map(Share::nothing),
            overrun: false,
        }
    }

    /// Adds a frame to what the next [`flush`](Self::flush) sends.
    ///
    /// # Panics
    /// If the message exceeds its type's cap: callers build messages from checked parts.
    pub fn put_message(&mut self, kind: FrameType, message: &impl Message) {
        let before = self.buffer.len();
        wire::put_message(&mut self.buffer, kind, message);
        self.note_frame(self.buffer.len() - before);
    }

    /// Adds a frame of raw bytes to what the next [`flush`](Self::flush) sends. Long ones are not
    /// copied.
    ///
    /// # Panics
    /// If the bytes exceed the type's cap.
    pub fn put_bytes(&mut self, kind: FrameType, payload: Bytes) {
        let length = payload.len();
        wire::put_header(&mut self.buffer, kind, length);
        if length > COPIED_BYTES_MAX {
            let before = self.buffer.split().freeze();
            self.pieces_bytes += before.len() + length;
            self.pieces.extend([before, payload]);
        } else {
            self.buffer.extend_from_slice(&payload);
        }
        self.note_frame(length);
    }

    fn note_frame(&mut self, length: usize) {
        if length > LARGE_FRAME_BYTES && matches!(self.turn, Turn::NotNeeded) {
            self.turn = Turn::Needed;
        }
        self.overrun |= !self.has_room_for(0);
        if self.overrun {
            self.pieces.clear();
            self.pieces_bytes = 0;
            self.buffer = BytesMut::new();
        }
    }

    /// Whether so many further bytes may be added: always where nothing is counted. It is a promise,
    /// as long as nothing else is added before. Spec: ADM-8.
    #[must_use]
    pub fn has_room_for(&mut self, bytes: usize) -> bool {
        let due = self.pending_bytes() + bytes;
        let Some(held) = &mut self.held else {
            return true;
        };
        // What every request counts for covers most answers.
        let missing = due.saturating_sub(REQUEST_BYTES + held.bytes());
        missing == 0 || held.try_grow(missing, LaneClass::Urgent)
    }

    /// Bytes that wait for [`flush`](Self::flush).
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.pieces_bytes + self.buffer.len()
    }

    /// Hands everything collected to the connection, at the speed at which the peer takes it.
    ///
    /// # Errors
    /// [`TransportError::TimedOut`] if the peer does not read; the stream is then of no use.
    /// [`TransportError::NoRoom`] if there was none for what was added.
    pub async fn flush(&mut self) -> Result<(), TransportError> {
        if self.overrun {
            return Err(TransportError::NoRoom);
        }
        let length = self.pending_bytes();
        if length == 0 {
            return Ok(());
        }
        if let (Turn::Needed, Some(turns)) = (&self.turn, &self.turns) {
            // Nobody closes the turns; those of a lost session come back as its streams fail.
            let turn = Arc::clone(turns).acquire_owned().await;
            self.turn = turn.map_or(Turn::NotNeeded, Turn::Held);
        }
        let mut pieces = std::mem::take(&mut self.pieces);
        self.pieces_bytes = 0;
        if !self.buffer.is_empty() {
            pieces.push(self.buffer.split().freeze());
        }
        let write = async { Ok(self.stream.write_all_chunks(&mut pieces).await?) };
        within(allowance(length), write).await?;
        if let Some(held) = &mut self.held {
            held.keep(0);
        }
        Ok(())
    }

    /// Sends what is collected and says that nothing follows.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub async fn finish(mut self) -> Result<(), TransportError> {
        self.flush().await?;
        self.finished = true;
        self.stream
            .finish()
            .map_err(|_| TransportError::StreamClosed)?;
        if let Turn::Held(turn) = std::mem::replace(&mut self.turn, Turn::NotNeeded) {
            let received = self.stream.stopped();
            tokio::spawn(async move {
                // Received, refused or lost: the turn is over.
                let _ = received.await;
                drop(turn);
            });
        }
        Ok(())
    }

    /// Gives the stream up; what was not sent is lost.
    pub fn reset(mut self, code: WireCode) {
        self.finished = true;
        // An already closed stream needs no reset.
        let _ = self.stream.reset(close_code(code));
    }
}

impl Drop for FrameWriter {
    fn drop(&mut self) {
        if !self.finished {
            // An already closed stream needs no reset.
            let _ = self.stream.reset(close_code(WireCode::ShuttingDown));
        }
    }
}

async fn within<T>(
    allowed: Duration,
    work: impl Future<Output = Result<T, TransportError>>,
) -> Result<T, TransportError> {
    timeout(allowed, work)
        .await
        .unwrap_or(Err(TransportError::TimedOut))
}

fn allowance(bytes: usize) -> Duration {
    let seconds = u32::try_from(bytes / SLOWEST_BYTES_PER_SECOND).unwrap_or(u32::MAX);
    FRAME_TIMEOUT + Duration::from_secs(u64::from(seconds))
}
