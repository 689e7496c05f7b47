//! What a vector's inputs lead to here.

use bytes::Bytes;
use frex_client::casework::statistics::{
    self, Axis, Code, Definition, Fact, Month, NoiseKey, Order, Period, Steps, Times, change,
    figures, line, make, parse, percent,
    wire::{LogRange, StatisticsTable},
};
use frex_proto::label;
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
    let period = Period {
        first: text("first_month").parse().map_err(name)?,
        last: text("last_month").parse().map_err(name)?,
    };
    period.months().map_err(name)?;
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
    let shown =
        |figure: Option<u64>| figure.map_or_else(|| "x".to_owned(), |figure| figure.to_string());
    let row = |row: &statistics::wire::Row| {
        let places: Vec<String> = row
            .at
            .iter()
            .map(|at| format!("{}={}", at.axis, at.value))
            .collect();
        let name = if places.is_empty() {
            "total".to_owned()
        } else {
            places.join(" ")
        };
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
        format!("{name} {}", figures.join(" "))
    };
    let mut lines: Vec<String> = table.rows.iter().map(row).collect();
    if !table.axes.is_empty() {
        let withdrawn = table.crossings.iter().filter(|one| one.withdrawn);
        lines.extend(withdrawn.map(|one| format!("withdrawn {} {}", one.first, one.second)));
    }
    lines.join("\n")
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
            delivered_ms: None,
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

/// Adds up the figures of members as their shares would.
fn sum(inputs: &Map<String, Value>) -> Outcome {
    let parts = inputs["parts"].as_array().unwrap();
    if parts.len() as u64 != inputs["members"].as_u64().unwrap() {
        return Err("Missing".to_owned());
    }
    let threshold = inputs["threshold"].as_u64().unwrap();
    let steps = Steps {
        threshold: u32::try_from(threshold).unwrap(),
        ..Steps::default()
    };
    let column = |at: usize| {
        let figures = parts.iter().map(|part| part[at].as_u64().unwrap());
        figures.fold(0_u64, u64::wrapping_add)
    };
    let (total, exact_from) = (column(0), inputs["exact_from"].as_u64().unwrap());
    let shown = |figure: u64, open: bool| match open {
        true => steps.shown(figure, 0).to_string(),
        false => "x".to_owned(),
    };
    let exact = exact_from > 0 && total >= exact_from;
    let mut text = vec![format!(
        "total {}",
        if exact {
            total.to_string()
        } else {
            shown(total, total >= threshold)
        }
    )];
    let mut at = 1;
    for axis in inputs["axes"].as_array().unwrap() {
        let labels = axis[1].as_array().unwrap();
        let figures: Vec<u64> = (at..at + labels.len()).map(column).collect();
        at += labels.len();
        let open = match total >= threshold {
            true => line(&figures, threshold),
            false => vec![false; figures.len()],
        };
        for ((label, figure), open) in labels.iter().zip(&figures).zip(open) {
            let (axis, label) = (axis[0].as_str().unwrap(), label.as_str().unwrap());
            text.push(format!("{axis}={label} {}", shown(*figure, open)));
        }
    }
    Ok(Some(text.join("\n")))
}

fn commit(inputs: &Map<String, Value>) -> Outcome {
    let named = |field: &str| {
        let name = inputs[field].as_str().unwrap();
        let length = u16::try_from(name.len()).unwrap();
        [&length.to_be_bytes()[..], name.as_bytes()].concat()
    };
    let label = match inputs["label"].as_str().unwrap() {
        "frex/v1/sum-input" => label::SUM_INPUT,
        _ => label::SUM_SHARE,
    };
    let (round, values) = (hex_of(&inputs["round"]), hex_of(&inputs["values"]));
    let parts = [label, &round, &named("member"), &named("to"), &values];
    let made = label::hmac_sha256(&hex_of(&inputs["salt"]), &parts);
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
    let signed = frex_proto::v1::Signed {
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
