"""House rules that a machine can check. Run alone, prints every breach as file:line: rule."""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLLECTOR = ROOT / os.environ.get("COLLECTOR_BIN", "build/release/bin/collector")

COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70
NOT_OURS = {".git", "build", "data", "corpus", "__pycache__"}
CXX = {".cc", ".h"}
CODE = CXX | {".js"}
TEXT = CODE | {
    ".py", ".md", ".txt", ".json", ".ini", ".toml", ".yml", ".yaml", ".sh", ".css", ".html",
    ".cmake", "",
}

# Which of our directories each directory may include, beside itself; the longest prefix counts.
# main -> app -> {coap, http, store/sqlite} -> {middleware, handlers, store} -> event -> base.
LAYERS = {
    "event": {"collector/base"},
    "client": {"collector/base", "event"},
    "collector": {"event", "collector"},
    "collector/base": set(),
    "collector/middleware": {"collector/base", "event"},
    "collector/store": {"collector/base", "event"},
    "collector/handlers": {"collector/base", "collector/middleware", "collector/store", "event"},
    "collector/coap": {"collector/base", "collector/middleware"},
    "collector/http": {
        "collector/base", "collector/handlers", "collector/middleware", "collector/store/sqlite",
        "event",
    },
    "collector/store/elasticsearch": {
        "collector/base", "collector/http", "collector/middleware", "collector/store", "event",
    },
    "collector/store/sqlite": {"collector/base", "collector/store", "event"},
}

# Where each library may be included: a directory, or a file without its suffix.
LIBRARIES = {
    "coap3/": {"collector/coap/", "client/coap_client"},
    "curl/": {"client/http", "collector/http/curl_http_client"},
    "sqlite3.h": {"client/stored/sqlite_events", "collector/store/sqlite/"},
    "httplib.h": {"collector/http/"},
    "prometheus/": {"collector/http/"},
    "CLI/": {"collector/base/manual", "collector/config", "client/cli",
             "client/cli_credentials", "client/commands/"},
    "openssl/": {
        "client/load/dtls_devices", "client/tls",
        "collector/coap/dtls_handshakes", "collector/coap/dtls_records", "collector/coap/echo",
        "collector/coap/psk_file", "collector/coap/tls_context", "collector/http/access_token",
        "collector/http/credentials", "collector/http/tls_files", "event/",
    },
    "simdjson.h": {"event/", "collector/store/elasticsearch/"},
    "cbor.h": {"event/cbor"},
    "spdlog/": {"collector/"},
    "zlib.h": {"collector/http/gzip"},
    "mosquitto.h": {"client/mqtt_client"},
    "csv.h": {"client/csv_reader"},
}
EVENT_LIBRARIES = ("nlohmann/", "openssl/", "simdjson.h", "cbor.h")

RULES = []


def rule(check):
    """A rule yields (path, line number, what is wrong) for each breach below a root."""
    RULES.append(check)
    return check


def files(root, suffixes, *below):
    """Our files with one of these suffixes, as paths relative to the root."""
    for directory, names, found in os.walk(root):
        names[:] = sorted(set(names) - NOT_OURS)
        for name in sorted(found):
            path = (pathlib.Path(directory) / name).relative_to(root)
            if path.suffix in suffixes and (not below or path.parts[0] in below):
                yield path


def lines(root, path):
    return (root / path).read_text(encoding="utf-8").splitlines()


def includes(root):
    """(path, line number, what is included) of the product's own sources."""
    for path in files(root, CXX, "event", "collector", "client"):
        for number, line in enumerate(lines(root, path), 1):
            if found := re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line):
                yield path, number, found[1]


def layer_of(path):
    fitting = [layer for layer in LAYERS if f"{path}".startswith(layer + "/")]
    return max(fitting, key=len, default=None)


@rule
def layers_point_downward(root):
    for path, number, included in includes(root):
        own, other = layer_of(path), layer_of(included)
        if other is None or other == own:
            continue
        allowed = LAYERS[own]
        if other not in allowed and not (own == "collector" and other.startswith("collector/")):
            yield path, number, f"{own} must not include {included}"


@rule
def libraries_stay_in_their_place(root):
    for path, number, included in includes(root):
        for library, places in LIBRARIES.items():
            stem = f"{path.with_suffix('')}"
            fits = [p for p in places if (stem.startswith(p) if p[-1] == "/" else stem == p)]
            if included.startswith(library) and not fits:
                yield path, number, f"<{included}> belongs into {' or '.join(sorted(places))}"


