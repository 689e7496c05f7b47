use bytes::Bytes;
use prost::Message;

use super::*;
use crate::{
    keys::SealingSecretKey,
    limits,
    roster::{
        Part, TrustAnchor,
        build::{self, CardDraft, NodeDraft, RootDraft},
    },
    sign,
};

const NOW_MS: u64 = 1_800_000_000_000;
const FAR_MS: u64 = NOW_MS + 86_400_000;
const CHANNEL: Hash = [7; 32];
const OTHER_CHANNEL: Hash = [8; 32];
const HOST: u8 = 10;
const NEWCOMER: u8 = 20;

/// The identity key of this seed has a companion.
const PAIRED: u8 = 240;

fn key(seed: u8) -> SigningKey {
    let key = SigningKey::from_seed(&[seed; 32]);
    match seed {
        PAIRED => key.with_companion(&[seed; 32]),
        _ => key,
    }
}

/// A card with keys from `seed` up.
fn card_of(federation: &str, id: &str, seed: u8) -> v1::MemberCard {
    let node = format!("node.{id}");
    let (log, tls) = (key(seed + 2), key(seed + 3));
    build::card(&CardDraft {
        federation,
        id,
        name: "Example",
        role: v1::Role::Hotline,
        country: "NL",
        home_node: &node,
        identity: &key(seed),
        client_tls: &[key(seed + 1).verifying_key()],
        sealing: &[SealingSecretKey::from_seed(&[seed; 32]).public()],
        node: Some(NodeDraft {
            id: &node,
            log_key: &log.verifying_key(),
            witness_key: None,
            tls_keys: &[tls.verifying_key()],
            addresses: &["127.0.0.1:7443".to_owned()],
        }),
        issued_ms: NOW_MS,
        expires_ms: FAR_MS,
    })
    .unwrap()
}

fn roster(federation: &str) -> Roster {
    roster_with(federation, HOST)
}

/// A roster whose one member has keys from `host` up.
fn roster_with(federation: &str, host: u8) -> Roster {
    let root = build::root(&RootDraft {
        federation,
        version: 1,
        expires_ms: FAR_MS,
        root_keys: &[key(1).verifying_key()],
        root_threshold: 1,
        roster_keys: &[key(2).verifying_key()],
        roster_threshold: 1,
    });
    let signed_root = build::sign_root(&root, &[&key(1)]).unwrap();
    let mut listed = build::first_roster(&root, NOW_MS, FAR_MS);
    let card = card_of(federation, "host", host);
    build::list_card(&mut listed, &card);
    let signed = build::sign_roster(&listed, &[&key(2)]).unwrap();
    let bundle = build::bundle(&signed_root, &signed, vec![card.member_doc], None);
    let anchor = TrustAnchor::of_root(&signed_root).unwrap();
    Roster::judge(&bundle, &anchor, NOW_MS).unwrap()
}

fn invitation(roster: &Roster) -> Invitation {
    Invitation {
        federation: roster.federation().to_owned(),
        root_sha256: roster.root().sha256,
        member: "host".to_owned(),
        address: "frex.example.org:7444".to_owned(),
        listener_key: *key(40).verifying_key().as_bytes(),
        secret: Zeroizing::new([9; SECRET_BYTES]),
        expires_ms: FAR_MS,
    }
}

fn card_bytes() -> Bytes {
    card_of("fed", "guest", NEWCOMER).encode_to_vec().into()
}

/// The request of a newcomer whose identity key comes from `seed`.
fn knock(invitation: &Invitation, card: &Bytes, seed: u8, channel: &Hash) -> Vec<u8> {
    let decision = Decision::pending(NOW_MS);
    request(invitation, card, "guest", &key(seed), &decision, channel).unwrap()
}

fn judge(bytes: &[u8], invitation: &Invitation) -> Result<Applicant, RequestError> {
    judge_request(bytes, &invitation.terms(), &CHANNEL, NOW_MS)
}

