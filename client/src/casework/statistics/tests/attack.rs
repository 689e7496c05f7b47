//! An attacker who solves the linear system of everything that is shown, and who is even told every
//! figure that is shown as it is, without noise and rounding, never learns a hidden cell.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What an attacker knows: figures as sums of kinds of reports, of which he does not know how many there are.
struct System {
    rows: Vec<Vec<f64>>,
    sums: Vec<f64>,
    kinds: Vec<Vec<String>>,
}

/// Places of a fact on the axes of a table, by its labels.
fn labels(table: &wire::StatisticsTable, fact: &Fact) -> Vec<String> {
    let of = |one: &wire::AxisValues| {
        let axis = Axis::of_name(&one.axis).expect("known");
        let said = match axis {
            Axis::Month => month_of(fact.logged_ms, &table.zone)
                .expect("a month")
                .to_string(),
            axis => super::super::grid::value(fact, axis),
        };
        let holds = |value: &&String| match axis {
            Axis::Month => {
                let (first, last) = super::super::fold::joined(value).expect("a label");
                let month: Month = said.parse().expect("a month");
                first <= month && month <= last
            }
            _ => **value == said,
        };
        let found = one.values.iter().find(holds);
        found.cloned().unwrap_or_else(|| OTHER.to_owned())
    };
    table.axes.iter().map(of).collect()
}

fn axis(table: &wire::StatisticsTable, name: &str) -> usize {
    table
        .axes
        .iter()
        .position(|one| one.axis == name)
        .expect("known")
}

fn matches(table: &wire::StatisticsTable, kind: &[String], at: &[wire::Coordinate]) -> bool {
    at.iter()
        .all(|place| kind[axis(table, &place.axis)] == place.value)
}

/// Every kind of report that a table could tell apart.
fn kinds(table: &wire::StatisticsTable) -> Vec<Vec<String>> {
    let mut kinds = vec![Vec::new()];
    for one in &table.axes {
        let more = |kind: &Vec<String>| {
            let kind = kind.clone();
            one.values
                .iter()
                .map(move |value| [&kind[..], std::slice::from_ref(value)].concat())
        };
        kinds = kinds.iter().flat_map(more).collect();
    }
    kinds
}

fn count(table: &wire::StatisticsTable, facts: &[Fact], at: &[wire::Coordinate]) -> u64 {
    let within = facts
        .iter()
        .filter(|fact| matches(table, &labels(table, fact), at));
    within.count() as u64
}

/// Cells of crossings that are shown in part and are not shown themselves.
fn hidden(table: &wire::StatisticsTable) -> Vec<Vec<wire::Coordinate>> {
    let mut hidden = Vec::new();
    for crossing in table.crossings.iter().filter(|one| !one.withdrawn) {
        for first in view::values(table, &crossing.first) {
            for second in view::values(table, &crossing.second) {
                let at = vec![
                    view::place(&crossing.first, first),
                    view::place(&crossing.second, second),
                ];
                if view::row(table, &at).is_none() {
                    hidden.push(at);
                }
            }
        }
    }
    hidden
}

impl System {
    fn of(table: &wire::StatisticsTable, facts: &[Fact]) -> Self {
        let kinds = kinds(table);
        let shown = table.rows.iter().filter(|row| row.reports.is_some());
        let row = |row: &wire::Row| -> Vec<f64> {
            let within = kinds.iter().map(|kind| matches(table, kind, &row.at));
            within.map(|within| f64::from(u8::from(within))).collect()
        };
        Self {
            rows: shown.clone().map(row).collect(),
            sums: shown
                .map(|row| count(table, facts, &row.at) as f64)
                .collect(),
            kinds,
        }
    }

    fn weights(&self, table: &wire::StatisticsTable, at: &[wire::Coordinate]) -> Vec<f64> {
        let within = self.kinds.iter().map(|kind| matches(table, kind, at));
        within.map(|within| f64::from(u8::from(within))).collect()
    }

