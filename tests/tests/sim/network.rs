//! The simulated network itself: quinn runs on it unmodified and one seed is one history.

use std::{net::IpAddr, sync::Arc, time::Duration};

use ed25519_dalek::SigningKey;
use frex_tests::{
    pinned_tls,
    sim::{Link, world},
};
use quinn::{ClientConfig, Connection, ServerConfig};

const REQUESTS: u32 = 200;

fn ip(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

async fn serve(connection: Connection) {
    while let Ok((mut send, mut receive)) = connection.accept_bi().await {
        let request = receive.read_to_end(1 << 16).await.unwrap();
        let Ok(()) = send.write_all(&request).await else {
            return;
        };
        let _ = send.finish();
    }
}

async fn ask(connection: &Connection, number: u32) {
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    let request = number.to_be_bytes().repeat(1 + number as usize % 700);
    send.write_all(&request).await.unwrap();
    send.finish().unwrap();
    assert_eq!(receive.read_to_end(1 << 16).await.unwrap(), request);
}

/// One connection, 200 requests over a bad link with a partition in the middle.
fn history(seed: u64) -> (String, u64, u64) {
    world::run(seed, |world| async move {
        let (client_key, server_key) = (
            SigningKey::from_bytes(&[1; 32]),
            SigningKey::from_bytes(&[2; 32]),
        );
        let (near, far) = (world.machine(ip(1)), world.machine(ip(2)));
        let tls = Arc::new(pinned_tls::server(&server_key, &client_key).unwrap());
        let server = far
            .endpoint(4433, Some(ServerConfig::with_crypto(tls)))
            .unwrap();
        far.spawn(async move {
            while let Some(incoming) = server.accept().await {
                if let Ok(connection) = incoming.await {
                    serve(connection).await;
                }
            }
        });
        let client = near.endpoint(50000, None).unwrap();
        let tls = Arc::new(pinned_tls::client(&client_key, &server_key).unwrap());
        let address = (ip(2), 4433).into();
        let connection = client
            .connect_with(ClientConfig::new(tls), address, "peer")
            .unwrap()
            .await
            .unwrap();
        let mut rng = world.rng("weather");
        let link = Link::draw(&mut rng);
        world.network().set_link(Link {
            loss_ppm: link.loss_ppm.min(100_000),
            ..link
        });
        for number in 0..REQUESTS {
            if number == REQUESTS / 2 {
                world.network().partition(ip(1), ip(2));
                tokio::time::sleep(Duration::from_secs(2)).await;
                world.network().heal();
            }
            ask(&connection, number).await;
        }
        world
            .network()
            .trace(|trace| (trace.hash(), trace.datagrams(), trace.faults()))
    })
}

#[test]
fn one_seed_is_one_history_and_another_seed_another() {
    let mut before = String::new();
    for seed in 0..20 {
        let first = history(seed);
        assert!(first.1 > 400 && first.2 > 10, "{first:?}");
        assert_eq!(first, history(seed), "seed {seed}");
        assert_ne!(first.0, before);
        before = first.0;
    }
}

#[test]
fn a_crashed_machine_is_silent_and_its_address_is_free_again() {
    world::run(7, |world| async move {
        let machine = world.machine(ip(1));
        let endpoint = machine.endpoint(4433, None).unwrap();
        assert!(machine.bind(4433).is_err());
        machine.crash();
        drop(endpoint);
        tokio::time::sleep(Duration::from_secs(1)).await;
        machine.bind(4433).unwrap();
        assert!(world.elapsed() >= Duration::from_secs(1));
    });
}
