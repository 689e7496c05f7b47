use std::{sync::Arc, thread, time::Duration};

use bytes::Bytes;
use frex_client::{
    environment::{Clock, Environment, Random},
    keys::{MemberHome, MemberRole, MemberSettings},
};
use frex_proto::{
    join::{self, Invitation},
    keys::SealingSecretKey,
    label::Hash,
    limits,
    roster::build::{self, CardDraft, NodeDraft, RootDraft},
};
use prost::Message;

use super::*;

const CHANNEL: Hash = [7; 32];
const OTHER_CHANNEL: Hash = [8; 32];
const GUEST: u8 = 60;
const RIVAL: u8 = 70;

/// A member that is listed, with an invitation that it has handed out.
struct Scene {
    home: MemberHome,
    record: InvitationRecord,
    invitation: Invitation,
    events: mpsc::Sender<Event>,
    heard: mpsc::Receiver<Event>,
    _dir: tempfile::TempDir,
}

impl Scene {
    fn new(life_ms: u64) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let home = listed_member(&dir.path().join("member"));
        let (record, invitation) = made(&home, life_ms);
        let (events, heard) = mpsc::channel(256);
        Self {
            home,
            record,
            invitation,
            events,
            heard,
            _dir: dir,
        }
    }

    /// A desk as a listener that was just started has it.
    fn desk(&self) -> HostDesk {
        let environment = Environment::default();
        let identity = self.home.keys(1).expect("its keys").identity;
        let events = self.events.clone();
        HostDesk::new(
            &self.home,
            identity,
            self.record.clone(),
            environment,
            events,
        )
        .expect("the invitation is there")
    }

    /// The same member with a second invitation.
    fn invite_anew(self) -> Self {
        let (record, invitation) = made(&self.home, 60_000);
        Self {
            record,
            invitation,
            ..self
        }
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.heard.try_recv().ok()).collect()
    }

    fn peers(&self) -> Peers {
        Peers::of(self.home.dir())
    }
}

