//! The function itself: RFC 9497, ristretto255-SHA512, verifiable mode, by the crate `voprf`.
//!
//! Only this file names that crate. Spec: DCF-9, DCF-10, DCF-11.

use bytes::Bytes;
use rand_core::CryptoRng;
use voprf::{
    BlindedElement, EvaluationElement, Group, Proof, Ristretto255, VoprfClient, VoprfServer,
};
use zeroize::Zeroizing;

use super::OprfError;

type Suite = Ristretto255;
/// What an identifier becomes under a key.
pub type Output = [u8; 64];

/// The key of one epoch. It is destroyed with the epoch.
pub struct EpochKey(VoprfServer<Suite>);

/// Elements evaluated under a key, and the proof of it.
pub struct Evaluation {
    /// One for each that was given.
    pub evaluated: Vec<Bytes>,
    /// Of all of them together.
    pub proof: Bytes,
}

/// An identifier that is asked for, and by what it was blinded.
pub struct Blinded(VoprfClient<Suite>);

impl EpochKey {
    /// Draws a key.
    #[must_use]
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        loop {
            // It fails for one seed in 2^252.
            if let Ok(key) = VoprfServer::new(&mut Older(rng)) {
                return Self(key);
            }
        }
    }

    /// The key that was kept.
    ///
    /// # Errors
    /// [`OprfError::NotInGroup`].
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, OprfError> {
        let key = VoprfServer::new_with_key(bytes).map_err(not_in_group)?;
        Ok(Self(key))
    }

    /// To be kept.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        let whole = Zeroizing::new(self.0.serialize().to_vec());
        Zeroizing::new(array(&whole[..32]))
    }

    /// What everybody may know of it.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        array(&Ristretto255::serialize_elem(self.0.get_public_key()))
    }

    /// What the input of an identifier becomes.
    ///
    /// # Errors
    /// [`OprfError::NotInGroup`] of an input that nobody can find.
    pub fn output(&self, input: &[u8]) -> Result<Output, OprfError> {
        let output = self.0.evaluate(input).map_err(not_in_group)?;
        Ok(array(&output))
    }

    /// Evaluates what cannot be read here.
    ///
    /// # Errors
    /// [`OprfError::NotInGroup`] if one of them is no element.
    pub fn evaluate(
        &self,
        blinded: &[Bytes],
        rng: &mut dyn CryptoRng,
    ) -> Result<Evaluation, OprfError> {
        let elements = blinded
            .iter()
            .map(|bytes| BlindedElement::deserialize(bytes));
        let elements: Vec<BlindedElement<Suite>> =
            elements.collect::<Result<_, _>>().map_err(not_in_group)?;
        if blinded.iter().any(|bytes| bytes.len() != 32) || elements.is_empty() {
            return Err(OprfError::NotInGroup);
        }
        let done = self.0.batch_blind_evaluate(&mut Older(rng), &elements);
        let done = done.map_err(|_| OprfError::Count)?;
        let evaluated = done.messages.iter();
        let evaluated = evaluated.map(|one| Bytes::copy_from_slice(&one.serialize()));
        Ok(Evaluation {
            evaluated: evaluated.collect(),
            proof: Bytes::copy_from_slice(&done.proof.serialize()),
        })
    }
}

impl Blinded {
    /// Blinds the input of an identifier by a number drawn at random.
    ///
    /// # Errors
    /// [`OprfError::NotInGroup`] of an input that nobody can find.
    pub fn new(input: &[u8], rng: &mut dyn CryptoRng) -> Result<Self, OprfError> {
        let blinded = VoprfClient::blind(input, &mut Older(rng));
        Ok(Self(blinded.map_err(not_in_group)?.state))
    }

    /// Blinds an input as it was blinded before.
    ///
    /// # Errors
    /// [`OprfError::NotInGroup`] if the number is none.
    pub fn again(input: &[u8], blind: &[u8]) -> Result<Self, OprfError> {
        let blind = Ristretto255::deserialize_scalar(blind).map_err(not_in_group)?;
        let blinded = VoprfClient::deterministic_blind_unchecked(input, blind);
        Ok(Self(blinded.map_err(not_in_group)?.state))
    }

    /// An element whose blind is not known: its proof can be checked, its output not be found.
    ///
    /// # Errors
    /// [`OprfError::NotInGroup`].
    pub fn of_others(element: &[u8]) -> Result<Self, OprfError> {
        let mut state = [0; 64];
        state[0] = 1;
        if element.len() != 32 {
            return Err(OprfError::NotInGroup);
        }
        state[32..].copy_from_slice(element);
        Ok(Self(
            VoprfClient::deserialize(&state).map_err(not_in_group)?,
        ))
    }

    /// What is sent.
    #[must_use]
    pub fn element(&self) -> Bytes {
        let state = self.0.serialize();
        Bytes::copy_from_slice(&state[32..])
    }

    /// The number; whoever has it can prove what was asked.
    #[must_use]
    pub fn blind(&self) -> Zeroizing<[u8; 32]> {
        let state = Zeroizing::new(self.0.serialize().to_vec());
        Zeroizing::new(array(&state[..32]))
    }
}

/// Checks that all were evaluated under `public_key`, and finds the outputs.
///
/// # Errors
/// [`OprfError`].
pub fn finish(
    inputs: &[Vec<u8>],
    blinded: &[&Blinded],
    evaluated: &[Bytes],
    proof: &[u8],
    public_key: &[u8],
) -> Result<Vec<Output>, OprfError> {
    if inputs.len() != blinded.len() || evaluated.len() != blinded.len() {
        return Err(OprfError::Count);
    }
    if proof.len() != 64 || evaluated.iter().any(|bytes| bytes.len() != 32) {
        return Err(OprfError::NotInGroup);
    }
    let public_key = Ristretto255::deserialize_elem(public_key).map_err(not_in_group)?;
    let proof = Proof::<Suite>::deserialize(proof).map_err(not_in_group)?;
    let elements = evaluated
        .iter()
        .map(|bytes| EvaluationElement::deserialize(bytes));
    let elements: Vec<EvaluationElement<Suite>> =
        elements.collect::<Result<_, _>>().map_err(not_in_group)?;
    let inputs = inputs.to_vec();
    let states: Vec<VoprfClient<Suite>> = blinded.iter().map(|one| one.0.clone()).collect();
    let outputs = VoprfClient::batch_finalize(&inputs, &states, &elements, &proof, public_key)
        .map_err(|error| match error {
            voprf::Error::ProofVerification => OprfError::Proof,
            _ => OprfError::NotInGroup,
        })?;
    let outputs = outputs.map(|output| Ok(array(&output.map_err(not_in_group)?)));
    outputs.collect()
}

fn not_in_group(_: voprf::Error) -> OprfError {
    OprfError::NotInGroup
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes
        .try_into()
        .expect("the crate's lengths are those of the suite")
}

/// The generator that the crate asks for, which is an older trait of the same name.
struct Older<'a>(&'a mut dyn CryptoRng);

impl rand_core_06::RngCore for Older<'_> {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core_06::Error> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

impl rand_core_06::CryptoRng for Older<'_> {}
