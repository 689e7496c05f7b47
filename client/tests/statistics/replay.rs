//! What a vector's inputs lead to here.

use bytes::Bytes;
use frex_client::casework::statistics::{
    self, Axis, Code, Definition, Fact, Month, NoiseKey, Order, Period, Round, Steps, SumError,
    Times, change, figures, make, parse, percent,
    sum::combine,
    view::figure as shown,
    wire::{AxisValues, LogRange, Row, StatisticsTable, SumPartial, SumRound},
};
use frex_proto::{label, v1};
use serde_json::{Map, Value};

type Outcome = Result<Option<String>, String>;

pub fn run(inputs: &Map<String, Value>) -> Outcome {
    match inputs["op"].as_str().unwrap() {
        "count_figures" => count(inputs),
        "read_figures" => read(inputs),
        "sum_figures" => sum(inputs),
        "commit_figures" => commit(inputs),
        "change_of_figures" => {
            let number = |name: &str| inputs[name].as_u64().unwrap();
            let changed = change(number("before"), number("after"));
            changed
                .map(|changed| Some(percent(changed)))
                .ok_or_else(|| "Base".to_owned())
        }
        op => panic!("{op} is unknown"),
    }
}

fn hex_of(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn count(inputs: &Map<String, Value>) -> Outcome {
    let name = |error: statistics::StatisticsError| format!("{error:?}");
    let text = |field: &str| inputs[field].as_str().unwrap();
    let period = Period::between(text("first_month"), text("last_month")).map_err(name)?;
    let axis = |name: &Value| Axis::of_name(name.as_str().unwrap()).unwrap();
    let pairs = inputs["crossings"].as_array().unwrap().iter();
    let definition = Definition {
        id: "made-up".to_owned(),
        version: 1,
        title: String::new(),
        received: true,
        counts: Vec::new(),
        does_not_count: Vec::new(),
        crossings: pairs.map(|pair| (axis(&pair[0]), axis(&pair[1]))).collect(),
        exact_from: inputs["exact_from"].as_u64().unwrap(),
        sha256: [0; 32],
    };
    let key = NoiseKey::new(hex_of(&inputs["noise_key"]).try_into().unwrap());
    let range = LogRange::default();
    let mut before: Option<StatisticsTable> = None;
    for revision in inputs["revisions"].as_array().unwrap() {
        let facts: Vec<Fact> = revision.as_array().unwrap().iter().map(fact).collect();
        let order = Order {
            definition: &definition,
            federation: "fed",
            member: "member",
            period,
            zone: text("zone"),
            as_of_ms: u64::MAX / 2,
            steps: Steps {
                threshold: u32::try_from(inputs["threshold"].as_u64().unwrap()).unwrap(),
                ..Steps::default()
            },
            range: &range,
            key: &key,
            before: before.as_ref().map(|before| (before, [0; 32])),
        };
        before = Some(make(&facts, &order).map_err(name)?);
    }
    Ok(before.map(|table| lines(&table)))
}

/// A table as text, a row a line.
fn lines(table: &StatisticsTable) -> String {
    let row = |row: &Row| {
        let small = |figure: Option<u32>| shown(figure.map(u64::from));
        let mut figures = vec![shown(row.reports)];
        if row.at.len() < 2 {
            figures.extend([shown(row.incidents), shown(row.accounts), shown(row.items)]);
            figures.extend([
                small(row.accepted_tenths),
                small(row.opened_tenths),
                small(row.acted_tenths),
            ]);
            figures.extend([small(row.overdue_percent), small(row.shelved_percent)]);
        }
        format!("{} {}", name(row), figures.join(" "))
    };
    let mut lines: Vec<String> = table.rows.iter().map(row).collect();
    if !table.axes.is_empty() {
        let withdrawn = table.crossings.iter().filter(|one| one.withdrawn);
        lines.extend(withdrawn.map(|one| format!("withdrawn {} {}", one.first, one.second)));
    }
    lines.join("\n")
}

/// Where a row stands.
fn name(row: &Row) -> String {
    let places = row.at.iter();
    let places: Vec<String> = places
        .map(|at| format!("{}={}", at.axis, at.value))
        .collect();
    match places.is_empty() {
        true => "total".to_owned(),
        false => places.join(" "),
    }
}

fn fact(row: &Value) -> Fact {
    let number = |at: usize| row[at].as_u64().unwrap();
    let time = |at: usize| row[at].as_u64();
    let text = |at: usize| row[at].as_str().map(str::to_owned);
    let texts = |at: usize| -> Vec<String> {
        let list = row[at].as_array().unwrap().iter();
        list.map(|one| one.as_str().unwrap().to_owned()).collect()
    };
    let code = |said: &String| {
        let mut parts = said.splitn(3, '/').map(str::to_owned);
        let mut part = || parts.next().unwrap();
        Code {
            scheme: part(),
            version: part(),
            code: part(),
        }
    };
    Fact {
        record: hex_of(&row[0]).try_into().unwrap(),
        entry: number(1),
        logged_ms: number(2),
        times: Times {
            filed_ms: number(3),
            accepted_ms: time(4),
            opened_ms: time(5),
            acted_ms: time(6),
        },
        categories: texts(7).iter().map(code).collect(),
        countries: texts(8),
        roles: texts(9),
        lane: text(10).unwrap(),
        incident: text(11),
        duplicate: row[12].as_bool().unwrap(),
        accounts: number(13),
        items: number(14),
        outcome: text(15),
        shelved: text(16),
        overdue: u32::try_from(number(17)).unwrap(),
    }
}

fn read(inputs: &Map<String, Value>) -> Outcome {
    let signed = parse(&hex_of(&inputs["message"])).map_err(|error| format!("{error:?}"))?;
    let failed = figures(&signed.table)
        .into_iter()
        .find_map(|check| check.problem);
    match failed {
        Some(problem) => Err(format!("{problem:?}")),
        None => Ok(Some(hex::encode(signed.sha256))),
    }
}

/// Adds up what members have added up: of a round of so many, by what each has sent.
fn sum(inputs: &Map<String, Value>) -> Outcome {
    let definition = statistics::definition("frex.reports-received", None).unwrap();
    assert_eq!(inputs["exact_from"], definition.exact_from);
    let texts = |list: &Value| -> Vec<String> {
        let list = list.as_array().unwrap().iter();
        list.map(|one| one.as_str().unwrap().to_owned()).collect()
    };
    let axis = |axis: &Value| AxisValues {
        axis: axis[0].as_str().unwrap().to_owned(),
        values: texts(&axis[1]),
    };
    let members = 0..inputs["members"].as_u64().unwrap();
    let members: Vec<String> = members.map(|at| format!("member-{at}")).collect();
    let partial = |(member, part): (&String, &Value)| {
        let figures = part.as_array().unwrap().iter();
        let figures = figures.flat_map(|figure| figure.as_u64().unwrap().to_be_bytes());
        SumPartial {
            round_sha256: Bytes::new(),
            member: member.clone(),
            values: figures.collect(),
            commitments_sha256: vec![Bytes::new(); members.len()],
        }
    };
    let parts = inputs["parts"].as_array().unwrap();
    let partials: Vec<SumPartial> = members.iter().zip(parts).map(partial).collect();
    let said = SumRound {
        members: members.clone(),
        definition_id: definition.id.clone(),
        definition_version: definition.version,
        threshold: u32::try_from(inputs["threshold"].as_u64().unwrap()).unwrap(),
        axes: inputs["axes"]
            .as_array()
            .unwrap()
            .iter()
            .map(axis)
            .collect(),
        ..SumRound::default()
    };
    match combine(&round(said, [0; 32]), &partials) {
        Ok(totals) => {
            let rows = totals.rows.iter();
            let text: Vec<String> = rows
                .map(|row| format!("{} {}", name(row), shown(row.reports)))
                .collect();
            Ok(Some(text.join("\n")))
        }
        Err(SumError::Missing(_)) => Err("Missing".to_owned()),
        Err(error) => Err(format!("{error:?}")),
    }
}

/// A round that nobody has signed.
fn round(said: SumRound, id: label::Hash) -> Round {
    Round {
        said,
        signed: v1::Signed::default(),
        id,
    }
}

fn commit(inputs: &Map<String, Value>) -> Outcome {
    let text = |field: &str| inputs[field].as_str().unwrap();
    let label = match text("label") {
        "frex/v1/sum-input" => label::SUM_INPUT,
        _ => label::SUM_SHARE,
    };
    let id = hex_of(&inputs["round"]).try_into().unwrap();
    let (salt, values) = (hex_of(&inputs["salt"]), hex_of(&inputs["values"]));
    let pair = (text("member"), text("to"));
    let made = round(SumRound::default(), id).commitment(label, &salt, pair, &values);
    match made[..] == hex_of(&inputs["commitment"])[..] {
        true => Ok(None),
        false => Err("Commitment".to_owned()),
    }
}

/// The first moment of a month, UTC.
pub fn begins(month: &str) -> u64 {
    month.parse::<Month>().unwrap().begins_ms("UTC").unwrap()
}

/// A message of a table as it stands, signed by nobody: form and figures are judged without.
pub fn unsigned(table: &StatisticsTable) -> Bytes {
    use frex_client::casework::statistics::wire::{StatisticsMessage, statistics_message::What};
    use prost::Message as _;
    let signed = v1::Signed {
        payload: table.encode_to_vec().into(),
        payload_type: label::TYPE_STATISTICS.to_owned(),
        signatures: Vec::new(),
        batch: None,
    };
    let what = What::Table(signed.encode_to_vec().into());
    StatisticsMessage { what: Some(what) }
        .encode_to_vec()
        .into()
}
