//! Makes every choice of quinn's and TLS's that shows in the packet flow follow from a seed.
//!
//! A seed for quinn's own generator is not enough: keys, connection ids and the time in a Retry
//! token come from elsewhere. They decide more than bytes: a closed dialler reads a late Retry as
//! if it were frames, so a random token ends its closing early or not.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use quinn::{ConnectionId, ConnectionIdGenerator, TimeSource};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use ring::{hkdf, hmac};
use rustls::crypto::CryptoProvider;
use tokio::time::Instant;

use crate::tls::{KeyExchange, provider};

/// Bytes of the ids that the peers of an endpoint address it by, as quinn chooses it.
const CID_BYTES: usize = 8;
/// Bytes of the id that a dialler makes up for a listener it does not know yet.
const FIRST_CID_BYTES: usize = 20;

/// What an endpoint draws from. For simulations only: whoever knows the seed foresees the ids.
pub(super) struct Seeded(ChaCha20Rng);

impl Seeded {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    pub(super) fn provider(&mut self, key_exchange: KeyExchange) -> Arc<CryptoProvider> {
        provider::repeatable(key_exchange, self.draw())
    }

    pub(super) fn apply(
        &mut self,
        endpoint: &mut quinn::EndpointConfig,
        client: &mut quinn::ClientConfig,
        server: Option<&mut quinn::ServerConfig>,
    ) {
        self.endpoint(endpoint);
        self.client(client);
        if let Some(server) = server {
            self.server(server);
        }
    }

    fn endpoint(&mut self, config: &mut quinn::EndpointConfig) {
        let ids = self.draw();
        config
            .rng_seed(Some(self.draw()))
            .reset_key(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &self.draw())))
            .cid_generator(move || Box::new(Ids(ChaCha20Rng::from_seed(ids))));
    }

    fn client(&mut self, config: &mut quinn::ClientConfig) {
        let ids = Mutex::new(ChaCha20Rng::from_seed(self.draw()));
        config.initial_dst_cid_provider(Arc::new(move || {
            let mut ids = ids.lock().unwrap_or_else(PoisonError::into_inner);
            id::<FIRST_CID_BYTES>(&mut ids)
        }));
    }

    fn server(&mut self, config: &mut quinn::ServerConfig) {
        let key = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&self.draw());
        config
            .token_key(Arc::new(key))
            .time_source(Arc::new(Since(Instant::now())));
    }

    fn draw(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        seed
    }
}

fn id<const BYTES: usize>(rng: &mut ChaCha20Rng) -> ConnectionId {
    let mut bytes = [0; BYTES];
    rng.fill_bytes(&mut bytes);
    ConnectionId::new(&bytes)
}

struct Ids(ChaCha20Rng);

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        id::<CID_BYTES>(&mut self.0)
    }

    fn cid_len(&self) -> usize {
        CID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// The time in Retry tokens, which follows tokio's: only the endpoint itself reads it.
struct Since(Instant);

impl TimeSource for Since {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + self.0.elapsed()
    }
}
