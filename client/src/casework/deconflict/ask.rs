//! The asker's side: what is asked, and what is kept until it is answered.

use bytes::Bytes;
use frex_proto::{label::Hash, limits};
use rand_core::CryptoRng;

use super::{Blinded, DeconflictQuery, Identifier, MessageError, OprfError, SUITE};

/// An identifier that is asked for, and by what it is blinded. Whoever has both can prove it.
pub struct Item {
    /// What is asked for.
    pub identifier: Identifier,
    /// Its blinded form.
    pub blinded: Blinded,
}

/// A question, with what is needed to understand its answer.
pub struct Question {
    /// In the order of the question.
    pub items: Vec<Item>,
}

impl Question {
    /// Blinds identifiers, each by a number of its own.
    ///
    /// # Errors
    /// [`MessageError::Count`]; [`MessageError::Field`] of an identifier that no element belongs to,
    /// which nobody can find.
    pub fn begin(
        identifiers: Vec<Identifier>,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, MessageError> {
        if !(1..=limits::DECONFLICT_ITEMS_MAX).contains(&identifiers.len()) {
            return Err(MessageError::Count);
        }
        let item = |identifier: Identifier| {
            let blinded = Blinded::new(&identifier.input(), rng).or(Err(MessageError::Field))?;
            Ok::<_, MessageError>(Item {
                identifier,
                blinded,
            })
        };
        let items = identifiers.into_iter().map(item);
        Ok(Self {
            items: items.collect::<Result<_, _>>()?,
        })
    }

    /// The question of before, from its identifiers and blinds.
    ///
    /// # Errors
    /// [`OprfError::NotInGroup`].
    pub fn again(kept: impl IntoIterator<Item = (Identifier, Vec<u8>)>) -> Result<Self, OprfError> {
        let item = |(identifier, blind): (Identifier, Vec<u8>)| {
            let blinded = Blinded::again(&identifier.input(), &blind)?;
            Ok(Item {
                identifier,
                blinded,
            })
        };
        let items = kept.into_iter().map(item);
        Ok(Self {
            items: items.collect::<Result<_, OprfError>>()?,
        })
    }

    /// What is sent, with the books of the asked member that are here already.
    #[must_use]
    pub fn query(&self, books: &[Hash]) -> DeconflictQuery {
        let books = books.iter().map(|hash| Bytes::copy_from_slice(hash));
        DeconflictQuery {
            suite: SUITE,
            blinded: self
                .items
                .iter()
                .map(|item| item.blinded.element())
                .collect(),
            books: books.collect(),
        }
    }
}
