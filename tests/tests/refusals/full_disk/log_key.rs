//! A node whose log key is in a token that fails: for its callers, a full disk.

use std::sync::atomic::{AtomicU8, Ordering};

use frex_proto::keys::{SigningError, SigningKey, Token};

use super::*;

const SIGNS: u8 = 0;
const AWAY: u8 = 1;
const LIES: u8 = 2;

struct Fickle {
    key: SigningKey,
    mood: AtomicU8,
}

impl Token for Fickle {
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningError> {
        match self.mood.load(Ordering::Relaxed) {
            SIGNS => self.key.sign(message),
            AWAY => Err(SigningError::Unavailable),
            // The signature of another head than the one it was asked for.
            _ => self.key.sign(&[message, b"0"].concat()),
        }
    }
}

// NOD-11, KEY-21: a log key that is away, or that signs something else, refuses everything; nothing
// is lost, nothing unsigned gets out, and it goes on by itself.
#[test]
fn log_key_that_does_not_sign_refuses_and_is_forgotten_when_it_is_back() {
    world::run(3, |world| async move {
        let (mut scene, node) = Scene::new(&world).await;
        scene.submit().await.unwrap();
        scene.machine.crash();
        drop(node);
        tokio::time::sleep(A_WHILE).await;
        let seat = &mut scene.federation.nodes[0];
        let token = Arc::new(Fickle {
            key: seat.log.clone(),
            mood: AtomicU8::new(SIGNS),
        });
        seat.log = SigningKey::in_token(seat.log.verifying_key(), token.clone());
        let _node = scene.start().await;
        scene.submit().await.unwrap();
        for mood in [AWAY, LIES] {
            token.mood.store(mood, Ordering::Relaxed);
            for _ in 0..2 {
                assert_eq!(scene.submit().await, Err(WireCode::KeyUnavailable));
            }
            tokio::time::sleep(A_WHILE).await;
            scene.check("while the key is away").await;
            token.mood.store(SIGNS, Ordering::Relaxed);
            scene.submit().await.unwrap();
            scene.check("when the key is back").await;
        }
    });
}
