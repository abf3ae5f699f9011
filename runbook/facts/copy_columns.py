"""How a COPY fills its table's columns: by a list, a SELECT or names, and by METADATA$. Pure functions.

Sources: https://docs.snowflake.com/en/sql-reference/sql/copy-into-table (column list, MATCH_BY_COLUMN_NAME,
INCLUDE_METADATA), https://docs.snowflake.com/en/user-guide/data-load-transform,
https://docs.snowflake.com/en/user-guide/querying-metadata
"""

import re
from collections.abc import Iterator, Sequence

from runbook.facts.copy_statement import EARLY_CLOCKS, Token, tokens
from runbook.kinds.through import Item, Through
from runbook.settings import Identifier

FILE_NAME = "METADATA$FILENAME"
_UNKNOWN = Item("unknown")
_CLOCKS = (*EARLY_CLOCKS, "UUID_STRING", "CURRENT_USER", "CURRENT_ROLE")


def through(
    text: str,
    columns: Sequence[tuple[str, str]],
    options: dict[str, str] | None = None,
    required: Sequence[str] = (),
) -> Through:
    """What the COPY fills the columns with. ``columns``: the table's names and types, in order."""
    words = tokens(text)
    names = [name for name, _ in columns]
    listed = column_list(words)
    by_name = matches_by_name(words)
    items = select_items(words)
    filled: dict[str, Item] = {}
    unmatched = bool(set(listed) - set(names))
    if items is not None:
        read = [_item(words[first:last]) for first, last in items]
        into = listed or names[: len(read)]
        unmatched |= len(into) != len(read)
        filled = dict(zip(into, read, strict=False))
    elif not by_name:
        filled = {name: Item("field", number) for number, name in enumerate(listed or names, 1)}
    filled |= {
        name: Item("file") if what == FILE_NAME else Item("harmless")
        for name, what in included_metadata(words)
    }
    return Through(
        columns=tuple(columns),
        filled=filled,
        selects=items is not None,
        by_name=by_name,
        options=dict(options or {}),
        required=tuple(required),
        unmatched=unmatched,
    )


def column_list(words: list[Token]) -> list[str]:
    """The columns that the COPY lists behind its table, as the table names them; none where it lists none."""
    start = next((n for n, word in enumerate(words) if word.says("INTO")), len(words))
    if start + 1 < len(words) and words[start + 1].says("IDENTIFIER"):
        start += 4  # IDENTIFIER ( '…' )
    for number in range(start + 1, len(words)):
        if words[number].says("FROM"):
            return []
        if words[number].says("("):
            inside = _until_closed(words, number)
            return [_column(word) for word in words[number + 1 : inside] if word.kind == "name"]
    return []


def select_items(words: list[Token]) -> list[tuple[int, int]] | None:
    """Where the SELECT's expressions begin and end among the words; None without a SELECT."""
    start = next((n for n, word in enumerate(words) if word.says("SELECT")), None)
    if start is None:
        return None
    found: list[tuple[int, int]] = []
    depth, first = words[start].depth, start + 1
    for number in range(start + 1, len(words)):
        word = words[number]
        if word.depth > depth:
            continue
        if word.depth < depth or (word.says("FROM") and not words[number - 1].says(":", ".")):
            return [*found, (first, number)]
        if word.says(","):
            found.append((first, number))
            first = number + 1
    return found


def matches_by_name(words: list[Token]) -> bool:
    """Whether MATCH_BY_COLUMN_NAME is stated, and not NONE."""
    value = _behind(words, "MATCH_BY_COLUMN_NAME")
    return bool(value) and value[0].text.strip("'\"").upper() != "NONE"


def included_metadata(words: list[Token]) -> Iterator[tuple[str, str]]:
    """Each column of INCLUDE_METADATA, and the METADATA$ that fills it."""
    value = _behind(words, "INCLUDE_METADATA")
    inside = value[1 : _until_closed(value, 0)] if value and value[0].says("(") else []
    for name, sign, what in zip(inside, inside[1:], inside[2:], strict=False):
        if name.kind == "name" and sign.says("=") and what.kind == "name":
            yield _column(name), what.text.upper()


def _behind(words: list[Token], option: str) -> list[Token]:
    """What stands behind an option of the statement and its sign."""
    for number, word in enumerate(words[:-1]):
        if word.says(option) and words[number + 1].says("=", "=>"):
            return words[number + 2 :]
    return []


def _until_closed(words: list[Token], opened: int) -> int:
    depth = words[opened].depth
    ends = (n for n in range(opened, len(words)) if words[n].says(")") and words[n].depth == depth)
    return next(ends, len(words))


def _column(word: Token) -> str:
    return str(Identifier.parse(word.text))


