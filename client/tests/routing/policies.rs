//! Policies and tables of address ranges: what of them is taken.

use super::Vector;

#[rustfmt::skip] // One vector on each line.
pub fn make() -> Vec<Vector> {
    policies().into_iter().chain(ranges()).collect()
}

#[rustfmt::skip] // One vector on each line.
fn policies() -> Vec<Vector> {
    let policy = |name: &str, what: &str, text: &str, expect: &str| {
        Vector::new(&format!("policy-{name}"), "RTE-21", what, "read_policy").set("policy", text).set("expect", expect)
    };
    let rule = |fields: &str| format!("version = 1\n[[rule]]\n{fields}");
    let long = "x".repeat(257);
    vec![
        policy("least", "its version alone is a policy", "version = 1\n", "ok"),
        policy("whole", "everything that may stand in one", "version = 1\nthreshold = 50\nurgent_threshold = 1\nhub = \"fallback\"\nunknown_basis = \"metadata\"\nranges = \"ip.csv\"\nalso = [\"oversight.eu\"]\n[[rule]]\nmembers = [\"police.xx\"]\ncountries = [\"NO\", \"EU\"]\nroles = [\"police\", \"clearing-house\"]\ndo = \"deny\"\nwhy = \"no agreement\"\n[[basis]]\nroles = [\"hotline\"]\nlaw = \"Act 1\"\narticle = \"2\"\njurisdiction = \"NO\"\ncopy = \"metadata\"\n[[approval]]\ncountries = [\"US\"]\nby = \"legal\"\n", "ok"),
        policy("of-another-version", "another version is refused", "version = 2\n", "Policy"),
        policy("without-version", "one without version is refused", "threshold = 50\n", "Policy"),
        policy("version-text", "a version is a number", "version = \"1\"\n", "Policy"),
        policy("version-share", "a version is a whole number", "version = 1.0\n", "Policy"),
        policy("no-toml", "what is no TOML is refused", "version: 1\n", "Policy"),
        policy("unknown-field", "a field that nobody knows may be a misspelt rule", "version = 1\nthreshhold = 50\n", "Policy"),
        policy("unknown-field-in-rule", "the same inside a rule", &rule("country = [\"NO\"]\ndo = \"deny\"\n"), "Policy"),
        policy("threshold-0", "everything would count", "version = 1\nthreshold = 0\n", "Policy"),
        policy("threshold-101", "nothing would count", "version = 1\nthreshold = 101\n", "Policy"),
        policy("threshold-negative", "a threshold is from 1 to 100", "version = 1\nurgent_threshold = -1\n", "Policy"),
        policy("threshold-share", "a threshold is a whole number", "version = 1\nthreshold = 0.5\n", "Policy"),
        policy("hub", "clearing houses get it always or as a fallback", "version = 1\nhub = \"never\"\n", "Policy"),
        policy("unknown-basis", "what becomes of those without a basis", "version = 1\nunknown_basis = \"ask\"\n", "Policy"),
        policy("rule-without-do", "a rule decides something", &rule("countries = [\"NO\"]\n"), "Policy"),
        policy("rule-do", "only four things can become of a recipient", &rule("do = \"drop\"\n"), "Policy"),
        policy("rule-country", "a country is a code", &rule("countries = [\"Norway\"]\ndo = \"deny\"\n"), "Policy"),
        policy("rule-country-lower", "a code is in capitals", &rule("countries = [\"no\"]\ndo = \"deny\"\n"), "Policy"),
        policy("rule-country-proxy", "a code that names no country is none", &rule("countries = [\"A1\"]\ndo = \"deny\"\n"), "Policy"),
        policy("rule-role", "a role is one of the roster's", &rule("roles = [\"court\"]\ndo = \"deny\"\n"), "Policy"),
        policy("rule-why-long", "a reason has a bound", &rule(&format!("do = \"deny\"\nwhy = \"{long}\"\n")), "Policy"),
        policy("rule-why-lines", "a reason is on one line", &rule("do = \"deny\"\nwhy = \"a\\nb\"\n"), "Policy"),
        policy("basis-without-law", "a basis names a law", "version = 1\n[[basis]]\ncopy = \"full\"\n", "Policy"),
        policy("basis-empty-law", "a law has a name", "version = 1\n[[basis]]\nlaw = \" \"\ncopy = \"full\"\n", "Policy"),
        policy("basis-copy", "a basis says what may go", "version = 1\n[[basis]]\nlaw = \"Act\"\ncopy = \"some\"\n", "Policy"),
        policy("approval-nowhere", "an approval is for some country", "version = 1\n[[approval]]\ncountries = []\nby = \"legal\"\n", "Policy"),
        policy("approval-by-nobody", "somebody approves", "version = 1\n[[approval]]\ncountries = [\"NO\"]\nby = \"\"\n", "Policy"),
        policy("approval-by-two-words", "who approves is one word, as it is given", "version = 1\n[[approval]]\ncountries = [\"NO\"]\nby = \"head of legal\"\n", "Policy"),
        policy("ranges-elsewhere", "the table lies beside the policy", "version = 1\nranges = \"../ip.csv\"\n", "Policy"),
        policy("ranges-nameless", "a table has a name", "version = 1\nranges = \"\"\n", "Policy"),
        Vector::new("policy-too-long", "LIM-123", "a policy has a bound", "read_policy").set("policy", format!("version = 1\n#{}\n", "x".repeat(65_536))).set("expect", "Policy"),
    ]
}

