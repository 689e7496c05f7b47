//! Attachments between the member's files and the home node. A lost session is made again and the
//! transfer goes on with what is missing. Spec: ATT-24.

use std::{io, time::Duration};

use bytes::Bytes;
use frex_proto::{
    attachment::{Hashes, Held, Listed},
    delivery::Backoff,
    envelope::{self, SignedEnvelope},
    error::{Retry, WireCode},
    v1,
};
use tokio::time::Instant;

use super::{Client, ConnectError};
use crate::attachment::{Get, Put, StreamError};

/// Why an attachment did not get to the home node, or from it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachmentError {
    /// There is no session with the home node.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The home node refuses, breaks off or sends something else.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The own file cannot be read.
    #[error("the sealed file cannot be read")]
    File(#[from] io::Error),
}

impl From<&AttachmentError> for WireCode {
    fn from(error: &AttachmentError) -> Self {
        match error {
            AttachmentError::Connect(error) => error.into(),
            AttachmentError::Stream(error) => error.into(),
            AttachmentError::File(_) => Self::Files,
        }
    }
}

impl From<AttachmentError> for WireCode {
    fn from(error: AttachmentError) -> Self {
        Self::from(&error)
    }
}

/// An attachment that is fetched.
pub struct Fetching {
    client: Client,
    shown: v1::Envelope,
    attachment: u32,
    listed: Listed,
    held: Held,
    get: Option<Get>,
    patience: Patience,
}

/// How long to go on without any progress.
struct Patience {
    until: Instant,
    limit: Duration,
    backoff: Backoff,
}

impl Client {
    /// Brings the attachment at this position of a sealed envelope to the home node, which must
    /// have it before the envelope is submitted. `read` gives a sealed chunk, `progress` hears of
    /// how many chunks of how many the node has.
    ///
    /// # Errors
    /// [`AttachmentError`], once nothing has gone on for as long as the client's patience.
    pub async fn put_attachment(
        &self,
        envelope: &SignedEnvelope,
        attachment: u32,
        hashes: &Hashes,
        read: &mut (dyn FnMut(u32) -> io::Result<Vec<u8>> + Send),
        progress: &mut (dyn FnMut(u32, u32) + Send),
    ) -> Result<(), AttachmentError> {
        let mut patience = Patience::new(self.0.patience);
        loop {
            let mut went_on = |done, of| {
                progress(done, of);
                patience.progress();
            };
            let put = self.put_once(envelope, attachment, hashes, read, &mut went_on);
            match put.await {
                Ok(()) => return Ok(()),
                Err(error) => patience.pause_after(self, error).await?,
            }
        }
    }

    async fn put_once(
        &self,
        envelope: &SignedEnvelope,
        attachment: u32,
        hashes: &Hashes,
        read: &mut (dyn FnMut(u32) -> io::Result<Vec<u8>> + Send),
        progress: &mut (dyn FnMut(u32, u32) + Send),
    ) -> Result<(), AttachmentError> {
        let session = self.0.link.session(self.0.patience).await?;
        let listed = hashes.listed();
        let shown = envelope::shown(&envelope.to_wire(Some(&[])));
        let mut put = Put::begin(&session, shown, attachment, listed).await?;
        let (mut done, of) = (put.held().count(), listed.chunks());
        progress(done, of);
        if !put.held().is_whole() {
            put.hashes(hashes.to_bytes()).await?;
        }
        let missing: Vec<u32> = put.held().missing().collect();
        for number in missing {
            put.chunk(number, &read(number)?).await?;
            done += 1;
            progress(done, of);
        }
        Ok(put.finish().await?)
    }

    /// Fetches what is not `held` of the attachment at this position of an envelope that this
    /// member has received, as [`shown`](envelope::shown) makes it; `listed` is what that says.
    #[must_use]
    pub fn fetch_attachment(
        &self,
        shown: v1::Envelope,
        attachment: u32,
        listed: Listed,
        held: Held,
    ) -> Fetching {
        Fetching {
            client: self.clone(),
            shown,
            attachment,
            listed,
            held,
            get: None,
            patience: Patience::new(self.0.patience),
        }
    }
}

impl Fetching {
    /// The next sealed chunk, which is the one that the manifest lists; nothing when all have come.
    ///
    /// # Errors
    /// [`AttachmentError`], once nothing has come for as long as the client's patience.
    pub async fn next(&mut self) -> Result<Option<(u32, Bytes)>, AttachmentError> {
        while !self.held.is_whole() {
            match self.next_once().await {
                Ok(Some((number, sealed))) => {
                    self.held.set(number);
                    self.patience.progress();
                    return Ok(Some((number, sealed)));
                }
                Ok(None) => return Ok(None),
                Err(error) => {
                    self.get = None;
                    self.patience.pause_after(&self.client, error).await?;
                }
            }
        }
        Ok(None)
    }

    async fn next_once(&mut self) -> Result<Option<(u32, Bytes)>, AttachmentError> {
        if let Some(get) = &mut self.get {
            return Ok(get.next().await?);
        }
        let link = &self.client.0.link;
        let session = link.session(self.client.0.patience).await?;
        let (shown, held) = (self.shown.clone(), self.held.clone());
        let get = Get::begin(&session, shown, self.attachment, self.listed, held).await?;
        Ok(self.get.insert(get).next().await?)
    }
}

impl Patience {
    fn new(limit: Duration) -> Self {
        Self {
            until: Instant::now() + limit,
            limit,
            backoff: Backoff::default(),
        }
    }

    fn progress(&mut self) {
        self.until = Instant::now() + self.limit;
        self.backoff.alive();
    }

    /// Waits before the next try, or gives the error back when there is to be none.
    async fn pause_after(
        &mut self,
        client: &Client,
        error: AttachmentError,
    ) -> Result<(), AttachmentError> {
        let again = match &error {
            AttachmentError::Stream(error) => WireCode::from(error).info().retry == Retry::Later,
            // The session was looked for long enough, and a file does not mend itself.
            AttachmentError::Connect(_) | AttachmentError::File(_) => false,
        };
        let pause = client.0.link.pause(&mut self.backoff);
        if !again || Instant::now() + pause >= self.until {
            return Err(error);
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }
}
