//! Who sends too much.

use super::*;

/// What the honest members got in two minutes.
#[derive(Debug)]
struct Served {
    normal: usize,
    urgent: Vec<Duration>,
}

impl Served {
    fn p99(&self) -> Duration {
        let mut sorted = self.urgent.clone();
        sorted.sort_unstable();
        sorted[(sorted.len() * 99).div_ceil(100) - 1]
    }
}

async fn serve_the_honest(scene: &Scene, port: u16) -> Served {
    let platform = program(scene, PLATFORM, port, Duration::from_secs(1)).await;
    let police = program(scene, POLICE, port + 1, Duration::from_secs(1)).await;
    let normal = async {
        let mut taken = 0;
        for _ in 0..100 {
            taken += usize::from(send(&platform, AWAY, Lane::Normal).await.is_ok());
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        taken
    };
    let urgent = async {
        let mut latencies = Vec::new();
        for _ in 0..50 {
            latencies.extend(send(&police, AWAY, Lane::Urgent).await);
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        latencies
    };
    let (normal, urgent) = tokio::join!(normal, urgent);
    Served { normal, urgent }
}

/// Sends a hundred times its quota for as long as it is let, and keeps what was not taken.
async fn flood(
    client: &Client,
    refused: &mut Vec<SignedEnvelope>,
    taken: &mut BTreeSet<EnvelopeId>,
) {
    loop {
        let draft = || {
            let draft = client.draft(&[AWAY]).content("text/plain", "again");
            client.finish(draft).unwrap()
        };
        let drafts: Vec<_> = std::iter::repeat_with(draft).take(10).collect();
        let envelopes = client.seal_batch(&drafts).unwrap();
        let submission = client
            .submit(envelopes.clone(), Duration::ZERO)
            .await
            .unwrap();
        let events = submission.finish().await;
        for (place, envelope) in envelopes.into_iter().enumerate() {
            let of = || events.iter().filter(|event| event.envelope == place);
            if of().any(|event| matches!(event.news, News::Submitted(_))) {
                taken.insert(envelope.id);
                continue;
            }
            assert!(of().any(|event| matches!(
                event.news,
                News::Delayed { code: WireCode::RetryAfter, retry_after } if !retry_after.is_zero()
            )));
            refused.push(envelope);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Sends some of what was refused, and waits as it is told each time.
async fn send_patiently(
    scene: &Scene,
    mut refused: Vec<SignedEnvelope>,
    taken: &mut BTreeSet<EnvelopeId>,
) {
    let patient = program(scene, ROGUE, 41_001, Duration::from_secs(3600)).await;
    let started = Instant::now();
    refused.truncate(30);
    for envelope in refused {
        taken.insert(envelope.id);
        let submission = patient
            .submit(vec![envelope], Duration::ZERO)
            .await
            .unwrap();
        let events = submission.finish().await;
        let submitted = |news: &News| matches!(news, News::Submitted(_));
        assert!(
            events.iter().any(|event| submitted(&event.news)),
            "{events:?}"
        );
    }
    let took = started.elapsed();
    println!("rogue: 30 more at its quota in {took:?}");
    assert!(took >= Duration::from_secs(60 * 29 / u64::from(QUOTA)) - Duration::from_secs(10));
    assert!(took <= Duration::from_secs(60 * 45 / u64::from(QUOTA)));
}

/// Delivers envelopes as a node does; for each the number of receipts, and of each refusal the time
/// to wait, or its code if it names none.
async fn deliver(session: &Session, envelopes: Vec<SignedEnvelope>) -> Vec<(usize, Vec<u64>)> {
    let count = u32::try_from(envelopes.len()).unwrap();
    let request = v1::Request {
        request: Some(R::Deliver(v1::Deliver { envelopes: count })),
    };
    let mut stream = session.request(&request, 0).await.unwrap();
    for envelope in &envelopes {
        let wire = envelope.to_wire(None);
        stream.writer.put_message(FrameType::Envelope, &wire);
    }
    stream.writer.finish().await.unwrap();
    let mut said = vec![(0, Vec::new()); envelopes.len()];
    loop {
        let answer = stream
            .reader
            .message(FrameType::Answer, Duration::from_secs(30));
        let answer: v1::Answer = answer.await.unwrap();
        let place = &mut said[answer.envelope as usize];
        match answer.answer.unwrap() {
            v1::answer::Answer::Receipt(_) => place.0 += 1,
            v1::answer::Answer::Refusal(refusal) if refusal.retry_after_ms > 0 => {
                assert_eq!(refusal.code, WireCode::RetryAfter as u32);
                place.1.push(refusal.retry_after_ms);
            }
            v1::answer::Answer::Refusal(refusal) => place.1.push(refusal.code.into()),
            v1::answer::Answer::Done(_) => return said,
            other => panic!("{other:?}"),
        }
    }
}

// ADM-1, ADM-2, ADM-4: a member at a hundred times its quota takes nothing from the others, loses
// nothing of what was taken, and gets the rest through at its quota.
#[test]
fn a_rogue_at_a_hundred_times_its_quota_takes_nothing_from_the_others() {
    world::run(seed(), |world| async move {
        let scene = scene(&world);
        let nodes = [scene.node(HOME).await, scene.node(AWAY).await];
        let alone = serve_the_honest(&scene, 40_000).await;
        let rogue = program(&scene, ROGUE, 41_000, Duration::ZERO).await;
        let (mut refused, mut taken) = (Vec::new(), BTreeSet::new());
        let started = Instant::now();
        let beside = tokio::select! {
            biased;
            () = flood(&rogue, &mut refused, &mut taken) => unreachable!("it floods for ever"),
            beside = serve_the_honest(&scene, 42_000) => beside,
        };
        let minutes = started.elapsed().as_secs_f64() / 60.0;
        println!(
            "alone {} normal, urgent p99 {:?}",
            alone.normal,
            alone.p99()
        );
        println!(
            "beside {} normal, urgent p99 {:?}",
            beside.normal,
            beside.p99()
        );
        println!(
            "rogue: {} taken and {} refused in {minutes:.1} min",
            taken.len(),
            refused.len()
        );
        assert!(beside.normal * 10 >= alone.normal * 9);
        assert!(beside.urgent.len() * 10 >= alone.urgent.len() * 9);
        assert!(beside.p99() <= alone.p99() * 2);
        let quota = f64::from(QUOTA) * (minutes + 1.0);
        assert!(refused.len() > 900, "it is a flood: {}", refused.len());
        assert!((taken.len() as f64) <= quota + 1.0);

        send_patiently(&scene, refused, &mut taken).await;
        tokio::time::sleep(Duration::from_secs(600)).await;
        let seen = drain(&program(&scene, AWAY, 43_000, Duration::from_secs(60)).await).await;
        let rogues: BTreeSet<_> = seen
            .keys()
            .filter(|id| taken.contains(id))
            .copied()
            .collect();
        assert_eq!(rogues, taken, "what was taken arrives");
        assert!(seen.values().all(|times| *times == 1));
        assert_eq!(
            seen.len(),
            taken.len() + 300,
            "and so does what the others sent"
        );
        drop(nodes);
    });
}

// ADM-3: who submits again what the node has keeps its quota for new reports.
#[test]
fn a_repetition_uses_up_no_quota() {
    world::run(seed(), |world| async move {
        let scene = scene(&world);
        let _node = scene.node(HOME).await;
        let rogue = program(&scene, ROGUE, 41_000, Duration::ZERO).await;
        let first = seal(&rogue, HOME, Lane::Normal, b"report".to_vec());
        let submitted = async |envelope: SignedEnvelope| {
            let submission = rogue.submit(vec![envelope], Duration::ZERO).await.unwrap();
            let events = submission.finish().await;
            events
                .iter()
                .any(|event| matches!(event.news, News::Submitted(_)))
        };
        for _ in 0..QUOTA {
            assert!(submitted(first.clone()).await);
        }
        for number in 1..QUOTA {
            let next = seal(
                &rogue,
                HOME,
                Lane::Normal,
                vec![u8::try_from(number).unwrap()],
            );
            assert!(submitted(next).await, "report {number}");
        }
        let over = seal(&rogue, HOME, Lane::Normal, b"over".to_vec());
        assert!(!submitted(over).await);
        let urgent = seal(&rogue, HOME, Lane::Urgent, b"urgent".to_vec());
        assert!(submitted(urgent).await, "the urgent quota is another");
        let over = seal(&rogue, HOME, Lane::Urgent, b"over".to_vec());
        assert!(!submitted(over).await);
    });
}

// ADM-1, ADM-4: a node counts by the sender's quota what its home node delivers, whatever that node
// counts itself, and what another node brings draws on nobody's.
#[test]
fn what_a_node_delivers_draws_on_the_senders_quota() {
    world::run(seed(), |world| async move {
        let scene = scene(&world);
        let _node = scene.node(HOME).await;
        let away = program(&scene, AWAY, 40_000, Duration::ZERO).await;
        let rogue = program(&scene, ROGUE, 40_001, Duration::ZERO).await;
        let peer = Peer::Node(AWAY.to_owned());
        let session = sessions(&scene, peer, 50_000, 1).await.remove(0);
        let foreign = (0..QUOTA).map(|_| seal(&rogue, HOME, Lane::Normal, vec![1]));
        for (receipts, refusals) in deliver(&session, foreign.collect()).await {
            assert_eq!(
                (receipts, refusals),
                (0, vec![WireCode::WrongSender as u64])
            );
        }
        let sealed = (0..QUOTA + 2).map(|_| seal(&away, HOME, Lane::Normal, vec![2]));
        let answers = deliver(&session, sealed.collect()).await;
        let taken = answers
            .iter()
            .filter(|(receipts, _)| *receipts == 1)
            .count();
        assert_eq!(taken, QUOTA as usize);
        let minute_ms = 60_000 / u64::from(QUOTA);
        for (turn, (_, waits_ms)) in (1..).zip(&answers[QUOTA as usize..]) {
            let late = turn * minute_ms - waits_ms[0];
            assert!(late < 1000, "turn {turn}: {waits_ms:?}");
        }
        let urgent = seal(&away, HOME, Lane::Urgent, vec![3]);
        assert_eq!(deliver(&session, vec![urgent]).await[0].0, 1);
    });
}