/// A good request with its statement changed and signed anew by those who signed it.
fn changed(change: impl FnOnce(&mut v1::JoinStatement)) -> Vec<u8> {
    let invitation = invitation(&roster("fed"));
    let good = knock(&invitation, &card_bytes(), NEWCOMER, &CHANNEL);
    let mut request = v1::JoinRequest::decode(&good[..]).unwrap();
    let signed = v1::Signed::decode(request.statement).unwrap();
    let mut statement = v1::JoinStatement::decode(signed.payload).unwrap();
    change(&mut statement);
    let keys = [&invitation.proof_key(), &key(NEWCOMER)];
    let signed = sign::sign(label::TYPE_JOIN, statement.encode_to_vec().into(), &keys).unwrap();
    request.statement = signed.encode_to_vec().into();
    request.encode_to_vec()
}

// JOI-2, LIM-51, LIM-50: the text survives a mail's line breaks, and any changed letter is noticed.
#[test]
fn an_invitation_reads_back_and_no_letter_of_it_can_change() {
    let made = invitation(&roster("fed"));
    let line = text(&made);
    let folded: Vec<String> = line
        .as_bytes()
        .chunks(40)
        .map(|part| String::from_utf8_lossy(part).to_lowercase())
        .collect();
    let read = parse(&format!("\n {} \n", folded.join("\r\n "))).unwrap();
    assert_eq!(text(&read), line);
    for place in 0..line.len() {
        let mut slip = line.as_bytes().to_vec();
        slip[place] = if slip[place] == b'A' { b'B' } else { b'A' };
        assert!(
            parse(std::str::from_utf8(&slip).unwrap()).is_err(),
            "{place}"
        );
        assert!(parse(&line[..place]).is_err(), "{place}");
    }
    assert_eq!(parse("frex-jo").unwrap_err(), InvitationError::NotOne);
    assert_eq!(parse("FREX-JOIN:A").unwrap_err(), InvitationError::Damaged);
    let long = "A".repeat(limits::INVITATION_BYTES_MAX + 1);
    assert_eq!(parse(&long).unwrap_err(), InvitationError::TooLong);
}

// JOI-2: the longest invitation that its parts allow fits.
#[test]
fn the_longest_invitation_fits_its_limit() {
    let name = "n".repeat(limits::ID_BYTES_MAX);
    let host = format!("{}.{}", "h".repeat(63), "h".repeat(63));
    let host = format!("{host}.{}.{}", "h".repeat(63), "h".repeat(61));
    let made = Invitation {
        federation: name.clone(),
        member: name,
        address: format!("{host}:65535"),
        expires_ms: u64::MAX,
        ..invitation(&roster("fed"))
    };
    parse(&text(&made)).unwrap();
}

// JOI-4: neither the invitation nor what the inviter keeps of it shows the secret.
#[test]
fn debug_output_and_terms_hold_no_secret() {
    let made = invitation(&roster("fed"));
    let shown = format!("{made:?} {:?}", made.terms());
    assert!(!shown.contains("9, 9, 9") && !shown.contains(&hex::encode([9; 16])));
    assert!(!shown.contains(&hex::encode(made.proof_key().seed().unwrap())));
}

// JOI-5, JOI-6, JOI-8: both sides learn the identity key of the other, and who it is.
#[test]
fn newcomer_and_inviter_learn_who_the_other_is() {
    let roster = roster("fed");
    let made = invitation(&roster);
    let bytes = knock(&made, &card_bytes(), NEWCOMER, &CHANNEL);
    let guest = judge(&bytes, &made).unwrap();
    assert_eq!(guest.card.member.id, "guest");
    assert_eq!(guest.identity, key(NEWCOMER).verifying_key());
    assert_eq!(check_listing(&guest, &roster), Ok(Listing::New));
    let accepted = Decision {
        state: v1::JoinState::Accepted,
        at_ms: NOW_MS,
        reason: String::new(),
    };
    let bytes = welcome(&roster, "host", &key(HOST), &guest, &accepted, &CHANNEL).unwrap();
    let host = judge_answer(&bytes, &made, &guest.card_sha256, &CHANNEL, NOW_MS).unwrap();
    assert_eq!(host.identity, key(HOST).verifying_key());
    assert_eq!(host.decision, accepted);
    assert_eq!(host.roster.version(), 1);
}

