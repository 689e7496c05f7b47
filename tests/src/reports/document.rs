//! Any document of CyberTipline's form that its schema allows, and many that it does not: every
//! element and attribute of the table, every way to write a value, and what nobody knows yet.
//!
//! It writes XML by hand, so that it shares nothing with the program's own writer.

use std::fmt::Write as _;

use frex_client::casework::{
    cybertip::Form,
    schema::{self, Field, Shape},
};
use prost_reflect::Kind;

use super::Dice;

const TEXTS: [&str; 14] = [
    "plain words",
    "",
    " blanks at both ends ",
    "línea con acentos, ñ y ç",
    "日本語の文章",
    "نص بالعربية",
    "tab\tand\nnew line",
    "a & b < c > d ]]> e \" f ' g",
    "e\u{301} and \u{e9}",
    "hidden \u{202e}turned\u{202c} and \u{200b}nothing",
    "\u{1f642}",
    "line\rwith a carriage return",
    "0",
    "https://host.example/a?b=c&d=e#f",
];
const COUNTRIES: [&str; 12] = [
    "US", "NO", "A1", "A2", "O1", "AP", "EU", "XK", "AN", "FX", "", "ZZ",
];
const TIMES: [&str; 8] = [
    "2026-07-01T12:00:00Z",
    "2026-07-01T12:00:00.000+02:00",
    "2026-07-01T24:00:00-05:00",
    "2024-02-29T23:59:59.123456789Z",
    "2026-07-01T12:00:00",
    " 2026-07-01T12:00:00Z\n",
    "yesterday",
    "2026-03-29T02:30:00+01:00",
];
const DATES: [&str; 5] = [
    "2012-04-30",
    "2012-04-30Z",
    " 2012-04-30 ",
    "30/04/2012",
    "2012-04-30+05:30",
];
const ADDRESSES: [&str; 5] = [
    "192.0.2.17",
    "2001:db8::1",
    "::ffff:192.0.2.1",
    " 198.51.100.4 ",
    "not an address",
];
const BOOLEANS: [&str; 8] = [
    "true", "false", "1", "0", " true ", "\n0\n", "TRUE", "perhaps",
];
const WHOLE: [&str; 8] = [
    "0",
    "7",
    "+7",
    "007",
    "-0",
    " 42 ",
    "9223372036854775807",
    "seven",
];
const NUMBERS: [&str; 9] = [
    "1",
    "-12.50",
    "1e2",
    "+3.0",
    ".5",
    "52.370216",
    "NaN",
    "1e999",
    " 4.9 ",
];
const HASHES: [&str; 6] = ["MD5", "sha1", "SHA-256", "PDNA", "Something", " PDQ "];

/// How odd a document is: out of a hundred places, so many have what the schema does not foresee.
struct Maker<'a> {
    dice: &'a mut Dice,
    odd: usize,
    /// Each element on its own line.
    indent: Option<&'static str>,
}

/// A document of this form.
pub fn random(dice: &mut Dice, form: Form) -> String {
    let odd = dice.pick(&[&0, &0, &2, &8, &25]);
    let indent = *dice.pick(&[&None, &Some("  "), &Some("\t"), &Some("    ")]);
    let shape = schema::shape(&schema::message(form.message()));
    let mut maker = Maker {
        dice,
        odd: *odd,
        indent,
    };
    let mut out = String::new();
    if maker.dice.chance(60) {
        let head = [
            "<?xml version=\"1.0\"?>",
            "<?xml version='1.0' encoding='utf-8' standalone='yes'?>\n",
        ];
        out.push_str(head[maker.dice.below(2)]);
    }
    if maker.odd() {
        out.push_str("<!-- before --><?style a='b'?>\n");
    }
    maker.element(&shape, form.root(), 0, &mut out);
    if maker.odd() {
        out.push_str("\n<!-- after -->");
    }
    out
}

