//! Sums of several members.

use frex_proto::{roster::Roster, v1};
use proptest::prelude::*;
use prost::Message as _;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::{
    casework::statistics::{
        sum::{add, audit, combine, input, read_partial, share, take},
        wire::{AxisValues, SumOpening, SumRound},
    },
    fixture::{Federation, key},
};

const MEMBERS: [&str; 3] = ["member-a", "member-b", "member-c"];

/// A federation of three; keys by seed.
fn roster() -> Roster {
    Federation::with_third(v1::Status::Live).roster()
}

fn identity(member: &str) -> frex_proto::keys::SigningKey {
    key(crate::fixture::identity_seed(member))
}

fn said() -> SumRound {
    let known = definition("frex.reports-received", None).expect("it is published");
    SumRound {
        federation: "fed".to_owned(),
        initiator: "member-a".to_owned(),
        members: MEMBERS.map(str::to_owned).to_vec(),
        definition_id: known.id.clone(),
        definition_version: known.version,
        definition_sha256: bytes::Bytes::copy_from_slice(&known.sha256),
        first_month: "2026-01".to_owned(),
        last_month: "2026-03".to_owned(),
        zone: "UTC".to_owned(),
        threshold: 10,
        axes: vec![AxisValues {
            axis: "country".to_owned(),
            values: vec!["ES".to_owned(), "FR".to_owned(), OTHER.to_owned()],
        }],
        nonce: vec![9; 16].into(),
        closes_ms: 4_000_000_000_000,
    }
}

fn round() -> Round {
    Round::open(said(), &identity("member-a")).expect("it can be begun")
}

/// What each member does, with these figures. Gives what each has added up.
fn exchange(
    round: &Round,
    roster: &Roster,
    figures: &[Vec<u64>; 3],
    seed: u64,
) -> (Vec<bytes::Bytes>, Vec<SumOpening>) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let range = wire::LogRange::default();
    let shares: Vec<_> = MEMBERS
        .iter()
        .zip(figures)
        .map(|(member, figures)| {
            let who = (*member, &identity(member));
            share(round, who, figures, &range, &mut rng).expect("it can be split")
        })
        .collect();
    let partial = |(place, member): (usize, &&str)| {
        let taken: Vec<_> = shares
            .iter()
            .map(|shares| take(&shares.messages[place].1, round, member, roster).expect("it holds"))
            .collect();
        add(round, (member, &identity(member)), &taken).expect("all are there")
    };
    let partials = MEMBERS.iter().enumerate().map(partial).collect();
    (
        partials,
        shares.into_iter().map(|shares| shares.opening).collect(),
    )
}

fn combined(
    round: &Round,
    roster: &Roster,
    partials: &[bytes::Bytes],
) -> Result<sum::Totals, SumError> {
    let read: Result<Vec<_>, _> = partials
        .iter()
        .map(|partial| read_partial(partial, round, roster))
        .collect();
    combine(round, &read?)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    // STA-31 to STA-35: shares of any figures add up to their sum, and small totals are not shown.
    #[test]
    fn totals_are_what_the_figures_add_up_to(parts in prop::array::uniform3(prop::array::uniform3(0_u64..2000)), seed: u64) {
        let (round, roster) = (round(), roster());
        let figures = parts.map(|part| vec![part.iter().sum(), part[0], part[1], part[2]]);
        let (partials, openings) = exchange(&round, &roster, &figures, seed);
        let totals = combined(&round, &roster, &partials).expect("it is whole");
        let truth: Vec<u64> = (0..4).map(|cell| figures.iter().map(|one| one[cell]).sum()).collect();
        for (row, truth) in totals.rows.iter().zip(&truth) {
            if let Some(shown) = row.reports {
                prop_assert!(*truth >= 10 && shown.abs_diff(*truth) <= 2);
            }
        }
        for (opening, figures) in openings.iter().zip(&figures) {
            let (_, shown) = audit(opening, &round, &roster).expect("it holds");
            prop_assert_eq!(&shown, figures);
        }
    }
}

// STA-30: what is not named counts together, and only months of the round count.
#[test]
fn figures_of_a_round_are_exact() {
    let facts: Vec<Fact> = (0..20_u8)
        .map(|at| fact(u32::from(at), [at % 3, at % 4, 0, 1]))
        .collect();
    let counted = input(&round(), &facts).expect("it can be counted");
    assert_eq!(counted, [20, 5, 5, 10]);
}

// STA-33, STA-34: a round that misses somebody says nothing but who.
#[test]
fn a_round_that_misses_somebody_is_void() {
    let (round, roster) = (round(), roster());
    let figures = [
        vec![30, 10, 10, 10],
        vec![30, 10, 10, 10],
        vec![30, 10, 10, 10],
    ];
    let (partials, _) = exchange(&round, &roster, &figures, 1);
    let missing = Err(SumError::Missing(vec!["member-b".to_owned()]));
    let without = [partials[0].clone(), partials[2].clone()];
    assert_eq!(combined(&round, &roster, &without), missing);
    let added = add(&round, ("member-a", &identity("member-a")), &[]);
    assert!(matches!(added, Err(SumError::Missing(of)) if of.len() == 3));
}

