//! What a vector's inputs lead to here.

use std::collections::{BTreeMap, BTreeSet};

use frex_client::casework::{
    case::{
        Case, CaseError, CaseId, Key, Not, Party, Said, Setting, Standing, View, What, json_of,
        read,
    },
    clock::{self, Duty, holidays, zone_of},
};
use frex_proto::{
    id::{EnvelopeId, MessageId},
    v1::{Kind, Lane},
};
use serde_json::{Map, Value};

pub(crate) fn run(inputs: &Map<String, Value>) -> Result<String, String> {
    match inputs["op"].as_str().unwrap() {
        "read_case" => read_case(inputs),
        "count_clock" => count_clock(inputs),
        "fold_case" => Ok(fold_case(inputs)),
        other => panic!("no such operation: {other}"),
    }
}

fn read_case(inputs: &Map<String, Value>) -> Result<String, String> {
    let bytes = hex::decode(inputs["message"].as_str().unwrap()).unwrap();
    let message = read(&bytes).map_err(name_of)?;
    // What a fold of it alone says of it.
    let said = Said {
        what: What::Case(Box::new(message)),
        ..empty()
    };
    let view = Case::fold(CaseId([0; 16]), [said]).view(0, &Setting::default());
    assert!(json_of(&bytes).is_object());
    Ok(format!(
        "{} {}",
        view.timeline[0].what, view.timeline[0].says
    ))
}

fn name_of(error: CaseError) -> String {
    let name = match error {
        CaseError::TooLarge => "TooLarge",
        CaseError::Malformed => "Malformed",
        CaseError::Nothing => "Nothing",
        CaseError::TooLong(_) => "TooLong",
        CaseError::Time(_) => "Time",
        CaseError::Missing(_) => "Missing",
        CaseError::Url(_) => "Url",
        CaseError::Country(_) => "Country",
        CaseError::Profile => "Profile",
        other => panic!("{other} has no name"),
    };
    name.to_owned()
}

fn count_clock(inputs: &Map<String, Value>) -> Result<String, String> {
    let text = |name: &str| inputs[name].as_str().unwrap();
    let duty: Duty = serde_json::from_value(inputs["duty"].clone()).map_err(|_| "NoClock")?;
    let rule = clock::profile(text("profile")).and_then(|profile| profile.rule(duty));
    let rule = rule.ok_or("NoClock")?;
    let days = serde_json::json!({ "XX": inputs["holidays"] });
    let days = holidays(days.to_string().as_bytes()).unwrap();
    let zone = zone_of(text("zone"), text("country"));
    let due = rule.due(inputs["from_ms"].as_u64().unwrap(), &zone, days.get("XX"));
    Ok(due.unwrap().to_string())
}

fn empty() -> Said {
    Said {
        key: Key {
            from: "a".to_owned(),
            message: MessageId([0; 16]),
        },
        envelopes: BTreeSet::new(),
        to: BTreeSet::new(),
        kind: Kind::Feedback,
        lane: Lane::Normal,
        in_reply_to: None,
        created_ms: 0,
        reply_by_ms: None,
        received: BTreeMap::new(),
        what: What::Other,
        otherwise: false,
    }
}

fn said(one: &Value) -> Said {
    let texts = |name: &str| {
        one[name]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one.as_str().unwrap())
    };
    let received = one["received"].as_object().unwrap().iter();
    let what = match (&one["content"], &one["recall"]) {
        (Value::String(content), _) => match read(&hex::decode(content).unwrap()) {
            Ok(message) => What::Case(Box::new(message)),
            Err(_) => What::Unreadable("it breaks a rule"),
        },
        (_, Value::Object(recall)) => What::Recall {
            message: MessageId::from_hex(recall["message"].as_str().unwrap()).unwrap(),
            reason: recall["reason"].as_str().unwrap().to_owned(),
        },
        _ => What::Report,
    };
    Said {
        key: Key {
            from: one["from"].as_str().unwrap().to_owned(),
            message: MessageId::from_hex(one["message"].as_str().unwrap()).unwrap(),
        },
        envelopes: texts("envelopes")
            .map(|id| EnvelopeId::from_hex(id).unwrap())
            .collect(),
        to: texts("to").map(str::to_owned).collect(),
        lane: if one["lane"] == "urgent" {
            Lane::Urgent
        } else {
            Lane::Normal
        },
        in_reply_to: one["in_reply_to"]
            .as_str()
            .map(|id| EnvelopeId::from_hex(id).unwrap()),
        created_ms: one["created_ms"].as_u64().unwrap(),
        reply_by_ms: one["reply_by_ms"].as_u64(),
        received: received
            .map(|(member, at)| (member.clone(), at.as_u64().unwrap()))
            .collect(),
        what,
        ..empty()
    }
}