impl Maker<'_> {
    fn odd(&mut self) -> bool {
        self.dice.chance(self.odd)
    }

    fn element(&mut self, shape: &Shape, name: &str, depth: usize, out: &mut String) {
        out.push('<');
        out.push_str(name);
        self.attributes(shape, depth, out);
        let mut children = self.children(shape, name, depth);
        let text = shape.text().map(|field| {
            let value = self.value(field);
            self.text(&value)
        });
        if self.odd() {
            self.dice.shuffle(&mut children);
        }
        if self.odd() {
            let at = self.dice.below(children.len() + 1);
            children.insert(at, self.unknown());
        }
        if children.is_empty() && text.as_ref().is_none_or(String::is_empty) && self.dice.chance(70)
        {
            out.push_str(self.dice.pick(&["/>", " />", "\n/>"]));
            return;
        }
        out.push('>');
        out.push_str(&text.unwrap_or_default());
        for child in &children {
            self.line(depth + 1, out);
            out.push_str(child);
        }
        if !children.is_empty() {
            self.line(depth, out);
        }
        let _ = write!(out, "</{name}{}>", self.dice.pick(&["", "", " ", "\n"]));
    }

    fn line(&mut self, depth: usize, out: &mut String) {
        if self.odd() {
            out.push_str(
                self.dice
                    .pick(&["", "\n\n", " ", "stray text", "<!-- c -->", "&#13;\n"]),
            );
        } else if let Some(indent) = self.indent {
            out.push_str(if self.odd == 25 { "\r\n" } else { "\n" });
            out.push_str(&indent.repeat(depth));
        }
    }

    fn attributes(&mut self, shape: &Shape, depth: usize, out: &mut String) {
        let named = |field: &&Field| {
            field
                .tip
                .as_ref()
                .is_some_and(|tip| tip.attribute.is_some())
        };
        let mut fields: Vec<&Field> = shape.fields.iter().filter(named).collect();
        self.dice.shuffle(&mut fields);
        for field in fields {
            if self.dice.chance(60) {
                let name = field.tip.as_ref().and_then(|tip| tip.attribute.clone());
                let value = self.value(field);
                self.attribute(&name.unwrap_or_default(), &value, out);
            }
        }
        if self.odd() {
            let value = self.dice.pick(&TEXTS);
            self.attribute("later", value, out);
        }
        if depth == 0 && self.dice.chance(30) {
            out.push_str(" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:noNamespaceSchemaLocation='https://tips.example/xsd'");
        }
    }

    fn attribute(&mut self, name: &str, value: &str, out: &mut String) {
        let quote = *self.dice.pick(&[&'"', &'\'']);
        let _ = write!(out, " {name}{}{quote}", self.dice.pick(&["=", " = ", "="]));
        for symbol in value.chars() {
            match symbol {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '\r' => out.push_str("&#xd;"),
                symbol if symbol == quote => {
                    let _ = write!(out, "&#{};", u32::from(symbol));
                }
                // A new line in an attribute is a blank, one that is referred to is itself.
                '\n' | '\t' if self.dice.chance(50) => {
                    let _ = write!(out, "&#x{:X};", u32::from(symbol));
                }
                symbol => out.push(symbol),
            }
        }
        out.push(quote);
    }

    fn children(&mut self, shape: &Shape, name: &str, depth: usize) -> Vec<String> {
        let mut children = Vec::new();
        let choice = shape.descriptor.oneofs().any(|oneof| !oneof.is_synthetic());
        let placed = |field: &&Field| field.element_in(name).is_some();
        let mut fields: Vec<&Field> = shape.fields.iter().filter(placed).collect();
        if choice && !fields.is_empty() {
            let count = if self.odd() { 2 } else { 1 };
            self.dice.shuffle(&mut fields);
            fields.truncate(count);
        }
        let likely = if depth == 0 { 70 } else { 35 };
        for field in fields {
            let count = match field.descriptor.is_list() {
                true => self.dice.below(3),
                false if choice => 1,
                false => usize::from(self.dice.chance(likely)),
            };
            let count = if self.odd() { count + 1 } else { count };
            let Some(element) = field.element_in(name) else {
                continue;
            };
            for _ in 0..count {
                let mut out = String::new();
                match field.message() {
                    Some(inner) => self.element(&inner, element, depth + 1, &mut out),
                    None => self.leaf(field, element, &mut out),
                }
                children.push(out);
            }
        }
        children
    }

    fn leaf(&mut self, field: &Field, name: &str, out: &mut String) {
        let value = match field.is_flag() && self.dice.chance(50) {
            true => String::new(),
            false => self.value(field),
        };
        let mut text = self.text(&value);
        if self.odd() {
            text.push_str(self.dice.pick(&["<!-- in -->", "<b>bold</b>", "<?p q?>"]));
        }
        let _ = match text.is_empty() {
            true => write!(out, "<{name}/>"),
            false => write!(out, "<{name}>{text}</{name}>"),
        };
    }

    /// One of the ways to write a value of this field.
    fn value(&mut self, field: &Field) -> String {
        let dice = &mut *self.dice;
        let format = field.rule.format.as_deref();
        let name = field.descriptor.name();
        match field.descriptor.kind() {
            Kind::Bool => dice.pick(&BOOLEANS).to_owned(),
            Kind::Int32 | Kind::Int64 => dice.pick(&WHOLE).to_owned(),
            Kind::Double => dice.pick(&NUMBERS).to_owned(),
            Kind::Enum(words) => {
                let numbers: Vec<i32> = words.values().map(|value| value.number()).collect();
                let number = numbers[dice.below(numbers.len())];
                schema::tip_word(&words, number)
                    .unwrap_or("Of a later year")
                    .to_owned()
            }
            _ if name.contains("country") => dice.pick(&COUNTRIES).to_owned(),
            _ => match format {
                Some("xml-datetime") => dice.pick(&TIMES).to_owned(),
                Some("xml-date") => dice.pick(&DATES).to_owned(),
                Some("ip") => dice.pick(&ADDRESSES).to_owned(),
                Some("hash-algorithm") => dice.pick(&HASHES).to_owned(),
                Some("hash-value") if dice.chance(50) => dice.hex(40).to_uppercase(),
                _ => dice.pick(&TEXTS).to_owned(),
            },
        }
    }

    /// Text as it may stand in an element: references, numbers or a section as it is.
    fn text(&mut self, text: &str) -> String {
        if !text.is_empty() && !text.contains(['\r']) && !text.contains("]]>") && self.odd() {
            return format!("<![CDATA[{text}]]>");
        }
        let mut out = String::new();
        for symbol in text.chars() {
            match symbol {
                '&' => out.push_str(self.dice.pick(&["&amp;", "&#38;", "&#x26;"])),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '\r' => out.push_str("&#13;"),
                symbol if self.dice.chance(self.odd / 4) => {
                    let _ = write!(out, "&#x{:x};", u32::from(symbol));
                }
                symbol => out.push(symbol),
            }
        }
        out
    }

    /// An element of a later year.
    fn unknown(&mut self) -> String {
        let known = [
            "<later/>",
            "<later at=\"2027\">text<deep><deeper/>tail</deep></later>",
            "<x:later xmlns:x=\"urn:example:later\" x:a=\"1\">&amp;</x:later>",
            "<later xmlns=\"urn:example:other\"><screenName>not ours</screenName></later>",
            "<screenName>where it does not belong</screenName>",
        ];
        self.dice.pick(&known).to_owned()
    }
}