    /// The least and the most that a sum of kinds can be: linear programming, without rounding errors that
    /// matter at these sizes.
    fn range(&self, weights: &[f64]) -> (f64, f64) {
        let most = simplex(&self.rows, &self.sums, weights);
        let opposite: Vec<f64> = weights.iter().map(|weight| -weight).collect();
        (-simplex(&self.rows, &self.sums, &opposite), most)
    }
}

/// The maximum of `goal · x` where `rows · x = sums` and `x ≥ 0`: two phases, by the rule of Bland.
fn simplex(rows: &[Vec<f64>], sums: &[f64], goal: &[f64]) -> f64 {
    let (height, width) = (rows.len(), goal.len());
    let mut table: Vec<Vec<f64>> = (0..height)
        .map(|at| {
            let unit = (0..height).map(|one| f64::from(u8::from(one == at)));
            rows[at]
                .iter()
                .copied()
                .chain(unit)
                .chain([sums[at]])
                .collect()
        })
        .collect();
    let mut basis: Vec<usize> = (width..width + height).collect();
    let first: Vec<f64> = (0..width + height)
        .map(|at| -f64::from(u8::from(at >= width)))
        .collect();
    let left = optimise(&mut table, &mut basis, &first, width + height);
    assert!(left.abs() < 1e-6, "the facts themselves solve it");
    // What is still in the basis of the first phase is zero, and must stay so.
    for at in 0..height {
        if basis[at] >= width
            && let Some(column) = (0..width).find(|column| table[at][*column].abs() > 1e-7)
        {
            pivot(&mut table, &mut basis, at, column);
        }
    }
    let second: Vec<f64> = goal
        .iter()
        .copied()
        .chain((0..height).map(|_| 0.0))
        .collect();
    optimise(&mut table, &mut basis, &second, width)
}

fn optimise(table: &mut [Vec<f64>], basis: &mut [usize], goal: &[f64], columns: usize) -> f64 {
    loop {
        let price = |column: usize, table: &[Vec<f64>], basis: &[usize]| {
            let spent: f64 = basis
                .iter()
                .zip(table)
                .map(|(of, row)| goal[*of] * row[column])
                .sum();
            goal[column] - spent
        };
        let enters = (0..columns).find(|column| price(*column, table, basis) > 1e-7);
        let Some(enters) = enters else {
            let last = goal.len();
            return basis
                .iter()
                .zip(table.iter())
                .map(|(of, row)| goal[*of] * row[last])
                .sum();
        };
        let last = goal.len();
        let mut leaves: Option<(f64, usize, usize)> = None;
        for (at, row) in table.iter().enumerate() {
            if row[enters] > 1e-7 {
                let ratio = row[last] / row[enters];
                let better = leaves.is_none_or(|(least, of, _)| {
                    ratio < least - 1e-9 || (ratio < least + 1e-9 && basis[at] < of)
                });
                if better {
                    leaves = Some((ratio, basis[at], at));
                }
            }
        }
        let (_, _, at) = leaves.expect("sums bound everything");
        pivot(table, basis, at, enters);
    }
}

fn pivot(table: &mut [Vec<f64>], basis: &mut [usize], at: usize, column: usize) {
    let by = table[at][column];
    table[at].iter_mut().for_each(|value| *value /= by);
    let chosen = table[at].clone();
    for (other, row) in table.iter_mut().enumerate() {
        let times = row[column];
        if other != at && times.abs() > 1e-12 {
            row.iter_mut()
                .zip(&chosen)
                .for_each(|(value, chosen)| *value -= times * chosen);
        }
    }
    basis[at] = column;
}

