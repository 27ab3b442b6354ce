"""What ./scripts/test prints: the counts of one suite, its failures and how to repeat them."""

import argparse
import itertools
import json
import pathlib
import shlex
import sys
import xml.etree.ElementTree as ElementTree

DETAIL_LINES_MAX = 30
REPORT_OPTIONS = ("--reporter", "--junitxml")  # the last ones of a suite's command


def catch2(root, command):
    """Yields (outcome, repeat command, details) of each test case of a Catch2 2 or 3 report."""
    for case in root.iter("TestCase"):
        result = case.find("OverallResult")
        if result is not None and int(result.get("skips", "0")) > 0:
            yield "skipped", "", case.get("name")
            continue
        if result is not None and result.get("success") == "true":
            yield "passed", "", ""
            continue
        name = case.get("name")
        for special in "\\,[":
            name = name.replace(special, "\\" + special)
        details = [case.get("name")]
        for found in case.iter():
            place = f"{found.get('filename')}:{found.get('line')}: "
            if found.tag == "Expression" and found.get("success") == "false":
                original = found.findtext("Original", "").strip()
                details.append(f"{place}{original}, that is {found.findtext('Expanded').strip()}")
            elif found.tag in ("Failure", "Exception", "FatalErrorCondition", "Info"):
                text = (found.text or "").strip()
                details.append((place if found.get("filename") else "") + f"{found.tag}: {text}")
        yield "failed", shlex.join([command[0], name]), "\n".join(details)


def pytest(root, command):
    """Yields the same of each test of a pytest report."""
    runner = command[: command.index("pytest") + 1]
    for case in root.iter("testcase"):
        bad = [child for child in case if child.tag in ("failure", "error")]
        skipped = case.find("skipped")
        if bad:
            repeat = shlex.join([*runner, f"tests/{case.get('file')}::{case.get('name')}"])
            yield "failed", repeat, "\n".join(child.text or child.get("message") for child in bad)
        elif skipped is not None:
            yield "skipped", "", f"{case.get('name')}: {skipped.get('message')}"
        else:
            notes = case.iterfind("properties/property[@name='note']")
            yield "passed", "", "".join(note.get("value") for note in notes)


def report(options):
    """Prints one suite's line and failures, and keeps its counts for the total."""
    path = options.reports / f"{options.suite}.xml"
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    lines = []
    try:
        root = ElementTree.parse(path).getroot()
        cases = catch2 if root.tag.startswith("Catch") else pytest
        for outcome, repeat, details in cases(root, options.command):
            counts[outcome] += 1
            if outcome != "failed" and details:
                lines.append(f"  {'skipped' if outcome == 'skipped' else 'note'}: {details}")
            elif outcome == "failed":
                lines += ["", *details.strip().splitlines()[-DETAIL_LINES_MAX:]]
                lines.append(f"  repeat: {repeat}")
    except (OSError, ElementTree.ParseError) as error:
        lines.append(f"  no complete report: {error}")
        options.exit_status = options.exit_status or 1
    if counts["failed"] == 0 and (options.exit_status != 0 or counts["passed"] == 0):
        counts["failed"] = 1
        lines.append(f"  ended with exit status {options.exit_status}; the end of its output:")
        lines += options.log.read_text(errors="replace").splitlines()[-DETAIL_LINES_MAX:]
        plain = itertools.takewhile(lambda word: word not in REPORT_OPTIONS, options.command)
        lines.append(f"  repeat: {shlex.join(plain)}")
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    print(f"{counts['passed']:5} passed, {counts['failed']} failed{skipped}, {options.seconds} s")
    for line in lines:
        print(line)
    (options.reports / f"{options.suite}.json").write_text(json.dumps(counts))


def total(reports):
    """Prints the last line; its status is that of the whole run."""
    counts = [json.loads(path.read_text()) for path in reports.glob("*.json")]
    passed = sum(count["passed"] for count in counts)
    failed = sum(count["failed"] for count in counts)
    print(f"{passed} passed, {failed} failed")
    return 0 if passed > 0 and failed == 0 else 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("reports", type=pathlib.Path)
    parser.add_argument("suite", nargs="?")
    parser.add_argument("--total", action="store_true")
    parser.add_argument("--exit-status", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--log", type=pathlib.Path)
    own, command = sys.argv[1:], []
    if "--" in own:
        own, command = own[: own.index("--")], own[own.index("--") + 1 :]
    options = parser.parse_args(own)
    options.command = command
    if options.total:
        return total(options.reports)
    return report(options)


if __name__ == "__main__":
    sys.exit(main())
