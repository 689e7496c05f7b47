//! The schema as data: what each field is called, where it stands in a CyberTipline document, what
//! it must look like. Read from the options that the schema itself carries. Spec: MOD-1.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, EnumValueDescriptor, FieldDescriptor, Kind,
    MessageDescriptor,
};

mod json_schema;

pub use json_schema::json_schema;

/// The package of all messages here.
pub const PACKAGE: &str = "frex.casework.v1";

const DESCRIPTORS: &[u8] = include_bytes!("gen/frex.casework.v1.bin");

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::of(DESCRIPTORS));

/// Where a field stands in a CyberTipline document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tip {
    /// The child element that carries it, whatever the parent.
    pub element: Option<String>,
    /// Parents, and what the element is called inside them.
    pub within: Vec<(String, String)>,
    /// The attribute that carries it.
    pub attribute: Option<String>,
    /// It is the element's own text.
    pub text: bool,
    /// An empty element says true.
    pub flag: bool,
}

/// What a value must look like.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rule {
    /// It must be there.
    pub required: bool,
    /// Longest text, characters.
    pub chars_max: Option<usize>,
    /// The form of a text.
    pub format: Option<String>,
    /// Least number.
    pub min: Option<f64>,
    /// Greatest number.
    pub max: Option<f64>,
}

/// A field.
#[derive(Debug, Clone)]
pub struct Field {
    /// What Protobuf knows of it.
    pub descriptor: FieldDescriptor,
    /// Where it stands in a CyberTipline document, if it does.
    pub tip: Option<Tip>,
    /// What it must look like.
    pub rule: Rule,
}

/// A message with its fields.
#[derive(Debug)]
pub struct Shape {
    /// What Protobuf knows of it.
    pub descriptor: MessageDescriptor,
    /// The root element of a document that it is, if it is one.
    pub root: Option<String>,
    /// In the order of their numbers.
    pub fields: Vec<Field>,
}

struct Schema {
    pool: DescriptorPool,
    shapes: HashMap<String, Arc<Shape>>,
    words: HashMap<String, Words>,
}

/// The words of an enumeration in CyberTipline's form.
type Words = Vec<(i32, String)>;

/// The shape of a message of this package.
///
/// # Panics
/// If the package has no such message: its name is a constant of the caller's.
#[must_use]
pub fn shape(descriptor: &MessageDescriptor) -> Arc<Shape> {
    let shape = SCHEMA.shapes.get(descriptor.full_name());
    Arc::clone(shape.expect("every message of the package has a shape"))
}

/// The message of this name, without its package.
///
/// # Panics
/// If the package has no such message: its name is a constant of the caller's.
#[must_use]
pub fn message(name: &str) -> MessageDescriptor {
    let found = SCHEMA
        .pool
        .get_message_by_name(&format!("{PACKAGE}.{name}"));
    found.expect("the name is one of the schema's")
}

/// All messages of the package.
pub fn messages() -> impl Iterator<Item = MessageDescriptor> {
    let all = SCHEMA.pool.all_messages();
    all.filter(|message| message.package_name() == PACKAGE)
}

/// The word of a value in CyberTipline's form.
#[must_use]
pub fn tip_word(kind: &EnumDescriptor, number: i32) -> Option<&'static str> {
    let words = SCHEMA.words.get(kind.full_name())?;
    let word = words.iter().find(|(known, _)| *known == number);
    word.map(|(_, word)| word.as_str())
}

/// The value of a word in CyberTipline's form.
#[must_use]
pub fn tip_number(kind: &EnumDescriptor, word: &str) -> Option<i32> {
    let words = SCHEMA.words.get(kind.full_name())?;
    let number = words.iter().find(|(_, known)| known == word);
    number.map(|(number, _)| *number)
}

/// The word of a value as people and programs see it: lower case, without the enumeration's name.
#[must_use]
pub fn word(value: &EnumValueDescriptor) -> String {
    let prefix = prefix(value.parent_enum());
    let name = value.name();
    name.strip_prefix(&prefix).unwrap_or(name).to_lowercase()
}

/// The value of such a word. The one that says nothing has none.
#[must_use]
pub fn number(kind: &EnumDescriptor, word: &str) -> Option<i32> {
    if !word
        .bytes()
        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    {
        return None;
    }
    let name = format!("{}{}", prefix(kind), word.to_uppercase());
    let number = kind.get_value_by_name(&name)?.number();
    (number != 0).then_some(number)
}

/// `SCREAMING_SNAKE_CASE_` of the enumeration's name, as the style of Protobuf wants it.
fn prefix(kind: &EnumDescriptor) -> String {
    let mut prefix = String::new();
    for symbol in kind.name().chars() {
        if symbol.is_uppercase() && !prefix.is_empty() {
            prefix.push('_');
        }
        prefix.push(symbol.to_ascii_uppercase());
    }
    prefix.push('_');
    prefix
}

impl Shape {
    /// The field whose element is called so inside `parent`.
    #[must_use]
    pub fn by_element(&self, parent: &str, name: &str) -> Option<&Field> {
        let mut fields = self.fields.iter();
        fields.find(|field| field.element_in(parent) == Some(name))
    }

