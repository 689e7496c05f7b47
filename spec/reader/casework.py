"""What a report says. Chapter MOD. Needs nothing but Python; takes lists and forms from the published files."""

import base64
import binascii
import functools
import hashlib
import io
import json
import re
import unicodedata
import xml.etree.ElementTree as tree
from pathlib import Path
from xml.parsers import expat

from refused import Refused, require

PUBLISHED = Path(__file__).resolve().parents[2] / "client" / "schema"
DOCUMENT_BYTES_MAX = 4 * 1024 * 1024
DEPTH_MAX = 32
NODES_MAX = 200_000
ATTRIBUTES_MAX = 64
HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]")


def read_document(inputs):
    """Reads a document under its bounds, and makes its canonical form. MOD-4, MOD-6."""
    data = inputs.hex("bytes") if inputs.get("bytes") else inputs["xml"].encode()
    require(len(data) <= DOCUMENT_BYTES_MAX, "TooLong")
    root = walk(data)
    require(root == inputs["form"], "OtherRoot")
    out = io.StringIO()
    tree.canonicalize(data.decode("utf-8-sig"), out=out, with_comments=True)
    return out.getvalue()


def walk(data):
    """Counts what a document holds; its root's name."""
    parser = expat.ParserCreate()
    state = {"depth": 0, "nodes": 0, "root": None, "text": False}

    def count():
        state["nodes"] += 1
        require(state["nodes"] <= NODES_MAX, "TooMany")
        state["text"] = False

    def start(name, attributes):
        require(state["depth"] < DEPTH_MAX, "TooDeep")
        state["depth"] += 1
        count()
        require(len(attributes) <= ATTRIBUTES_MAX, "TooMany")
        state["root"] = state["root"] or name

    def end(_):
        state["depth"] -= 1
        state["text"] = False

    def text(_):
        if not state["text"]:
            count()
            state["text"] = True

    def doctype(*_):
        raise Refused("DocumentType")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.CommentHandler = lambda _: count()
    parser.ProcessingInstructionHandler = lambda *_: count()
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        undefined = expat.errors.codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]
        coded = [expat.errors.codes[name] for name in
                 (expat.errors.XML_ERROR_UNKNOWN_ENCODING, expat.errors.XML_ERROR_INVALID_TOKEN)]
        broken = error.code == coded[1] and not is_utf8(data)
        if error.code == undefined:
            raise Refused("Entity") from error
        raise Refused("Encoding" if error.code == coded[0] or broken else "Malformed") from error
    return state["root"]


