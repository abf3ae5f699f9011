"""What a pipe's COPY statement says: where it reads, where it writes, and how.

Read from the text Snowflake shows, word by word: comments and strings are not words. What is left out has a
pipe's default; what this cannot read it says (``doubt``).
Sources: https://docs.snowflake.com/en/sql-reference/sql/create-pipe,
https://docs.snowflake.com/en/sql-reference/sql/copy-into-table,
https://docs.snowflake.com/en/user-guide/querying-stage (options behind the stage)
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

from runbook.settings import Identifier, QualifiedName

# evaluated when the load is compiled, up to hours before the row is written
EARLY_CLOCKS = (
    "CURRENT_TIMESTAMP",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "GETDATE",
    "LOCALTIMESTAMP",
    "LOCALTIME",
    "SYSDATE",
    "SYSTIMESTAMP",
)

_TOKEN = re.compile(
    r"""
      (?P<blank> \s+ | --[^\n]* | //[^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<text> '(?:[^'\\]|''|\\.)*' | \$\$.*?\$\$ )
    | (?P<stage> @ (?:"(?:[^"]|"")*" | [\w$.%~])+ (?:/[^\s),;']*)? )
    | (?P<name> "(?:[^"]|"")*" | [A-Za-z_][\w$]* )
    | (?P<number> \d[\w.]* )
    | (?P<sign> => | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_PART = re.compile(r'"((?:[^"]|"")*)"|([A-Za-z_][\w$]*)')
_STAGE = re.compile(r'@((?:"(?:[^"]|"")*"|[\w$.])+)(?:/(.*))?', re.DOTALL)
_QUOTED = r'"(?:[^"]|"")*"'
_MOST_PARTS = 3


@dataclass(frozen=True)
class Token:
    """One word, string or sign; ``depth``: how many brackets it is in; ``at``: where it begins and ends."""

    kind: str
    text: str
    depth: int = 0
    at: tuple[int, int] = (0, 0)

    def says(self, *words: str) -> bool:
        """Whether it is one of these words or signs, in whatever case; what is quoted never is."""
        return self.kind in ("name", "sign") and self.text.upper() in words


def tokens(text: str) -> list[Token]:
    """The statement without blanks and comments."""
    found, depth = [], 0
    for match in _TOKEN.finditer(text):
        kind, part = str(match.lastgroup), match[0]
        if kind == "blank":
            continue
        depth -= part == ")"
        found.append(Token(kind, part, depth, match.span()))
        depth += part == "("
    return found


@dataclass(frozen=True)
class CopyStatement:
    """A pipe's COPY. ``table``, ``stage`` and ``file_format`` are None where the text names none.

    ``options``: of a format the COPY states itself. ``doubt``: what of the text was not understood.
    """

    table: QualifiedName | None
    stage: QualifiedName | None
    path: str
    file_format: QualifiedName | None
    pattern: str
    on_error: str
    clocks: tuple[str, ...]
    options: dict[str, str] = field(default_factory=dict)
    states_on_error: bool = False
    doubt: str = ""

    @property
    def source(self) -> str:
        """Stage and path, as they stand behind FROM."""
        return "/".join(part for part in (f"@{self.stage}", self.path) if part)

    @property
    def states_a_format(self) -> bool:
        """Whether it names a file format, or states one's options; else the stage's own counts."""
        return self.file_format is not None or bool(self.options)


@lru_cache(maxsize=1024)  # several checks ask of each pipe
def read(text: str, database: Identifier, schema: Identifier) -> CopyStatement:
    """The statement's parts; unqualified names are of the pipe's own ``database`` and ``schema``."""
    words = tokens(text)
    sources = [_source(word) for word in _behind_from(words)]
    given = dict(_options(words))
    form = given.get("FILE_FORMAT", ())
    within = dict(_options(_inside(form)))
    name = _value(within.pop("FORMAT_NAME", () if not form or form[0].says("(") else form))
    stated = {option: _plain(value) for option, value in within.items()}
    stage, path = sources[0] if sources else ("", "")
    doubts = [
        "it names no table" if not (table := _table(words)) else "",
        "it reads from no stage" if not stage else "",
        "it reads from more than one place" if len(sources) > 1 else "",
        f"the stage's name goes on behind @{stage}" if _goes_on(words) else "",
        f"{name!r} is not the name of a file format" if name and not _named(name) else "",
        f"{stage!r} is not the name of a stage" if stage and not _named(stage) else "",
    ]
    on_error = _plain(given.get("ON_ERROR", ()))
    return CopyStatement(
        table=_qualified(table, database, schema),
        stage=_qualified(stage, database, schema),
        path=path,
        file_format=_qualified(name, database, schema),
        pattern=_plain(given.get("PATTERN", ())),
        on_error=on_error.upper() or "SKIP_FILE",
        clocks=tuple(clock for clock in EARLY_CLOCKS if any(word.says(clock) for word in words)),
        options=stated,
        states_on_error=bool(on_error),
        doubt="; ".join(filter(None, doubts)),
    )


def without_pattern(text: str) -> str:
    """The statement without its PATTERN, which a COPY with FILES matches otherwise than a pipe does.

    Source: https://docs.snowflake.com/en/sql-reference/sql/create-pipe
    """
    words = tokens(text)
    for number, (name, sign) in enumerate(pairwise(words)):
        if not (name.says("PATTERN") and sign.says("=", "=>")) or _in_a_select(words, number):
            continue
        first, last = number, min(number + 2, len(words) - 1)
        before, after = words[first - 1], words[last + 1] if last + 1 < len(words) else Token("sign", ";")
        if after.says(","):
            last += 1
        elif before.says(","):
            first -= 1
        elif before.says("(") and after.says(")"):
            first, last = first - 1, last + 1
        return f"{text[: words[first].at[0]].rstrip()} {text[words[last].at[1] :].lstrip()}".strip()
    return text


_TOLD = ("FILE_FORMAT", "ON_ERROR", "PATTERN")


def beyond(text: str) -> tuple[str, ...]:
    """What the statement says beyond table, source, named format, ON_ERROR and PATTERN, word by word.

    In one spelling: without comments, aliases of the source, commas between options and a last semicolon;
    names in capitals. The order of what is said is kept.
    """
    words = tokens(text.strip().rstrip(";"))
    skipped = _of_table(words) | _of_source(words) | _of_options(words)
    alias = _alias(words)
    found = []
    for number, word in enumerate(words):
        after = words[number + 1] if number + 1 < len(words) else Token("sign", ";")
        before = words[number - 1] if number else Token("sign", ";")
        if number in skipped or (alias and word.says(alias) and after.says(".")):
            continue
        if alias and word.says(".") and before.says(alias):
            continue
        if word.says(",") and not word.depth:
            continue
        found.append(_spelled(word))
    return tuple(found)


def _spelled(word: Token) -> str:
    if word.kind == "text":
        return repr(_unquoted(word.text))
    if word.kind == "name" and (parts := _named(word.text)):
        return parts[0].sql
    return word.text.upper()


def _of_table(words: list[Token]) -> set[int]:
    """Where the name behind INTO stands."""
    start = next((number for number, word in enumerate(words) if word.says("INTO")), len(words)) + 1
    if start < len(words) and words[start].says("IDENTIFIER"):
        return set(range(start, start + 4))
    end = start
    while end < len(words) and (
        words[end].kind in ("name", "text") if (end - start) % 2 == 0 else words[end].says(".")
    ):
        end += 1
    return set(range(start, end))


def _of_source(words: list[Token]) -> set[int]:
    """Where the stage stands, with its options and its alias."""
    found: set[int] = set()
    for number in (n for n, word in enumerate(words) if n and _is_stage(word) and words[n - 1].says("FROM")):
        end = number + 1
        if end + 2 < len(words) and words[end].says("(") and words[end + 2].says("=>"):
            closing = (n for n in range(end + 1, len(words)) if words[n].says(")"))
            end = 1 + next((n for n in closing if words[n].depth == words[end].depth), len(words) - 1)
        end += end < len(words) and words[end].says("AS")
        end += bool(_alias_at(words, end))
        found |= set(range(number, end))
    return found


def _alias(words: list[Token]) -> str:
    """The name that the source is given in a SELECT; empty where it is given none."""
    places = [
        n for n in _of_source(words) if words[n].kind == "name" and words[n].depth and not words[n].says("AS")
    ]
    last = max(_of_source(words), default=-1)
    return words[last].text.upper() if last in places else ""


def _alias_at(words: list[Token], number: int) -> str:
    word = words[number] if number < len(words) else Token("sign", ";")
    after = words[number + 1] if number + 1 < len(words) else Token("sign", ";")
    is_one = word.kind == "name" and not after.says("=", "=>") and not word.says("WHERE", "JOIN", "LIMIT")
    return word.text if is_one else ""


def _of_options(words: list[Token]) -> set[int]:
    """Where options stand that :func:`read` tells: a format by its name, ON_ERROR and PATTERN."""
    found: set[int] = set()
    for number, (name, sign) in enumerate(pairwise(words)):
        if not (name.says(*_TOLD) and sign.says("=", "=>")) or _in_a_select(words, number):
            continue
        end = number + 3
        if number + 2 < len(words) and words[number + 2].says("("):
            inside = _inside(dict(_options(words[number:]))[name.text.upper()])
            if not (inside and inside[0].says("FORMAT_NAME") and len(list(_options(inside))) == 1):
                continue
            end = number + 2 + len(inside) + 2
        else:
            while end + 1 < len(words) and words[end].says(".") and words[end + 1].kind == "name":
                end += 2
            end += end < len(words) and words[end].text == "%"
        found |= set(range(number, end))
    return found


def _table(words: list[Token]) -> str:
    """The name behind INTO."""
    start = next((number for number, word in enumerate(words) if word.says("INTO")), len(words)) + 1
    return _name_at(words[start:])


def _name_at(words: list[Token]) -> str:
    """The name that begins here, as written; also where IDENTIFIER() or a string writes it."""
    if words and words[0].says("IDENTIFIER"):
        return _unquoted(words[2].text) if len(words) > 2 and words[2].kind == "text" else ""
    if words and words[0].kind == "text":
        return _unquoted(words[0].text)
    found = ""
    for number, word in enumerate(words):
        if (word.kind == "name") if number % 2 == 0 else word.says("."):
            found += word.text
        else:
            break
    return found


def _behind_from(words: list[Token]) -> Iterator[Token]:
    """The stages that stand behind FROM or JOIN; ``$1:from`` is not a FROM."""
    for before, word, after in zip(words, words[1:], words[2:], strict=False):
        if word.says("FROM", "JOIN") and not before.says(":", ".") and _is_stage(after):
            yield after


def _is_stage(word: Token) -> bool:
    return word.kind == "stage" or (word.kind == "text" and word.text.startswith("'@"))


def _goes_on(words: list[Token]) -> bool:
    """Whether a stage's name or path goes on where this does not read on: ``@a . b``, ``@a/"b c"/``."""
    for word, after in pairwise([*words, Token("sign", ";")]):
        if word.kind == "stage" and ('"' in word.text.partition("/")[2] or after.says(".")):
            return True
        if word.kind == "stage" and word.text.upper() == "@IDENTIFIER" and after.says("("):
            return True
    return False


def _source(word: Token) -> tuple[str, str]:
    """Stage and path of a source; nothing for one that is not a stage."""
    found = _STAGE.fullmatch(_unquoted(word.text)) if _is_stage(word) else None
    return (found[1], found[2] or "") if found else ("", "")


def _options(words: list[Token]) -> Iterator[tuple[str, tuple[Token, ...]]]:
    """Each option's name and value: ``name = value`` or ``name => value``, a value in brackets whole."""
    for number, (name, sign) in enumerate(pairwise(words)):
        if name.kind != "name" or not sign.says("=", "=>"):
            continue
        value = words[number + 2 :]
        if value and value[0].says("("):
            end = next((n for n, w in enumerate(value) if w.says(")") and w.depth == value[0].depth), None)
            yield name.text.upper(), tuple(value[:end])
        elif not _in_a_select(words, number):
            yield name.text.upper(), tuple(value)


def _in_a_select(words: list[Token], number: int) -> bool:
    """Whether an equation is one of the SELECT's own, before its FROM."""
    depth = words[number].depth
    before = [word for word in words[:number] if word.depth <= depth]
    last = next((word for word in reversed(before) if word.says("SELECT", "FROM")), None)
    return last is not None and last.says("SELECT")


def _inside(value: tuple[Token, ...]) -> list[Token]:
    """What stands in a value's brackets."""
    return list(value[1:]) if value and value[0].says("(") else []


def _value(value: tuple[Token, ...]) -> str:
    """A value as it is meant: a string's content, a name with its dots, a word with its percent sign."""
    if not value:
        return ""
    if value[0].kind == "text":
        return _unquoted(value[0].text)
    if value[0].says("("):
        return "".join(word.text for word in (*value, Token("sign", ")")))
    name = _name_at(list(value))
    return f"{name}%" if len(value) > 1 and value[1].text == "%" else name or value[0].text


def _plain(value: tuple[Token, ...]) -> str:
    """A value that is not a name: double quotes are a string's there (``FIELD_DELIMITER = ","``)."""
    text = _value(value)
    return text[1:-1].replace('""', '"') if re.fullmatch(_QUOTED, text, re.DOTALL) else text


def _unquoted(text: str) -> str:
    """A string's content: two quotes are one, and a backslash begins an escape sequence or is left out.

    Source: https://docs.snowflake.com/en/sql-reference/data-types-text (escape sequences)
    """
    if text.startswith("$$"):
        return text[2:-2]
    return _ESCAPE.sub(_unescaped, text[1:-1]) if text.startswith("'") else text


_ESCAPE = re.compile(r"''|\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([0-7]{3})|(.))", re.DOTALL)
_SIGNS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "0": "\0"}


def _unescaped(found: re.Match[str]) -> str:
    byte, point, octal, sign = found.groups()
    if byte or point:
        return chr(int(byte or point, 16))
    if octal:
        return chr(int(octal, 8))
    return _SIGNS.get(sign, sign) if sign else "'"


def _named(name: str) -> list[Identifier]:
    parts = _PART.findall(name)
    part = f"(?:{_PART.pattern})"
    whole = re.fullmatch(rf"{part}(?:\.{part})*", name)
    if not whole or len(parts) > _MOST_PARTS:
        return []
    return [Identifier(quoted.replace('""', '"') if quoted else bare.upper()) for quoted, bare in parts]


def _qualified(name: str, database: Identifier, schema: Identifier) -> QualifiedName | None:
    parts = _named(name)
    return QualifiedName(*[database, schema][: _MOST_PARTS - len(parts)], *parts) if parts else None
