//! `frex evidence …`: one message with everything that proves it, in one file. Spec: chapter EVD.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use frex_client::keys::{MEMBER_FILE, MemberHome};
use frex_proto::{
    error::WireCode,
    evidence::{self, Findings},
    label, limits,
    roster::{Root, Roster, TrustAnchor},
    v1,
};
use prost::Message;

use super::{
    failure::{Failure, OrCode, OrFail},
    files, fingerprint,
    roster::{judge_even_expired, read_bundle, read_root, refused},
    time::Span,
};

mod answers;
mod clocks;
pub mod disclose;
pub mod export;
mod gather;
pub mod keep;
mod page;
mod print;
pub mod report;
mod reveal;
mod silence;
pub mod timeline;
pub mod verify;

pub use clocks::length;

/// `frex evidence …`.
#[derive(Debug, Subcommand)]
pub enum EvidenceCommand {
    /// Put a message, its thread and everything that proves them in one file
    Export(ExportArgs),
    /// Verify such a file offline, check by check
    Verify(VerifyArgs),
    /// Tell what happened to a message and its answers, each line by its proof
    Timeline(TimelineArgs),
    /// Make a narrower file of one that was exported
    Disclose(DiscloseArgs),
    /// Make a page of a file for people to read and print
    Report(ReportArgs),
}

/// `frex evidence export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Message or envelope id, or the beginning of one
    pub id: String,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Show what was said too, and that it is what was signed
    #[arg(long, value_enum, conflicts_with = "without_manifest")]
    pub reveal: Option<RevealArg>,
    /// What was sent, if it is not any more where it was sent from
    #[arg(long, value_name = "FILE", requires = "reveal")]
    pub content: Option<PathBuf>,
    /// Leave out what was signed by senders: the receipts of this message alone
    #[arg(long)]
    pub without_manifest: bool,
    /// State, signed, who has not answered this message
    #[arg(long, conflicts_with_all = ["without_manifest", "offline", "alone"])]
    pub silence: bool,
    /// Where else to look
    #[command(flatten)]
    pub gathering: GatherArgs,
}

/// What commands that gather evidence have in common.
#[derive(Debug, Args)]
pub struct GatherArgs {
    /// This message alone, without what it answers and what answers it
    #[arg(long)]
    pub alone: bool,
    /// Ask nobody: only what this folder holds
    #[arg(long)]
    pub offline: bool,
    /// How long to wait until every receipt is final
    #[arg(long, default_value = "10s", value_name = "DURATION")]
    pub wait: Span,
}

/// What else is shown of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[allow(missing_docs)] // The name is the documentation, also on the screen.
pub enum RevealArg {
    Content,
}

/// `frex evidence verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The file
    pub file: PathBuf,
    /// Whom to trust
    #[command(flatten)]
    pub trust: TrustArgs,
    /// Take only what is final: cosigned by as many witnesses as the roster asks for
    #[arg(long = "final")]
    pub finals: bool,
}

/// Where the verifier's own trust comes from.
#[derive(Debug, Args)]
pub struct TrustArgs {
    /// The federation's root, got from a hand you trust
    #[arg(long, value_name = "FILE")]
    pub root: Option<PathBuf>,
    /// Verify by this roster instead of the one in the file
    #[arg(long, value_name = "FILE")]
    pub roster: Option<PathBuf>,
    /// Take the root from this member's folder, if --root names none
    #[arg(long, value_name = "DIR", env = "FREX_DIR")]
    pub dir: Option<PathBuf>,
}

/// `frex evidence timeline`.
#[derive(Debug, Args)]
pub struct TimelineArgs {
    /// Message or envelope id, or the beginning of one
    pub id: String,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Where else to look
    #[command(flatten)]
    pub gathering: GatherArgs,
}

/// `frex evidence disclose`.
#[derive(Debug, Args)]
pub struct DiscloseArgs {
    /// The file to make a narrower one of
    pub file: PathBuf,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Leave out what was signed by senders: the receipts of the message in question alone
    #[arg(long)]
    pub without_manifest: bool,
    /// Leave out also every receipt that names another recipient than this one
    #[arg(long, value_name = "MEMBER", requires = "without_manifest")]
    pub only: Option<String>,
}

/// `frex evidence report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The file
    pub file: PathBuf,
    /// Page to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Whom to trust
    #[command(flatten)]
    pub trust: TrustArgs,
}

