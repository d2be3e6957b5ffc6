"""The manual says what the code does: directives from the table, a page entry per message."""

import collections
import os
import pathlib
import re
import subprocess

SOURCE = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("WGW_BUILDDIR", SOURCE))
NUMBER = re.compile(r"WGWNO\((\d{4})\)|\"WGW(\d{4}):|f\"WGW(\d{4}):|<\d>WGW(\d{4}):")


def numbers_in_source():
    """Count the places where each message number is made."""
    found = collections.Counter()
    for path in [*SOURCE.glob("src/**/*.[ch]"), *SOURCE.glob("src/**/*.py"),
                 *SOURCE.glob("include/**/*.h")]:
        for match in NUMBER.finditer(path.read_text()):
            found[next(filter(None, match.groups()))] += 1
    return found


def test_directives_are_those_of_the_table():
    answer = subprocess.run([BUILD / "docs" / "reference"], stdout=subprocess.PIPE, text=True,
                            check=True)
    assert (SOURCE / "docs" / "directives.md").read_text() == answer.stdout, "run `make docs`"


def test_every_message_has_one_number_of_its_own():
    numbers = numbers_in_source()
    assert len(numbers) > 20
    assert [number for number, count in numbers.items() if count > 1] == []


def test_every_message_has_an_entry_and_every_entry_a_message():
    text = (SOURCE / "docs" / "messages.md").read_text()
    entries = re.findall(r"^### WGW(\d{4})$", text, re.MULTILINE)
    assert sorted(entries) == sorted(set(entries))
    assert set(entries) == set(numbers_in_source())
