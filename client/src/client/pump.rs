//! One inbox stream: items come in, confirmations go out, each finds its asker.

use std::{collections::BTreeMap, time::Duration};

use frex_proto::{
    error::WireCode,
    limits, v1,
    wire::{self, FrameError, FrameType},
};
use tokio::sync::{mpsc, oneshot};

use crate::transport::{Frame, FrameReader, FrameWriter, Stream, TransportError};

/// How long a frame that must follow another may take.
const NEXT_FRAME_WAIT: Duration = Duration::from_secs(20);
/// The node ends a stream on which nothing happens for this long; a little later we give it up.
const SILENCE_MAX: Duration = Duration::from_millis(limits::WAIT_MS_MAX as u64 + 30_000);

/// What a confirmation is answered with.
pub(super) type Reply = Result<v1::Receipt, WireCode>;

/// What a member says about an item it holds.
pub(super) struct Command {
    pub(super) confirm: v1::Confirm,
    /// Where the answer goes; a release has none.
    pub(super) reply: Option<oneshot::Sender<Reply>>,
}

/// What comes out of a stream.
pub(super) enum Arrival {
    Item(Box<v1::Item>),
    /// The last arrival: the node is done, and other readers hold so many items; or it has refused, or
    /// was lost.
    End(Result<u32, End>),
}

/// Why a stream ended before the node was done.
#[derive(Debug)]
pub(super) enum End {
    Refused(WireCode),
    Lost(TransportError),
}

/// The two ends of a running stream.
pub(super) struct Ends {
    pub(super) arrivals: mpsc::UnboundedReceiver<Arrival>,
    pub(super) commands: mpsc::UnboundedSender<Command>,
}

/// Runs the stream until the node ends it, or until nobody holds a sender of commands. What is
/// queued is bounded by the credit that the request asked for.
pub(super) fn start(stream: Stream) -> Ends {
    let (arrivals_in, arrivals) = mpsc::unbounded_channel();
    let (commands, commands_out) = mpsc::unbounded_channel();
    let pump = Pump {
        reader: stream.reader,
        writer: stream.writer,
        arrivals: arrivals_in,
        commands: commands_out,
        asked: BTreeMap::new(),
        refused: None,
        held: 0,
    };
    tokio::spawn(pump.run());
    Ends { arrivals, commands }
}

struct Pump {
    reader: FrameReader,
    writer: FrameWriter,
    arrivals: mpsc::UnboundedSender<Arrival>,
    commands: mpsc::UnboundedReceiver<Command>,
    asked: BTreeMap<u32, oneshot::Sender<Reply>>,
    /// A refusal that answers no confirmation is that of the request.
    refused: Option<WireCode>,
    /// Items that other readers hold, as the node said in the end.
    held: u32,
}

impl Pump {
    async fn run(mut self) {
        let ended = loop {
            tokio::select! {
                biased;
                command = self.commands.recv() => {
                    let Some(command) = command else { break None };
                    if let Err(error) = self.say(command).await {
                        break Some(Err(End::Lost(error)));
                    }
                }
                frame = self.reader.next(SILENCE_MAX) => match self.take(frame).await {
                    Ok(true) => {}
                    Ok(false) => break Some(self.refused.map_or(Ok(self.held), |code| Err(End::Refused(code)))),
                    Err(error) => break Some(Err(End::Lost(error))),
                },
            }
        };
        // Nobody listens any more, or nobody may have: both are fine.
        if let Some(ended) = ended {
            let _ = self.arrivals.send(Arrival::End(ended));
        }
        let _ = self.writer.finish().await;
    }

    /// Sends a confirmation, together with any others that wait.
    async fn say(&mut self, first: Command) -> Result<(), TransportError> {
        let mut next = Some(first);
        while let Some(command) = next {
            if let Some(reply) = command.reply {
                let lease = u32::try_from(command.confirm.lease).unwrap_or_default();
                self.asked.insert(lease, reply);
            }
            self.writer
                .put_message(FrameType::Confirm, &command.confirm);
            next = self.commands.try_recv().ok();
        }
        self.writer.flush().await
    }

    /// Takes one frame; false at the end of the stream.
    async fn take(
        &mut self,
        frame: Result<Option<Frame>, TransportError>,
    ) -> Result<bool, TransportError> {
        let frame = frame?.ok_or(TransportError::Ended)?;
        match frame.kind {
            FrameType::Item => {
                let item = self.item(frame).await?;
                // An inbox that was dropped while items are still held takes no further ones;
                // they stay leased until the stream ends.
                let _ = self.arrivals.send(Arrival::Item(Box::new(item)));
                Ok(true)
            }
            FrameType::Answer => self.answer(wire::decode(frame.payload)?),
            _ => Err(FrameError::Unexpected.into()),
        }
    }

    /// An item with its body, which follows in a frame of its own if it is large.
    async fn item(&mut self, frame: Frame) -> Result<v1::Item, TransportError> {
        let mut item: v1::Item = wire::decode(frame.payload)?;
        let envelope = item.envelope.get_or_insert_default();
        let follows = body_len(envelope)? > limits::INLINE_BODY_BYTES_MAX as u64;
        if follows && envelope.body.is_empty() {
            envelope.body = self.reader.expect(FrameType::Body, NEXT_FRAME_WAIT).await?;
        }
        Ok(item)
    }

    fn answer(&mut self, answer: v1::Answer) -> Result<bool, TransportError> {
        use v1::answer::Answer as A;
        let asker = self.asked.remove(&answer.envelope);
        match (answer.answer, asker) {
            (Some(A::Done(done)), _) => {
                self.held = done.held;
                return Ok(false);
            }
            (Some(A::Receipt(receipt)), Some(asker)) => {
                // Whoever stopped waiting for the answer has no use for it.
                let _ = asker.send(Ok(receipt));
            }
            (Some(A::Refusal(refusal)), Some(asker)) => {
                let _ = asker.send(Err(WireCode::from_number(refusal.code)));
            }
            (Some(A::Refusal(refusal)), None) => {
                self.refused = Some(WireCode::from_number(refusal.code));
            }
            _ => return Err(FrameError::Malformed.into()),
        }
        Ok(true)
    }
}

/// The body's length as the manifest, or that of a forward's original, gives it; whether it is
/// signed is judged later.
fn body_len(envelope: &v1::Envelope) -> Result<u64, FrameError> {
    let mut signed: v1::Signed = wire::decode(envelope.signed.clone())?;
    if !envelope.forward.is_empty() {
        let forward: v1::Signed = wire::decode(envelope.forward.clone())?;
        let forward: v1::ForwardManifest = wire::decode(forward.payload)?;
        signed = wire::decode(forward.original)?;
    }
    let manifest: v1::Manifest = wire::decode(signed.payload)?;
    Ok(manifest.body_len)
}
