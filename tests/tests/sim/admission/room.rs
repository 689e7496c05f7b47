//! Where there is no room: on the disk, in memory, in an inbox that somebody holds.

use super::*;

// ADM-5, ADM-6, NOD-7: bulk stops first, urgent last; what is kept is still read and confirmed.
#[test]
fn as_the_disk_fills_bulk_stops_first_and_urgent_last() {
    const RESERVE: u64 = 64 * 1024 * 1024;
    world::run(seed(), |world| async move {
        let scene = scene(&world);
        let node = scene.node(HOME).await;
        let client = program(&scene, PLATFORM, 40_000, Duration::from_secs(60)).await;
        send(&client, POLICE, Lane::Bulk).await.unwrap();
        let disk = scene.machines[HOME].disk();
        let lanes = [Lane::Urgent, Lane::Normal, Lane::Bulk];
        let halves = [
            (5, 3, &[][..]),
            (4, 3, &[]),
            (3, 2, &["bulk"]),
            (2, 1, &["bulk", "normal"]),
        ];
        for (left, taken, named) in
            halves
                .into_iter()
                .chain([(1, 0, &["bulk", "normal", "control", "urgent"][..])])
        {
            let used = (1 << 40) - {
                disk.set_capacity(1 << 40);
                disk.free_bytes(Path::new("/data")).unwrap()
            };
            disk.set_capacity(used + left * RESERVE / 2 + RESERVE / 8);
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(
                node.status().lanes_refused,
                named,
                "{left} halves of the reserve left"
            );
            for (place, lane) in lanes.into_iter().enumerate() {
                let sent = send(&client, POLICE, lane).await;
                let expected = if place < taken {
                    None
                } else {
                    Some(WireCode::DiskFull)
                };
                assert_eq!(sent.err(), expected, "{lane:?}, {left} halves left");
            }
        }
        let reader = program(&scene, POLICE, 40_001, Duration::from_secs(60)).await;
        assert_eq!(drain(&reader).await.len(), 1 + 3 + 3 + 2 + 1);
    });
}

/// A request of 64 envelopes that is never finished after the first.
async fn begin(session: &Session, envelope: &SignedEnvelope) -> Stream {
    let request = v1::Request {
        request: Some(R::Submit(v1::Submit {
            envelopes: 64,
            wait_ms: 0,
        })),
    };
    let mut stream = session.request(&request, 0).await.unwrap();
    stream
        .writer
        .put_message(FrameType::Envelope, &envelope.to_wire(None));
    // The node may have heard enough of this peer.
    let _ = stream.writer.flush().await;
    stream
}

// ADM-8, ADM-10: a hundred peers that read nothing and finish nothing hold a bounded amount, and a
// report passes beside them.
#[test]
fn a_hundred_peers_that_never_read_are_bounded() {
    world::run(seed(), |world| async move {
        let scene = scene(&world);
        let node = scene.node(HOME).await;
        let sender = program(&scene, PLATFORM, 40_000, Duration::from_secs(60)).await;
        let idle = [ROGUE, POLICE, HOME, PLATFORM];
        for member in idle {
            for number in 0..12_u8 {
                let envelope = seal(&sender, member, Lane::Normal, vec![number; 1024 * 1024]);
                let submission = sender.submit(vec![envelope], Duration::from_secs(1)).await;
                submission.unwrap().finish().await;
            }
        }
        let large = seal(&sender, POLICE, Lane::Normal, vec![1; 50_000]);
        let mut kept = Vec::new();
        for (number, member) in (0..).zip(idle) {
            for session in sessions(&scene, client(member), 50_000 + number, 25).await {
                for _ in 0..4 {
                    let inbox = R::Inbox(v1::Inbox {
                        credit: 256,
                        wait_ms: 600_000,
                    });
                    let request = v1::Request {
                        request: Some(inbox),
                    };
                    let mut stream = session.request(&request, 0).await.unwrap();
                    stream.writer.flush().await.unwrap();
                    kept.push(stream);
                }
                for _ in 0..40 {
                    kept.push(begin(&session, &large).await);
                }
            }
        }
        let status = node.status();
        println!(
            "{} streams, {} bytes held, {} at most",
            kept.len(),
            status.under_way_bytes,
            status.under_way_bytes_highest
        );
        let bound = UNDER_WAY_BYTES_MAX + 4 * PEER_UNDER_WAY_BYTES_MIN;
        assert!(status.under_way_bytes_highest <= bound);
        assert!(
            status.under_way_bytes_highest > 16 * 1024 * 1024,
            "they hold much"
        );
        let police = program(&scene, POLICE, 40_001, Duration::from_secs(60)).await;
        send(&police, HOME, Lane::Urgent).await.unwrap();
        drop(kept);
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(node.status().under_way_bytes, 0, "all of it comes back");
    });
}

// DEL-22, ADM-15, ADM-16, LIM-69: two readers never hold the same item, each gets a share, and what a
// reader holds that falls silent goes to the other.
#[test]
fn two_readers_share_an_inbox_and_a_silent_one_loses_its_part() {
    world::run(seed(), |world| async move {
        let scene = scene(&world);
        let _node = scene.node(HOME).await;
        let sender = program(&scene, PLATFORM, 40_000, Duration::from_secs(60)).await;
        let mut sent = BTreeSet::new();
        for number in 0..40_u8 {
            let envelope = seal(&sender, POLICE, Lane::Normal, vec![number]);
            sent.insert(envelope.id);
            let submission = sender.submit(vec![envelope], Duration::ZERO).await.unwrap();
            submission.finish().await;
        }
        let silent = program(&scene, POLICE, 40_001, Duration::from_secs(60)).await;
        let mut held = silent.inbox(8, Duration::from_secs(600)).await.unwrap();
        let mut kept = Vec::new();
        for _ in 0..8 {
            kept.push(held.next().await.unwrap().unwrap().ok().unwrap());
        }
        let silent_since = Instant::now();
        let readers =
            [40_002, 40_003].map(|port| program(&scene, POLICE, port, Duration::from_secs(60)));
        let readers = readers.map(|reader| async move {
            let reader = reader.await;
            let mut read = Vec::new();
            let mut inbox = reader.inbox(4, Duration::from_secs(600)).await.unwrap();
            while let Some(item) = inbox.next().await {
                let item = item.unwrap().ok().unwrap();
                read.push((item.id(), Instant::now()));
                tokio::time::sleep(Duration::from_millis(500)).await;
                item.confirm(v1::Stage::Delivered, "").await.unwrap();
            }
            read
        });
        let [one, other] = readers;
        let (one, other) = tokio::join!(one, other);
        assert!(
            one.len() >= 10 && other.len() >= 10,
            "{} and {}",
            one.len(),
            other.len()
        );
        let read: BTreeSet<_> = one.iter().chain(&other).map(|(id, _)| *id).collect();
        assert_eq!(read.len(), one.len() + other.len(), "none twice");
        assert_eq!(read, sent, "and none is left out");
        for item in &kept {
            let both = one.iter().chain(&other);
            let (_, at) = both.clone().find(|(id, _)| *id == item.id()).unwrap();
            let after = *at - silent_since;
            assert!(
                after >= Duration::from_millis(LEASE_MS_MAX - 1000),
                "{after:?}"
            );
            assert!(
                after <= Duration::from_millis(LEASE_MS_MAX + 30_000),
                "{after:?}"
            );
        }
    });
}