fn fold_case(inputs: &Map<String, Value>) -> String {
    let all: Vec<Said> = inputs["said"]
        .as_array()
        .unwrap()
        .iter()
        .map(said)
        .collect();
    let members = inputs["members"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, party)| {
            let party = Party {
                country: party["country"].as_str().unwrap().to_owned(),
                platform: party["platform"] == true,
                gone: party["gone"] == true,
            };
            (name.clone(), party)
        });
    let setting = Setting {
        members: members.collect(),
        holidays: holidays(inputs["holidays"].to_string().as_bytes()).unwrap(),
        own: inputs
            .get("own")
            .map_or_else(String::new, |own| own.as_str().unwrap().to_owned()),
    };
    let now_ms = inputs["now_ms"].as_u64().unwrap();
    let case = Case::fold(CaseId([0; 16]), all.clone());
    // The other way round, and in two halves, it is the same.
    let mut other = Case::fold(
        CaseId([0; 16]),
        all.iter().rev().take(all.len() / 2).cloned(),
    );
    other.merge(Case::fold(CaseId([0; 16]), all));
    let view = case.view(now_ms, &setting);
    assert_eq!(view, other.view(now_ms, &setting));
    lines(&view).join("\n")
}

fn lines(view: &View) -> Vec<String> {
    let short = |key: &Key| key.message.to_string()[..8].to_owned();
    let text = |value: &str| {
        if value.is_empty() {
            "-".to_owned()
        } else {
            value.to_owned()
        }
    };
    let ms = |value: Option<u64>| value.map_or("-".to_owned(), |value| value.to_string());
    let mut lines = vec![format!("state {}", view.state)];
    lines.extend(view.timeline.iter().map(|one| {
        let counts = one.not.map_or("counts", why);
        format!("said {} {} {counts}", short(&one.key), one.key.from)
    }));
    lines.extend(view.threads.iter().map(|one| {
        [
            "thread".to_owned(),
            one.matter.word().to_owned(),
            one.request.as_ref().map_or("-".to_owned(), short),
            text(&one.member),
            text(&one.subject),
            text(&one.state.replace(' ', "_")),
            text(&one.reason),
            one.since_ms.to_string(),
            ms(one.until_ms),
            text(&one.contradictions.join("; ")),
        ]
        .join(" ")
    }));
    lines.extend(view.deadlines.iter().map(|one| {
        let standing: Standing = one.state;
        [
            "due".to_owned(),
            one.what.word().to_owned(),
            text(&one.who),
            one.profile.clone(),
            ms(one.from_ms),
            ms(one.due_ms),
            ms(one.met_ms),
            standing.word().replace(' ', "_"),
            ms(one.warning.map(u64::from)),
        ]
        .join(" ")
    }));
    let reopens = view.reopenings.iter();
    lines.extend(
        reopens.map(|one| format!("reopens {} {} {}", one.member, one.because, short(&one.by))),
    );
    lines
}

fn why(not: Not) -> &'static str {
    match not {
        Not::NoParty => "NoParty",
        Not::NoRequest => "NoRequest",
        Not::NotAsked => "NotAsked",
        Not::NotTheAsker => "NotTheAsker",
        Not::NotTheAuthority => "NotTheAuthority",
        Not::NotARecipient => "NotARecipient",
        Not::Reporter => "Reporter",
        Not::Itself => "Itself",
        Not::Otherwise => "Otherwise",
        Not::Unreadable => "Unreadable",
        _ => "Unknown",
    }
}
