//! The wait of `frex invite`: a door for newcomers, and what is said to the person who opened it.

use std::{
    io::{self, IsTerminal},
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::Duration,
};

use frex_client::{
    environment::{Clock, Environment},
    join::{Door, DoorConfig},
    keys::MemberHome,
    transport::{Socket, TransportError},
};
use frex_proto::{error::WireCode, join::Listing, keys::SigningKey, limits};
use serde_json::json;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::{InviteOpenArgs, list, qr};
use crate::{
    cli::{
        failure::{Done, Failure, OrFail},
        output, peer,
        run::Stop,
        time::rfc3339,
    },
    join::{Event, HostDesk, InvitationRecord, Invitations, Peers, Standing, State},
};

/// How often is looked for what another process decided.
const LOOK: Duration = Duration::from_millis(250);
/// Lines about visitors that wait to be printed.
const EVENTS_MAX: usize = 64;

/// Everything that the listener is made of.
pub(super) struct Opening {
    pub(super) home: MemberHome,
    pub(super) record: InvitationRecord,
    pub(super) fingerprint: String,
}

/// Waits for the newcomer until the invitation is over or somebody stops it. Spec: JOI-1.
pub(super) async fn wait(
    opening: &Opening,
    identity: SigningKey,
    code: Option<Zeroizing<String>>,
    args: &InviteOpenArgs,
    json: bool,
) -> Done {
    let record = &opening.record;
    let mut stop = Stop::new(args.stop_with_stdin)?;
    let invitations = Invitations::of(opening.home.dir());
    let environment = Environment::default();
    let (sender, mut events) = mpsc::channel(EVENTS_MAX);
    let desk = HostDesk::new(
        &opening.home,
        identity,
        record.clone(),
        environment.clone(),
        sender,
    );
    let desk = desk.or_fail("cannot wait for the newcomer")?;
    let door = open_door(record, code.is_some(), &invitations, environment)?;
    announce(opening, code.as_deref().map(String::as_str), args, json)?;
    // From here on the secret is theirs alone.
    drop(code);
    let judge = Arc::new(move |question: &[u8], channel: &_| desk.judge(question, channel));
    let serving = tokio::spawn({
        let door = door.clone();
        async move { door.serve(judge).await }
    });
    // Whoever goes on after everything was said wants to hand over the roster that lists the
    // newcomer.
    let settled = matches!(ending(opening, &invitations, &args.dir), Some(Ok(_)));
    let mut handed = false;
    let mut look = tokio::time::interval(LOOK);
    let ended = loop {
        tokio::select! {
            code = stop.asked() => {
                interrupted(record, &invitations, args);
                break Ok(code);
            }
            Some(event) = events.recv() => {
                handed |= settled && matches!(event, Event::Handed { .. });
                tell(&event, &args.dir);
            }
            _ = look.tick() => match ending(opening, &invitations, &args.dir) {
                _ if handed => break Ok(0),
                Some(Ok(said)) if !settled => {
                    output::message(said);
                    break Ok(0);
                }
                Some(Err(failure)) => break Err(failure),
                _ => {}
            }
        }
    };
    while let Ok(event) = events.try_recv() {
        tell(&event, &args.dir);
    }
    door.close(WireCode::ShuttingDown).await;
    serving.abort();
    ended
}

fn announce(
    opening: &Opening,
    code: Option<&str>,
    args: &InviteOpenArgs,
    json: bool,
) -> Result<(), Failure> {
    let (record, print) = (&opening.record, &opening.fingerprint);
    if json {
        output::document(json!({
            "invitation": record.id, "code": code, "listen": record.listen,
            "address": record.address, "expires": rfc3339(record.expires_ms),
            "federation": record.federation, "fingerprint": print,
        }));
        return Ok(());
    }
    let until = rfc3339(record.expires_ms);
    output::data(format_args!(
        "invitation   {}   works once   until {until}",
        record.id
    ));
    output::data(format_args!(
        "waits        on udp {}   they reach it at {}",
        record.listen, record.address
    ));
    output::data(format_args!("fingerprint  {print}"));
    if let Some(code) = code {
        output::data("");
        output::data(code);
        output::data("");
        if args.qr || io::stderr().is_terminal() {
            output::message(qr::draw(code)?);
        }
        output::message("Hand this line over by a way you trust. On their machine:");
        output::message(format_args!(
            "  frex init --federation {} --member ID --name NAME --country CC --role ROLE DIR",
            record.federation
        ));
        output::message("  frex join DIR      (it asks for the line)");
    }
    output::message("Waiting. Ctrl-C stops it; to go on later:");
    output::message(format_args!(
        "  frex invite --resume {} {}",
        record.id,
        args.dir.display()
    ));
    Ok(())
}

