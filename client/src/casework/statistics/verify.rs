//! Whether a table holds: its signature, what it rests on, and all that its figures say of each
//! other. Spec: STA-26 to STA-28.

use std::collections::BTreeMap;

use frex_proto::{
    label,
    log::{Checkpoint, checkpoint},
    roster::Roster,
    sign,
};

use super::{
    Signed, Steps, definition,
    make::shares,
    parse::period,
    view::{place, row, values},
    wire::{Row, StatisticsTable},
};

/// One step, named for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is checked, as a sentence.
    pub name: &'static str,
    /// What is wrong, if anything is.
    pub problem: Option<Problem>,
}

/// Why a table does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It belongs to another federation than the roster.
    #[error("it belongs to another federation")]
    WrongFederation,
    /// The roster does not list who counted.
    #[error("the roster lists no such member")]
    UnknownMember,
    /// Not signed by a key that the member had at that time.
    #[error("it is not signed by a key that the member had at that time")]
    Signature,
    /// The definition is not one that is published under this name.
    #[error("no definition is published under this name with this text")]
    Definition,
    /// A month was not over when it was counted.
    #[error("a month was not over when it was counted")]
    NotOver,
    /// The head is not one of the log of the member's home node.
    #[error("the head is not signed by the log of the member's node")]
    Checkpoint,
    /// The head does not cover the entries.
    #[error("the head does not cover the entries that are counted")]
    Range,
    /// A figure is shown that is too small.
    #[error("a figure is shown that is under the threshold")]
    Small,
    /// A figure is no multiple of the base.
    #[error("a figure is not rounded")]
    NotRounded,
    /// Figures do not add up, beyond what rounding and noise may do.
    #[error("figures do not add up to their total")]
    NotAdditive,
    /// All figures but one of a line are shown, so that the one can be computed.
    #[error("a figure is hidden alone, so that it can be computed")]
    Alone,
    /// A share does not follow from the figures that are shown.
    #[error("a share does not follow from the figures")]
    Share,
}

/// Verifies a table under a roster. Every check is made; none asks anybody.
#[must_use]
pub fn verify(signed: &Signed, roster: &Roster) -> Vec<Check> {
    let table = &signed.table;
    let mut checks = vec![
        check(
            "signed by the member that counted",
            signature(signed, roster),
        ),
        check("the definition is the published one", defined(table)),
        check("every month was over when it was counted", over(table)),
        check(
            "rests on entries of the log of its node",
            range(table, roster),
        ),
    ];
    checks.extend(figures(table));
    checks
}

/// What figures say of each other; of this nobody else need be asked.
#[must_use]
pub fn figures(table: &StatisticsTable) -> Vec<Check> {
    let lines = lines(table);
    vec![
        check("no figure under the threshold is shown", small(table)),
        check(
            "figures add up within noise and rounding",
            additive(table, &lines),
        ),
        check("no figure is hidden alone", alone(&lines)),
        check("shares follow from the figures", follow(table)),
    ]
}

fn check(name: &'static str, outcome: Result<(), Problem>) -> Check {
    Check {
        name,
        problem: outcome.err(),
    }
}

fn signature(signed: &Signed, roster: &Roster) -> Result<(), Problem> {
    let table = &signed.table;
    if table.federation != roster.federation() {
        return Err(Problem::WrongFederation);
    }
    let member = roster.member(&table.member).ok_or(Problem::UnknownMember)?;
    let keys = member.identity_keys_at(table.as_of_ms);
    let verified = sign::verify(&signed.signed, label::TYPE_STATISTICS, &keys, 1);
    verified.map(drop).map_err(|_| Problem::Signature)
}

fn defined(table: &StatisticsTable) -> Result<(), Problem> {
    let known = definition(&table.definition_id, Some(table.definition_version));
    let known = known.map_err(|_| Problem::Definition)?;
    let crossings = known
        .crossings
        .iter()
        .map(|(first, second)| (first.name(), second.name()));
    let same = known.sha256[..] == table.definition_sha256[..]
        && crossings.eq(table
            .crossings
            .iter()
            .map(|one| (&*one.first, &*one.second)))
        && control(table).is_some_and(|(_, exact_from)| exact_from == known.exact_from);
    same.then_some(()).ok_or(Problem::Definition)
}

fn over(table: &StatisticsTable) -> Result<(), Problem> {
    let period = period(table).map_err(|_| Problem::NotOver)?;
    match period.last.next().begins_ms(&table.zone) {
        Ok(end) if end <= table.as_of_ms => Ok(()),
        _ => Err(Problem::NotOver),
    }
}

/// The head is of a log of the member's node, by a key that had not ended when the last month began, and
/// covers every entry that is counted.
fn range(table: &StatisticsTable, roster: &Roster) -> Result<(), Problem> {
    let range = table.range.as_ref().ok_or(Problem::Range)?;
    let home = roster
        .home_node(&table.member)
        .ok_or(Problem::UnknownMember)?;
    let log = roster
        .log_verifier_for(&home.id, &range.checkpoint)
        .ok_or(Problem::Checkpoint)?;
    let began = period(table).and_then(|period| period.last.begins_ms(&table.zone));
    let began = began.map_err(|_| Problem::Checkpoint)?;
    let head: Checkpoint = checkpoint::parse_and_verify(&range.checkpoint, &log, began)
        .map_err(|_| Problem::Checkpoint)?;
    match head.origin == range.origin && range.end <= head.size {
        true => Ok(()),
        false => Err(Problem::Range),
    }
}

