//! What people do with a case: `frex case`, `assess`, `act`, `outcome`, `request`, `answer`, `overdue`,
//! `remind`. Their words; what each does is in the file of its name. Spec: chapter CSE.

use std::path::PathBuf;

use clap::{Args, Subcommand, builder::PossibleValuesParser};
use frex_client::casework::case::words;

use super::{
    LaneArg,
    failure::Done,
    time::{Moment, Span},
};

mod answer;
mod ask;
mod asked;
pub mod desk;
mod list;
mod named;
mod option;
mod overdue;
mod remind;
pub mod reports;
pub mod say;
mod show;
mod state;
mod unheld;

/// Under every command that asks for data or for their keeping.
const NO_LEGAL_CHANNEL: &str = "This coordinates and proves. It is no substitute for the legal channel: where law wants an order, the \
     order goes by its own way, and --law, --article and --file-number name it here.";

/// The commands of casework.
#[derive(Debug, Subcommand)]
pub enum CaseworkCommand {
    /// List cases; show what was said in one, how each thread stands and what is due
    #[command(subcommand)]
    Case(CaseCommand),
    /// Say what was found of a report, or of one item of it
    Assess(AssessArgs),
    /// Say what is done with a report: seen, taken over, passed on, taken down
    #[command(subcommand)]
    Act(ActCommand),
    /// Say what has become of a case: in codes, without facts of it
    Outcome(OutcomeArgs),
    /// Ask that data be kept, or produced
    #[command(subcommand, after_help = NO_LEGAL_CHANNEL)]
    Request(RequestCommand),
    /// Say how a request goes on: as who was asked, as who asked, or as the authority
    #[command(after_help = NO_LEGAL_CHANNEL)]
    Answer(AnswerArgs),
    /// List what is overdue, and what ends soon
    Overdue(OverdueArgs),
    /// Remind who has not answered a request
    Remind(RemindArgs),
}

/// `frex case …`.
#[derive(Debug, Subcommand)]
pub enum CaseCommand {
    /// List cases, those first that need somebody
    Ls(CaseListArgs),
    /// Show one case
    Show(CaseShowArgs),
}

/// `frex case ls`.
#[derive(Debug, Args)]
pub struct CaseListArgs {
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Only cases in this state
    #[arg(long, value_name = "STATE", value_parser = PossibleValuesParser::new(list::ORDER))]
    pub state: Option<String>,
}

