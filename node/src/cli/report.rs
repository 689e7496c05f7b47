//! `frex report`: reports as files, before they are sent and after they came. Nothing here sends,
//! and nothing here needs a folder of `frex init`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use frex_client::{
    casework::{
        cybertip::{self, Form},
        model::{self, Report, Shape},
        xml::Document,
    },
    report,
};
use frex_proto::error::WireCode;

use super::{failure::Failure, files};

pub mod check;
pub mod export;
pub mod import;
pub mod score;
pub mod show;

/// `frex report …`.
#[derive(Debug, Subcommand)]
pub enum ReportCommand {
    /// List everything that is wrong with a report: JSON, XML or as it travels
    Check(CheckArgs),
    /// Make a report of CyberTipline XML, or of JSON in whatever version
    Import(ImportArgs),
    /// Write a report as XML, JSON or as it travels
    Export(ExportArgs),
    /// Show what a report says
    Show(ShowArgs),
    /// Count how much a report says, and how much of it somebody can act on
    Score(ScoreArgs),
}

/// `frex report check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The report
    pub file: PathBuf,
}

/// `frex report import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The report: CyberTipline XML, or JSON
    pub file: PathBuf,
    /// XML with the details of its files, in their order
    #[arg(long, value_name = "DETAILS", num_args = 1..)]
    pub files: Vec<PathBuf>,
    /// File to make: JSON if it ends in .json, else as it travels
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Your own name for the case, where the XML has none [default: one made of its hash]
    #[arg(long, value_name = "NAME")]
    pub reference: Option<String>,
}

/// `frex report export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The report
    pub file: PathBuf,
    /// In which form
    #[arg(long = "as", value_enum, value_name = "FORM")]
    pub form: FormArg,
    /// File to make [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The details of this file instead, from 1: XML only
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub item: Option<u32>,
}

/// A form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormArg {
    /// CyberTipline XML
    Xml,
    /// JSON for people and programs
    Json,
    /// Protobuf, as it travels
    Protobuf,
}

/// `frex report show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The report
    pub file: PathBuf,
}

/// `frex report score`.
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// The report: a file, or a message that came, by its id or the beginning of it
    #[arg(value_name = "FILE|MESSAGE")]
    pub report: String,
    /// Count also by what this member needs; repeat for each
    #[arg(long, value_name = "MEMBER", num_args = 1..)]
    pub to: Vec<String>,
    /// The folder that `frex init` made, for a message or for --to
    #[arg(long, value_name = "DIR", env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// What lies in a file.
enum Found {
    /// A report of version 1.
    First(Box<report::Report>),
    /// A report of version 2, its rules not judged.
    Second(Report),
    /// A CyberTipline document.
    Document(Form, Vec<u8>),
}

/// Reads a file as far as it can be read, whatever its rules say.
fn read(path: &Path) -> Result<Found, Failure> {
    let bytes = files::read(path, model::JSON_BYTES_MAX)?;
    let none = |error: &dyn std::error::Error| {
        let what = format!("{} is no report", path.display());
        Failure::new(WireCode::BadInput, what)
            .because(error)
            .advise("Mend what is named above")
    };
    match model::detect(&bytes) {
        Shape::First => {
            let report = report::Report::parse(&bytes).map_err(|error| none(&error))?;
            Ok(Found::First(Box::new(report)))
        }
        Shape::View => {
            let report = Report::from_json_unchecked(&bytes);
            report.map(Found::Second).map_err(|error| none(&error))
        }
        Shape::Encoded => {
            let report = Report::decode_unchecked(&bytes);
            report.map(Found::Second).map_err(|error| none(&error))
        }
        Shape::Mixed(first) => Err(none(&model::mixed(first))),
        Shape::Document => {
            let document = Document::parse(&bytes).map_err(|error| none(&error))?;
            let form = Form::of_root(&document.root.name);
            let form = form.ok_or_else(|| none(&cybertip::ImportError::OtherRoot("report")))?;
            Ok(Found::Document(form, bytes))
        }
    }
}

/// Reads a report that is one already, its rules not judged: XML is imported first.
///
/// # Errors
/// It cannot be read, or is no report.
pub fn read_report(path: &Path) -> Result<Report, Failure> {
    match read(path)? {
        Found::First(report) => Ok(model::from_first(&report)),
        Found::Second(report) => Ok(report),
        Found::Document(..) => Err(is_document(path)),
    }
}

/// XML is imported first.
fn is_document(path: &Path) -> Failure {
    let what = format!("{} is XML, which is imported first", path.display());
    let advice = format!(
        "frex report import {} --out REPORT.frexreport",
        path.display()
    );
    Failure::new(WireCode::BadInput, what).advise(advice)
}
