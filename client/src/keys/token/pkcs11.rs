//! PKCS#11: the token is reached through the library of its maker. Mechanism `CKM_EDDSA`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    mechanism::{
        Mechanism,
        eddsa::{EddsaParams, EddsaSignatureScheme},
    },
    object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    slot::{Slot, TokenInfo},
    types::RawAuthPin,
};
use frex_proto::keys::{SigningError, Token, VerifyingKey};

use super::{TokenAddress, TokenError, TokenPlace};
use crate::passphrase::Passphrase;

/// The curve as tokens know it: by the object identifier of Ed25519 (RFC 8410), or by its name.
const CURVES: [&[u8]; 2] = [b"\x06\x03\x2b\x65\x70", b"\x13\x0cedwards25519"];
/// What stands before the 32 bytes of a public key where the point is a DER OCTET STRING.
const POINT_PREFIX: [u8; 2] = [0x04, 0x20];

/// A library is loaded once in a process, however many keys are reached through it.
static MODULES: Mutex<BTreeMap<PathBuf, Arc<Module>>> = Mutex::new(BTreeMap::new());
/// Tokens that did not take the PIN. Each further try could be the one that locks them.
static REFUSED: Mutex<BTreeSet<TokenAddress>> = Mutex::new(BTreeSet::new());

/// The library of a token's maker. Whoever calls it holds the lock for reading; a writer begins it
/// anew, which ends every session, and counts that.
struct Module {
    library: Pkcs11,
    beginnings: RwLock<u64>,
}

/// A key in a token. Its session serves one signature at a time.
struct TokenKey {
    place: TokenPlace,
    pin: Passphrase,
    module: Arc<Module>,
    session: Mutex<Option<OpenKey>>,
}

struct OpenKey {
    session: Session,
    key: ObjectHandle,
    /// After which beginning of the library: the numbers of an earlier one mean something else now.
    beginning: u64,
}

pub(super) fn open(place: &TokenPlace, pin: &Passphrase) -> Result<Arc<dyn Token>, TokenError> {
    let key = TokenKey {
        place: place.clone(),
        pin: pin.clone(),
        module: module(&place.token.module)?,
        session: Mutex::new(None),
    };
    *lock(&key.session) = Some(key.connect()?);
    Ok(Arc::new(key))
}

/// Public halves can be read without a PIN.
pub(super) fn public(token: &TokenAddress, id: &[u8]) -> Result<VerifyingKey, TokenError> {
    let module = module(&token.module)?;
    let _calling = module.call();
    let (slot, _) = slot(&module.library, token)?;
    let session = module.library.open_ro_session(slot)?;
    public_half(&session, id)
}

pub(super) fn generate(
    token: &TokenAddress,
    label: &str,
    id: &[u8],
    pin: &Passphrase,
) -> Result<(), TokenError> {
    let module = module(&token.module)?;
    let _calling = module.call();
    let (slot, info) = slot(&module.library, token)?;
    let session = module.library.open_rw_session(slot)?;
    log_in(&session, token, &info, pin)?;
    let named = [
        Attribute::Token(true),
        Attribute::Id(id.to_vec()),
        Attribute::Label(label.as_bytes().to_vec()),
    ];
    let mut private = named.to_vec();
    private.extend([
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
    ]);
    let mut last = None;
    for curve in CURVES {
        let mut public = named.to_vec();
        public.extend([
            Attribute::Private(false),
            Attribute::Verify(true),
            Attribute::EcParams(curve.to_vec()),
        ]);
        match session.generate_key_pair(&Mechanism::EccEdwardsKeyPairGen, &public, &private) {
            Ok(_) => return Ok(()),
            Err(error) => last = Some(error.into()),
        }
    }
    Err(last.unwrap_or(TokenError::NoKey(hex::encode(id))))
}

impl Token for TokenKey {
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningError> {
        let signature = self.ask(message).map_err(|error| {
            tracing::warn!("a key in a token does not sign: {error}");
            match may_pass(&error) {
                true => SigningError::Unavailable,
                false => SigningError::Refused,
            }
        })?;
        signature
            .try_into()
            .map_err(|_| SigningError::WrongSignature)
    }
}

