//! Judge, keep, then put in force.

use std::sync::Arc;

use bytes::Bytes;
use frex_proto::roster::{Fault, Roster, RosterError};
use tokio::sync::oneshot;

use super::{Membership, TakeError};

impl Membership {
    /// Takes from an offered bundle what is newer than what is held; false if nothing is.
    /// Spec: DIS-2, DIS-3, DIS-4.
    ///
    /// # Errors
    /// [`TakeError`]; the roster in force stays.
    pub async fn take(&self, bundle: Bytes) -> Result<bool, TakeError> {
        let parts = &self.0;
        let _turn = parts.turn.lock().await;
        let held = parts.roster.current();
        let (reply, judged) = oneshot::channel();
        let (anchor, now_ms) = (parts.anchor.clone(), parts.clock.now_ms());
        let (judging, store) = (held.clone(), parts.store.clone());
        (parts.run)(Box::new(move || {
            let merged = judging.merge(&bundle, &anchor, now_ms).map_err(|error| {
                let contradicts = matches!(error.fault, Fault::Forked | Fault::BrokenChain);
                let theirs = contradicts.then(|| Roster::judge(&bundle, &anchor, now_ms).ok());
                (error, theirs.flatten())
            });
            let merged = merged.map(|merged| {
                let merged = merged?;
                // What another program has installed since must not be written over.
                let hold = store.hold();
                let kept = store.kept().ok();
                let kept = kept.filter(|kept| kept[..] != judging.bytes()[..]);
                let both = |merged: &Roster| merged.merge(&kept?, &anchor, now_ms).ok()?;
                let newest = both(&merged).unwrap_or(merged);
                let stored = hold.and_then(|_hold| store.keep(newest.bytes()));
                Some(stored.map(|()| newest))
            });
            // Whoever asked may have gone away.
            let _ = reply.send(merged);
        }));
        let merged = match judged.await.map_err(|_| TakeError::Ending)? {
            Ok(Some(merged)) => merged.map_err(TakeError::Store)?,
            Ok(None) => return Ok(false),
            Err((error, theirs)) => {
                if let Some(theirs) = theirs {
                    self.keep_evidence(&[&held, &theirs], error);
                }
                return Err(error.into());
            }
        };
        announce(&held, &merged);
        parts.roster.replace(merged);
        Ok(true)
    }

    fn keep_evidence(&self, rosters: &[&Roster], error: RosterError) {
        tracing::error!(%error, "a signed roster contradicts the one in force: both are kept");
        for roster in rosters {
            if let Err(error) = self.0.store.keep_evidence(roster) {
                tracing::error!(%error, "the evidence cannot be kept");
            }
        }
    }
}

fn announce(held: &Arc<Roster>, merged: &Roster) {
    if held.reference() == merged.reference() {
        tracing::info!("newer documents or freshness of the roster in force");
    } else {
        tracing::info!(
            from = held.version(),
            to = merged.version(),
            "a newer roster is in force"
        );
    }
}
