"""Values that break naive readers, put into generated rows at a small rate.

Every row keeps 131 fields that parse; what changes is text that a wrong file format would damage. Lines
that are broken themselves (wrong count, bad bytes) are in :mod:`.hard_cases`.
"""

from collections.abc import Callable

from .devices import entity
from .fields import POSITIONS
from .rows import Row, contexts, fill

_CONTEXTS = POSITIONS["contexts"]


def _non_ascii(row: Row) -> None:
    fill(row, {"page_title": "Ελληνικά · 東京 · café · עברית · 👩‍💻🚀"})


def _line_separators(row: Row) -> None:
    """U+2028, U+2029 and U+0085: str.splitlines() would cut the line here."""
    fill(row, {"page_title": "one\u2028two\u2029three\u0085four\u00a0five\ufeffsix"})


def _json_quotes(row: Row) -> None:
    _add_entity(
        row, {"title": 'The "best" of \\ 2026', "path": "C:\\new\\table", "html": '<a href="/x">x</a>'}
    )


def _json_trailing_backslash(row: Row) -> None:
    _add_entity(row, {"path": "C:\\", "quote": '\\"'})


def _json_control_escapes(row: Row) -> None:
    _add_entity(row, {"text": "line one\nline two\ttabbed\r\u0000\u001f", "emoji": "😀"})


def _json_unicode_escapes(row: Row) -> None:
    r"""``\uXXXX`` escapes as a tracker may send them, a surrogate pair among them."""
    raw = r'{"schema":"iglu:com.example/note/jsonschema/1-0-0","data":{"text":"caf\u00e9 \ud83d\ude00 \/"}}'
    _add_raw_entity(row, raw)


def _one_trailing_backslash(row: Row) -> None:
    """Under the default ESCAPE_UNENCLOSED_FIELD this swallows the next tab and shifts the row."""
    fill(row, {"page_title": "C:\\", "mkt_term": "back\\"})


def _two_trailing_backslashes(row: Row) -> None:
    fill(row, {"page_title": "C:\\\\"})


def _leading_quote(row: Row) -> None:
    """With FIELD_OPTIONALLY_ENCLOSED_BY this swallows everything up to the next quote."""
    fill(row, {"page_title": '"Night" runner', "mkt_content": '"'})


def _unbalanced_quotes(row: Row) -> None:
    fill(row, {"page_title": '15" laptop, 3\' cable, ""doubled""'})


def _literal_null_mark(row: Row) -> None:
    r"""``\N`` is a value here: the default NULL_IF would make it NULL."""
    fill(row, {"page_title": "\\N", "mkt_campaign": "\\N"})


def _words_for_nothing(row: Row) -> None:
    fill(row, {"page_title": "NULL", "mkt_medium": "null", "mkt_source": "None", "mkt_content": "NaN"})


def _outer_spaces(row: Row) -> None:
    fill(row, {"page_title": "  leading and trailing  ", "mkt_term": "   "})


def _spaces_for_tab(row: Row) -> None:
    """Enrich replaces a tab by four spaces."""
    fill(row, {"page_title": "before    after"})


def _escapes_as_text(row: Row) -> None:
    fill(row, {"page_title": r"\t \n \r \0 \x41 \101 \u0041"})


def _control_characters(row: Row) -> None:
    """Enrich strips only TAB, CR and LF from the user agent of the header."""
    useragent = POSITIONS["useragent"]
    row[useragent] = f"{row[useragent]}\x01\x0b\x0c\x1c\x7f"


def _sql_and_html(row: Row) -> None:
    fill(row, {"page_title": "'); DROP TABLE events;-- <b>|;,</b> $1 {{x}} <% y %>"})


def _over_the_atomic_limit(row: Row) -> None:
    """Longer than the 4096 of the atomic schema, within the 10000 of Enrich."""
    fill(row, {"page_referrer": f"https://example.net/?q={'%20' * 1400}"})


def _add_entity(row: Row, data: dict[str, str]) -> None:
    _add_raw_entity(row, entity("com.example/note/jsonschema/1-0-0", data))


def _add_raw_entity(row: Row, written: str) -> None:
    """Append an entity to the row's contexts."""
    held = row[_CONTEXTS]
    row[_CONTEXTS] = f"{held[:-2]},{written}]}}" if held else contexts(written)


ODDITIES: dict[str, Callable[[Row], None]] = {
    "non_ascii": _non_ascii,
    "line_separators": _line_separators,
    "json_quotes": _json_quotes,
    "json_trailing_backslash": _json_trailing_backslash,
    "json_control_escapes": _json_control_escapes,
    "json_unicode_escapes": _json_unicode_escapes,
    "one_trailing_backslash": _one_trailing_backslash,
    "two_trailing_backslashes": _two_trailing_backslashes,
    "leading_quote": _leading_quote,
    "unbalanced_quotes": _unbalanced_quotes,
    "literal_null_mark": _literal_null_mark,
    "words_for_nothing": _words_for_nothing,
    "outer_spaces": _outer_spaces,
    "spaces_for_tab": _spaces_for_tab,
    "escapes_as_text": _escapes_as_text,
    "control_characters": _control_characters,
    "sql_and_html": _sql_and_html,
    "over_the_atomic_limit": _over_the_atomic_limit,
}
"""Every odd value by name: a function that puts it into a row."""
