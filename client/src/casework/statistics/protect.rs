//! Which cells of crossings are hidden, so that none that is too small can be computed from the rest.
//!
//! A hidden cell is safe if the very same published figures fit other reports too: take a second value on
//! each axis, so that four cells form a rectangle, and let reports that are alike in everything else that is
//! published with the axis exchange their value on it. If all four cells are hidden, nothing that is shown changes, not in
//! this crossing, not in any other and in no total, however they are added and subtracted, and the
//! cell may hold anything in a range as wide as the threshold. Cells that are large enough are hidden
//! too until each small one has such a rectangle. (The method of hypercubes, with what it needs to hold
//! for several tables of the same reports.) Spec: STA-13 to STA-16.

use std::collections::BTreeMap;

/// A crossing, by the places of its axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    /// The first axis.
    pub(super) first: usize,
    /// The second axis.
    pub(super) second: usize,
}

/// What is shown: of each view the cells in the order of first, then second; none: it is withdrawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    /// Whether each cell is shown.
    pub(super) views: Vec<Option<Vec<bool>>>,
}

/// How many reports of a cell there are of each kind that must stay as it is.
type Classes = BTreeMap<Vec<u16>, u64>;

/// One crossing while it is worked on.
struct Work {
    rows: usize,
    columns: usize,
    counts: Vec<u64>,
    /// By exchange on the first axis, and on the second.
    classes: [Vec<Classes>; 2],
    hidden: Vec<bool>,
    safe: Vec<bool>,
}

/// A rectangle that makes a cell safe, and what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    reports: u64,
    cells: usize,
    row: usize,
    column: usize,
}

/// Hides what must be. `records` are the places of each report on each axis, of which there are
/// `sizes` values, each with at least `threshold` reports. `month` is the axis that is never
/// given up; `forced` says which cells were hidden before.
pub(super) fn protect(
    sizes: &[usize],
    records: &[Vec<u16>],
    views: &[View],
    (month, threshold): (usize, u64),
    forced: &dyn Fn(usize, usize, usize) -> bool,
) -> Pattern {
    let all: Vec<bool> = vec![true; views.len()];
    let found = attempt(sizes, records, views, threshold, (&all, forced));
    if found.views.iter().all(Option::is_some) {
        return found;
    }
    // With crossings of the month alone, each stands for itself, and one that is not shown at all is safe.
    let with_month: Vec<bool> = views
        .iter()
        .map(|view| view.first == month || view.second == month)
        .collect();
    attempt(sizes, records, views, threshold, (&with_month, forced))
}

fn attempt(
    sizes: &[usize],
    records: &[Vec<u16>],
    views: &[View],
    threshold: u64,
    (shown, forced): (&[bool], &dyn Fn(usize, usize, usize) -> bool),
) -> Pattern {
    let one = |number: usize| {
        if !shown[number] {
            return None;
        }
        let others = |at: usize| shown[at] && at != number;
        let others: Vec<View> = (0..views.len())
            .filter(|at| others(*at))
            .map(|at| views[at])
            .collect();
        let mut work = Work::new(sizes, records, views[number], &others);
        work.hide_small(threshold, |row, column| forced(number, row, column));
        work.make_safe(threshold).then(|| work.open())
    };
    Pattern {
        views: (0..views.len()).map(one).collect(),
    }
}

impl Work {
    fn new(sizes: &[usize], records: &[Vec<u16>], view: View, others: &[View]) -> Self {
        let (rows, columns) = (sizes[view.first], sizes[view.second]);
        let alike = [fixed(view.first, others), fixed(view.second, others)];
        let mut counts = vec![0; rows * columns];
        let mut classes = [0, 1].map(|_| vec![Classes::new(); rows * columns]);
        for at in records {
            let cell = usize::from(at[view.first]) * columns + usize::from(at[view.second]);
            counts[cell] += 1;
            for (classes, alike) in classes.iter_mut().zip(&alike) {
                let class = alike.iter().map(|axis| at[*axis]).collect();
                *classes[cell].entry(class).or_default() += 1;
            }
        }
        Self {
            rows,
            columns,
            hidden: vec![false; counts.len()],
            safe: vec![false; counts.len()],
            counts,
            classes,
        }
    }

