//! What an operation of a vector comes to here.

use bytes::Bytes;
use frex_client::casework::deconflict::{
    self, Blinded, Book, DeconflictAnswer, DeconflictContact, DeconflictQuery, Epoch, EpochKey,
    Identifier, What,
};
use frex_proto::keys::VerifyingKey;
use prost::Message;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use serde_json::{Map, Value};

type Outcome = Result<String, String>;

fn name(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}

/// The fault that lies innermost, which is what the reader names.
fn innermost(error: impl std::fmt::Debug) -> String {
    let name = name(error);
    let inner = name.rsplit('(').next().unwrap_or_default();
    inner.trim_end_matches(')').to_owned()
}

struct Inputs<'a>(&'a Map<String, Value>);

impl Inputs<'_> {
    fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap()
    }

    fn hex(&self, field: &str) -> Vec<u8> {
        hex::decode(self.text(field)).unwrap()
    }

    fn hexes(&self, field: &str) -> Vec<Bytes> {
        let list = self.0[field].as_array().unwrap().iter();
        list.map(|one| hex::decode(one.as_str().unwrap()).unwrap().into())
            .collect()
    }
}

pub fn run(inputs: &Map<String, Value>) -> Outcome {
    let inputs = Inputs(inputs);
    match inputs.text("op") {
        "normalise_identifier" => {
            let identifier = Identifier::parse(inputs.text("text")).map_err(name)?;
            // What is compared is compared to itself.
            let normal = Identifier::normal(identifier.as_str()).map_err(name)?;
            Ok(normal.as_str().to_owned())
        }
        "oprf_blind" => {
            let blinded = Blinded::again(&inputs.hex("input"), &inputs.hex("blind"));
            Ok(hex::encode(blinded.map_err(name)?.element()))
        }
        "oprf_evaluate" => evaluate(&inputs),
        "oprf_finalize" => finalize(&inputs),
        "read_deconflict" => read_message(&inputs.hex("message")),
        "read_epoch" => read_epoch(&inputs),
        "find_in_book" => {
            let sha256 = inputs.hex("sha256").try_into().unwrap();
            let book = Book::check(inputs.hex("book").into(), &sha256).map_err(name)?;
            let desk = book.find(&inputs.hex("output").try_into().unwrap());
            Ok(desk.map_or_else(|| "nothing".to_owned(), |desk| desk.email))
        }
        "verify_claim" => verify_claim(&inputs),
        other => panic!("unknown operation {other}"),
    }
}

fn evaluate(inputs: &Inputs<'_>) -> Outcome {
    let key = EpochKey::of_bytes(&inputs.hex("key")).map_err(name)?;
    let mut rng = ChaCha20Rng::from_seed([7; 32]);
    let done = key
        .evaluate(&inputs.hexes("blinded"), &mut rng)
        .map_err(name)?;
    let words = std::iter::once(hex::encode(key.public()));
    let words: Vec<String> = words
        .chain(done.evaluated.iter().map(hex::encode))
        .collect();
    Ok(words.join(" "))
}

fn finalize(inputs: &Inputs<'_>) -> Outcome {
    let messages: Vec<Vec<u8>> = inputs
        .hexes("inputs")
        .iter()
        .map(|one| one.to_vec())
        .collect();
    let blinds = inputs.hexes("blinds");
    let blinded = messages.iter().zip(&blinds);
    let blinded: Vec<Blinded> = blinded
        .map(|(message, blind)| Blinded::again(message, blind))
        .collect::<Result<_, _>>()
        .map_err(name)?;
    let blinded: Vec<&Blinded> = blinded.iter().collect();
    let (evaluated, proof) = (inputs.hexes("evaluated"), inputs.hex("proof"));
    let key = inputs.hex("public_key");
    let outputs =
        deconflict::finish(&messages, &blinded, &evaluated, &proof, &key).map_err(name)?;
    let outputs: Vec<String> = outputs.iter().map(hex::encode).collect();
    Ok(outputs.join(" "))
}

fn read_message(message: &[u8]) -> Outcome {
    Ok(match deconflict::decode(message).map_err(name)? {
        What::Query(query) => format!("query {}", query.blinded.len()),
        What::Answer(answer) if answer.refusal.is_empty() => {
            format!("answer {}", answer.evaluated.len())
        }
        What::Answer(answer) => format!("answer {}", answer.refusal),
        What::Contact(contact) => format!("contact {}", contact.item),
    })
}

fn read_epoch(inputs: &Inputs<'_>) -> Outcome {
    let keys = inputs.hexes("keys");
    let keys: Vec<VerifyingKey> = keys
        .iter()
        .map(|key| VerifyingKey::admit(key).unwrap())
        .collect();
    let (federation, member) = (inputs.text("federation"), inputs.text("member"));
    let epoch = Epoch::verify(&inputs.hex("epoch"), &keys, federation, member);
    let epoch = epoch.map_err(innermost)?;
    let (key, book) = (
        hex::encode(epoch.public_key),
        hex::encode(epoch.book_sha256),
    );
    Ok(format!(
        "{} {} {key} {book}",
        epoch.begins_ms, epoch.ends_ms
    ))
}

fn verify_claim(inputs: &Inputs<'_>) -> Outcome {
    let contact = DeconflictContact::decode(&*inputs.hex("contact")).unwrap();
    let query = DeconflictQuery::decode(&*inputs.hex("query")).unwrap();
    let answer = DeconflictAnswer::decode(&*inputs.hex("answer")).unwrap();
    let epoch = Epoch {
        federation: String::new(),
        member: String::new(),
        begins_ms: 0,
        ends_ms: 1,
        public_key: inputs.hex("public_key").try_into().unwrap(),
        book_sha256: [0; 32],
        book_bytes: 0,
    };
    let claim = deconflict::verify_claim(&contact, &query, &answer, &epoch);
    let (_, output) = claim.map_err(innermost)?;
    Ok(hex::encode(output))
}
