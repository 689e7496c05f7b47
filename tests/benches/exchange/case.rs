//! What is measured, and the figures of one measurement.

use std::{fmt, str::FromStr, time::Duration};

use anyhow::{Context, bail};

/// How signatures and wraps are shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Each envelope has a signature and a wrap of its own.
    Single,
    /// One signature covers up to 64 envelopes; each has a wrap of its own.
    Batch,
    /// As `Batch`, and one HPKE context serves all wraps of the batch.
    Shared,
}

impl Mode {
    /// As written in the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Batch => "batch",
            Self::Shared => "shared",
        }
    }
}

/// One point of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// Bytes of the report that is sealed.
    pub size: usize,
    /// Envelopes between seal and durable receipt at any moment.
    pub concurrency: usize,
    /// How signatures and wraps are shared.
    pub mode: Mode,
    /// Time before anything counts.
    pub warm_up: Duration,
    /// Time that counts.
    pub measured: Duration,
}

impl Case {
    /// Envelopes that one signature may cover here: a quarter of what is in flight, so that
    /// sealing, transport and commit overlap, and at most 2 MiB or 64 envelopes.
    pub fn batch_max(&self) -> usize {
        match self.mode {
            Mode::Single => 1,
            Mode::Batch | Mode::Shared => (self.concurrency / 4)
                .min(2 * 1024 * 1024 / self.size)
                .clamp(1, 64),
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            size, concurrency, ..
        } = self;
        write!(f, "size={size} concurrency={concurrency}")?;
        // Single signatures are what is meant where nothing is said.
        match self.mode {
            Mode::Single => Ok(()),
            mode => write!(f, " mode={}", mode.name()),
        }
    }
}

/// A case as one argument of a child process.
impl Case {
    /// The inverse of `from_str`.
    pub fn to_argument(self) -> String {
        format!(
            "{}/{}/{}/{}/{}",
            self.size,
            self.concurrency,
            self.mode.name(),
            self.warm_up.as_millis(),
            self.measured.as_millis()
        )
    }
}

impl FromStr for Case {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let [size, concurrency, mode, warm_up, measured] = parts[..] else {
            bail!("a case is SIZE/CONCURRENCY/MODE/WARM_UP_MS/MEASURED_MS");
        };
        Ok(Self {
            size: size.parse()?,
            concurrency: concurrency.parse()?,
            mode: match mode {
                "single" => Mode::Single,
                "batch" => Mode::Batch,
                "shared" => Mode::Shared,
                _ => bail!("a mode is single, batch or shared"),
            },
            warm_up: Duration::from_millis(warm_up.parse()?),
            measured: Duration::from_millis(measured.parse()?),
        })
    }
}

/// What one run of a case yields.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Envelopes whose receipt became durable at the sender, per second.
    pub envelopes_per_s: f64,
    /// Processor time of the sending process per envelope, microseconds.
    pub cpu_us_sender: f64,
    /// Processor time of the receiving process per envelope, microseconds.
    pub cpu_us_receiver: f64,
    /// Median time from the start of sealing to the durable receipt, milliseconds.
    pub p50_ms: f64,
    /// The same, 99th percentile.
    pub p99_ms: f64,
    /// Resident memory of the sending process at the end, MiB.
    pub rss_mib_sender: f64,
    /// Resident memory of the receiving process at the end, MiB.
    pub rss_mib_receiver: f64,
}

impl Figures {
    fn fields(&self) -> [f64; 7] {
        [
            self.envelopes_per_s,
            self.cpu_us_sender,
            self.cpu_us_receiver,
            self.p50_ms,
            self.p99_ms,
            self.rss_mib_sender,
            self.rss_mib_receiver,
        ]
    }

    fn from_fields(fields: [f64; 7]) -> Self {
        let [rate, sender, receiver, p50, p99, rss_sender, rss_receiver] = fields;
        Self {
            envelopes_per_s: rate,
            cpu_us_sender: sender,
            cpu_us_receiver: receiver,
            p50_ms: p50,
            p99_ms: p99,
            rss_mib_sender: rss_sender,
            rss_mib_receiver: rss_receiver,
        }
    }

    /// As one line between processes.
    pub fn to_line(self) -> String {
        self.fields().map(|field| field.to_string()).join(" ")
    }

    /// The inverse of `to_line`.
    pub fn from_line(line: &str) -> anyhow::Result<Self> {
        let fields: Vec<f64> = line
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()
            .with_context(|| format!("not figures: {line:?}"))?;
        let fields = <[f64; 7]>::try_from(fields)
            .ok()
            .with_context(|| format!("not figures: {line:?}"))?;
        Ok(Self::from_fields(fields))
    }

    /// The median of each figure over several runs of a case.
    pub fn median(runs: &[Self]) -> Self {
        let mut medians = [0.0; 7];
        for (place, median) in medians.iter_mut().enumerate() {
            let mut values: Vec<f64> = runs.iter().map(|run| run.fields()[place]).collect();
            values.sort_by(f64::total_cmp);
            *median = values.get(values.len() / 2).copied().unwrap_or(f64::NAN);
        }
        Self::from_fields(medians)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "envelopes/s={:.0} cpu_us_sender={:.1} cpu_us_receiver={:.1} p50_ms={:.2} \
             p99_ms={:.2} rss_mib_sender={:.0} rss_mib_receiver={:.0}",
            self.envelopes_per_s,
            self.cpu_us_sender,
            self.cpu_us_receiver,
            self.p50_ms,
            self.p99_ms,
            self.rss_mib_sender,
            self.rss_mib_receiver
        )
    }
}

/// What a second contestant reached, as a part of the first.
pub fn ratio_lines(case: &Case, floor: &Figures, real: &Figures) -> String {
    let rate = real.envelopes_per_s / floor.envelopes_per_s;
    let cpu =
        (floor.cpu_us_sender + floor.cpu_us_receiver) / (real.cpu_us_sender + real.cpu_us_receiver);
    let latency = real.p50_ms / floor.p50_ms;
    format!(
        "ratio_to_floor {case} {rate:.2}\n\
         cpu_ratio_to_floor {case} {cpu:.2}\n\
         latency_over_floor {case} {latency:.2}"
    )
}
