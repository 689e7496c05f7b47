//! A chart that can be read without seeing it, and without colour: bars with a pattern and their
//! figure beside them, a title, and every figure in words. No scripts, nothing from elsewhere. Spec: STA-40.

use super::{HIDDEN, Rests, as_of, figure, known, page::escaped, period, place, row, values};
use crate::casework::statistics::wire::StatisticsTable;

const WIDTH: u64 = 800;
const LABEL: u64 = 230;
const BAR: u64 = 440;
const STEP: u64 = 28;
const TOP: u64 = 60;

/// The reports of each value of an axis, as bars.
#[must_use]
pub fn svg(table: &StatisticsTable, axis: &str) -> String {
    let figures: Vec<(&String, Option<u64>)> = values(table, axis)
        .iter()
        .map(|value| {
            let shown = row(table, &[place(axis, value)]);
            (value, shown.and_then(|row| row.reports))
        })
        .collect();
    let largest = figures.iter().filter_map(|(_, reports)| *reports).max();
    let largest = largest.unwrap_or_default().max(1);
    let mut bars = String::new();
    for (number, (value, reports)) in (0..).zip(&figures) {
        let top = TOP + number * STEP;
        bars.push_str(&bar(axis, top, (value.as_str(), *reports), largest));
    }
    let height = TOP + figures.len() as u64 * STEP + 50;
    let title = title(table, axis);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-labelledby=\"chart-{axis}-title chart-{axis}-desc\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"14\">\n\
         <title id=\"chart-{axis}-title\">{title}</title>\n\
         <desc id=\"chart-{axis}-desc\">{desc}</desc>\n\
         <defs><pattern id=\"chart-{axis}-hatch\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><rect width=\"8\" height=\"8\" fill=\"#ffffff\"/><rect width=\"4\" height=\"8\" fill=\"#1b3a5c\"/></pattern></defs>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"32\" font-size=\"18\" font-weight=\"bold\" fill=\"#111111\">{title}</text>\n\
         {bars}<text x=\"16\" y=\"{foot}\" font-size=\"10\" fill=\"#111111\">{rests}</text>\n</svg>\n",
        title = escaped(&title),
        desc = escaped(&words(table, axis, &figures)),
        foot = height - 18,
        rests = escaped(&short(table)),
    )
}

fn bar(axis: &str, top: u64, (value, reports): (&str, Option<u64>), largest: u64) -> String {
    let length = reports.map_or(0, |reports| {
        u64::try_from(u128::from(reports) * u128::from(BAR) / u128::from(largest)).unwrap_or(BAR)
    });
    let bar = match length {
        0 => String::new(),
        length => format!(
            "<rect x=\"{LABEL}\" y=\"{top}\" width=\"{length}\" height=\"18\" fill=\"url(#chart-{axis}-hatch)\" stroke=\"#1b3a5c\"/>\n"
        ),
    };
    format!(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#111111\">{}</text>\n{bar}<text x=\"{}\" y=\"{}\" fill=\"#111111\">{}</text>\n",
        LABEL - 8,
        top + 14,
        escaped(value),
        LABEL + length + 8,
        top + 14,
        figure(reports)
    )
}

fn title(table: &StatisticsTable, axis: &str) -> String {
    let what = known(table).map_or(&*table.definition_id, |known| &known.title);
    format!("{what} by {}, by {axis}, {}", table.member, period(table))
}

/// Every figure in words, for who cannot see the bars.
fn words(table: &StatisticsTable, axis: &str, figures: &[(&String, Option<u64>)]) -> String {
    let said = figures.iter().map(|(value, reports)| match reports {
        Some(reports) => format!("{value}: {reports}"),
        None => format!("{value}: {HIDDEN}, not shown"),
    });
    let said: Vec<String> = said.collect();
    format!(
        "A bar for each {axis}, as long as its reports are many. {}. As of {}, revision {}. {}.",
        said.join("; "),
        as_of(table),
        table.revision,
        Rests::of(table).words()
    )
}

/// The foot of the chart: log, range and root.
fn short(table: &StatisticsTable) -> String {
    let rests = Rests::of(table);
    let root = hex::encode(&rests.root[..8]);
    format!(
        "as of {} · revision {} · {} [{}, {}) · root {root}… of size {}",
        as_of(table),
        table.revision,
        rests.origin,
        rests.first,
        rests.end,
        rests.size
    )
}