/// Facts that are unevenly spread, so that there is something to hide.
fn facts() -> impl Strategy<Value = Vec<Fact>> {
    let one = (0_u8..=255, 0_u8..=255, 0_u8..=255, 0_u8..=255).prop_map(|(a, b, c, d)| {
        // Squares crowd the small numbers.
        let skew = |value: u8, of: u32| {
            u8::try_from(u32::from(value) * u32::from(value) * of / 65_026).unwrap_or(0)
        };
        [skew(a, 3), skew(b, 4), skew(c, 3), d]
    });
    prop::collection::vec(one, 10..160).prop_map(|places| {
        let numbered = (0..).zip(places);
        numbered.map(|(number, at)| fact(number, at)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    // STA-13, STA-14: whatever is added and subtracted, a hidden cell may be anything in a range as wide as the
    // threshold, even for one who knows what is shown without noise.
    #[test]
    fn nobody_computes_a_hidden_cell(facts in facts()) {
        let table = made(&facts);
        let system = System::of(&table, &facts);
        for at in hidden(&table) {
            let (least, most) = system.range(&system.weights(&table, &at));
            let truth = count(&table, &facts, &at) as f64;
            prop_assert!(least - 1e-6 <= truth && truth <= most + 1e-6);
            prop_assert!(most - least >= 10.0 - 1e-6, "{at:?} is in [{least}, {most}]");
        }
    }

    // STA-10: every cell that is shown is large enough, and each line that hides one hides two.
    #[test]
    fn what_is_small_is_hidden_and_never_alone(facts in facts()) {
        let table = made(&facts);
        for row in table.rows.iter().filter(|row| row.reports.is_some()) {
            prop_assert!(count(&table, &facts, &row.at) >= 10);
        }
        for check in figures(&table) {
            prop_assert_eq!(check.problem, None, "{}", check.name);
        }
        let signed = sign(&table, &crate::fixture::key(7)).expect("a key in memory signs");
        prop_assert_eq!(parse(&signed).expect("it reads").table, table);
    }

    // STA-9: the same reports make the same table, in whatever order they stand, however often one stands there.
    #[test]
    fn the_order_of_facts_changes_nothing(facts in facts(), turn in 0_usize..100) {
        let mut turned = facts.clone();
        turned.rotate_left(turn % facts.len());
        turned.push(facts[0].clone());
        prop_assert_eq!(made(&facts), made(&turned));
    }

    // STA-16: a later revision shows no cell that an earlier one hid, and tells nothing apart that was together.
    #[test]
    fn what_was_hidden_stays_hidden(facts in facts(), more in facts()) {
        let (range, key) = (wire::LogRange::default(), NoiseKey::new([7; 32]));
        let first = make(&facts, &order(&range, &key)).expect("it can be made");
        let later: Vec<Fact> = more.into_iter().map(|mut fact| { fact.record[15] = 1; fact }).chain(facts).collect();
        let order = Order { before: Some((&first, [3; 32])), ..order(&range, &key) };
        let second = make(&later, &order).expect("it can be made");
        prop_assert_eq!(second.revision, 2);
        if first.axes.is_empty() {
            return Ok(());
        }
        for at in hidden(&first) {
            prop_assert!(view::row(&second, &at).is_none(), "{at:?}");
        }
        for one in &second.axes {
            let before = view::values(&first, &one.axis);
            let told = |value: &&String| before.contains(value) || *value == OTHER || value.contains('/');
            prop_assert!(one.values.iter().all(|value| told(&value)));
        }
    }
}

// STA-13: with every crossing and a lone report, the neighbours are hidden with it.
#[test]
fn a_lone_report_takes_neighbours_along() {
    let mut numbers = 0..;
    let mut many = |count: usize, at: [u8; 4]| -> Vec<Fact> {
        numbers
            .by_ref()
            .take(count)
            .map(|number| fact(number, at))
            .collect()
    };
    let facts = [
        many(40, [0, 0, 1, 1]),
        many(40, [1, 0, 1, 1]),
        many(40, [0, 1, 1, 1]),
        many(1, [1, 1, 1, 1]),
        many(40, [2, 0, 1, 1]),
    ]
    .concat();
    let table = made(&facts);
    let by: BTreeMap<&str, usize> = table
        .crossings
        .iter()
        .map(|one| {
            let of = hidden(&table)
                .iter()
                .filter(|at| at[0].axis == one.first && at[1].axis == one.second)
                .count();
            (&*one.second, of)
        })
        .collect();
    assert!(by["country"] >= 4, "{by:?}");
    let lone = [
        view::place("month", "2026-02"),
        view::place("country", "FR"),
    ];
    assert_eq!(view::row(&table, &lone), None);
}