fn control(table: &StatisticsTable) -> Option<(Steps, u64)> {
    let control = table.control.as_ref()?;
    Some((Steps::of(control).ok()?, control.exact_from))
}

fn small(table: &StatisticsTable) -> Result<(), Problem> {
    let (steps, exact_from) = control(table).ok_or(Problem::Small)?;
    for row in &table.rows {
        let exact = row.at.is_empty() && exact_from > 0;
        let exact = row
            .reports
            .filter(|reports| exact && *reports >= exact_from);
        let rounded = row.reports.filter(|_| exact.is_none());
        for figure in [rounded, row.incidents, row.accounts, row.items]
            .into_iter()
            .flatten()
        {
            if figure < steps.smallest() {
                return Err(Problem::Small);
            }
            if figure % u64::from(steps.base) != 0 {
                return Err(Problem::NotRounded);
            }
        }
        let medians = [row.accepted_tenths, row.opened_tenths, row.acted_tenths];
        if row.reports.is_none() && medians.iter().any(Option::is_some) {
            return Err(Problem::Small);
        }
    }
    Ok(())
}

/// Figures of one line, of which those that are hidden are none, and what they add up to.
struct Line {
    figures: Vec<Option<u64>>,
    total: Option<u64>,
    /// Figures may count the same thing twice: incidents that reach over a border.
    overlap: bool,
}

impl Line {
    fn hidden(&self) -> usize {
        self.figures
            .iter()
            .filter(|figure| figure.is_none())
            .count()
    }

    /// Whether it adds up, each figure being at most so far from the truth.
    fn adds_up(&self, error: u64) -> bool {
        let Some(total) = self.total else {
            return self.figures.iter().all(Option::is_none);
        };
        let sum: u64 = self
            .figures
            .iter()
            .flatten()
            .fold(0, |sum, one| sum.saturating_add(*one));
        let slack = error * (self.figures.len() as u64 + 1);
        let fits = self.overlap || sum <= total.saturating_add(slack);
        fits && (self.hidden() > 0 || sum.saturating_add(slack) >= total)
    }
}

/// Every line of a table: an axis under the total, rows and columns of crossings under their axis.
fn lines(table: &StatisticsTable) -> Vec<Line> {
    let mut lines = Vec::new();
    let Some(total) = table.rows.first().filter(|row| row.at.is_empty()) else {
        return lines;
    };
    for axis in &table.axes {
        let rows: Vec<&Row> = table
            .rows
            .iter()
            .filter(|row| row.at.len() == 1 && row.at[0].axis == axis.axis)
            .collect();
        let line = |figure: fn(&Row) -> Option<u64>, overlap: bool| Line {
            figures: rows.iter().map(|row| figure(row)).collect(),
            total: figure(total),
            overlap,
        };
        lines.extend([
            line(|row| row.reports, false),
            line(|row| row.incidents, true),
            line(|row| row.accounts, false),
            line(|row| row.items, false),
        ]);
    }
    for crossing in table
        .crossings
        .iter()
        .filter(|crossing| !crossing.withdrawn)
    {
        lines.extend(of_crossing(table, &crossing.first, &crossing.second));
    }
    lines
}

fn of_crossing(table: &StatisticsTable, first: &str, second: &str) -> Vec<Line> {
    let (rows, columns) = (values(table, first), values(table, second));
    let figure = |axis: &str, value: &str| row(table, &[place(axis, value)])?.reports;
    // Each cell is asked for twice, and a table of others may have many.
    let shown = table.rows.iter().filter_map(|row| match &row.at[..] {
        [one, other] if one.axis == first && other.axis == second => {
            Some(((&*one.value, &*other.value), row.reports?))
        }
        _ => None,
    });
    let shown: BTreeMap<(&str, &str), u64> = shown.collect();
    let cell = |row: &String, column: &String| shown.get(&(&**row, &**column)).copied();
    let by_row = rows.iter().map(|row| Line {
        figures: columns.iter().map(|column| cell(row, column)).collect(),
        total: figure(first, row),
        overlap: false,
    });
    let by_column = columns.iter().map(|column| Line {
        figures: rows.iter().map(|row| cell(row, column)).collect(),
        total: figure(second, column),
        overlap: false,
    });
    by_row.chain(by_column).collect()
}

fn additive(table: &StatisticsTable, lines: &[Line]) -> Result<(), Problem> {
    let (steps, _) = control(table).ok_or(Problem::NotAdditive)?;
    let adds_up = |line: &Line| line.adds_up(steps.error_max());
    match lines.iter().all(adds_up) {
        true => Ok(()),
        false => Err(Problem::NotAdditive),
    }
}

fn alone(lines: &[Line]) -> Result<(), Problem> {
    let alone = |line: &Line| line.total.is_some() && line.hidden() == 1;
    match lines.iter().any(alone) {
        true => Err(Problem::Alone),
        false => Ok(()),
    }
}

fn follow(table: &StatisticsTable) -> Result<(), Problem> {
    let mut rows = table.rows.clone();
    for row in &mut rows {
        (row.overdue_percent, row.shelved_percent) = (None, None);
    }
    shares(&mut rows);
    match rows == table.rows {
        true => Ok(()),
        false => Err(Problem::Share),
    }
}