fn made(home: &MemberHome, life_ms: u64) -> (InvitationRecord, Invitation) {
    let now_ms = Clock::System.now_ms();
    let roster = home.roster(now_ms).expect("installed");
    let draft = InvitationDraft {
        member: "host",
        roster: &roster,
        listen: "127.0.0.1:7444".parse().expect("an address"),
        address: "127.0.0.1:7444".to_owned(),
        created_ms: now_ms,
        expires_ms: now_ms + life_ms,
        note: String::new(),
    };
    let made = Invitations::of(home.dir()).make(draft, &mut Random::System.rng());
    made.expect("the folder is ours")
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn card(federation: &str, id: &str, identity: &SigningKey, seed: u8) -> frex_proto::v1::MemberCard {
    let node = format!("node.{id}");
    let now_ms = Clock::System.now_ms();
    build::card(&CardDraft {
        federation,
        id,
        name: "Example",
        role: v1::Role::Hotline,
        country: "NL",
        home_node: &node,
        identity,
        client_tls: &[key(seed + 1).verifying_key()],
        sealing: &[SealingSecretKey::from_seed(&[seed; 32]).public()],
        node: Some(NodeDraft {
            id: &node,
            log_key: &key(seed + 2).verifying_key(),
            witness_key: None,
            tls_keys: &[key(seed + 3).verifying_key()],
            addresses: &["127.0.0.1:7443".to_owned()],
        }),
        issued_ms: now_ms,
        expires_ms: now_ms + 86_400_000,
    })
    .unwrap()
}

fn listed_member(dir: &Path) -> MemberHome {
    let settings = MemberSettings {
        member: "host".to_owned(),
        federation: "fed".to_owned(),
        home_node: "node.host".to_owned(),
        country: "NL".to_owned(),
        name: "Example".to_owned(),
        role: MemberRole::Hotline,
        keys_from_credentials: false,
    };
    let made = MemberHome::create(dir, settings, None, &mut Random::System.rng());
    let (home, keys) = made.expect("an empty folder");
    let now_ms = Clock::System.now_ms();
    let root = build::root(&RootDraft {
        federation: "fed",
        version: 1,
        expires_ms: now_ms + 86_400_000,
        root_keys: &[key(1).verifying_key()],
        root_threshold: 1,
        roster_keys: &[key(2).verifying_key()],
        roster_threshold: 1,
    });
    let signed_root = build::sign_root(&root, &[&key(1)]).unwrap();
    let mut roster = build::first_roster(&root, now_ms, now_ms + 86_400_000);
    let card = card("fed", "host", &keys.identity, 10);
    build::list_card(&mut roster, &card);
    let signed = build::sign_roster(&roster, &[&key(2)]).unwrap();
    let bundle = build::bundle(&signed_root, &signed, vec![card.member_doc], None);
    home.install_root(&signed_root).expect("a sound root");
    home.install_roster(&bundle, now_ms)
        .expect("a sound roster");
    home
}

/// The request of a newcomer called `id` with keys from `seed` up.
fn knock(invitation: &Invitation, federation: &str, id: &str, seed: u8) -> Vec<u8> {
    let identity = key(seed);
    let card: Bytes = card(federation, id, &identity, seed).encode_to_vec().into();
    let pending = Decision::pending(1);
    join::request(invitation, &card, id, &identity, &pending, &CHANNEL).unwrap()
}

/// The code of a refusal; none of a welcome.
fn refused(reply: &frex_client::join::Reply) -> Option<WireCode> {
    let answer = v1::JoinAnswer::decode(reply.answer.clone()).expect("an answer");
    match answer.answer.expect("an answer says something") {
        v1::join_answer::Answer::Welcome(_) => None,
        v1::join_answer::Answer::Refusal(refusal) => Some(WireCode::from_number(refusal.code)),
    }
}

fn expect(desk: &HostDesk, question: &[u8], channel: &Hash, due: Option<WireCode>) -> Duration {
    let reply = desk.judge(question, channel);
    assert_eq!(refused(&reply), due);
    reply.pause
}

// JOI-6, JOI-7: each hostile request has its code and leaves the door open for the newcomer that
// was invited, of whom nothing is lost by a listener that starts anew.
#[test]
fn hostile_newcomers_are_refused_and_the_invited_one_comes_in() {
    let mut scene = Scene::new(60_000);
    let desk = scene.desk();
    let good = knock(&scene.invitation, "fed", "guest", GUEST);
    let foreign = Scene::new(60_000);
    let cases = [
        (vec![0xff; 64], CHANNEL, WireCode::Malformed),
        (Vec::new(), CHANNEL, WireCode::NotTrusted),
        (
            vec![0; limits::JOIN_REQUEST_BYTES_MAX + 1],
            CHANNEL,
            WireCode::TooLarge,
        ),
        (
            knock(&foreign.invitation, "fed", "guest", GUEST),
            CHANNEL,
            WireCode::NotTrusted,
        ),
        (good.clone(), OTHER_CHANNEL, WireCode::BadSignature),
        (
            knock(&scene.invitation, "elsewhere", "guest", GUEST),
            CHANNEL,
            WireCode::WrongFederation,
        ),
        (
            knock(&scene.invitation, "fed", "host", GUEST),
            CHANNEL,
            WireCode::IdTaken,
        ),
    ];
    for (question, channel, due) in cases {
        expect(&desk, &question, &channel, Some(due));
        assert!(scene.peers().list().expect("readable").is_empty());
    }
    expect(&desk, &good, &CHANNEL, None);
    let again = scene.desk();
    expect(&again, &good, &CHANNEL, None);
    let kept = scene.peers().find("guest").expect("kept");
    assert_eq!(
        kept.identity,
        hex::encode(key(GUEST).verifying_key().as_bytes())
    );
    assert_eq!(
        scene.peers().ours(&kept).expect("readable").state,
        State::Pending
    );
    let came = scene.events();
    let came = came
        .iter()
        .filter(|event| matches!(event, Event::Came { .. }));
    assert_eq!(came.count(), 1);
}

// JOI-10: of newcomers that race for one invitation one comes in, whichever listener they find.
#[test]
fn an_invitation_lets_one_newcomer_in_also_when_two_race() {
    for _ in 0..8 {
        let scene = Scene::new(60_000);
        let desk = Arc::new(scene.desk());
        let racers = [("guest", GUEST), ("rival", RIVAL)].map(|(id, seed)| {
            let question = knock(&scene.invitation, "fed", id, seed);
            let desk = Arc::clone(&desk);
            thread::spawn(move || (question.clone(), refused(&desk.judge(&question, &CHANNEL))))
        });
        let outcomes = racers.map(|racer| racer.join().expect("no panic"));
        let (winners, losers): (Vec<_>, Vec<_>) =
            outcomes.into_iter().partition(|(_, code)| code.is_none());
        assert_eq!((winners.len(), losers.len()), (1, 1));
        assert_eq!(losers[0].1, Some(WireCode::InvitationClosed));
        let again = scene.desk();
        expect(
            &again,
            &losers[0].0,
            &CHANNEL,
            Some(WireCode::InvitationClosed),
        );
        expect(&again, &winners[0].0, &CHANNEL, None);
        assert_eq!(scene.peers().list().expect("readable").len(), 1);
    }
}

// JOI-11, LIM-55: wrong secrets are slowed and counted, over restarts too, and then nobody comes in.
#[test]
fn too_many_wrong_secrets_end_an_invitation() {
    let mut scene = Scene::new(60_000);
    let foreign = Scene::new(60_000);
    let wrong = knock(&foreign.invitation, "fed", "guest", GUEST);
    let mut pauses = Vec::new();
    for _ in 0..limits::JOIN_TRIES_MAX {
        pauses.push(expect(
            &scene.desk(),
            &wrong,
            &CHANNEL,
            Some(WireCode::NotTrusted),
        ));
    }
    assert!(pauses.is_sorted() && pauses[0] >= Duration::from_secs(1));
    assert!(pauses[9] <= Duration::from_secs(5));
    let good = knock(&scene.invitation, "fed", "guest", GUEST);
    expect(
        &scene.desk(),
        &good,
        &CHANNEL,
        Some(WireCode::InvitationClosed),
    );
    let tried = Event::WrongSecret(limits::JOIN_TRIES_MAX);
    assert!(scene.events().contains(&tried));
    let invitations = Invitations::of(scene.home.dir());
    let now_ms = Clock::System.now_ms();
    let standing = invitations
        .standing(&scene.record, now_ms)
        .expect("readable");
    assert_eq!(standing, Standing::Spent);
}

// JOI-10: an invitation that is over lets nobody in, also at a listener that runs.
#[test]
fn an_invitation_that_is_over_opens_nothing() {
    let scene = Scene::new(0);
    let good = knock(&scene.invitation, "fed", "guest", GUEST);
    expect(&scene.desk(), &good, &CHANNEL, Some(WireCode::Expired));
    let scene = Scene::new(60_000);
    let good = knock(&scene.invitation, "fed", "guest", GUEST);
    let desk = scene.desk();
    let invitations = Invitations::of(scene.home.dir());
    invitations
        .withdraw(&scene.record.id, 1)
        .expect("it is there");
    expect(&desk, &good, &CHANNEL, Some(WireCode::InvitationClosed));
    assert!(matches!(
        invitations.withdraw("../../x", 1),
        Err(JoinStoreError::NotFound)
    ));
}

// JOI-7, JOI-9: an id that waits for a decision is not handed to another; one that was refused is
// laid aside, and nothing about it is lost.
#[test]
fn a_pending_id_is_taken_and_a_refused_one_is_laid_aside() {
    let scene = Scene::new(60_000);
    expect(
        &scene.desk(),
        &knock(&scene.invitation, "fed", "guest", GUEST),
        &CHANNEL,
        None,
    );
    let record = scene.peers().find("guest").expect("kept");
    let scene = scene.invite_anew();
    let rival = knock(&scene.invitation, "fed", "guest", RIVAL);
    expect(&scene.desk(), &rival, &CHANNEL, Some(WireCode::IdTaken));
    let peers = scene.peers();
    peers
        .decide(&record, State::Refused, "a test", 5)
        .expect("kept");
    expect(&scene.desk(), &rival, &CHANNEL, None);
    let now = peers.find("guest").expect("kept");
    assert_ne!(now.identity, record.identity);
    assert_eq!(peers.ours(&now).expect("readable").state, State::Pending);
    let aside = scene.home.dir().join("peers/_past");
    let aside = aside.join(format!("guest-{}", record.since_ms));
    assert!(aside.join("ours.json").is_file() && aside.join("card.frex").is_file());
}

// JOI-4: what lies on the inviter's disk does not let its reader in.
#[test]
fn the_inviters_files_hold_no_secret() {
    let scene = Scene::new(60_000);
    let folder = scene.home.dir().join("invitations").join(&scene.record.id);
    let seed = scene.invitation.proof_key().seed().unwrap();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let bytes = std::fs::read(entry.expect("an entry").path()).expect("ours");
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        for secret in [&scene.invitation.secret[..], &seed[..]] {
            assert!(!text.contains(&hex::encode(secret)));
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
    }
}

// JOI-9: a refusal binds under its invitation, and whoever was refused can be invited anew.
#[test]
fn a_refusal_binds_until_the_member_invites_anew() {
    let scene = Scene::new(60_000);
    let desk = scene.desk();
    let question = knock(&scene.invitation, "fed", "guest", GUEST);
    expect(&desk, &question, &CHANNEL, None);
    let record = scene.peers().find("guest").expect("kept");
    scene
        .peers()
        .decide(&record, State::Refused, "a test", 5)
        .expect("kept");
    expect(&desk, &question, &CHANNEL, None);
    let theirs = scene.peers().theirs(&record).expect("readable");
    assert_eq!(theirs.told, State::Refused);
    let scene = scene.invite_anew();
    let question = knock(&scene.invitation, "fed", "guest", GUEST);
    expect(&scene.desk(), &question, &CHANNEL, None);
    let now = scene.peers().find("guest").expect("kept");
    assert_eq!(now.invitation, scene.record.id);
    assert_eq!(
        scene.peers().ours(&now).expect("readable").state,
        State::Pending
    );
}