@rule
def event_needs_little(root):
    for path, number, included in includes(root):
        standard = re.fullmatch(r"[a-z_]+", included)
        ours = layer_of(included) is not None
        if path.parts[0] == "event" and not standard and not ours:
            if not included.startswith(EVENT_LIBRARIES):
                yield path, number, f"event must not include {included}"


@rule
def lines_are_short(root):
    for path in files(root, CODE | {".py", ".sh", ""}, *source_directories(root)):
        for number, line in enumerate(lines(root, path), 1):
            if len(line) > COLUMNS_MAX:
                yield path, number, f"{len(line)} columns, more than {COLUMNS_MAX}"


def source_directories(root):
    return [path.name for path in root.iterdir() if path.is_dir() and path.name not in NOT_OURS]


def functions(text):
    """(line number, length) of each block that a parenthesis opens, in clang-format's layout."""
    for opening, line in enumerate(text):
        if not re.search(r"\).*\{$", line):
            continue
        first = opening
        while first > 0 and re.search(r"[^;{}:\s]$", text[first - 1]) and not re.match(
            r"\s*(//|#|template\b)", text[first - 1]
        ):
            first -= 1
        indent = re.match(r" *", text[first])[0]
        for closing in range(opening + 1, len(text)):
            if text[closing].startswith(indent + "}"):
                yield first + 1, closing - first + 1
                break


@rule
def functions_are_short(root):
    for path in files(root, CODE):
        for number, length in functions(lines(root, path)):
            if length > FUNCTION_LINES_MAX:
                yield path, number, f"a function of {length} lines, more than {FUNCTION_LINES_MAX}"


@rule
def nothing_is_left_for_later(root):
    words = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
    for path in files(root, TEXT):
        for number, line in enumerate(lines(root, path), 1):
            if found := words.search(line):
                yield path, number, f"{found[0]}: do it, or file an issue"


@rule
def headers_say_what_they_are(root):
    for path in files(root, {".h"}):
        text = lines(root, path)
        if not text or not text[0].startswith("// "):
            yield path, 1, "the first line is not a comment that says what this is"
        if "#pragma once" not in text:
            yield path, 1, "no #pragma once"


@rule
def sources_are_built(root):
    """Sources are listed by hand, so one can be forgotten."""
    for path in files(root, {".cc"}):
        mentioned = False
        for directory in path.parents:
            build_file = root / directory / "CMakeLists.txt"
            if build_file.exists():
                name = path.relative_to(directory).as_posix()
                mentioned = mentioned or re.search(rf"(?<![\w/]){re.escape(name)}\b",
                                                   build_file.read_text()) is not None
        if not mentioned:
            yield path, 1, "no CMakeLists.txt builds it"


@rule
def text_is_clean(root):
    for path in files(root, TEXT):
        content = (root / path).read_text(encoding="utf-8")
        for number, line in enumerate(content.split("\n"), 1):
            if line.endswith((" ", "\t", "\r")) and path.suffix != ".md":
                yield path, number, "blanks at the end of the line"
            if "\t" in line and path.suffix in CXX | {".py"}:
                yield path, number, "a tab"
        if content and not content.endswith("\n"):
            yield path, content.count("\n") + 1, "the last line has no end"


def documented_options(path):
    """{option: line number} of the tables' first columns."""
    found = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if row := re.match(r"\| `(--[a-z-]+)`", line):
            found[row[1]] = number
    return found


@rule
def options_are_documented(root):
    """Every option of `collector --help` is in docs/configuration.md, and no other."""
    document = pathlib.Path("docs/configuration.md")
    told = documented_options(root / document)
    text = subprocess.run([COLLECTOR, "--help"], capture_output=True, text=True, check=True).stdout
    real = set(re.findall(r"^ +(?:-\w,\s*)?(--[a-z-]+)", text, re.MULTILINE))
    for option in sorted(real - set(told)):
        yield document, 1, f"{option} of collector --help is missing"
    for option in sorted(set(told) - real):
        yield document, told[option], f"{option} is not in collector --help"
    if not real:
        yield document, 1, "collector --help shows no options"


def breaches(check, root=ROOT):
    return [f"{path}:{line}: {what}" for path, line, what in check(root)]


def main():
    count = 0
    for check in RULES:
        for breach in breaches(check):
            count += 1
            print(f"{breach} ({check.__name__})")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