// STA-31, STA-32: a share that is not the one committed to is refused, and one for another member too.
#[test]
fn a_changed_share_is_refused() {
    let (round, roster) = (round(), roster());
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let range = wire::LogRange::default();
    let who = ("member-a", &identity("member-a"));
    let shares = share(&round, who, &[3, 1, 1, 1], &range, &mut rng).expect("it can be split");
    let to_b = &shares.messages[1].1;
    assert!(take(to_b, &round, "member-b", &roster).is_ok());
    assert_eq!(
        take(to_b, &round, "member-c", &roster),
        Err(SumError::Commitment)
    );
    let mut message = wire::StatisticsMessage::decode(&to_b[..]).expect("it reads");
    if let Some(wire::statistics_message::What::Share(share)) = &mut message.what {
        let mut values = share.values.to_vec();
        values[7] ^= 1;
        share.values = values.into();
    }
    let changed = message.encode_to_vec();
    assert_eq!(
        take(&changed, &round, "member-b", &roster),
        Err(SumError::Commitment)
    );
    let other = Round::open(
        SumRound {
            nonce: vec![8; 16].into(),
            ..said()
        },
        who.1,
    )
    .expect("it can be begun");
    assert_eq!(
        take(to_b, &other, "member-b", &roster),
        Err(SumError::OtherRound)
    );
}

// STA-32, STA-34: who gives two different things is named.
#[test]
fn who_says_two_things_is_named() {
    let (round, roster) = (round(), roster());
    let figures = [
        vec![30, 10, 10, 10],
        vec![30, 10, 10, 10],
        vec![30, 10, 10, 10],
    ];
    let (first, _) = exchange(&round, &roster, &figures, 1);
    let (second, _) = exchange(&round, &roster, &figures, 2);
    let mixed = [first[0].clone(), first[1].clone(), second[2].clone()];
    let found = combined(&round, &roster, &mixed);
    assert!(matches!(found, Err(SumError::TwoFaced(_))), "{found:?}");
}

// STA-36: shares that do not add up to what was committed to are found out by who is shown them.
#[test]
fn an_auditor_sees_that_shares_are_of_the_figures() {
    let (round, roster) = (round(), roster());
    let figures = [
        vec![30, 10, 10, 10],
        vec![30, 10, 10, 10],
        vec![30, 10, 10, 10],
    ];
    let (_, openings) = exchange(&round, &roster, &figures, 1);
    let mut changed = openings[0].clone();
    changed.input = openings[0]
        .input
        .iter()
        .map(|byte| byte ^ 1)
        .collect::<Vec<u8>>()
        .into();
    assert_eq!(audit(&changed, &round, &roster), Err(SumError::Commitment));
    let mut mixed = openings[0].clone();
    mixed.shares = openings[1].shares.clone();
    assert_eq!(audit(&mixed, &round, &roster), Err(SumError::Commitment));
}

// STA-29, LIM-144: a round of two, of more than sixty-four, of unknown values or of somebody else's word is none.
#[test]
fn a_round_of_another_form_is_refused() {
    let open = |change: &dyn Fn(&mut SumRound)| {
        let mut changed = said();
        change(&mut changed);
        Round::open(changed, &identity("member-a")).map(drop)
    };
    assert_eq!(open(&|_| {}), Ok(()));
    assert!(open(&|round| drop(round.members.pop())).is_err());
    let many = |count: u32| (0..count).map(|at| format!("member-{at:02}")).collect();
    assert_eq!(open(&|round| round.members = many(64)), Ok(()));
    assert!(open(&|round| round.members = many(65)).is_err());
    assert!(open(&|round| round.members.swap(0, 1)).is_err());
    assert!(open(&|round| round.threshold = 4).is_err());
    assert!(open(&|round| drop(round.axes[0].values.pop())).is_err());
    assert!(open(&|round| round.nonce = vec![1; 15].into()).is_err());
    assert!(open(&|round| round.definition_sha256 = vec![1; 32].into()).is_err());
    let by_another = Round::open(said(), &identity("member-b")).expect("it can be signed");
    assert_eq!(
        Round::read(&by_another.to_bytes(), &roster()),
        Err(SumError::Signature)
    );
    let read = Round::read(&round().to_bytes(), &roster()).expect("it holds");
    assert_eq!(read.id, round().id);
}

// LIM-142, LIM-143: an axis of a round has no more values than that of a table; all axes at their fullest fit a round.
#[test]
fn a_round_of_all_axes_fits() {
    let axis = |axis: Axis, count: usize| AxisValues {
        axis: axis.name().to_owned(),
        values: match axis {
            Axis::Month => ["2026-01", "2026-02", "2026-03"]
                .map(str::to_owned)
                .to_vec(),
            _ => {
                let values = (1..count).map(|at| format!("v{at}"));
                values.chain([OTHER.to_owned()]).collect()
            }
        },
    };
    let open = |axes: Vec<AxisValues>| {
        let said = SumRound { axes, ..said() };
        Round::open(said, &identity("member-a")).map(drop)
    };
    let max = limits::STATISTICS_VALUES_MAX;
    let all = || -> Vec<AxisValues> { Axis::ALL.into_iter().map(|one| axis(one, max)).collect() };
    assert_eq!(open(all()), Ok(()));
    let cells: usize = 1 + all().iter().map(|one| one.values.len()).sum::<usize>();
    assert!(cells + limits::STATISTICS_MONTHS_MAX <= limits::SUM_CELLS_MAX);
    let one_more = vec![axis(Axis::Country, max + 1)];
    assert_eq!(open(one_more), Err(StatisticsError::Malformed.into()));
}