    /// Hides what is small. A single row or column shows what the totals show, and these are not.
    fn hide_small(&mut self, threshold: u64, forced: impl Fn(usize, usize) -> bool) {
        if self.rows < 2 || self.columns < 2 {
            return;
        }
        for cell in 0..self.counts.len() {
            let (row, column) = (cell / self.columns, cell % self.columns);
            self.hidden[cell] = self.counts[cell] < threshold || forced(row, column);
        }
    }

    /// Hides more until each hidden cell is safe. Gives whether that is so.
    fn make_safe(&mut self, threshold: u64) -> bool {
        for cell in 0..self.counts.len() {
            if !self.hidden[cell] || self.safe[cell] {
                continue;
            }
            let Some(best) = self.cheapest(cell, threshold) else {
                return false;
            };
            let (row, column) = (cell / self.columns, cell % self.columns);
            for corner in self.corners((row, column), (best.row, best.column)) {
                (self.hidden[corner], self.safe[corner]) = (true, true);
            }
        }
        true
    }

    /// The cell, its opposite, and the two between.
    fn corners(&self, one: (usize, usize), other: (usize, usize)) -> [usize; 4] {
        let at = |row: usize, column: usize| row * self.columns + column;
        [
            at(one.0, one.1),
            at(other.0, other.1),
            at(other.0, one.1),
            at(one.0, other.1),
        ]
    }

    fn cheapest(&self, cell: usize, threshold: u64) -> Option<Cost> {
        let (row, column) = (cell / self.columns, cell % self.columns);
        let mut best: Option<Cost> = None;
        for other in 0..self.counts.len() {
            let (other_row, other_column) = (other / self.columns, other % self.columns);
            if other_row == row || other_column == column {
                continue;
            }
            let corners = self.corners((row, column), (other_row, other_column));
            let open = corners.iter().filter(|corner| !self.hidden[**corner]);
            let cost = Cost {
                reports: open.clone().map(|corner| self.counts[*corner]).sum(),
                cells: open.count(),
                row: other_row,
                column: other_column,
            };
            if best.is_none_or(|best| cost < best) && self.width(&corners) >= threshold {
                best = Some(cost);
            }
        }
        best
    }

    /// How many values the first corner may have while nothing that is shown changes, less one.
    fn width(&self, corners: &[usize; 4]) -> u64 {
        let by = |classes: &Vec<Classes>| {
            let [cell, opposite, left, right] = corners.map(|corner| &classes[corner]);
            exchanges(cell, opposite) + exchanges(left, right)
        };
        by(&self.classes[0]).max(by(&self.classes[1]))
    }

    fn open(&self) -> Vec<bool> {
        self.hidden.iter().map(|hidden| !hidden).collect()
    }
}

/// Axes on which reports must be alike that exchange their value on `axis`: those that others show with it.
fn fixed(axis: usize, others: &[View]) -> Vec<usize> {
    let with = |view: &View| match (view.first == axis, view.second == axis) {
        (true, false) => Some(view.second),
        (false, true) => Some(view.first),
        _ => None,
    };
    let mut fixed: Vec<usize> = others.iter().filter_map(with).collect();
    fixed.sort_unstable();
    fixed.dedup();
    fixed
}

/// How many pairs of reports, one of each cell, are alike.
fn exchanges(one: &Classes, other: &Classes) -> u64 {
    let pairs = one
        .iter()
        .filter_map(|(class, count)| Some((*count).min(*other.get(class)?)));
    pairs.sum()
}

/// Which figures of one line, that add up to a figure that is shown, are shown: none that is under the
/// threshold, and never all but one; what is hidden is together at least the threshold. Spec: STA-15.
pub(super) fn line(figures: &[u64], threshold: u64) -> Vec<bool> {
    let mut open: Vec<bool> = figures.iter().map(|figure| *figure >= threshold).collect();
    let mut order: Vec<usize> = (0..figures.len()).filter(|at| open[*at]).collect();
    order.sort_by_key(|at| (figures[*at], *at));
    let mut hidden: Vec<u64> = figures
        .iter()
        .filter(|figure| **figure < threshold)
        .copied()
        .collect();
    let mut order = order.into_iter();
    while !hidden.is_empty() && (hidden.len() < 2 || hidden.iter().sum::<u64>() < threshold) {
        let Some(next) = order.next() else { break };
        open[next] = false;
        hidden.push(figures[next]);
    }
    open
}
