"""The examples of documents, run against a real collector: they show what the document says."""

import pytest

import transcripts
from processes import ROOT


@pytest.mark.parametrize("name", ["docs/client.md"])
def test_examples_show_what_the_document_says(name, tmp_path):
    document = (ROOT / name).read_text()
    assert transcripts.BLOCK.search(document), "no examples"
    # If this fails and what is shown is right: tests/functional/transcripts.py docs/client.md
    assert transcripts.renewed(document, tmp_path) == document


def test_another_output_is_noticed(tmp_path):
    document = "```console\n$ echo 1.5 s; echo stored\n1.7 s\nrefused\n```\n"
    assert transcripts.renewed(document, tmp_path) == document.replace(
        "1.7 s\nrefused", "1.5 s\nstored")
