//! Gathering messages: in any order, each as often as it comes. Spec: CSE-10, CSE-11.

use std::collections::{BTreeMap, btree_map::Entry};

use prost::Message;

use super::{Case, CaseId, Key, Said, What};

impl Case {
    /// A case of which nothing is here yet.
    #[must_use]
    pub fn new(id: CaseId) -> Self {
        Self {
            id,
            said: BTreeMap::new(),
        }
    }

    /// The case that these messages make, in whatever order they come.
    #[must_use]
    pub fn fold(id: CaseId, said: impl IntoIterator<Item = Said>) -> Self {
        let mut case = Self::new(id);
        said.into_iter().for_each(|one| case.add(one));
        case
    }

    /// Adds a message; one that is here already adds what is new of it.
    pub fn add(&mut self, said: Said) {
        match self.said.entry(said.key.clone()) {
            Entry::Vacant(place) => {
                place.insert(said);
            }
            Entry::Occupied(mut place) => place.get_mut().join(said),
        }
    }

    /// Adds everything that another fold of the same case has.
    pub fn merge(&mut self, other: Self) {
        other.said.into_values().for_each(|one| self.add(one));
    }

    /// What was said in it up to an instant.
    #[must_use]
    pub fn as_of(&self, at_ms: u64) -> Self {
        let said = self.said().filter(|said| said.created_ms <= at_ms);
        Self::fold(self.id, said.cloned())
    }

    /// Its messages.
    pub fn said(&self) -> impl Iterator<Item = &Said> {
        self.said.values()
    }

    /// One of its messages.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Said> {
        self.said.get(key)
    }
}

impl Said {
    /// What is known of the same message from two places. The same whichever comes first.
    fn join(&mut self, other: Self) {
        let (mine, theirs) = (rank(&self.what), rank(&other.what));
        let readable = |rank: &(u8, Vec<u8>)| rank.0 < UNREADABLE;
        self.otherwise |= other.otherwise
            || (readable(&mine) && readable(&theirs) && mine != theirs)
            || self.in_reply_to != other.in_reply_to;
        if theirs < mine {
            self.what = other.what;
        }
        self.envelopes.extend(other.envelopes);
        self.to.extend(other.to);
        self.in_reply_to = self.in_reply_to.max(other.in_reply_to);
        // A message that was sealed again was said when it was sealed first.
        self.created_ms = self.created_ms.min(other.created_ms);
        self.reply_by_ms = self.reply_by_ms.max(other.reply_by_ms);
        if (other.kind as i32, other.lane as i32) < (self.kind as i32, self.lane as i32) {
            (self.kind, self.lane) = (other.kind, other.lane);
        }
        for (member, at_ms) in other.received {
            let had = self.received.entry(member).or_insert(at_ms);
            *had = at_ms.min(*had);
        }
    }
}

const UNREADABLE: u8 = 4;

/// Which of two contents stays: one that can be read, and of those always the same.
fn rank(what: &What) -> (u8, Vec<u8>) {
    match what {
        What::Case(message) => (0, message.encode_to_vec()),
        What::Report => (1, Vec::new()),
        What::Recall { message, reason } => (2, [&message.0, reason.as_bytes()].concat()),
        What::Other => (3, Vec::new()),
        What::Unreadable(why) => (UNREADABLE, why.as_bytes().to_vec()),
    }
}