def is_utf8(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@functools.cache
def registry():
    listed = json.loads((PUBLISHED / "hash-algorithms.json").read_text("utf-8"))
    return {one["id"]: one for one in listed["algorithms"]}


def judge_hash(inputs):
    """A value has the form of its algorithm. MOD-10."""
    algorithm, value = inputs["algorithm"], inputs["value"]
    require(has_form(algorithm, value), "Value")
    return hash_compared(algorithm, value)


def form_of(algorithm):
    known = registry().get(algorithm)
    return (known["form"], known["length"]) if known else ("opaque", 510)


def has_form(algorithm, value):
    form, length = form_of(algorithm)
    return FORMS[form](value, length)


def hash_compared(algorithm, value):
    """A value as it is compared. MOD-11."""
    return value.strip().lower() if form_of(algorithm)[0] in ("hex", "frames") else value.strip()


def algorithm_of(name):
    """The id for any of the names of an algorithm; one that is not known stays what it is. MOD-10."""
    lower = ascii_lower(name)
    for one in registry().values():
        if lower in [one["id"], ascii_lower(one["tip"]), *one["names"]]:
            return one["id"]
    return name


def is_algorithm(id_):
    return re.fullmatch(r"x-[a-z0-9._-]+" if id_.startswith("x-") else "[!-~]{1,64}", id_) is not None


def ascii_lower(text):
    return re.sub("[A-Z]+", lambda found: found[0].lower(), text)


def is_hex(value, length):
    return re.fullmatch(f"[0-9a-f]{{{length}}}", value) is not None


def is_base64(value, length):
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(data) == length and base64.b64encode(data).decode() == value


def is_frames(value, length):
    frame = r"[0-9a-f]{64},(?:100|[0-9]{1,2}|0[0-9]{2}),[0-9]{1,9}\.[0-9]{3}"
    return len(value) <= length and re.fullmatch(f"{frame}(?:;{frame})*", value) is not None


def is_opaque(value, length):
    return re.fullmatch(f"[!-~]{{1,{length}}}", value) is not None


FORMS = {"hex": is_hex, "base64": is_base64, "frames": is_frames, "opaque": is_opaque}


def read_onion(inputs):
    """An address holds its own checksum. MOD-12."""
    return onion(inputs["address"])


def onion(address):
    address = ascii_lower(address)
    require(re.fullmatch(r"[a-z2-7]{56}\.onion", address) is not None, "Form")
    data = base64.b32decode(address[:56].upper())
    key, checksum, version = data[:32], data[32:34], data[34:]
    require(version == b"\x03", "Version")
    expected = hashlib.sha3_256(b".onion checksum" + key + b"\x03").digest()[:2]
    require(checksum == expected, "Checksum")
    return address


def compare_text(inputs):
    """A text as it is compared. MOD-11."""
    seen = HIDDEN.sub("", inputs["text"])
    return " ".join(unicodedata.normalize("NFC", seen).split())


@functools.cache
def view_schema():
    return json.loads((PUBLISHED / "report.v2.schema.json").read_text("utf-8"))


def read_view(inputs):
    """Judges the JSON view by the published JSON Schema alone. MOD-3, MOD-9."""
    schema = view_schema()
    fault = judge(inputs["view"], schema, schema, "")
    require(fault is None, f"Fault({fault})")


def judge_made_up(folder):
    """Judges the made-up reports by the published JSON Schema; how many hold, and the faults of others."""
    schema = view_schema()
    paths = sorted(folder.glob("*.json"))
    judged = [(path, judge(json.loads(path.read_text("utf-8")), schema, schema, "")) for path in paths]
    faults = [f"{path.name}: {fault}" for path, fault in judged if fault is not None]
    return len(paths) - len(faults), faults


TYPES = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
}


def judge(value, schema, whole, path):
    """The path of the first fault, in the order of the schema's fields; none if it holds."""
    if "$ref" in schema:
        return judge(value, whole["$defs"][schema["$ref"].rpartition("/")[2]], whole, path)
    if "oneOf" in schema:
        fits = sum(judge(value, one, whole, path) is None for one in schema["oneOf"])
        return None if fits == 1 else path
    if "const" in schema:
        return None if value == schema["const"] else path
    if "type" in schema and not TYPES[schema["type"]](value):
        return path
    if isinstance(value, dict):
        return judge_object(value, schema, whole, path)
    if isinstance(value, list):
        if len(value) > schema["maxItems"]:
            return path
        for at, one in enumerate(value):
            fault = judge(one, schema["items"], whole, f"{path}[{at}]")
            if fault is not None:
                return fault
        return None
    if isinstance(value, str):
        long = len(value) > schema.get("maxLength", len(value))
        short = len(value) < schema.get("minLength", 0)
        other = "pattern" in schema and re.search(schema["pattern"], value) is None
        return path if long or short or other else None
    if TYPES["number"](value):
        low = value < schema.get("minimum", value)
        high = value > schema.get("maximum", value)
        return path if low or high else None
    return None


def judge_object(value, schema, whole, path):
    def step(name):
        return f"{path}.{name}" if path else name

    for name in value:
        if name not in schema["properties"]:
            return step(name)
    if len(value) > schema.get("maxProperties", len(value)):
        return path
    for name, one in schema["properties"].items():
        if name in value:
            fault = judge(value[name], one, whole, step(name))
            if fault is not None:
                return fault
        elif name in schema.get("required", ()):
            return step(name)
    return None
