//! `frex invite`: makes an invitation or takes one up again.

use std::{
    net::{SocketAddr, UdpSocket},
    path::Path,
};

use frex_client::{
    environment::{Clock, Environment},
    keys::{MemberHome, MemberKeys},
};
use frex_proto::{
    error::WireCode,
    join::{self, Invitation},
    limits,
    roster::Roster,
};

use super::{
    InviteOpenArgs, list,
    wait::{Opening, not_bound, over, wait},
};
use crate::{
    cli::{
        failure::{Done, Failure, OrCode, OrFail},
        files, fingerprint, member,
    },
    home::{CONFIG_FILE, NodeHome},
    join::{InvitationDraft, InvitationRecord, Invitations},
};

/// Makes an invitation, or takes one up again, and waits until it is over.
pub fn open(args: &InviteOpenArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let roster = member::roster(&home)?;
    let keys = member::keys(&home)?;
    check_listed(&home, &keys, &roster)?;
    let invitations = Invitations::of(home.dir());
    let (record, code) = match &args.resume {
        Some(id) => (resume(&invitations, id, &args.dir)?, None),
        None => {
            let (record, invitation) = make(args, &home, &roster, &invitations)?;
            (record, Some(join::text(&invitation)))
        }
    };
    let _lock = invitations
        .lock(&record)
        .or_fail("another process waits for this invitation")?;
    let opening = Opening {
        home,
        record,
        fingerprint: fingerprint::of_key(&keys.identity.verifying_key()),
    };
    member::runtime()?.block_on(wait(&opening, keys.identity, code, args, json))
}

/// A newcomer takes the roster's word for who invites, so we have to be in it.
fn check_listed(home: &MemberHome, keys: &MemberKeys, roster: &Roster) -> Result<(), Failure> {
    let member = &home.settings().member;
    let ours = keys.identity.verifying_key();
    let listed = roster.sender_keys(member, Clock::System.now_ms());
    if listed.contains(&ours) {
        return Ok(());
    }
    let what = format!("the roster does not list {member} with the identity key held here");
    Err(Failure::new(WireCode::NotTrusted, what)
        .advise("Let the governance list you first; then install its roster: frex roster install"))
}

fn make(
    args: &InviteOpenArgs,
    home: &MemberHome,
    roster: &Roster,
    invitations: &Invitations,
) -> Result<(InvitationRecord, Invitation), Failure> {
    let now_ms = Clock::System.now_ms();
    let life_ms = args.expires.as_ms();
    if life_ms == 0 || life_ms > limits::INVITATION_LIFE_MS_MAX {
        return Err(
            Failure::new(WireCode::BadInput, "an invitation lasts up to 31 days")
                .advise("--expires 24h"),
        );
    }
    let (listen, address) = addresses(args, roster, &home.settings().home_node)?;
    let draft = InvitationDraft {
        member: &home.settings().member,
        roster,
        listen,
        address,
        created_ms: now_ms,
        expires_ms: now_ms + life_ms,
        note: args.note.clone(),
    };
    let mut rng = Environment::default().random.rng();
    let (record, invitation) = invitations
        .make(draft, &mut rng)
        .or_fail("cannot keep the invitation")?;
    // What no newcomer could read must not be handed out.
    join::parse(&join::text(&invitation)).or_code(
        WireCode::BadInput,
        format_args!("{} is no address to hand out", invitation.address),
    )?;
    Ok((record, invitation))
}

/// Where to wait, and what the newcomer is told.
fn addresses(
    args: &InviteOpenArgs,
    roster: &Roster,
    node: &str,
) -> Result<(SocketAddr, String), Failure> {
    let mut listen = match args.listen {
        Some(listen) => listen,
        None => {
            let dir = files::home(&args.dir, "node", CONFIG_FILE).map_err(|_| {
                Failure::new(WireCode::BadInput, "no node here says where to wait")
                    .advise("--listen IP:PORT")
            })?;
            let mut listen = NodeHome::config(&dir)
                .or_fail("cannot read the node's settings")?
                .listen;
            listen.set_port(listen.port().checked_add(1).unwrap_or(0));
            listen
        }
    };
    if listen.port() == 0 {
        // Known before it is printed; whoever takes it in between shows when it is bound.
        listen = UdpSocket::bind(listen)
            .and_then(|socket| socket.local_addr())
            .map_err(|error| not_bound(listen).because(&error))?;
    }
    if let Some(address) = &args.address {
        return Ok((listen, address.clone()));
    }
    if !listen.ip().is_unspecified() {
        return Ok((listen, listen.to_string()));
    }
    let known = roster.node(node).and_then(|node| node.addresses.first());
    let host = known.and_then(|address| address.rsplit_once(':'));
    match host {
        Some((host, _)) => Ok((listen, format!("{host}:{}", listen.port()))),
        None => Err(Failure::new(
            WireCode::BadInput,
            format!("{listen} is no address at which a newcomer reaches it"),
        )
        .advise(format!("--address HOST:{}", listen.port()))),
    }
}

fn resume(invitations: &Invitations, id: &str, dir: &Path) -> Result<InvitationRecord, Failure> {
    let missing = |error| list::not_found(error, id, &dir.display().to_string());
    let record = invitations.find(id).map_err(missing)?;
    let now_ms = Clock::System.now_ms();
    let standing = invitations.standing(&record, now_ms).map_err(missing)?;
    match over(standing, &record) {
        None => Ok(record),
        Some(failure) => Err(failure),
    }
}
