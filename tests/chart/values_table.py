"""Makes the table of values in a chart's README.md out of the comments in its values.yaml.

Run with a chart's directory as argument it writes the table; test_chart.py holds both together.
"""

import json
import pathlib
import re
import sys

import yaml

MARK = "<!-- values -->"


def comments(text):
    """{path of the value: what its comment says}, from `# path -- text` and the lines after it."""
    told = {}
    path = None
    for line in text.splitlines():
        stripped = line.strip()
        if found := re.match(r"# ([A-Za-z][\w.-]*) -- (.*)", stripped):
            path = found[1]
            told[path] = found[2]
        elif path and stripped.startswith("# "):
            told[path] += " " + stripped[2:]
        else:
            path = None
    return told


def leaves(values, told, prefix=""):
    """(path, value) of what is documented as one value: leaves, and maps that have a comment."""
    for key, value in values.items():
        path = prefix + key
        if isinstance(value, dict) and value and path not in told:
            yield from leaves(value, told, path + ".")
        else:
            yield path, value


def table(chart):
    text = (chart / "values.yaml").read_text(encoding="utf-8")
    told = comments(text)
    rows = ["| value | default | what |", "|---|---|---|"]
    found = dict(leaves(yaml.safe_load(text), told))
    if missing := set(found) ^ set(told):
        raise ValueError(f"values without a comment, or comments without a value: {missing}")
    for path, value in found.items():
        default = json.dumps(value)
        if len(default) > 60:
            default = "see `values.yaml`"
        elif value not in ("", [], {}):
            default = f"`{default}`" if not isinstance(value, str) else f"`{value}`"
        else:
            default = ""
        rows.append(f"| `{path}` | {default} | {told[path]} |")
    return "\n".join(rows)


def with_table(chart):
    """The README's text as it must be."""
    before, _, after = (chart / "README.md").read_text(encoding="utf-8").split(MARK)
    return f"{before}{MARK}\n{table(chart)}\n{MARK}{after}"


def main():
    chart = pathlib.Path(sys.argv[1])
    (chart / "README.md").write_text(with_table(chart), encoding="utf-8")


if __name__ == "__main__":
    main()
