"""COPY INTO <table> as written: its parts, its options, what a pipe's COPY may not have.

Sources: [copy-into-table] https://docs.snowflake.com/en/sql-reference/sql/copy-into-table; [create-pipe]
https://docs.snowflake.com/en/sql-reference/sql/create-pipe; sources: Snowflake §1.5-1.6; [frostlake]
https://github.com/mlorek/frostlake (values ON_ERROR takes and refuses, measured on a live account).

Longer than 400 lines: the grammar of one statement, an option each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from snowpipe_sandbox.snowflake import errors, names
from snowpipe_sandbox.snowflake.errors import SnowflakeError
from snowpipe_sandbox.snowflake.grammar import options
from snowpipe_sandbox.snowflake.grammar.tokens import Tokens, unescape

MAX_FILES = 1000

NOT_IN_A_PIPE = (
    "FILES",
    "VALIDATION_MODE",
    "FORCE",
    "LOAD_UNCERTAIN_FILES",
    "PURGE",
    "RETURN_FAILED_ONLY",
    "SIZE_LIMIT",
)

OnErrorMode = Literal["CONTINUE", "SKIP_FILE", "ABORT_STATEMENT"]


@dataclass(frozen=True, slots=True)
class OnError:
    """What happens to a file with rejected records: the mode, and SKIP_FILE's number or percentage."""

    mode: OnErrorMode
    number: int | None = None
    percent: bool = False

    def limit(self, parsed: int) -> int:
        """How many rejected records drop the file, which is what error_limit shows [frostlake]."""
        if self.mode == "CONTINUE":
            return max(parsed, 1)
        if self.number is None:
            return 1
        if self.percent:
            return max(1, self.number * parsed // 100)
        return self.number


ABORT_STATEMENT = OnError("ABORT_STATEMENT")
SKIP_FILE = OnError("SKIP_FILE")
CONTINUE = OnError("CONTINUE")


@dataclass(frozen=True, slots=True)
class StageReference:
    """``@db.schema.stage/path``: the stage's stored parts, and the path with its slash, or nothing."""

    parts: tuple[str, ...]
    path: str = ""
    text: str = ""

    def prefix(self, stage_path: str) -> str:
        """The key prefix: the stage's own path with this path behind it, one slash between them."""
        if not self.path:
            return stage_path
        return f"{stage_path.rstrip('/')}{self.path}" if stage_path else self.path[1:]


@dataclass(frozen=True, slots=True)
class FormatClause:
    """FILE_FORMAT = (…): a named format's stored parts, and options written beside it or instead of it."""

    name: tuple[str, ...] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CopyStatement:
    """A COPY INTO <table>. Names are stored parts (upper-cased unless quoted); nothing is resolved yet.

    ``select``: the text between SELECT and FROM of a transformation, or None; ``alias``: the stage's in it.
    ``on_error`` None: the default of where it runs (ABORT_STATEMENT in a COPY, SKIP_FILE in a pipe).
    """

    text: str
    table: tuple[str, ...]
    stage: StageReference
    columns: tuple[str, ...] = ()
    select: str | None = None
    alias: str | None = None
    files: tuple[str, ...] | None = None
    pattern: str | None = None
    file_format: FormatClause | None = None
    on_error: OnError | None = None
    size_limit: int | None = None
    purge: bool = False
    return_failed_only: bool = False
    truncate_columns: bool = False
    force: bool = False
    load_uncertain_files: bool = False
    validation_mode: str | None = None
    match_by_column_name: str | None = None
    """CASE_SENSITIVE or CASE_INSENSITIVE."""
    include_metadata: Mapping[str, str] = field(default_factory=dict)
    """The METADATA$ column that fills a column of the table."""
    written: tuple[str, ...] = ()
    """The names of the options that were written."""


def parse_copy(text: str) -> CopyStatement:
    """A COPY INTO <table> statement from its text.

    Raises SnowflakeError: 001003 for what is not a COPY, 001008 for a bad value, 002098 for a SELECT that is
    more than a list of expressions over one stage, "not emulated" for options the sandbox does not have.
    """
    return _Parser(text).statement()


def parse_list(text: str) -> tuple[StageReference, str | None]:
    """The stage and the PATTERN of ``LIST`` or ``REMOVE @stage[/path] [PATTERN = '…']``. Raises 001003."""
    return _Parser(text).listing()


def for_pipe(statement: CopyStatement) -> CopyStatement:
    """The statement, if it may be a pipe's definition. Raises 001008-like errors otherwise [create-pipe]."""
    for name in statement.written:
        if name in NOT_IN_A_PIPE:
            raise SnowflakeError(
                1008,
                "22023",
                f"SQL compilation error:\nCOPY option {name} is not supported in a pipe definition.",
            )
    if statement.on_error == ABORT_STATEMENT:
        raise errors.invalid_value("ABORT_STATEMENT", "ON_ERROR")
    return statement


def on_error_of(value: str, written: str = "") -> OnError:
    """ON_ERROR's value. Raises 001008 for another one, with the text that was written."""
    match = _ON_ERROR.fullmatch(value.upper())
    if match is not None:
        return OnError("SKIP_FILE", None if match[1] is None else int(match[1]), percent=bool(match[2]))
    known = {"CONTINUE": CONTINUE, "ABORT_STATEMENT": ABORT_STATEMENT}
    if value.upper() not in known:
        raise errors.invalid_value(written or value, "ON_ERROR")
    return known[value.upper()]


_STAGE = re.compile(r"""@[^\s()',;"]*(?:"(?:[^"]|"")*"[^\s()',;"]*)*""")
_QUOTED_STAGE = re.compile(r"'@(?:[^'\\]|''|\\.)*'")
_PART = re.compile(r'"((?:[^"]|"")+)"|([A-Za-z_~%][A-Za-z0-9_$]*)')
_ON_ERROR = re.compile(r"SKIP_FILE(?:_(\d+)(%)?)?")
_VALIDATION = re.compile(r"RETURN_(\d+)_ROWS|RETURN_ERRORS|RETURN_ALL_ERRORS")


def parse_stage(text: str) -> StageReference:
    """``@stage/path`` as written (after unquoting). Raises 001003, or not emulated for @~ and @%table."""
    rest = text.removeprefix("@")
    if rest.startswith(("~", "%")):
        raise errors.not_emulated("user and table stages")
    parts: list[str] = []
    while match := _PART.match(rest):
        quoted_part, plain = match.groups()
        parts.append(plain.upper() if quoted_part is None else quoted_part.replace('""', '"'))
        rest = rest[match.end() :]
        if not rest.startswith(".") or len(parts) == 3:
            break
        rest = rest[1:]
    if not parts or (rest and not rest.startswith("/")) or "~" in parts[-1] or "%" in parts[-1]:
        raise errors.syntax_error(f"unexpected '{text}'.")
    return StageReference(tuple(parts), rest, text)


class _Parser:
    """Recursive descent over the statement's tokens."""

    def __init__(self, text: str) -> None:
        self.text = text.strip().rstrip(";").rstrip()
        self.tokens = Tokens(self.text)
        self.found: dict[str, Any] = {}
        self.written: list[str] = []

    def statement(self) -> CopyStatement:
        self.tokens.expect("COPY", "INTO")
        if self.tokens.next.value == "@" or self.tokens.next.kind == "string":
            raise errors.not_emulated("COPY INTO <location>: unloading")
        table = self.tokens.name()
        columns = self._columns()
        self.tokens.expect("FROM")
        if self.tokens.take("("):
            stage, select, alias = self._transformation()
        else:
            stage, select, alias = self._stage(), None, None
            if self.tokens.take("("):
                self._stage_arguments()
        while not self.tokens.at_end:
            self.tokens.take(",")
            self._option()
        if len(self.found.get("files") or ()) > MAX_FILES:
            raise SnowflakeError(
                1003, "42000", f"SQL compilation error:\nFILES takes at most {MAX_FILES} file names."
            )
        self._check_matching(select)
        if select is not None and self.found.get("validation_mode"):
            raise errors.not_emulated("VALIDATION_MODE with a COPY transformation")
        return CopyStatement(
            text=self.text,
            table=table,
            stage=stage,
            columns=columns,
            select=select,
            alias=alias,
            written=tuple(self.written),
            **self.found,
        )

    def _check_matching(self, select: str | None) -> None:
        """MATCH_BY_COLUMN_NAME excludes a SELECT, and INCLUDE_METADATA needs it [copy-into-table]."""
        if self.found.get("match_by_column_name") and select is not None:
            raise SnowflakeError(
                2029,
                "42601",
                "SQL compilation error:\nmatch_by_column_name is not supported with copy transform.",
            )
        if self.found.get("include_metadata") and not self.found.get("match_by_column_name"):
            raise SnowflakeError(
                2029, "42601", "SQL compilation error:\nINCLUDE_METADATA requires MATCH_BY_COLUMN_NAME."
            )

    def listing(self) -> tuple[StageReference, str | None]:
        self.tokens.one_of("LIST", "LS", "REMOVE", "RM")
        stage = self._stage()
        while not self.tokens.at_end:
            self.tokens.expect("PATTERN", "=")
            self.pattern()
        return stage, self.found.get("pattern")

    def _columns(self) -> tuple[str, ...]:
        if not self.tokens.take("("):
            return ()
        columns = [self.tokens.identifier()]
        while self.tokens.take(","):
            columns.append(self.tokens.identifier())
        self.tokens.expect(")")
        return tuple(columns)

    # -- where from --------------------------------------------------------------------------------------

    def _stage(self) -> StageReference:
        """A stage reference: its path is plain text, so it is read from the text and not from tokens."""
        if self.tokens.sees("TABLE", "("):
            raise errors.not_emulated("a COPY from a table function, as of a streaming pipe")
        start = self.tokens.next.start
        quoted_stage = _QUOTED_STAGE.match(self.text, start)
        if quoted_stage is not None:
            self._go_on_at(quoted_stage.end())
            return parse_stage(unescape(quoted_stage.group()[1:-1]))
        match = _STAGE.match(self.text, start)
        if match is None:
            if self.tokens.next.kind == "string":
                raise errors.not_emulated("COPY from a URL without a stage")
            raise self.tokens.error()
        if match.group().upper() == "@IDENTIFIER":
            raise errors.not_emulated("IDENTIFIER of a stage")
        self._go_on_at(match.end())
        return parse_stage(match.group())

    def _go_on_at(self, offset: int) -> None:
        """Go on reading at ``offset``; positions in errors stay those of the whole text."""
        passed = re.sub(r"[^\n]", " ", self.text[:offset])
        self.tokens = Tokens(passed + self.text[offset:])

    def _transformation(self) -> tuple[StageReference, str, str | None]:
        self.tokens.expect("SELECT")
        if self.tokens.sees("DISTINCT"):
            raise errors.not_emulated("DISTINCT in a COPY transformation")
        start = self.tokens.next.start
        depth = 0
        while not (depth == 0 and self.tokens.sees("FROM")):
            if self.tokens.at_end:
                raise self.tokens.error()
            symbol = self.tokens.advance().value
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(symbol, 0)
            if depth < 0:
                raise self.tokens.error()
        select = self.text[start : self.tokens.next.start].strip()
        self.tokens.expect("FROM")
        if self.tokens.sees("TABLE", "("):
            raise errors.not_emulated("a COPY from a table function")
        if self.tokens.next.value != "@" and not self.tokens.next.text.startswith("'@"):
            raise only_simple_select()
        stage = self._stage()
        if self.tokens.take("("):
            self._stage_arguments()
        alias = None
        if self.tokens.take("AS") or not self.tokens.sees(")"):
            if self.tokens.next.kind not in ("word", "quoted") or self.tokens.next.value in _NOT_AN_ALIAS:
                raise only_simple_select()
            alias = self.tokens.identifier()
        if not self.tokens.take(")"):
            raise only_simple_select()
        return stage, select, alias

    def _stage_arguments(self) -> None:
        """``(FILE_FORMAT => 'name', PATTERN => '…')`` behind a stage in a SELECT."""
        while not self.tokens.take(")"):
            self.tokens.take(",")
            argument = self.tokens.one_of("FILE_FORMAT", "PATTERN")
            self.tokens.expect("=>")
            if argument == "PATTERN":
                self.found["pattern"] = options.string(self.tokens)
            else:
                self.found["file_format"] = FormatClause(self._format_name())

    def _format_name(self) -> tuple[str, ...]:
        if self.tokens.next.kind == "string":
            return tuple(names.split(self.tokens.string()))
        return self.tokens.name()

    # -- options -----------------------------------------------------------------------------------------

    def _option(self) -> None:
        token = self.tokens.next
        read = _OPTIONS.get(token.value) if token.kind == "word" else None
        if read is None:
            raise self.tokens.error()
        self.tokens.advance()
        self.tokens.expect("=")
        self.written.append(token.value)
        read(self)

    def files(self) -> None:
        self.found["files"] = tuple(options.strings(self.tokens))

    def pattern(self) -> None:
        self.found["pattern"] = options.string(self.tokens)

    def file_format(self) -> None:
        if not self.tokens.take("("):  # FILE_FORMAT = name, as older statements write it
            self.found["file_format"] = FormatClause(self._format_name())
            return
        name: tuple[str, ...] | None = None
        written: dict[str, Any] = {}
        while not self.tokens.take(")"):
            self.tokens.take(",")
            key = self.tokens.identifier()
            self.tokens.expect("=")
            if key == "FORMAT_NAME":
                name = self._format_name()
            else:
                written[key] = self._value()
        if name is not None and "TYPE" in written:
            raise SnowflakeError(
                1003, "42000", "SQL compilation error:\nFORMAT_NAME and TYPE are mutually exclusive."
            )
        self.found["file_format"] = FormatClause(name, written)

    def _value(self) -> Any:
        """An option's value: string, number, word, or a list of strings."""
        token = self.tokens.next
        if token.kind in ("word", "string", "number", "quoted", "symbol"):
            return options.value(self.tokens)
        raise self.tokens.error()

    def on_error(self) -> None:
        token = self.tokens.next
        self.found["on_error"] = on_error_of(str(self._value()), token.text)

    def size_limit(self) -> None:
        number = self.tokens.number()
        if not number.isdigit():
            raise errors.invalid_value(number, "SIZE_LIMIT")
        self.found["size_limit"] = int(number)

    def validation_mode(self) -> None:
        value = str(self._value()).upper()
        if not _VALIDATION.fullmatch(value):
            raise errors.invalid_value(value, "VALIDATION_MODE")
        self.found["validation_mode"] = value

    def purge(self) -> None:
        self.found["purge"] = self.tokens.boolean()
        if not self.found["purge"]:
            self.written.remove("PURGE")

    def enforce_length(self) -> None:
        self.found["truncate_columns"] = not self.tokens.boolean()

    def truncate_columns(self) -> None:
        self.found["truncate_columns"] = self.tokens.boolean()

    def force(self) -> None:
        self.found["force"] = self.tokens.boolean()
        if not self.found["force"]:
            self.written.remove("FORCE")

    def load_uncertain_files(self) -> None:
        self.found["load_uncertain_files"] = self.tokens.boolean()

    def return_failed_only(self) -> None:
        self.found["return_failed_only"] = self.tokens.boolean()

    def match_by_column_name(self) -> None:
        value = str(self._value()).upper()
        if value not in ("NONE", "CASE_SENSITIVE", "CASE_INSENSITIVE"):
            raise errors.invalid_value(value, "MATCH_BY_COLUMN_NAME")
        self.found["match_by_column_name"] = None if value == "NONE" else value

    def include_metadata(self) -> None:
        self.tokens.expect("(")
        found: dict[str, str] = {}
        while not self.tokens.take(")"):
            self.tokens.take(",")
            column = self.tokens.identifier()
            self.tokens.expect("=")
            found[column] = self.tokens.identifier()
        self.found["include_metadata"] = found

    def load_mode(self) -> None:
        if str(self._value()).upper() != "FULL_INGEST":
            raise errors.not_emulated("LOAD_MODE")


_NOT_AN_ALIAS = (
    "WHERE",
    "JOIN",
    "INNER",
    "LEFT",
    "RIGHT",
    "FULL",
    "CROSS",
    "NATURAL",
    "LATERAL",
    "GROUP",
    "ORDER",
    "HAVING",
    "LIMIT",
    "QUALIFY",
    "UNION",
    "SAMPLE",
)


def only_simple_select() -> SnowflakeError:
    """002098 (0A000): a transformation with WHERE, JOIN, LIMIT, a subquery… (text seen in public reports)."""
    return SnowflakeError(
        2098,
        "0A000",
        "SQL compilation error:\n"
        "COPY statement only supports simple SELECT from stage statements for import.",
    )


_OPTIONS: dict[str, Callable[[_Parser], None]] = {
    "FILES": _Parser.files,
    "PATTERN": _Parser.pattern,
    "FILE_FORMAT": _Parser.file_format,
    "ON_ERROR": _Parser.on_error,
    "SIZE_LIMIT": _Parser.size_limit,
    "VALIDATION_MODE": _Parser.validation_mode,
    "PURGE": _Parser.purge,
    "ENFORCE_LENGTH": _Parser.enforce_length,
    "TRUNCATECOLUMNS": _Parser.truncate_columns,
    "FORCE": _Parser.force,
    "LOAD_UNCERTAIN_FILES": _Parser.load_uncertain_files,
    "RETURN_FAILED_ONLY": _Parser.return_failed_only,
    "MATCH_BY_COLUMN_NAME": _Parser.match_by_column_name,
    "INCLUDE_METADATA": _Parser.include_metadata,
    "LOAD_MODE": _Parser.load_mode,
}
