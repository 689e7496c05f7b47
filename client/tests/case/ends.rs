//! Cases that nobody has and that were taken back; what is owed still, and what does not count.

use frex_client::casework::v1::{
    CaseMessage, DuplicateOf, Extension, RouteAnswer, Triage, case_message::What,
};
use prost::Message;
use serde_json::{Value, json};

use super::{
    Vector,
    folds::{
        HOTLINE, PLATFORM, POLICE, STRANGER, among, by, hotline, kept, letter, members, order,
        outcome, platform, police, produced, report, route, said, vector,
    },
};

pub(crate) fn make() -> Vec<Vector> {
    [
        owed(),
        unheld(),
        back(),
        elsewhere(),
        uncounted(),
        copies(),
        asked(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A reason not to take it: it is not for this member.
fn declined() -> What {
    What::Route(RouteAnswer {
        decision: 2,
        reason: 1,
        ..RouteAnswer::default()
    })
}

fn rejected() -> What {
    What::Triage(Triage {
        state: 3,
        reason: 1,
    })
}

fn longer() -> What {
    What::Extension(Extension::default())
}

fn keeping() -> Vec<Value> {
    vec![
        report(),
        police(2, "2026-11-03T10:00:00Z", 1, letter("eu-epoc-pr")),
        platform(3, "2026-11-03T12:00:00Z", 2, kept("in_force")),
        police(4, "2026-12-20T10:00:00Z", 2, longer()),
    ]
}

fn owed() -> Vec<Vector> {
    let part = vec![
        report(),
        police(2, "2026-11-03T10:00:00Z", 1, order("eu-epoc", "")),
        platform(3, "2026-11-04T10:00:00Z", 2, produced("partial")),
        police(4, "2026-11-05T10:00:00Z", 3, produced("delivery_ok")),
        platform(5, "2026-11-06T10:00:00Z", 2, produced("delivered")),
    ];
    let seen = vec![
        report(),
        police(2, "2026-11-03T10:00:00Z", 1, letter("us-2703f")),
        platform(3, "2026-11-03T12:00:00Z", 2, kept("acked")),
    ];
    let mut late = keeping();
    late[3] = police(4, "2026-12-20T10:00:00Z", 2, kept("released"));
    late.push(police(5, "2026-12-21T10:00:00Z", 2, longer()));
    vec![
        vector(
            "fold-part-confirmed",
            "CSE-15",
            "what is confirmed of a part leaves the rest owed",
            part,
            "2026-11-20T00:00:00Z",
        ),
        vector(
            "fold-letter-unanswered",
            "CSE-24",
            "that a request to keep was seen is no answer",
            seen,
            "2026-11-10T00:00:00Z",
        ),
        vector(
            "fold-longer-unanswered",
            "CSE-24",
            "nobody says whether it is kept longer",
            keeping(),
            "2026-12-27T00:00:00Z",
        ),
        vector(
            "fold-longer-too-late",
            "CSE-14",
            "what was let go of is not kept longer",
            late,
            "2026-12-27T00:00:00Z",
        ),
    ]
}

fn unheld() -> Vec<Vector> {
    let now = "2026-11-20T00:00:00Z";
    let away = || hotline(2, "2026-11-03T10:00:00Z", 1, rejected());
    let refused = vec![
        report(),
        away(),
        police(3, "2026-11-04T10:00:00Z", 1, declined()),
    ];
    let passed = |to: &str| {
        vec![
            report(),
            away(),
            police(3, "2026-11-04T10:00:00Z", 1, route(3, to)),
        ]
    };
    let mut back = passed(STRANGER);
    let stranger = by(
        4,
        STRANGER,
        &[POLICE],
        "2026-11-05T10:00:00Z",
        1,
        declined(),
    );
    back.push(stranger);
    let mut gone = members();
    gone[POLICE]["gone"] = true.into();
    let left = vec![report(), away()];
    vec![
        vector(
            "fold-refused-by-all",
            "CSE-33",
            "nobody has what each recipient has refused",
            refused,
            now,
        ),
        vector(
            "fold-passed-to-nobody",
            "CSE-33",
            "nobody of that name is a member",
            passed("nobody.xx"),
            now,
        ),
        vector(
            "fold-passed-and-held",
            "CSE-33",
            "who was passed it has it",
            passed(STRANGER),
            now,
        ),
        vector(
            "fold-passed-and-refused",
            "CSE-33",
            "who was passed it has refused it too",
            back,
            now,
        ),
        among(
            gone,
            (
                "fold-recipient-gone",
                "CSE-33",
                "the only one who might have it is no member",
            ),
            left,
            now,
        ),
    ]
}

fn recall(to: &[&str], reason: &str) -> Value {
    let mut recall = said(8, PLATFORM, to, "2026-11-05T10:00:00Z", 0);
    recall["recall"] = json!({ "message": hex::encode([1; 16]), "reason": reason });
    recall
}

fn back() -> Vec<Vector> {
    let now = "2026-11-20T00:00:00Z";
    let wrong = |to: &[&str]| recall(to, "wrong-recipient");
    let mut again = said(9, PLATFORM, &[POLICE], "2026-11-06T10:00:00Z", 0);
    again["report"] = true.into();
    vec![
        vector(
            "fold-taken-back",
            "CSE-32",
            "nothing is to be done about what its author has taken back",
            vec![wrong(&[HOTLINE, POLICE]), report()],
            now,
        ),
        vector(
            "fold-taken-back-from-one",
            "CSE-32",
            "the other recipient has it still",
            vec![report(), wrong(&[HOTLINE])],
            now,
        ),
        vector(
            "fold-taken-back-and-sent-again",
            "CSE-32",
            "another report of the case is to be dealt with",
            vec![report(), wrong(&[HOTLINE, POLICE]), again],
            now,
        ),
    ]
}

/// A platform takes back what police have asked of it, and police date back what they tell late.
fn elsewhere() -> Vec<Vector> {
    let mut others = recall(&[POLICE], "exonerated");
    others["recall"]["message"] = hex::encode([2; 16]).into();
    let asked = vec![
        report(),
        police(2, "2026-11-03T10:00:00Z", 1, order("eu-epoc", "")),
        others,
    ];
    let mut told = said(3, POLICE, &[PLATFORM], "2027-01-20T10:00:00Z", 1);
    let dated = CaseMessage {
        at: "2026-11-10T10:00:00Z".to_owned(),
        what: Some(outcome("registered", "")),
        ..CaseMessage::default()
    };
    told["content"] = hex::encode(dated.encode_to_vec()).into();
    let late = vec![
        report(),
        police(2, "2026-11-03T10:00:00Z", 1, route(1, "")),
        told,
    ];
    vec![
        vector(
            "fold-recall-of-another-s",
            "CSE-12",
            "nobody takes back what others have said",
            asked,
            "2026-11-20T00:00:00Z",
        ),
        vector(
            "fold-dated-back",
            "CSE-24",
            "an outcome is told when it is told, whatever its date",
            late,
            "2027-01-21T00:00:00Z",
        ),
    ]
}

fn uncounted() -> Vec<Vector> {
    let same = |id: [u8; 16]| {
        What::DuplicateOf(DuplicateOf {
            case_id: id.to_vec().into(),
            reference: String::new(),
        })
    };
    let own = vec![
        report(),
        police(2, "2026-11-03T10:00:00Z", 1, same([0; 16])),
        hotline(3, "2026-11-03T10:00:00Z", 1, same([5; 16])),
    ];
    let reporter = vec![
        report(),
        platform(2, "2026-11-03T10:00:00Z", 1, route(1, "")),
        platform(3, "2026-11-03T11:00:00Z", 1, outcome("arrest", "")),
        police(4, "2026-11-03T12:00:00Z", 1, outcome("arrest", "")),
    ];
    vec![
        vector(
            "fold-duplicate-of-itself",
            "CSE-12",
            "a case is no duplicate of itself, and of another it is",
            own,
            "2026-11-04T00:00:00Z",
        ),
        vector(
            "fold-reporter",
            "CSE-12",
            "a platform neither takes over nor ends what it has reported",
            reporter,
            "2026-11-04T00:00:00Z",
        ),
    ]
}

/// A report of which each recipient got a copy of its own, as one of them has it: that one refuses it.
fn copies() -> Vec<Vector> {
    let refused = || {
        let mut copy = said(1, PLATFORM, &[POLICE], "2026-11-02T10:00:00Z", 0);
        copy["report"] = true.into();
        vec![copy, police(2, "2026-11-03T10:00:00Z", 1, declined())]
    };
    let seen = |name: &str, what: &str, members: Value, own: &str| {
        let named = (name, "CSE-35", what);
        among(members, named, refused(), "2026-11-20T00:00:00Z").set("own", own)
    };
    let mut gone = members();
    gone[PLATFORM]["gone"] = true.into();
    vec![
        seen(
            "fold-declined-at-a-recipient",
            "a recipient does not know who else got it",
            members(),
            POLICE,
        ),
        seen(
            "fold-declined-at-its-author",
            "who wrote it knows all who got it",
            members(),
            PLATFORM,
        ),
        seen(
            "fold-declined-and-its-author-gone",
            "nobody else can say that nobody has it",
            gone,
            POLICE,
        ),
    ]
}

/// Police have another copy than the hotline, which knows nothing of that: they ask the hotline, and somebody who
/// knows nothing either.
fn asked() -> Vec<Vector> {
    let asks = |whom: &str| {
        let mut copy = said(1, PLATFORM, &[HOTLINE], "2026-11-02T10:00:00Z", 0);
        copy["report"] = true.into();
        let to = &[whom];
        let ask = by(
            2,
            POLICE,
            to,
            "2026-11-03T10:00:00Z",
            1,
            letter("eu-epoc-pr"),
        );
        let answer = by(
            3,
            whom,
            &[POLICE],
            "2026-11-03T12:00:00Z",
            2,
            kept("in_force"),
        );
        let freed = by(4, POLICE, to, "2026-11-04T10:00:00Z", 3, kept("released"));
        let tell = by(
            5,
            POLICE,
            to,
            "2026-11-05T10:00:00Z",
            1,
            outcome("no_crime", ""),
        );
        vec![copy, ask, answer, freed, tell]
    };
    vec![
        vector(
            "fold-asked-by-another-recipient",
            "CSE-12",
            "who asks a recipient is answered, and tells no outcome by that",
            asks(HOTLINE),
            "2026-11-06T00:00:00Z",
        ),
        vector(
            "fold-asked-among-strangers",
            "CSE-12",
            "who is no party asks nobody who is one",
            asks(STRANGER),
            "2026-11-06T00:00:00Z",
        ),
    ]
}
