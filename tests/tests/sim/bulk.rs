//! Many reports through a program that is stopped again and again, over a bad link, while the node
//! loses power: each report goes out once.
//!
//! A failing seed replays with `FREX_SEED=N cargo test -p frex-tests --test sim bulk`.

use std::{collections::BTreeMap, ops::RangeInclusive, path::Path, time::Duration};

use frex_client::{
    client::{BulkFate, BulkSettings, Client, News, Sealing},
    sent::SentStore,
};
use frex_proto::{error::WireCode, v1};
use frex_tests::{
    scene::{EPOCH_MS, Scene},
    sim::{Link, world},
};
use rand_chacha::rand_core::Rng;

const REPORTS: usize = 150;
const SEEDS: RangeInclusive<u64> = 1..=6;
/// Longer than any link of these worlds needs.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);

fn reference(number: usize) -> String {
    format!("case {number}")
}

/// One life of the sending program: it gives every report, and dies after so many news, or ends
/// when all are settled. Tells how many are known to be submitted.
async fn life(client: &Client, folder: &Path, news_max: usize) -> usize {
    let store = SentStore::open(folder, EPOCH_MS).unwrap();
    let settings = BulkSettings {
        batches_max: 3,
        wait: Duration::ZERO,
        sealing: Sealing::Inline,
    };
    let (sender, mut news) = client.bulk(store, settings).unwrap();
    let drafts = client.clone();
    tokio::spawn(async move {
        for number in 0..REPORTS {
            let draft = drafts.draft(&["hotline"]).lane(v1::Lane::Bulk);
            let draft = draft.content("text/plain", reference(number).into_bytes());
            // A life that ends takes no more.
            if sender.send(&reference(number), draft).await.is_err() {
                return;
            }
        }
    });
    let mut submitted = 0;
    for _ in 0..news_max {
        let Some(event) = news.next().await else {
            break;
        };
        match event.fate {
            BulkFate::Before(_)
            | BulkFate::News {
                news: News::Submitted(_),
                ..
            } => submitted += 1,
            BulkFate::Waiting(_)
            | BulkFate::Ended
            | BulkFate::News {
                news: News::Accepted { .. },
                ..
            } => {}
            other => panic!("{}: {other:?}", event.reference),
        }
    }
    drop(news);
    // Its tasks end at their next step, and with them the lock on the folder.
    tokio::time::sleep(Duration::from_secs(1)).await;
    submitted
}

/// Reads until every report has come and none comes any more; counts how often each came.
async fn read(client: &Client) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    let began = tokio::time::Instant::now();
    while seen.len() < REPORTS && began.elapsed() < PATIENCE {
        let mut inbox = client.inbox(32, Duration::from_secs(600)).await.unwrap();
        while let Some(item) = inbox.next().await {
            let Ok(item) = item.unwrap() else {
                panic!("an item that cannot be opened")
            };
            let words = String::from_utf8(item.opened.data.to_vec()).unwrap();
            item.confirm(v1::Stage::Opened, "").await.unwrap();
            *seen.entry(words).or_default() += 1;
        }
    }
    seen
}

// MBR-13: a retry never makes a second report, whenever the program or the node went down.
#[test]
fn reports_go_out_once_though_the_program_dies_again_and_again() {
    for seed in crate::seeds(SEEDS) {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("sent");
        world::run(seed, |world| async move {
            let scene = Scene::pair(&world);
            let mut rng = world.rng("scenario");
            let mut platform = scene.node("platform").await;
            let _hotline = scene.node("hotline").await;
            let client = scene.client("platform", "platform-client").await;
            world.network().set_link(Link::draw(&mut rng));
            for _ in 0..5 {
                let news_max = usize::try_from(rng.next_u32()).unwrap() % REPORTS;
                life(&client, &folder, news_max).await;
                if rng.next_u32() % 2 == 0 {
                    platform = scene.power_cut("platform", platform).await;
                }
            }
            let submitted = life(&client, &folder, usize::MAX).await;
            assert!(submitted > 0, "seed {seed}");
            assert!(
                SentStore::open(&folder, EPOCH_MS)
                    .unwrap()
                    .pending()
                    .unwrap()
                    .is_empty(),
                "seed {seed}: nothing is left to be finished"
            );
            world.network().set_link(Link::CALM);
            let seen = read(&scene.client("hotline", "hotline-client").await).await;
            let once: BTreeMap<String, usize> =
                (0..REPORTS).map(|number| (reference(number), 1)).collect();
            assert_eq!(seen, once, "seed {seed}");
            assert_eq!(
                scene.stated("platform").await,
                REPORTS,
                "seed {seed}: SUBMITTED, each once, and no refusal"
            );
            let faults = world.network().trace(frex_tests::sim::Trace::faults);
            assert!(faults > 0, "seed {seed}: nothing went wrong");
        });
    }
}

// MBR-16: what cannot be sent is told by itself, and holds up nothing else.
#[test]
fn one_report_that_cannot_be_sent_holds_up_no_other() {
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("sent");
    world::run(7, |world| async move {
        let scene = Scene::pair(&world);
        let platform = scene.node("platform").await;
        let _hotline = scene.node("hotline").await;
        let client = scene.client("platform", "platform-client").await;
        let store = SentStore::open(&folder, EPOCH_MS).unwrap();
        let settings = BulkSettings {
            sealing: Sealing::Inline,
            wait: Duration::from_secs(60),
            ..BulkSettings::default()
        };
        let (sender, mut news) = client.bulk(store, settings).unwrap();
        let draft =
            |to: &str, words: &str| client.draft(&[to]).content("text/plain", words.to_owned());
        let long = draft("hotline", "three").life(Duration::from_secs(40 * 24 * 3600));
        for (reference, draft) in [
            ("1", draft("hotline", "one")),
            ("2", draft("nobody", "two")),
            ("3", long),
            ("1", draft("hotline", "another")),
            ("1", draft("hotline", "one")),
            ("4", draft("hotline", "four")),
            ("", draft("hotline", "five")),
        ] {
            sender.send(reference, draft).await.unwrap();
        }
        drop(sender);
        let (mut accepted, mut not_sent) = (Vec::new(), Vec::new());
        while let Some(event) = news.next().await {
            match event.fate {
                BulkFate::News {
                    news: News::Accepted { .. },
                    ..
                } => accepted.push(event.reference),
                BulkFate::Ended => {}
                BulkFate::NotSent(why) => not_sent.push((event.reference, WireCode::from(&why))),
                BulkFate::News {
                    news: News::Submitted(_),
                    ..
                } => {}
                other => panic!("{}: {other:?}", event.reference),
            }
        }
        accepted.sort();
        not_sent.sort();
        assert_eq!(accepted, ["1", "4"]);
        let expected = [
            ("", WireCode::BadInput),
            ("1", WireCode::IdReuse),
            ("2", WireCode::UnknownRecipient),
            ("3", WireCode::LifeTooLong),
        ];
        let expected = expected.map(|(reference, code)| (reference.to_owned(), code));
        assert_eq!(not_sent, expected);
        assert_eq!(platform.status().log_size, 2);
    });
}