#[rustfmt::skip] // One vector on each line.
fn ranges() -> Vec<Vector> {
    let find = |name: &str, what: &str, table: &str, address: &str, expect: &str| {
        Vector::new(&format!("range-{name}"), "RTE-13", what, "find_range").set("ranges", table).set("address", address).set("expect", expect)
    };
    let table = "network,country\n# made up\n192.0.2.0/24,NO\r\n192.0.2.128/25,uk\n192.0.2.200/32,A1\n2001:db8::/32,DE\n2001:db8:1::/48,FR\n";
    vec![
        find("short", "a network holds its addresses", table, "192.0.2.1", "ok"),
        find("long", "the longest network counts, and codes that are not ISO are read", table, "192.0.2.129", "ok"),
        find("hidden", "a network of no country hides those around it", table, "192.0.2.200", "NoCountry"),
        find("mapped", "IPv4 inside IPv6 is IPv4", table, "::ffff:192.0.2.1", "ok"),
        find("six", "IPv6", table, "2001:db8:2::17", "ok"),
        find("six-long", "the longest of IPv6", table, "2001:db8:1::17", "ok"),
        find("outside", "an address that no network holds has no country", table, "198.51.100.1", "NoCountry"),
        find("six-outside", "nor has one of IPv6", table, "2001:db9::1", "NoCountry"),
        find("no-address", "what is no address has none", table, "192.0.2", "NoCountry"),
        find("port", "nor has an address with its port", table, "192.0.2.1:80", "NoCountry"),
        find("zone", "nor one with a zone", table, "2001:db8::1%eth0", "NoCountry"),
        find("zeros", "nor one with zeros before its digits", table, "192.0.2.001", "NoCountry"),
        find("all", "a network of all addresses is one", "0.0.0.0/0,NO", "203.0.113.9", "ok"),
        find("one-field", "a line has two fields", "192.0.2.0/24", "192.0.2.1", "Fields(1)"),
        find("three-fields", "and no third", "192.0.2.0/24,NO,Oslo", "192.0.2.1", "Fields(1)"),
        find("bits", "bits beyond the length are a mistake", "# x\n192.0.2.1/24,NO", "192.0.2.1", "Network(2)"),
        find("length-33", "a length of more bits than there are", "192.0.2.0/33,NO", "192.0.2.1", "Network(1)"),
        find("length-129", "the same of IPv6", "2001:db8::/129,NO", "192.0.2.1", "Network(1)"),
        find("length-zero-before", "a length has one form", "192.0.2.0/024,NO", "192.0.2.1", "Network(1)"),
        find("length-sign", "a length is digits", "192.0.2.0/+24,NO", "192.0.2.1", "Network(1)"),
        find("length-none", "a network has a length", "192.0.2.0,NO", "192.0.2.0", "Network(1)"),
        find("mapped-network", "IPv4 inside IPv6 is written as IPv4", "::ffff:192.0.2.0/120,NO", "192.0.2.1", "Network(1)"),
        find("mask", "a mask is no length", "192.0.2.0/255.255.255.0,NO", "192.0.2.1", "Network(1)"),
        find("name", "a name is no network", "example.org/24,NO", "192.0.2.1", "Network(1)"),
        find("country", "a country is a code", "192.0.2.0/24,Norway", "192.0.2.1", "Country(1)"),
        find("country-unknown", "a code that nobody knows is refused", "192.0.2.0/24,QQ", "192.0.2.1", "Country(1)"),
        find("twice", "one network has one country", "192.0.2.0/24,NO\n192.0.2.0/24,SE", "192.0.2.1", "Twice(2)"),
        find("empty", "an empty table knows nothing", "", "192.0.2.1", "NoCountry"),
    ]
}
