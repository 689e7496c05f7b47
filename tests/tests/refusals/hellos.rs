//! How peers try to get in.

use frex_proto::{
    error::WireCode::{self, *},
    keys::SigningKey,
    limits, v1,
    wire::FrameType,
};

use super::scene::{CENTRE, FORMER, HOME, Knock, PLATFORM, POLICE, Scene, Who, frame, message};

type Attempt = (&'static str, fn(&Scene) -> Knock, WireCode);

/// A Hello that is right in everything but one.
fn knock(scene: &Scene, who: Who, change: fn(&mut v1::Hello)) -> Knock {
    let mut hello = scene.hello(who);
    change(&mut hello);
    Knock {
        tls: scene.tls_key(who),
        first_frame: message(FrameType::Hello, &hello),
        classical: false,
    }
}

fn platform(scene: &Scene, change: fn(&mut v1::Hello)) -> Knock {
    knock(scene, Who::Client(PLATFORM), change)
}

fn first_frame(scene: &Scene, first_frame: Vec<u8>) -> Knock {
    Knock {
        first_frame,
        ..platform(scene, |_| {})
    }
}

pub fn rows() -> Vec<Attempt> {
    [keys(), names(), terms()].concat()
}

/// Whose key it is.
fn keys() -> Vec<Attempt> {
    vec![
        (
            "a key that nobody listed",
            |scene| Knock {
                tls: SigningKey::from_seed(&[77; 32]),
                ..platform(scene, |_| {})
            },
            NotTrusted,
        ),
        (
            "an identity key in place of a connection key",
            |scene| Knock {
                tls: scene.federation.member(PLATFORM).identity.clone(),
                ..platform(scene, |_| {})
            },
            NotTrusted,
        ),
        (
            "a revoked member",
            |scene| knock(scene, Who::Client(FORMER), |_| {}),
            Revoked,
        ),
        (
            "a suspended node",
            |scene| knock(scene, Who::Node(CENTRE), |_| {}),
            Revoked,
        ),
        (
            "a member of another node",
            |scene| knock(scene, Who::Client(POLICE), |_| {}),
            WrongNode,
        ),
        (
            "the classical key exchange alone",
            |scene| Knock {
                classical: true,
                ..platform(scene, |_| {})
            },
            Unsupported,
        ),
    ]
}

/// Who it says it is, and to whom it believes to talk.
fn names() -> Vec<Attempt> {
    vec![
        (
            "another member's name",
            |scene| platform(scene, |hello| hello.sender = HOME.to_owned()),
            WrongSender,
        ),
        (
            "a client in a node's role",
            |scene| platform(scene, |hello| hello.role = v1::PeerRole::Node.into()),
            WrongRole,
        ),
        (
            "a node in a client's role",
            |scene| knock(scene, Who::Node(POLICE), |hello| hello.role = 2),
            WrongRole,
        ),
        (
            "a hello for another node",
            |scene| platform(scene, |hello| hello.receiver = POLICE.to_owned()),
            WrongNode,
        ),
        (
            "another federation",
            |scene| platform(scene, |hello| hello.federation = "other".to_owned()),
            WrongFederation,
        ),
    ]
}

/// What it speaks and knows.
fn terms() -> Vec<Attempt> {
    vec![
        (
            "a version that is not spoken here",
            |scene| {
                platform(scene, |hello| {
                    (hello.version_min, hello.version_max) = (2, 3);
                })
            },
            Unsupported,
        ),
        (
            "an unknown critical feature",
            |scene| platform(scene, |hello| hello.critical = vec![5]),
            Unsupported,
        ),
        (
            "a clock eleven minutes ahead",
            |scene| platform(scene, |hello| hello.clock_ms += 11 * 60 * 1000),
            FutureDated,
        ),
        (
            "another roster of the same version",
            |scene| platform(scene, |hello| hello.roster_sha256 = vec![1; 32].into()),
            BadRoster,
        ),
        (
            "a roster hash of another length",
            |scene| platform(scene, |hello| hello.roster_sha256.clear()),
            Malformed,
        ),
        (
            "a hello that does not decode",
            |scene| first_frame(scene, frame(1, &[0xff; 40])),
            Malformed,
        ),
        (
            "a request where the hello is due",
            |scene| first_frame(scene, frame(2, &[])),
            Malformed,
        ),
        (
            "half a hello",
            |scene| first_frame(scene, frame(1, &[0; 40])[..20].to_vec()),
            Malformed,
        ),
        (
            "a hello over its cap",
            |scene| first_frame(scene, frame(1, &[0; limits::HELLO_FRAME_BYTES_MAX + 1])),
            TooLarge,
        ),
    ]
}