// JOI-6, LIM-52: each fault of a request has its own error, and no bytes panic.
#[test]
fn hostile_requests_get_each_their_error() {
    use RequestError as E;
    let made = invitation(&roster("fed"));
    let good = knock(&made, &card_bytes(), NEWCOMER, &CHANNEL);
    for length in 0..good.len() {
        assert!(judge(&good[..length], &made).is_err(), "{length}");
    }
    let huge = vec![0; limits::JOIN_REQUEST_BYTES_MAX + 1];
    assert_eq!(judge(&huge, &made).unwrap_err(), E::TooLarge);
    assert_eq!(judge(&[0xff; 40], &made).unwrap_err(), E::Malformed);
    let fat = Bytes::from(vec![0; limits::SIGNED_BYTES_MAX + 1]);
    let request = knock(&made, &fat, NEWCOMER, &CHANNEL);
    assert_eq!(judge(&request, &made).unwrap_err(), E::TooLarge);
    let foreign = Invitation {
        secret: Zeroizing::new([1; SECRET_BYTES]),
        ..made.clone()
    };
    let request = knock(&foreign, &card_bytes(), NEWCOMER, &CHANNEL);
    assert_eq!(judge(&request, &made).unwrap_err(), E::WrongSecret);
    let replayed = knock(&made, &card_bytes(), NEWCOMER, &OTHER_CHANNEL);
    assert_eq!(judge(&replayed, &made).unwrap_err(), E::Replayed);
    let other: Bytes = card_of("fes", "guest", NEWCOMER).encode_to_vec().into();
    let request = knock(&made, &other, NEWCOMER, &CHANNEL);
    let wrong = Part::Card.fault(Fault::WrongFederation);
    assert_eq!(judge(&request, &made).unwrap_err(), E::Card(wrong));
    let stolen = knock(&made, &card_bytes(), NEWCOMER + 4, &CHANNEL);
    assert_eq!(judge(&stolen, &made).unwrap_err(), E::NotIdentity);
    let late = judge_request(&good, &made.terms(), &CHANNEL, FAR_MS);
    assert_eq!(late.unwrap_err(), E::Expired);
}

// JOI-6, JOI-9, LIM-54: what the statement says is compared with what came.
#[test]
fn a_statement_about_something_else_is_refused() {
    use RequestError as E;
    let made = invitation(&roster("fed"));
    let cases: [(Vec<u8>, RequestError); 6] = [
        (
            changed(|said| said.federation.push('x')),
            E::WrongFederation,
        ),
        (
            changed(|said| said.root_sha256 = Bytes::from_static(&[0; 32])),
            E::WrongFederation,
        ),
        (changed(|said| said.member.push('x')), E::OtherCard),
        (
            changed(|said| said.card_sha256 = Bytes::from_static(&[0; 32])),
            E::OtherCard,
        ),
        (changed(|said| said.state = 0), E::Malformed),
        (
            changed(|said| said.reason = "x".repeat(limits::JOIN_REASON_BYTES_MAX + 1)),
            E::Malformed,
        ),
    ];
    for (bytes, due) in cases {
        assert_eq!(judge(&bytes, &made).unwrap_err(), due);
    }
    judge(
        &changed(|said| said.reason = "x".repeat(limits::JOIN_REASON_BYTES_MAX)),
        &made,
    )
    .unwrap();
}

// JOI-7: an id and a key have one owner.
#[test]
fn an_id_or_key_of_another_is_taken() {
    let roster = roster("fed");
    let made = invitation(&roster);
    let check = |card: v1::MemberCard, seed: u8| {
        let id = card.member.as_ref().unwrap().id.clone();
        let card = card.encode_to_vec().into();
        let decision = Decision::pending(NOW_MS);
        let bytes = request(&made, &card, &id, &key(seed), &decision, &CHANNEL).unwrap();
        check_listing(&judge(&bytes, &made).unwrap(), &roster)
    };
    let again = card_of("fed", "host", HOST);
    assert_eq!(check(again, HOST), Ok(Listing::Listed));
    let taken = card_of("fed", "host", NEWCOMER);
    assert_eq!(check(taken, NEWCOMER), Err(RequestError::IdTaken));
    for seed in [HOST, HOST - 1, HOST - 3] {
        let shares = card_of("fed", "guest", seed);
        assert_eq!(check(shares, seed), Err(RequestError::KeyTaken), "{seed}");
    }
}