fn tell(event: &Event, dir: &Path) {
    let dir = dir.display();
    match event {
        Event::Came { member, listing } => {
            output::message(format_args!("{member} came and waits for your decision."));
            if *listing == Listing::Listed {
                output::message("The roster lists it already, under the same identity key.");
            }
            output::message("Compare its fingerprint by telephone:");
            output::message(format_args!("  frex peer show {member} {dir}"));
            output::message(format_args!(
                "  {}",
                peer::accept_command(member, &dir.to_string())
            ));
        }
        Event::Decided { member, state } => {
            output::message(format_args!("{member}: {} on their side", state.name()));
        }
        Event::Handed { member } => output::message(format_args!(
            "{member} has the roster that lists it. On their machine:\n  frex run DIR"
        )),
        Event::WrongSecret(tries) => output::message(format_args!(
            "warning: somebody does not know the secret ({tries} of {} tries)",
            limits::JOIN_TRIES_MAX
        )),
        Event::Refused(error) => {
            output::message(format_args!(
                "refused: {error} [{}]",
                WireCode::from(*error)
            ));
        }
        Event::UsedByAnother => output::message(
            "refused: somebody else came with this invitation, which is used or withdrawn",
        ),
        Event::NotKept(code) => {
            output::message(format_args!("error: a newcomer could not be kept: {code}"));
        }
    }
}

/// Whether the invitation is over, and how the command then ends: with what it says, or a failure.
fn ending(
    opening: &Opening,
    invitations: &Invitations,
    dir: &Path,
) -> Option<Result<String, Failure>> {
    let record = &opening.record;
    let standing = invitations.standing(record, Clock::System.now_ms());
    let standing = match standing.or_fail("cannot read the invitation") {
        Ok(standing) => standing,
        Err(failure) => return Some(Err(failure)),
    };
    if let Some(failure) = over(standing, record) {
        return Some(Err(failure));
    }
    let peers = Peers::of(opening.home.dir());
    let member = invitations.usage(&record.id).ok()?.member?;
    let peer = peers.find(&member).ok()?;
    let (ours, theirs) = (peers.ours(&peer).ok()?, peers.theirs(&peer).ok()?);
    if theirs.state == State::Refused {
        let why = output::clean(&theirs.reason);
        let ask = format!("Ask them by telephone; then: frex invite {}", dir.display());
        let what = format!("{member} refused");
        let failure = Failure::new(WireCode::InvitationClosed, what);
        return Some(Err(failure.cause(why).advise(ask)));
    }
    match (ours.state, theirs.state, theirs.told) {
        (State::Refused, _, State::Refused) => {
            Some(Ok(format!("{member} was told that you refused.")))
        }
        (State::Accepted, State::Accepted, State::Accepted) => Some(Ok(format!(
            "Both sides have accepted, and {member} knows it."
        ))),
        _ => None,
    }
}

/// Why an invitation lets nobody in any more.
pub(super) fn over(standing: Standing, record: &InvitationRecord) -> Option<Failure> {
    let what = format!("the invitation {} is over", record.id);
    match standing {
        Standing::Open | Standing::Used => None,
        Standing::Expired => Some(
            Failure::new(WireCode::Expired, what)
                .cause(format!("it ended at {}", rfc3339(record.expires_ms)))
                .advise("Make another with: frex invite"),
        ),
        other => Some(
            Failure::new(WireCode::InvitationClosed, what)
                .cause(list::standing_name(other))
                .advise("Make another with: frex invite"),
        ),
    }
}

fn interrupted(record: &InvitationRecord, invitations: &Invitations, args: &InviteOpenArgs) {
    let used_by = invitations.usage(&record.id).ok();
    let stays = match used_by.and_then(|usage| usage.member) {
        None => "The invitation stays valid".to_owned(),
        Some(member) => format!("{member} alone may come again with this invitation"),
    };
    output::message(format_args!(
        "{stays} until {}; to go on waiting: frex invite --resume {} {}",
        rfc3339(record.expires_ms),
        record.id,
        args.dir.display()
    ));
}

/// Listens. An address that cannot be had ends a new invitation, whose line nobody has seen.
fn open_door(
    record: &InvitationRecord,
    is_new: bool,
    invitations: &Invitations,
    environment: Environment,
) -> Result<Door, Failure> {
    let key = invitations.listener_key(&record.id);
    let door = Door::open(&DoorConfig {
        socket: Socket::Udp(record.listen),
        key: key.or_fail("cannot read the listener's key")?,
        environment,
    });
    door.map_err(|error| match error {
        TransportError::Bind(cause) => {
            if is_new {
                // One that cannot be withdrawn ends by itself.
                let _ = invitations.withdraw(&record.id, Clock::System.now_ms());
            }
            not_bound(record.listen).because(&cause)
        }
        other => {
            Failure::new(WireCode::from(&other), "cannot wait for the newcomer").because(&other)
        }
    })
}

/// An address that cannot be had.
pub(super) fn not_bound(listen: SocketAddr) -> Failure {
    Failure::new(WireCode::BadConfig, format!("cannot wait on udp {listen}"))
        .advise("Choose another address of this machine: --listen IP:PORT")
}
