//! Stands where a node should, with its keys, and refuses every delivery for good.

use std::{sync::Arc, time::Duration};

use frex_client::{
    environment::Environment,
    tls::{Identity, config::Limits},
    transport::{Endpoint, EndpointConfig, Greeter, RosterHandle, Session, Socket, Stream},
};
use frex_proto::{
    error::WireCode,
    keys::SigningKey,
    roster::{Peer, Roster},
    v1::{self, request::Request},
    wire::FrameType,
};
use tokio::sync::mpsc;

/// A wide bound: nothing here takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Answers `WRONG_SENDER` to every delivery and `WRONG_ROLE` to everything else.
pub struct Refuser {
    endpoint: Endpoint,
    greeter: Greeter,
}

impl Refuser {
    /// Listens as `node`.
    ///
    /// # Panics
    /// If the socket or the key cannot be used.
    #[must_use]
    pub fn bind(
        node: &str,
        roster: Roster,
        tls: &SigningKey,
        socket: Socket,
        environment: Environment,
    ) -> Self {
        let rng_seed = environment.random.endpoint_seed();
        let roster = RosterHandle::new(roster);
        let greeter = Greeter::new(Peer::Node(node.to_owned()), roster, environment);
        let config = EndpointConfig {
            socket,
            identity: Identity::new(tls).expect("a connection key"),
            key_check: greeter.key_check(),
            key_exchange: greeter.key_exchange(),
            limits: Limits::default(),
            listen: true,
            rng_seed,
        };
        let endpoint = Endpoint::bind(config).expect("the address is free");
        Self { endpoint, greeter }
    }

    /// Refuses, for as long as it is polled.
    pub async fn serve(&self) {
        let (sender, mut sessions) = mpsc::channel(4);
        let door = self.endpoint.serve(self.greeter.listening(), sender);
        let answer = async {
            while let Some(session) = sessions.recv().await {
                tokio::spawn(refuse_all(Arc::new(session)));
            }
        };
        tokio::join!(door, answer);
    }

    /// Closes every connection.
    pub async fn end(self) {
        self.endpoint.close(WireCode::ShuttingDown);
        self.endpoint.wait_idle().await;
    }
}

async fn refuse_all(session: Arc<Session>) {
    while let Ok(Stream {
        mut writer,
        mut reader,
    }) = session.accept().await
    {
        tokio::spawn(async move {
            let request = reader.message(FrameType::Request, PATIENCE).await;
            let Ok(v1::Request {
                request: Some(request),
            }) = request
            else {
                return;
            };
            let code = match request {
                Request::Deliver(_) => WireCode::WrongSender,
                _ => WireCode::WrongRole,
            };
            let refusal = v1::Refusal {
                code: code as u32,
                retry_after_ms: 0,
            };
            let done = v1::answer::Answer::Done(v1::Done::default());
            for answer in [v1::answer::Answer::Refusal(refusal), done] {
                let answer = v1::Answer {
                    envelope: 0,
                    answer: Some(answer),
                };
                writer.put_message(FrameType::Answer, &answer);
            }
            // Whoever asked may have gone.
            let _ = writer.finish().await;
        });
    }
}