    /// The field whose attribute is called so.
    #[must_use]
    pub fn by_attribute(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| {
            let tip = field.tip.as_ref();
            tip.and_then(|tip| tip.attribute.as_deref()) == Some(name)
        })
    }

    /// The field that is the element's own text.
    #[must_use]
    pub fn text(&self) -> Option<&Field> {
        let mut fields = self.fields.iter();
        fields.find(|field| field.tip.as_ref().is_some_and(|tip| tip.text))
    }

    /// The field of this name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Field> {
        self.fields
            .iter()
            .find(|field| field.descriptor.name() == name)
    }
}

impl Field {
    /// What its element is called inside `parent`.
    #[must_use]
    pub fn element_in(&self, parent: &str) -> Option<&str> {
        let tip = self.tip.as_ref()?;
        let within = tip.within.iter().find(|(known, _)| known == parent);
        within
            .map(|(_, name)| name.as_str())
            .or(tip.element.as_deref())
    }

    /// The shape of the message that it holds, if it holds one.
    #[must_use]
    pub fn message(&self) -> Option<Arc<Shape>> {
        match self.descriptor.kind() {
            Kind::Message(message) => Some(shape(&message)),
            _ => None,
        }
    }

    /// Whether an empty element says true.
    #[must_use]
    pub fn is_flag(&self) -> bool {
        self.tip.as_ref().is_some_and(|tip| tip.flag)
    }

    /// Whether its text has this form.
    #[must_use]
    pub fn has_format(&self, format: &str) -> bool {
        self.rule.format.as_deref() == Some(format)
    }
}

impl Schema {
    fn of(descriptors: &[u8]) -> Self {
        let pool = DescriptorPool::decode(descriptors).expect("a test compares it with the schema");
        let own = |name: &str| name == PACKAGE;
        let mut shapes = HashMap::new();
        for message in pool.all_messages().filter(|one| own(one.package_name())) {
            let shape = Arc::new(shape_of(&pool, &message));
            shapes.insert(message.full_name().to_owned(), shape);
        }
        let enums = pool.all_enums().filter(|one| own(one.package_name()));
        let words = enums.map(|one| (one.full_name().to_owned(), words_of(&pool, &one)));
        let words = words.collect();
        Self {
            pool,
            shapes,
            words,
        }
    }
}

fn shape_of(pool: &DescriptorPool, message: &MessageDescriptor) -> Shape {
    let mut fields: Vec<Field> = message
        .fields()
        .map(|field| field_of(pool, field))
        .collect();
    fields.sort_by_key(|field| field.descriptor.number());
    let root = option(pool, &message.options(), "root");
    Shape {
        descriptor: message.clone(),
        root: root.and_then(|root| root.as_str().map(str::to_owned)),
        fields,
    }
}

fn field_of(pool: &DescriptorPool, descriptor: FieldDescriptor) -> Field {
    let options = descriptor.options();
    let message = |name| {
        let option = option(pool, &options, name)?;
        option.as_message().cloned()
    };
    let tip = message("tip").map(|tip| Tip {
        element: text(&tip, "element"),
        within: within(&tip),
        attribute: text(&tip, "attribute"),
        text: is_set(&tip, "text"),
        flag: is_set(&tip, "flag"),
    });
    let rule = message("rule").map(|rule| {
        let number = |name| {
            let set = rule.has_field_by_name(name);
            rule.get_field_by_name(name).filter(|_| set)?.as_f64()
        };
        let chars = rule.get_field_by_name("chars_max");
        let chars = chars
            .and_then(|chars| chars.as_u32())
            .filter(|chars| *chars > 0);
        Rule {
            required: is_set(&rule, "required"),
            chars_max: chars.map(|chars| chars as usize),
            format: text(&rule, "format"),
            min: number("min"),
            max: number("max"),
        }
    });
    Field {
        descriptor,
        tip,
        rule: rule.unwrap_or_default(),
    }
}

fn words_of(pool: &DescriptorPool, kind: &EnumDescriptor) -> Words {
    let words = kind.values().filter_map(|value| {
        let word = option(pool, &value.options(), "word")?;
        Some((value.number(), word.as_str()?.to_owned()))
    });
    words.collect()
}

fn option(
    pool: &DescriptorPool,
    options: &DynamicMessage,
    name: &str,
) -> Option<prost_reflect::Value> {
    let extension = pool.get_extension_by_name(&format!("{PACKAGE}.{name}"))?;
    let set = options.has_extension(&extension);
    set.then(|| options.get_extension(&extension).into_owned())
}

fn text(message: &DynamicMessage, name: &str) -> Option<String> {
    let value = message.get_field_by_name(name)?;
    let text = value.as_str().filter(|text| !text.is_empty());
    text.map(str::to_owned)
}

fn is_set(message: &DynamicMessage, name: &str) -> bool {
    let value = message.get_field_by_name(name);
    value.and_then(|value| value.as_bool()).unwrap_or_default()
}

fn within(tip: &DynamicMessage) -> Vec<(String, String)> {
    let value = tip.get_field_by_name("within");
    let list = value.as_ref().and_then(|value| value.as_list());
    let pairs = list.into_iter().flatten().filter_map(|one| {
        let (parent, name) = one.as_str()?.split_once('/')?;
        Some((parent.to_owned(), name.to_owned()))
    });
    pairs.collect()
}