/// Where the root came from under which a file was judged.
enum Pin {
    /// A file or folder of the verifier's.
    Own(PathBuf),
    /// The file itself: it proves nothing about whose federation it is.
    Unchecked,
}

/// A file that was read and verified.
struct Examined {
    bundle: v1::EvidenceBundle,
    /// Of the very bytes that were judged, in hex.
    sha256: String,
    roster: Roster,
    pin: Pin,
    /// The roster is the verifier's and not that of the file.
    own_roster: bool,
    findings: Findings,
}

impl Examined {
    /// Whether everything holds; whether under a root that the verifier has pinned is another matter.
    fn holds(&self) -> bool {
        self.findings.failure().is_none()
    }

    /// Whether what holds rests on a head that too few witnesses have cosigned so far.
    fn is_provisional(&self) -> bool {
        self.holds() && print::is_provisional(&self.findings)
    }

    fn is_pinned(&self) -> bool {
        matches!(self.pin, Pin::Own(_))
    }

    /// The fingerprint of the root from which the roster was judged.
    fn fingerprint(&self) -> String {
        let pinned = self.roster.root_chain().first();
        fingerprint::of(&pinned.map_or(self.roster.root().sha256, |root| root.sha256))
    }
}

/// Reads a file of evidence; also gives the hash of its bytes, in hex.
fn read(path: &Path) -> Result<(v1::EvidenceBundle, String), Failure> {
    let bytes = files::read(path, limits::EVIDENCE_BYTES_MAX)?;
    let read =
        evidence::parse(&bytes).or_fail(format_args!("{} is no file of evidence", path.display()));
    let bundle = read.map_err(|failure| {
        failure.advise("One is made by: frex evidence export ID DIR --out FILE; ask for it again")
    })?;
    Ok((bundle, hex::encode(label::sha256(&[&bytes]))))
}

/// Reads and verifies a file under the root that the caller has, or else its own.
fn examine(file: &Path, trust: &TrustArgs) -> Result<Examined, Failure> {
    let (bundle, sha256) = read(file)?;
    let (anchor, pin) = match anchor(trust)? {
        Some((anchor, from)) => (anchor, Pin::Own(from)),
        None => (own_anchor(&bundle)?, Pin::Unchecked),
    };
    let roster = match &trust.roster {
        Some(path) => judge_even_expired(&read_bundle(path)?, &anchor, None)
            .map(|judged| judged.roster)
            .map_err(|error| refused(path, error))?,
        None => evidence::roster_of(&bundle, &anchor).map_err(|error| {
            let what = format!("the roster in {} does not verify", file.display());
            Failure::new(WireCode::from(error), what).because(&error).advise(
                "Compare the root's fingerprint with the governance by telephone, and ask for the file again",
            )
        })?,
    };
    let findings = evidence::verify(&bundle, &roster);
    Ok(Examined {
        bundle,
        sha256,
        roster,
        pin,
        own_roster: trust.roster.is_some(),
        findings,
    })
}

/// The root that the caller has pinned, and where it lies.
fn anchor(trust: &TrustArgs) -> Result<Option<(TrustAnchor, PathBuf)>, Failure> {
    if let Some(root) = &trust.root {
        return Ok(Some((read_root(root)?.1, root.clone())));
    }
    let dir = match &trust.dir {
        Some(dir) => files::home(dir, "member", MEMBER_FILE)?,
        None => match files::home(Path::new("."), "member", MEMBER_FILE) {
            Ok(dir) => dir,
            Err(_) => return Ok(None),
        },
    };
    let home = MemberHome::open(&dir).or_fail("cannot open the member")?;
    let anchor = home.anchor().or_fail("no root is pinned there")?;
    Ok(Some((anchor, home.root_path())))
}

/// The first root in the file, which nobody here has checked.
fn own_anchor(bundle: &v1::EvidenceBundle) -> Result<TrustAnchor, Failure> {
    let what = "the file holds no root";
    let roster = v1::RosterBundle::decode(bundle.roster.clone());
    let roster = roster.or_code(WireCode::BadEvidence, what)?;
    let first = roster.earlier_roots.first().unwrap_or(&roster.root);
    let root = Root::parse(first).or_fail(what)?;
    Ok(TrustAnchor {
        federation: root.federation,
        root_sha256: root.sha256,
    })
}