/// `frex case show`.
#[derive(Debug, Args)]
pub struct CaseShowArgs {
    /// The case, or a message or envelope of it: its id, or the beginning of one
    pub case: String,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// What commands that say something have in common.
#[derive(Debug, Clone, Args)]
pub struct SayArgs {
    /// The folder that `frex init` made
    #[arg(long, value_name = "DIR", env = "FREX_DIR", default_value = ".")]
    pub from: PathBuf,
    /// Whom to tell [default: who the report came from, or who was asked, or who asked]
    #[arg(long, value_name = "MEMBER", num_args = 1..)]
    pub to: Vec<String>,
    /// When it happened, if that was before now: RFC 3339 with an offset
    #[arg(long, value_name = "TIME", value_parser = lexical)]
    pub at: Option<String>,
    /// A few words for people; shown as text
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// This member's own name for the case, such as a file number
    #[arg(long, value_name = "NAME")]
    pub reference: Option<String>,
    /// How fast it must travel [default: as the report or request did]
    #[arg(long, value_enum)]
    pub lane: Option<LaneArg>,
    /// How long to wait for the recipients' nodes
    #[arg(long, default_value = "10s", value_name = "DURATION")]
    pub wait: Span,
}

/// `frex assess`.
#[derive(Debug, Args)]
pub struct AssessArgs {
    /// The case, or a message of it
    pub case: String,
    /// What was found: baseline, nationally-illegal, not-illegal, unable
    #[arg(value_parser = verdict)]
    pub verdict: i32,
    /// What was assessed: an item's id, a URL, a hash with its algorithm [default: the whole report]
    #[arg(long, value_name = "ITEM", default_value = "")]
    pub item: String,
    /// In which country it is illegal, or not: ISO 3166-1 alpha-2
    #[arg(long, value_name = "CC", default_value = "")]
    pub jurisdiction: String,
    /// By a second assessor, who had not seen what the first one said
    #[arg(long)]
    pub second: bool,
    /// Also if the report, as it is kept here, names no such item
    #[arg(long)]
    pub anyway: bool,
    /// A classification: SCHEME/VERSION/CODE, or with a section before the code; repeat for each
    #[arg(long, value_name = "SCHEME/VERSION/CODE", value_parser = state::classification)]
    pub classification: Vec<state::Classified>,
    /// How it is said
    #[command(flatten)]
    pub say: SayArgs,
}

/// `frex act …`.
#[derive(Debug, Subcommand)]
pub enum ActCommand {
    /// Somebody has seen the report: acknowledged, triaged, rejected
    Triage(TriageArgs),
    /// The case is taken over or not: accepted, declined, rerouted
    Route(RouteArgs),
    /// A step of having a place taken down
    Takedown(TakedownArgs),
    /// The case is the same as another
    Duplicate(DuplicateArgs),
}

/// `frex act triage`.
#[derive(Debug, Args)]
pub struct TriageArgs {
    /// The case, or a message of it
    pub case: String,
    /// acknowledged, triaged, rejected
    #[arg(value_parser = triage)]
    pub state: i32,
    /// Why it is rejected, which must be said: not-competent, duplicate, insufficient, no-legal-basis, capacity, other
    #[arg(long, value_parser = route_reason)]
    pub reason: Option<i32>,
    /// How it is said
    #[command(flatten)]
    pub say: SayArgs,
}

/// `frex act route`.
#[derive(Debug, Args)]
pub struct RouteArgs {
    /// The case, or a message of it
    pub case: String,
    /// accepted, declined, rerouted
    #[arg(value_parser = decision)]
    pub decision: i32,
    /// Why it is declined, which must be said, or passed on: not-competent, duplicate, insufficient,
    /// no-legal-basis, capacity, other
    #[arg(long, value_parser = route_reason)]
    pub reason: Option<i32>,
    /// The member who has it now, which must be said if it is rerouted
    #[arg(long, value_name = "MEMBER", default_value = "")]
    pub rerouted_to: String,
    /// How it is said
    #[command(flatten)]
    pub say: SayArgs,
}

/// `frex act takedown`.
#[derive(Debug, Args)]
pub struct TakedownArgs {
    /// The case, or a message of it
    pub case: String,
    /// notice-sent, removed, moved, stay-up, refused, unreachable, still-up, gone
    #[arg(value_parser = takedown)]
    pub state: i32,
    /// What is to go
    #[arg(long)]
    pub url: String,
    /// Where it is now, which must be said if it has moved
    #[arg(long, value_name = "URL", default_value = "")]
    pub moved_to: String,
    /// In which country it is hosted: ISO 3166-1 alpha-2
    #[arg(long, value_name = "CC", default_value = "")]
    pub country: String,
    /// Who hosts it
    #[arg(long, value_name = "NAME", default_value = "")]
    pub host: String,
    /// Also if the report, as it is kept here, names no such URL
    #[arg(long)]
    pub anyway: bool,
    /// The member who asked that it stay for now
    #[arg(long, value_name = "MEMBER", default_value = "")]
    pub asked_by: String,
    /// How it is said
    #[command(flatten)]
    pub say: SayArgs,
}

/// `frex act duplicate`.
#[derive(Debug, Args)]
pub struct DuplicateArgs {
    /// The case, or a message of it
    pub case: String,
    /// The other case, or a message of it
    pub of: String,
    /// How it is said
    #[command(flatten)]
    pub say: SayArgs,
}

/// `frex outcome`.
#[derive(Debug, Args)]
pub struct OutcomeArgs {
    /// The case, or a message of it
    pub case: String,
    /// registered, in-investigation, suspect-identified, victim-identified, safeguarded, arrest, charged,
    /// convicted, no-crime, no-jurisdiction, insufficient, shelved, reopened, exonerated
    #[arg(value_parser = outcome)]
    pub state: i32,
    /// Why it is shelved: no-cooperation, data-expired, mla-pending, not-illegal, capacity,
    /// insufficient-data, other
    #[arg(long, value_parser = shelved)]
    pub reason: Option<i32>,
    /// Why it was taken up again: data-delivered, mla-answered, new-match, assessed-anew, capacity, other
    #[arg(long, value_parser = because)]
    pub because: Option<i32>,
    /// How it is said
    #[command(flatten)]
    pub say: SayArgs,
}

/// `frex request …`.
#[derive(Debug, Subcommand)]
pub enum RequestCommand {
    /// Ask that data be kept before they are asked for
    #[command(after_help = NO_LEGAL_CHANNEL)]
    Preserve(PreserveArgs),
    /// Ask for data
    #[command(after_help = NO_LEGAL_CHANNEL)]
    Produce(ProduceArgs),
    /// Ask that what is kept be kept longer
    #[command(after_help = NO_LEGAL_CHANNEL)]
    Extend(ExtendArgs),
    /// List the profiles by which requests run, each clock with its source
    Profiles,
}

/// The legal instrument behind a request, by reference.
#[derive(Debug, Args)]
pub struct InstrumentArgs {
    /// The law that it rests on
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub law: String,
    /// Which article of it
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub article: String,
    /// Whose law it is: ISO 3166-1 alpha-2
    #[arg(long, value_name = "CC", default_value = "")]
    pub jurisdiction: String,
    /// The authority's file number
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub file_number: String,
    /// The authority that has issued it, as an office
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub authority: String,
}

/// What both kinds of requests have in common.
#[derive(Debug, Args)]
pub struct AskArgs {
    /// The case, or a message of it
    pub case: String,
    /// A profile: see frex request profiles
    #[arg(long, value_name = "PROFILE")]
    pub profile: String,
    /// What it is about: an account, an address; repeat for each
    #[arg(long, value_name = "TEXT")]
    pub target: Vec<String>,
    /// The zone in which the addressee counts days [default: that of its country]
    #[arg(long, value_name = "ZONE", default_value = "")]
    pub time_zone: String,
    /// By when an answer is awaited [default: by the profile, where it has such a clock]
    #[arg(long, value_name = "TIME")]
    pub reply_by: Option<Moment>,
    /// The instrument behind it
    #[command(flatten)]
    pub instrument: InstrumentArgs,
    /// How it is said
    #[command(flatten)]
    pub say: SayArgs,
}

/// `frex request preserve`.
#[derive(Debug, Args)]
pub struct PreserveArgs {
    /// What is asked
    #[command(flatten)]
    pub ask: AskArgs,
    /// Offence and facts in short, as the instrument states them
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub facts: String,
    /// Why it is needed
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub necessity: String,
    /// A request for mutual legal assistance is to follow
    #[arg(long)]
    pub assistance_follows: bool,
}

/// `frex request produce`.
#[derive(Debug, Args)]
pub struct ProduceArgs {
    /// What is asked
    #[command(flatten)]
    pub ask: AskArgs,
    /// Which data: subscriber, identify-user, traffic, content; repeat for each
    #[arg(long, value_parser = category)]
    pub category: Vec<i32>,
    /// The member that is notified as enforcing authority, and may object
    #[arg(long, value_name = "MEMBER", default_value = "")]
    pub enforcing_authority: String,
    /// Issued in an emergency without prior validation, which follows
    #[arg(long)]
    pub validation_follows: bool,
}

/// `frex request extend`.
#[derive(Debug, Args)]
pub struct ExtendArgs {
    /// The request to keep: message or envelope id, or the beginning of one
    pub request: String,
    /// Until when [default: by the profile]
    #[arg(long, value_name = "TIME", value_parser = lexical)]
    pub until: Option<String>,
    /// By when an answer is awaited
    #[arg(long, value_name = "TIME")]
    pub reply_by: Option<Moment>,
    /// The instrument behind it
    #[command(flatten)]
    pub instrument: InstrumentArgs,
    /// How it is said
    #[command(flatten)]
    pub say: SayArgs,
}

/// `frex answer`.
#[derive(Debug, Args)]
pub struct AnswerArgs {
    /// The request: message or envelope id, or the beginning of one
    pub request: String,
    /// To a request to keep: acked, in-force, extended, expired, not-possible; its asker: converted,
    /// released. To a request for data: acked, preserved, clarify, partial, delivered, non-execution,
    /// refused; its asker: clarification, new-deadline, delivery-ok, delivery-error, withdrawn,
    /// enforcement, validated; its authority: objection, no-objection, recognised
    pub state: String,
    /// Until when it is kept [default: by the profile]
    #[arg(long, value_name = "TIME", value_parser = lexical)]
    pub until: Option<String>,
    /// The new time by which an answer is awaited
    #[arg(long, value_name = "TIME", value_parser = lexical)]
    pub deadline: Option<String>,
    /// Why not: incomplete, manifest-errors, not-enough-information, impossible, not-competent,
    /// offence-not-covered, service-not-covered, immunity, conflicting-law, data-not-held, data-deleted,
    /// fundamental-rights, ne-bis-in-idem, no-dual-criminality, other
    #[arg(long, value_parser = non_execution)]
    pub reason: Option<i32>,
    /// How much of the request: full, partial, none
    #[arg(long, value_parser = scope)]
    pub scope: Option<i32>,
    /// The holder's name for what is kept or delivered
    #[arg(long, value_name = "NAME", default_value = "")]
    pub handle: String,
    /// About whom the asker or authority speaks, if more than one was asked
    #[arg(long, value_name = "MEMBER", default_value = "")]
    pub addressee: String,
    /// How it is said
    #[command(flatten)]
    pub say: SayArgs,
}

/// `frex overdue`.
#[derive(Debug, Args)]
pub struct OverdueArgs {
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Only what this member itself must do
    #[arg(long)]
    pub own: bool,
}

/// `frex remind`.
#[derive(Debug, Args)]
pub struct RemindArgs {
    /// The request: message or envelope id, or the beginning of one
    pub request: String,
    /// By when an answer is awaited now; moves no deadline of law
    #[arg(long, value_name = "TIME", value_parser = lexical)]
    pub deadline: Option<String>,
    /// How it is said
    #[command(flatten)]
    pub say: SayArgs,
}

macro_rules! parsers {
    ($($name:ident: $parse:path, $all:path;)*) => {$(
        fn $name(word: &str) -> Result<i32, String> {
            $parse(word).ok_or_else(|| format!("write one of {}", $all().collect::<Vec<_>>().join(", ")))
        }
    )*};
}

parsers! {
    verdict: words::parse_verdict, words::verdicts;
    triage: words::parse_triage, words::triages;
    decision: words::parse_decision, words::decisions;
    route_reason: words::parse_route_reason, words::route_reasons;
    takedown: words::parse_takedown, words::takedowns;
    outcome: words::parse_outcome, words::outcomes;
    shelved: words::parse_shelved, words::shelvings;
    because: words::parse_because, words::becauses;
    category: words::parse_category, words::categories;
    scope: words::parse_scope, words::scopes;
    non_execution: words::parse_non_execution, words::non_executions;
}

/// A time that is kept as it is written.
fn lexical(text: &str) -> Result<String, String> {
    match frex_client::casework::clock::instant(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("write a time as 2026-11-26T16:00:00+01:00".to_owned()),
    }
}

/// Does it.
pub fn run(command: &CaseworkCommand, json: bool) -> Done {
    match command {
        CaseworkCommand::Case(CaseCommand::Ls(args)) => list::list(args, json),
        CaseworkCommand::Case(CaseCommand::Show(args)) => show::show(args, json),
        CaseworkCommand::Assess(args) => state::assess(args, json),
        CaseworkCommand::Act(ActCommand::Triage(args)) => state::triage(args, json),
        CaseworkCommand::Act(ActCommand::Route(args)) => state::route(args, json),
        CaseworkCommand::Act(ActCommand::Takedown(args)) => state::takedown(args, json),
        CaseworkCommand::Act(ActCommand::Duplicate(args)) => state::duplicate(args, json),
        CaseworkCommand::Outcome(args) => state::outcome(args, json),
        CaseworkCommand::Request(RequestCommand::Preserve(args)) => ask::preserve(args, json),
        CaseworkCommand::Request(RequestCommand::Produce(args)) => ask::produce(args, json),
        CaseworkCommand::Request(RequestCommand::Extend(args)) => ask::extend(args, json),
        CaseworkCommand::Request(RequestCommand::Profiles) => Ok(list::profiles(json)),
        CaseworkCommand::Answer(args) => answer::answer(args, json),
        CaseworkCommand::Overdue(args) => overdue::overdue(args, json),
        CaseworkCommand::Remind(args) => remind::remind(args, json),
    }
}