// JOI-8, LIM-53: a man in the middle, another federation or a made-up roster do not pass.
#[test]
fn hostile_answers_get_each_their_error() {
    use AnswerError as E;
    let roster = roster("fed");
    let made = invitation(&roster);
    let guest = judge(&knock(&made, &card_bytes(), NEWCOMER, &CHANNEL), &made).unwrap();
    let decision = Decision::pending(NOW_MS);
    let judge = |bytes: &[u8], made: &Invitation| {
        judge_answer(bytes, made, &guest.card_sha256, &CHANNEL, NOW_MS).unwrap_err()
    };
    let good = welcome(&roster, "host", &key(HOST), &guest, &decision, &CHANNEL).unwrap();
    for length in 0..good.len() {
        judge(&good[..length], &made);
    }
    let huge = vec![0; limits::JOIN_ANSWER_BYTES_MAX + 1];
    assert_eq!(judge(&huge, &made), E::TooLarge);
    let said = refusal(WireCode::IdTaken);
    assert_eq!(judge(&said, &made), E::Refused(WireCode::IdTaken));
    let relayed = welcome(
        &roster,
        "host",
        &key(HOST),
        &guest,
        &decision,
        &OTHER_CHANNEL,
    )
    .unwrap();
    assert_eq!(judge(&relayed, &made), E::Replayed);
    let unsigned = welcome(&roster, "host", &key(33), &guest, &decision, &CHANNEL).unwrap();
    assert_eq!(judge(&unsigned, &made), E::NotIdentity);
    let renamed = welcome(&roster, "other", &key(HOST), &guest, &decision, &CHANNEL).unwrap();
    assert_eq!(judge(&renamed, &made), E::OtherSubject);
    let stranger = Invitation {
        member: "stranger".to_owned(),
        ..made.clone()
    };
    assert_eq!(judge(&good, &stranger), E::UnknownHost);
    let pinned = Invitation {
        root_sha256: [0; 32],
        ..made.clone()
    };
    let wrong = Part::Root.fault(Fault::WrongRoot);
    assert_eq!(judge(&good, &pinned), E::Roster(wrong));
    let other_card = judge_answer(&good, &made, &[0; 32], &CHANNEL, NOW_MS);
    assert_eq!(other_card.unwrap_err(), E::OtherSubject);
}

// JOI-6, JOI-7, JOI-12, SIG-21, LIM-51: a newcomer proves its key and the key's companion, people
// compare both, and neither may be somebody else's.
#[test]
fn a_newcomer_proves_the_companion_of_its_key() {
    let roster = roster("fed");
    let invitation = invitation(&roster);
    let card = card_of("fed", "guest", PAIRED);
    let bytes = Bytes::from(card.encode_to_vec());
    let good = knock(&invitation, &bytes, PAIRED, &CHANNEL);
    let applicant = judge(&good, &invitation).unwrap();
    assert_eq!(applicant.identity, key(PAIRED).verifying_key());
    let bare = SigningKey::from_seed(&[PAIRED; 32]).verifying_key();
    assert_ne!(applicant.identity.sha256(), bare.sha256());
    assert_eq!(check_listing(&applicant, &roster), Ok(Listing::New));

    let mut request = v1::JoinRequest::decode(&good[..]).unwrap();
    let mut signed = v1::Signed::decode(request.statement).unwrap();
    assert_eq!(signed.signatures.len(), 3);
    signed.signatures.pop();
    request.statement = signed.encode_to_vec().into();
    let stripped = judge(&request.encode_to_vec(), &invitation).unwrap_err();
    assert_eq!(stripped, RequestError::NotIdentity);

    let of_host = roster_with("fed", PAIRED);
    let mut other = applicant.clone();
    let own = key(NEWCOMER).verifying_key();
    let stolen = VerifyingKey::admit_with(own.as_bytes(), other.identity.companion_bytes());
    other.card.member.identity_keys[0].key = stolen.unwrap();
    let taken = check_listing(&other, &of_host);
    assert_eq!(taken, Err(RequestError::KeyTaken));
}
