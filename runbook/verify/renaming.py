"""Other names in a recording: the same name becomes the same stand-in everywhere, whatever it stands in.

What is replaced: accounts, organizations and users of both clouds, databases, schemas, tables, stages, pipes,
file formats, roles, warehouses, integrations, policies, paths, buckets, topics, keys, values of tags, Sids,
Ids of rules, vendors of schemas, and addresses: e-mail, IP, hosts, networks. What stays: names of files,
folders and columns, and every word that this program itself has in it, such as RAW or ACCOUNTADMIN: it tells
nobody whose it is, and stands in the program's own sentences too.

A stand-in has the case of what it stands for, and is sorted as it was: names that stand in order still do.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from functools import cache
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from runbook.facts.topic import PUBLISH_SID, SUBSCRIBE_SID
from runbook.policies.held import TRUST_SID
from runbook.redaction import redacted
from runbook.settings import MANAGED_BY, Settings
from runbook.shipped import CHECKS, DEFAULTS, SQL
from runbook.verify.naming import collected
from runbook.wanted.views import wanted

Form = Callable[[str], str]

SHORTEST = 3
"""Characters of a name that is replaced: a shorter one is a part of anything, and tells nothing."""
OF_EVERYBODY = frozenset(
    {
        *("ACCOUNTADMIN", "SYSADMIN", "SECURITYADMIN", "USERADMIN", "ORGADMIN", "PUBLIC", "SNOWFLAKE"),
        *("INFORMATION_SCHEMA", "ACCOUNT_USAGE", "SNOWFLAKE_SAMPLE_DATA", "COMPUTE_WH", "SYSTEM"),
        *("ROOT", "DEFAULT", "NONE", "NULL", "TRUE", "FALSE"),
    }
)
"""What every account has, under this name."""

_EXAMPLES = {"ACME"}
"""Words of this program that stand for somebody's."""
_LITERAL = re.compile(r'"""(?:[^"]|"(?!""))*"""|#.*')
_WORDS = (re.compile(r"[\w$]+"), re.compile(r"[\w$+=,.@-]+"))
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_BEFORE = r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrtfb]))"
"""Where a word begins: also behind a percent-encoded sign, and behind an escaped line end."""


def _as_it_is(text: str) -> str:
    return text


def _in_sql(text: str) -> str:
    return text.replace('"', '""')


def _in_a_literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "''")


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _in_utf8_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


FORMS: tuple[Form, ...] = (
    *(_as_it_is, _in_sql, _in_a_literal, _in_json, _in_utf8_json),
    *(re.escape, quote, quote_plus),
)
"""How a name may be written inside another text."""


class Renaming:
    """What is replaced by what in one recording. The same text always becomes the same one."""

    def __init__(self, found: Mapping[str, Any], settings: Settings) -> None:
        self._fixed, names = collected(found, settings)
        self._names = _stand_ins(names, known() | _fields(found["answers"]))
        self._forms = {written: (ways, name) for name in self._names for written, ways in _ways(name)}
        self._spelled: dict[str, list[str]] = {}
        for name in sorted(names):
            if not (name.isupper() or name.islower()):
                self._spelled.setdefault(name.casefold(), []).append(name)
        self._seen: dict[str, str] = {}
        self._pattern = self._either()

    def also(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Replace these too: what is made of names, such as a digest of them."""
        self._fixed |= {old: new for old, new in pairs if old and old != new}
        self._pattern = self._either()
        self._seen.clear()

    def _either(self) -> "re.Pattern[str]":
        """Every name, the longest first: a bucket may begin with the name of a table."""
        ends = dict.fromkeys(self._forms, r"(?![\w$])") | dict.fromkeys(self._fixed, "(?![A-Za-z0-9])")
        longest = sorted(ends, key=lambda each: (-len(each), each))
        begins = {each: "" if each in self._fixed else "(?<![_$])" for each in longest}
        either = "|".join(f"{begins[each]}{re.escape(each)}{ends[each]}" for each in longest)
        return re.compile(f"{_BEFORE}(?:{either})", re.IGNORECASE)

    def text(self, text: str) -> str:
        """The text with other names, and without secrets."""
        if (known := self._seen.get(text)) is None:
            known = self._seen[text] = self._pattern.sub(self._stand_in, redacted(text))
        return known

    def value(self, value: Any) -> Any:
        """The same for every text of a value, keys too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list | tuple):
            return [self.value(each) for each in value]
        if isinstance(value, Mapping):
            return {
                self.text(key): "" if _is_a_remark(key, value) else self.value(each)
                for key, each in value.items()
            }
        return value

    def _stand_in(self, found: "re.Match[str]") -> str:
        written = found[0]
        if written in self._fixed:
            return self._fixed[written]
        if (known := self._forms.get(written.casefold())) is None:  # one of those, with other capitals
            same = next(each for each in self._fixed if each.casefold() == written.casefold())
            return self._in_its_case(written, (), same, self._fixed[same])
        ways, name = known
        return _as(ways, self._in_its_case(written, ways, name, self._names[name]))

    def _in_its_case(self, written: str, ways: Iterable[Form], name: str, stand_in: str) -> str:
        """In small letters, in capitals, or in a mixture of its own for each that the name is spelled in."""
        if written == _as(ways, name.lower()):
            return stand_in.lower()
        if written == _as(ways, name.upper()):
            return stand_in.upper()
        mixtures = self._spelled.setdefault(name, [])
        if (spelled := next((each for each in mixtures if _as(ways, each) == written), "")) == "":
            mixtures.append(spelled := written)
        number = mixtures.index(spelled) + 1
        places = [place for place, char in enumerate(stand_in) if char.isalpha()]
        capitals = {place for bit, place in enumerate(places) if number >> bit & 1}
        letters = enumerate(stand_in.lower())
        return "".join(char.upper() if place in capitals else char for place, char in letters)


