"""What `invoke refresh` plans, and what it refuses."""

from datetime import timedelta

import pytest

from runbook.commands.refresh import refresh_plan
from runbook.errors import Refused
from runbook.facts.objects import Listing, StagedFile
from tests.unit.observed import NOW


def staged(stream, name, **age):
    return StagedFile(stream.prefix + name, 10, "e", NOW - timedelta(**age))


@pytest.fixture
def known(settings, found, facts):
    def make(*files):
        stream = settings.streams[0]
        return facts({**found, ("listing", stream.name): Listing(files), ("loads", stream.name): ()})

    return make


def test_a_refresh_that_would_load_other_files_too_is_refused(settings, known):
    """The other file's name begins as the wanted one's, and a REFRESH takes both."""
    stream = settings.streams[0]
    with pytest.raises(Refused, match=r"1 file without the suffix \.gz .*a\.gz\.bak"):
        refresh_plan(known(staged(stream, "a.gz", days=1), staged(stream, "a.gz.bak", days=1)), stream)


def test_a_refresh_beside_other_files_takes_only_the_streams(settings, known):
    stream = settings.streams[0]
    others = [staged(stream, name, days=1) for name in ("note.txt", "a.g", "b.json")]
    plan = refresh_plan(known(staged(stream, "a.gz", days=1), *others), stream)
    assert [file.key for file in plan.files] == [stream.prefix + "a.gz"]
    assert plan.taken(tuple(others)) == ()


def test_other_files_that_refresh_does_not_reach_are_no_matter(settings, known):
    stream = settings.streams[0]
    known_facts = known(staged(stream, "note.txt", days=1))
    assert refresh_plan(known_facts, stream).files == ()
