"""A remedy that names files names them so that a shell and `backfill --pattern` read them back."""

import shlex

from hypothesis import given
from hypothesis import strategies as st

from runbook.ledger.asked import read as asked
from runbook.verify.checking import filled, pattern_of

LETTERS = st.characters(exclude_characters="\n")  # which `.*` does not take, in COPY's PATTERN neither
KEYS = st.lists(st.text(LETTERS, min_size=1, max_size=40), min_size=1, max_size=6, unique=True).map(tuple)
REMEDY = "correct it, then: invoke backfill --stream STREAM --pattern KEY --reload-failed"


def read(pattern):
    """As `backfill --pattern` reads it."""
    return asked(pattern, since=None, until=None, max_files=1, reload_failed=False, reload_gone=False).pattern


@given(KEYS)
def test_the_pattern_takes_every_file_it_is_of(keys):
    pattern = read(pattern_of(keys))
    assert [key for key in keys if not pattern.fullmatch(key)] == []


@given(KEYS.filter(lambda keys: all(key.isprintable() for key in keys)), st.text(min_size=1, max_size=40))
def test_one_or_two_files_are_named_and_nothing_else(keys, other):
    pattern = read(pattern_of(keys[:2]))
    assert (pattern.fullmatch(other) is not None) == (other in keys[:2])


@given(KEYS)
def test_a_shell_reads_the_pattern_as_one_word(keys):
    words = shlex.split(filled(REMEDY, "events", keys))
    assert words[words.index("--stream") + 1] == "events"
    assert words[words.index("--pattern") + 1] == pattern_of(keys)
    assert filled(REMEDY, "events", keys).isprintable()


def test_a_key_may_hold_the_words_that_are_filled_in():
    made = filled(REMEDY, "bad", ("in/STREAM KEY.gz",))
    assert made.endswith("--stream bad --pattern 'in/STREAM KEY[.]gz' --reload-failed")
    assert filled(REMEDY, "bad", ()).endswith("--stream bad --pattern KEY --reload-failed")


def test_many_files_are_named_by_what_they_begin_with():
    keys = tuple(f"enriched/run={day}/part.gz" for day in (1, 2, 3))
    assert pattern_of(keys) == "enriched/run=.*"
    assert pattern_of(("a.gz", "b.gz", "c.gz")) == ".*"