@cache
def known() -> frozenset[str]:
    """Every word of this program, and of its SQL and settings, in capitals."""
    own = (_LITERAL.sub("", _read(path)) for path in Path(__file__).parents[1].rglob("*.py"))
    beside = map(_read, (*CHECKS.rglob("*.py"), *SQL.rglob("*.sql"), DEFAULTS))
    words = {word for text in (*own, *beside) for each in _WORDS for word in each.findall(text.upper())}
    return OF_EVERYBODY | words - _EXAMPLES


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _fields(answers: Any) -> set[str]:
    """The columns and fields of answers, in capitals: they are the clouds' words."""
    if isinstance(answers, list):
        return set().union(*map(_fields, answers)) if answers else set()
    if not isinstance(answers, Mapping):
        return set()
    inside = set().union(*map(_fields, answers.values())) if answers else set()
    return inside | {key.upper() for key in answers if re.fullmatch(r"[A-Za-z_]+", key)}


def _ways(name: str) -> Iterator[tuple[str, tuple[Form, ...]]]:
    """How a name may be written, in small letters, and what writes it so, one form inside another."""
    for ways in [()] if _PLAIN.fullmatch(name) else product((_as_it_is, _in_sql), FORMS, FORMS):
        yield _as(ways, name).casefold(), ways


def _as(ways: Iterable[Form], name: str) -> str:
    for form in ways:
        name = form(name)
    return name


def _stand_ins(names: Mapping[str, str], stay: Set[str]) -> dict[str, str]:
    """The stand-in of each name by the name in small letters: ``n07table``, in the order of the names.

    What is not a letter of ASCII, a digit or ``_`` is in the stand-in too: it is quoted where the name is.
    """
    kinds = {name.casefold(): kind for name, kind in names.items() if _is_worth_it(name, stay)}
    digits = len(str(len(kinds)))
    return {
        name: f"n{number:0{digits}}{_signs(name)}{kinds[name]}"
        for number, name in enumerate(sorted(kinds), 1)
    }


def _signs(name: str) -> str:
    found = {
        "é" if char.isalpha() else char
        for char in name
        if not (char.isascii() and char.isalnum()) and char != "_"
    }
    only_digits_first = "-" if name[:1].isdigit() and not found else ""
    return "".join(sorted(found)) or only_digits_first


def _is_worth_it(name: str, stay: Set[str]) -> bool:
    return len(name) >= SHORTEST and any(map(str.isalpha, name)) and name.upper() not in stay


def _is_a_remark(field: str, row: Mapping[str, Any]) -> bool:
    """Whether it is what somebody wrote about a thing of theirs; of ours, what we wrote is read."""
    said = row[field]
    called = str(row.get("property")).lower() if field == "property_value" else field
    is_remark = called in ("comment", "Description")
    return is_remark and isinstance(said, str) and MANAGED_BY not in said


def derived(one: Settings, other: Settings) -> Iterator[tuple[str, str]]:
    """What is made of the settings' names, and of the other settings': digests among them."""
    yield one.installation, other.installation
    of = [sha256(each.installation.encode()).hexdigest()[:8] for each in (one, other)]
    yield from ((f"{sid}{of[0]}", f"{sid}{of[1]}") for sid in (TRUST_SID, SUBSCRIBE_SID, PUBLISH_SID))
    yield from ((was.rule_id, now.rule_id) for was, now in zip(one.streams, other.streams, strict=True))
    yield from ((was.comment, now.comment) for was, now in zip(wanted(one), wanted(other), strict=True))
