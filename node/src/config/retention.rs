//! For how long what a node keeps of messages is kept, by what they are about. Spec: ERA-15.

use frex_proto::{erasure, v1::Kind};
use serde::{Deserialize, Deserializer, de::Error};

const HOUR_MS: u64 = 60 * 60 * 1000;

/// What stands as authority in the statements of the node's own erasures, if nothing is said.
const AUTHORITY: &str = "retention-policy";

/// The part of a new settings file that is about this.
pub const RETENTION: &str = r#"
# For how long messages are kept, by kind: report, feedback, request, response, notice,
# statistics, ping, recall. What is named here is erased when its time and its delivery are over,
# unless a legal hold keeps it (frex hold set); without an entry nothing is erased by itself.
# `authority` is the legal basis of the periods, as a code; it stands in the node's log.
#[retention]
#report="1825d"
#ping="30d"
#authority="LED-Art-5"
"#;

/// Periods by kind; what has none is kept until somebody has it erased.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Of reports.
    pub report: Option<Period>,
    /// Of feedback.
    pub feedback: Option<Period>,
    /// Of requests.
    pub request: Option<Period>,
    /// Of responses.
    pub response: Option<Period>,
    /// Of notices.
    pub notice: Option<Period>,
    /// Of statistics.
    pub statistics: Option<Period>,
    /// Of pings.
    pub ping: Option<Period>,
    /// Of recalls.
    pub recall: Option<Period>,
    /// The legal basis of the periods, as a code.
    pub authority: Option<String>,
}

/// A period as settings write it: `365d` or `12h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Milliseconds.
    pub ms: u64,
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| Error::custom("a period is a number of days or hours: 365d, 12h"))
    }
}

impl Period {
    fn parse(text: &str) -> Option<Self> {
        let (number, hours) = match text.strip_suffix('d') {
            Some(number) => (number, 24),
            None => (text.strip_suffix('h')?, 1),
        };
        let number: u64 = number.parse().ok().filter(|number| *number > 0)?;
        let ms = number.checked_mul(hours)?.checked_mul(HOUR_MS)?;
        Some(Self { ms })
    }
}

impl Retention {
    /// For how long messages of a kind are kept, milliseconds; none: no end is set.
    #[must_use]
    pub fn of(&self, kind: Kind) -> Option<u64> {
        let period = match kind {
            Kind::Report => self.report,
            Kind::Feedback => self.feedback,
            Kind::Request => self.request,
            Kind::Response => self.response,
            Kind::Notice => self.notice,
            Kind::Statistics => self.statistics,
            Kind::Ping => self.ping,
            Kind::Recall => self.recall,
            Kind::Unspecified => None,
        };
        period.map(|period| period.ms)
    }

    /// What statements name as authority.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.authority.as_deref().unwrap_or(AUTHORITY)
    }

    /// Whether the authority is a code.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        erasure::check(erasure::RETENTION_OVER, self.authority()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::NodeConfig;

    fn of(lines: &str) -> Result<Retention, String> {
        let config = NodeConfig::parse(&format!("node = \"n\"\n[retention]\n{lines}"));
        config
            .map(|config| config.retention)
            .map_err(|error| error.to_string())
    }

    // ERA-15: nothing is erased by itself unless the settings say so, and they say it strictly.
    #[test]
    fn periods_are_read_strictly_and_nothing_is_the_default() {
        assert_eq!(of(""), Ok(Retention::default()));
        let both =
            of("report = \"365d\"\nping = \"12h\"\nauthority = \"LU:2024/12\"").expect("sound");
        assert_eq!(both.of(Kind::Report), Some(365 * 24 * HOUR_MS));
        assert_eq!(both.of(Kind::Ping), Some(12 * HOUR_MS));
        assert_eq!(both.of(Kind::Notice), None);
        assert_eq!(both.authority(), "LU:2024/12");
        for wrong in [
            "report = \"0d\"",
            "report = \"365\"",
            "report = \"-1d\"",
            "report = \"1y\"",
            "report = 365",
            "reports = \"1d\"",
            "report = \"99999999999999999999d\"",
            "authority = \"our own rule\"",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
