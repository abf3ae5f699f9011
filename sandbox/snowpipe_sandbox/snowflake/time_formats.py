"""Texts of a date or time in a stated format: the pattern they must match, and how DuckDB reads them.

Elements: YYYY, YY, MM, MON, MMMM, DD, DY, HH24, HH12, AM, PM, MI, SS, FF, an offset at the end, and any other
text. A month, day, hour, minute or second may have one digit, as in the page's own example 2/18/2008; a year
of two digits is one of 1970 to 2069, which TWO_DIGIT_CENTURY_START says. Source:
https://docs.snowflake.com/en/sql-reference/date-time-input-output
"""

from __future__ import annotations

import re

from sqlglot import exp
from sqlglot.dialects import Snowflake

from snowpipe_sandbox.snowflake import errors

_OFFSET = r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
_PIECE = re.compile(r"%f(?:_[a-z]+)?|%:z|%-?[A-Za-z]")
_PATTERNS = {
    "%Y": "[0-9]{4}",
    "%y": "[0-9]{2}",
    "%b": "[A-Za-z]{3}",
    "%B": "[A-Za-z]+",
    "%a": "[A-Za-z]{3}",
    "%p": "[AaPp][Mm]",
    "%f": "[0-9]{1,9}",
} | dict.fromkeys(("%m", "%d", "%-d", "%H", "%I", "%M", "%S"), "[0-9]{1,2}")
_ZONES = {"%z", "%:z", "%-z"}


def macros(home: str) -> str:
    """What DuckDB has to know for the calls this module writes."""
    of_century = f"{home}.main.sandbox_of_century"
    six_digits = f"{home}.main.sandbox_six_digits"
    return rf"""
CREATE OR REPLACE MACRO {six_digits}(x) AS regexp_replace(x, '([.,][0-9]{{6}})[0-9]+', '\1');
CREATE OR REPLACE MACRO {home}.main.sandbox_without_offset(x) AS regexp_replace(x, '\s*{_OFFSET}$', '');
CREATE OR REPLACE MACRO {home}.main.sandbox_plain_offset(x) AS
    regexp_replace(regexp_replace(x, 'Z$', '+00:00'), '\s*([+-][0-9:]+)$', '\1');
CREATE OR REPLACE MACRO {of_century}(m, short) AS
    CASE WHEN short AND year(m) = 1969 THEN m + INTERVAL 100 YEAR WHEN year(m) > 0 THEN m END;
CREATE OR REPLACE MACRO {home}.main.sandbox_try_moment(x, bare, pattern, how, short) AS
    CASE WHEN regexp_full_match(x, pattern)
        THEN {of_century}(CAST(try_strptime({six_digits}(bare), how) AS TIMESTAMP), short) END;
CREATE OR REPLACE MACRO {home}.main.sandbox_try_zoned(x, bare, pattern, how, short) AS
    CASE WHEN regexp_full_match(x, pattern)
        THEN {of_century}(CAST(try_strptime({six_digits}(bare), how) AS TIMESTAMPTZ), short) END;
"""


class Format:
    """A format as DuckDB and the macros read it. Raises not emulated for other elements."""

    def __init__(self, strptime: str) -> None:
        pattern, how, end = "", "", 0
        self.has_zone = False
        for found in _PIECE.finditer(strptime):
            piece = "%f" if found[0].startswith("%f") else found[0]
            between = strptime[end : found.start()]
            pattern, how, end = pattern + re.escape(between), how + between, found.end()
            if piece in _ZONES:
                self.has_zone = True
                if end != len(strptime):
                    raise errors.not_emulated("a time format with an offset that is not at its end")
                how, pattern = how.rstrip(), pattern.removesuffix("\\ ") + r"\s*" + _OFFSET
            elif piece in _PATTERNS:
                pattern, how = pattern + _PATTERNS[piece], how + piece.replace("%-d", "%d")
            else:
                raise errors.not_emulated(f"the element {found[0]} in a time format")
        if "%" in strptime[end:]:
            raise errors.not_emulated("a percent sign in a time format")
        self.pattern, self.how = pattern + re.escape(strptime[end:]), how + strptime[end:]
        self.is_short = "%y" in how

    def moment(self, text: str) -> str:
        """SQL of the wall clock that SQL's text names, or NULL."""
        bare = f"sandbox_without_offset({text})" if self.has_zone else text
        return self._called("sandbox_try_moment", text, bare, self.how)

    def zoned(self, text: str) -> str:
        """SQL of the moment that SQL's text names, of the session's zone where it names none, or NULL."""
        if not self.has_zone:
            return f"CAST({self.moment(text)} AS TIMESTAMPTZ)"
        return self._called("sandbox_try_zoned", text, f"sandbox_plain_offset({text})", f"{self.how}%z")

    def _called(self, macro: str, text: str, bare: str, how: str) -> str:
        literals = ", ".join(exp.Literal.string(each).sql("duckdb") for each in (self.pattern, how))
        return f"{macro}({text}, {bare}, {literals}, {str(self.is_short).lower()})"


def of(written: str) -> Format:
    """A format as Snowflake writes it."""
    quoted = "'" + written.replace("'", "''") + "'"
    return Format(str(Snowflake.format_time(quoted).this))


def with_fraction(node: exp.StrToTime) -> exp.Expression:
    """TO_TIMESTAMP with a fraction in its format: as many digits as DuckDB reads."""
    written = node.args["format"]
    if not isinstance(written, exp.Literal) or "%f" not in str(written.this):
        return node
    node.set("format", exp.Literal.string(re.sub(r"%f(_[a-z]+)?", "%f", str(written.this))))
    node.set("this", exp.Anonymous(this="sandbox_six_digits", expressions=[node.this]))
    return node