def _item(words: list[Token]) -> Item:
    """What an expression is, as far as it is certain; its alias counts as nothing."""
    words = _without_alias(words)
    text = "".join(word.text if word.kind != "name" else word.text.upper() for word in words)
    text = re.sub(r"^\w+\.(?=\$|METADATA)", "", text)  # the stage's own alias
    if found := re.fullmatch(r"\$(\d+)(?:::VARIANT)?", text):
        return Item("field", int(found[1]))
    if found := re.fullmatch(rf"\$(\d+)::(\w+){_SIZE}", text):
        return Item("field" if found[2] in _TEXTS else "null", int(found[1]))
    if re.fullmatch(rf"{re.escape(FILE_NAME)}(?:::(?:{'|'.join(_TEXTS)}))?", text):
        return Item("file")
    if re.fullmatch(
        rf"METADATA\$\w+(?:::\w+{_SIZE})?|'[^']*'|\d+|(?:{'|'.join(_CLOCKS)})(?:\(\d*\))?(?:::\w+)?", text
    ):
        return Item("harmless")
    return _member(words, text)


_SIZE = r"(?:\([\d,]+\))?"
_TEXTS = ("VARCHAR", "STRING", "TEXT")


def _member(words: list[Token], text: str) -> Item:
    """A member of the record: of text it can have a mark, of any other type a missing one is NULL."""
    found = re.fullmatch(rf"\$1(?P<path>[:\[].+?)(?:::(?P<type>\w+){_SIZE})?", text)
    if not found or "(" in found["path"] or "::" in found["path"] or found["type"] in _STRICT:
        return _UNKNOWN
    is_text = found["type"] in (None, *_TEXTS)
    path = _path([word.text for word in words], is_cast=found["type"] is not None)
    return Item("member", path=path) if is_text and path else Item("null")


_STRICT = ("ARRAY", "OBJECT", "MAP")  # what a NULL becomes there, no page says


def _path(texts: list[str], *, is_cast: bool) -> tuple[str, ...]:
    """The names of a member's path, as they are written; nothing where one is an index."""
    inside = texts[texts.index("1") + 1 :]
    if is_cast:
        inside = inside[: len(inside) - inside[::-1].index(":") - 2]
    names, signs = inside[1::2], inside[::2]
    if not all(sign in (":", ".") for sign in signs) or len(names) != len(signs):
        return ()
    return tuple(name[1:-1].replace('""', '"') if name.startswith('"') else name for name in names)


def _without_alias(words: list[Token]) -> list[Token]:
    """The expression without the name it is given."""
    if len(words) > 2 and words[-2].says("AS"):
        return words[:-2]
    if len(words) < 2 or words[-1].kind != "name":
        return words
    before = words[-2]
    return words[:-1] if before.kind in ("name", "number", "text") or before.says(")", "]") else words


def with_file_column(text: str, columns: Sequence[str], name: str) -> str:
    """The COPY that also fills a column with the name of each row's file; "" where it is not certain how.

    ``columns``: the table's, in order, before it has that one. ``name``: as it is written in a statement.
    """
    words = tokens(text)
    items, listed = select_items(words), column_list(words)
    if matches_by_name(words):
        return _with_included(text, words, name)
    if items is not None:
        more = [(words[items[-1][1] - 1].at[1], f", {FILE_NAME}")]
    else:
        source = next((n for n, word in enumerate(words) if word.kind == "stage"), None)
        if source is None:
            return ""
        fields = ", ".join(f"${number}" for number in range(1, len(listed or columns) + 1))
        begin, end = words[source].at
        if source + 1 < len(words) and words[source + 1].says("("):
            end = words[_until_closed(words, source + 1)].at[1]
        more = [(begin, f"(SELECT {fields}, {FILE_NAME} FROM "), (end, ")")]  # noqa: S608 (numbers)
    behind = _behind_table(words)
    if listed:
        more.append((words[_until_closed(words, behind)].at[0], f", {name}"))
    else:
        into = columns[: len(items)] if items is not None else columns
        all_of_them = ", ".join([*(Identifier(each).sql for each in into), name])
        more.append((words[behind - 1].at[1], f" ({all_of_them})"))
    return _inserted(text, more)


def _behind_table(words: list[Token]) -> int:
    """The number of the word behind the table's name: the list's bracket, or FROM."""
    start = next(n for n, word in enumerate(words) if word.says("INTO")) + 1
    if words[start].says("IDENTIFIER"):
        return start + 4
    return next(n for n in range(start, len(words)) if words[n].says("(", "FROM"))


def _with_included(text: str, words: list[Token], name: str) -> str:
    value = _behind(words, "INCLUDE_METADATA")
    if not value:
        return f"{text.rstrip().rstrip(';')}\nINCLUDE_METADATA = ({name} = {FILE_NAME})"
    return _inserted(text, [(value[0].at[1], f"{name} = {FILE_NAME}, ")])


def _inserted(text: str, more: list[tuple[int, str]]) -> str:
    for place, part in sorted(more, reverse=True):
        text = text[:place] + part + text[place:]
    return text