impl TokenKey {
    /// A session does not outlive its token's absence, and some libraries see a token that came
    /// back only when they begin anew. Each is tried once: who waits for the signature hears of a
    /// token that stays away, and can come again. Spec: FIL-33.
    fn ask(&self, message: &[u8]) -> Result<Vec<u8>, TokenError> {
        let mut held = lock(&self.session);
        let mut failure = match self.sign_in(&mut held, message) {
            Ok(signature) => return Ok(signature),
            Err(error) => error,
        };
        for anew in [false, true] {
            if !may_pass(&failure) {
                break;
            }
            if anew {
                self.module.begin_anew();
            }
            let signed = self.connect().and_then(|open| {
                *held = Some(open);
                self.sign_in(&mut held, message)
            });
            match signed {
                Ok(signature) => return Ok(signature),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn connect(&self) -> Result<OpenKey, TokenError> {
        let (token, id) = (&self.place.token, &self.place.id);
        let beginning = self.module.call();
        let library = &self.module.library;
        let (slot, info) = slot(library, token)?;
        let session = library.open_ro_session_no_drop(slot)?;
        if public_half(&session, id)? != self.place.public {
            return Err(TokenError::OtherKey);
        }
        log_in(&session, token, &info, &self.pin)?;
        let key = find(&session, ObjectClass::PRIVATE_KEY, id)?;
        Ok(OpenKey {
            session,
            key,
            beginning: *beginning,
        })
    }

    /// Signs in the session that is open. One that fails is closed.
    fn sign_in(&self, held: &mut Option<OpenKey>, message: &[u8]) -> Result<Vec<u8>, TokenError> {
        let away = || TokenError::Absent(self.place.token.label.clone());
        let beginning = self.module.call();
        let open = held.take_if(|open| open.beginning == *beginning);
        let open = open.ok_or_else(away)?;
        let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
        match open.session.sign(&mechanism, open.key, message) {
            Ok(signature) => {
                *held = Some(open);
                Ok(signature)
            }
            Err(error) => {
                // The library forgets a session that was lost, whatever it says here.
                let _ = open.session.close();
                Err(error.into())
            }
        }
    }
}

impl Module {
    /// Keeps the library from beginning anew; says how often it has.
    fn call(&self) -> RwLockReadGuard<'_, u64> {
        self.beginnings
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn begin_anew(&self) {
        let mut beginnings = self
            .beginnings
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        // One that has ended by itself, or does not begin, shows at the next call.
        let _ = self.library.clone().finalize();
        let _ = begin(&self.library);
        *beginnings += 1;
    }
}

/// Whether the token may be back later.
fn may_pass(error: &TokenError) -> bool {
    matches!(
        error,
        TokenError::Absent(_) | TokenError::NoKey(_) | TokenError::Refused(_)
    )
}

fn module(path: &Path) -> Result<Arc<Module>, TokenError> {
    let mut modules = lock(&MODULES);
    if let Some(module) = modules.get(path) {
        return Ok(Arc::clone(module));
    }
    let unusable = |_| TokenError::Module(path.to_owned());
    let library = Pkcs11::new(path).map_err(unusable)?;
    begin(&library).map_err(unusable)?;
    let module = Arc::new(Module {
        library,
        beginnings: RwLock::new(0),
    });
    modules.insert(path.to_owned(), Arc::clone(&module));
    Ok(module)
}

fn begin(library: &Pkcs11) -> Result<(), Error> {
    match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        other => other,
    }
}

fn slot(library: &Pkcs11, token: &TokenAddress) -> Result<(Slot, TokenInfo), TokenError> {
    let mut found = None;
    for slot in library.get_slots_with_token()? {
        let Ok(info) = library.get_token_info(slot) else {
            continue;
        };
        let serial = token.serial.as_deref();
        if info.label() != token.label || serial.is_some_and(|own| own != info.serial_number()) {
            continue;
        }
        if found.replace((slot, info)).is_some() {
            return Err(TokenError::Ambiguous(token.label.clone()));
        }
    }
    found.ok_or_else(|| TokenError::Absent(token.label.clone()))
}

/// Never twice with a PIN that was wrong, and never with the last try. Spec: FIL-34.
fn log_in(
    session: &Session,
    token: &TokenAddress,
    info: &TokenInfo,
    pin: &Passphrase,
) -> Result<(), TokenError> {
    let mut wrong = lock(&REFUSED);
    if wrong.contains(token) {
        return Err(TokenError::WrongPin);
    }
    if info.user_pin_locked() {
        return Err(TokenError::Locked);
    }
    if info.user_pin_final_try() {
        return Err(TokenError::LastTry);
    }
    let pin = RawAuthPin::new(Box::new(pin.as_bytes().to_vec()));
    match session.login_with_raw(UserType::User, &pin) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(Error::Pkcs11(RvError::PinLocked, _)) => Err(TokenError::Locked),
        Err(Error::Pkcs11(
            RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange,
            _,
        )) => {
            wrong.insert(token.clone());
            Err(TokenError::WrongPin)
        }
        Err(error) => Err(error.into()),
    }
}

/// Admitted like every public key. Spec: KEY-3 to KEY-5.
fn public_half(session: &Session, id: &[u8]) -> Result<VerifyingKey, TokenError> {
    let key = find(session, ObjectClass::PUBLIC_KEY, id)?;
    let attributes = session.get_attributes(key, &[AttributeType::EcPoint])?;
    let point = attributes.iter().find_map(|attribute| match attribute {
        Attribute::EcPoint(point) => Some(point.as_slice()),
        _ => None,
    });
    let point = point.unwrap_or_default();
    // Some tokens leave the octet string around the key out.
    let key = match point.len() {
        32 => Some(point),
        _ => point.strip_prefix(&POINT_PREFIX),
    };
    key.and_then(|key| VerifyingKey::admit(key).ok())
        .ok_or_else(|| TokenError::NoKey(hex::encode(id)))
}

fn find(session: &Session, class: ObjectClass, id: &[u8]) -> Result<ObjectHandle, TokenError> {
    let wanted = [
        Attribute::Class(class),
        Attribute::KeyType(KeyType::EC_EDWARDS),
        Attribute::Id(id.to_vec()),
    ];
    let found = session.find_objects(&wanted)?;
    match found.as_slice() {
        [key] => Ok(*key),
        _ => Err(TokenError::NoKey(hex::encode(id))),
    }
}

impl From<Error> for TokenError {
    /// The name of the refusal, without whatever a library may have put into its text.
    fn from(error: Error) -> Self {
        Self::Refused(match error {
            Error::Pkcs11(reason, function) => format!("{function:?} gave {reason:?}"),
            _ => "its library does not do what the standard says".to_owned(),
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
