"""What is wrong with a record, or with a whole file, in the words and numbers of COPY.

Sources: sources: Snowflake §1.6 and §1.7; [frostlake] = https://github.com/mlorek/frostlake, whose COPY tests
quote what a live account answered (CopyColumnCountTest, CopyDataSemanticsTest); [utf8] = public reports of
``Invalid UTF8 detected in string '...0xA0'``; [lob] =
https://docs.snowflake.com/en/release-notes/bcr-bundles/2024_08/bcr-1779 (too large a document or field).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from snowpipe_sandbox.snowflake.errors import SnowflakeError

MAX_VARCHAR = 16_777_216
MAX_VARIANT = 134_217_728

ADVICE = (
    "If you would like to continue loading when an error is encountered, use other values such as "
    "'SKIP_FILE' or 'CONTINUE' for the ON_ERROR option. For more information on loading options, please run "
    "'info loading_data' in a SQL client."
)


@dataclass(frozen=True, slots=True)
class RecordError:
    """One record COPY rejects. Lines, characters, rows and columns count from 1, ``byte_offset`` from 0.

    ``column``: the 1-based position among the columns of the table (or of the $n read); the COPY puts the
    table's and column's names to it.
    """

    message: str
    code: int
    sql_state: str
    category: str
    line: int
    character: int
    byte_offset: int
    row_number: int
    row_start_line: int
    column: int | None = None
    rejected_record: str | None = None

    def named(self, table: str, columns: list[str]) -> RecordError:
        """The same error with the column's name written into the message where Snowflake writes it."""
        label = column_label(table, columns, self.column)
        return replace(self, message=self.message.replace("{column}", label))


@dataclass(slots=True)
class FileError(Exception):
    """A file that cannot be read as a whole: gone, refused, or broken on the way."""

    message: str
    code: int
    sql_state: str = "22000"

    def __str__(self) -> str:
        return self.message


def column_label(table: str, columns: list[str], column: int | None) -> str:
    """``"EVENTS"["APP_ID":1]``, or ``"EVENTS"[132]`` past the table's last column [frostlake]."""
    if column is None:
        return f'"{table}"'
    if column > len(columns):
        return f'"{table}"[{column}]'
    return f'"{table}"["{columns[column - 1]}":{column}]'


def statement_error(error: RecordError, file: str, column_name: str) -> SnowflakeError:
    """The error of a COPY that ON_ERROR = ABORT_STATEMENT stops at this record [frostlake]."""
    started = "" if error.line == error.row_start_line else f" starts at line {error.row_start_line}"
    return SnowflakeError(
        error.code,
        error.sql_state,
        f"{error.message}\n  File '{file}', line {error.line}, character {error.character}\n"
        f"  Row {error.row_number}{started}, column {column_name}\n  {ADVICE}",
    )


def column_count(fields: int, columns: int) -> tuple[str, int, str]:
    """The first record of a file has another number of fields than the table has columns."""
    return (
        f"Number of columns in file ({fields}) does not match that of the corresponding table ({columns}), "
        "use file format option error_on_column_count_mismatch=false to ignore this error",
        100080,
        "22000",
    )


def surplus_delimiter(field_delimiter: str, record_delimiter: str) -> tuple[str, int, str]:
    """A later record has too many fields."""
    shown = _shown(record_delimiter)
    return (
        f"Field delimiter '{_shown(field_delimiter)}' found while expecting record delimiter '{shown}'",
        100016,
        "22000",
    )


def end_of_record() -> tuple[str, int, str]:
    """A later record has too few fields; ``{column}`` is named by the COPY."""
    return "End of record reached while expected to parse column '{column}'", 100068, "22000"


def after_enclosure(character: str, delimiter: str, kind: str) -> tuple[str, int, str]:
    """Text between a closing enclosure and the delimiter; ``kind`` is "field" or "record"."""
    return f"Found character '{character}' instead of {kind} delimiter '{_shown(delimiter)}'", 100016, "22000"


def open_enclosure(enclosure: str) -> tuple[str, int, str]:
    """The file, or the line of a MULTI_LINE = FALSE file, ends inside an enclosed field."""
    return f"matching enclosing character '{enclosure}' not found before end of file", 100016, "22000"


def invalid_utf8(value: bytes) -> tuple[str, int, str]:
    """A field that is not UTF-8; the broken bytes are shown as 0xHH [utf8]."""
    shown = value.decode("utf-8", "surrogateescape")
    text = "".join(f"0x{ord(c) - 0xDC00:02X}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in shown)
    return f"Invalid UTF8 detected in string '{text}'", 100144, "22000"


def too_large_field(size: int) -> tuple[str, int, str]:
    """A field larger than a VARCHAR may be [lob]."""
    return (
        f"Max LOB size ({MAX_VARCHAR}) exceeded, actual size of parsed column is {size}",
        100082,
        "22000",
    )


def json_error(detail: str) -> tuple[str, int, str]:
    """A document that is not JSON."""
    return f"Error parsing JSON: {detail}", 100069, "22P02"


def not_decompressed(file: str, compression: str, cause: str) -> FileError:
    """A file that is not what its compression says (text seen in PeerDB-io/peerdb#3137).

    The number is not in any source found; 100142 stands for it.
    """
    return FileError(
        f"Invalid data encountered during decompression for file: '{file}',"
        f"compression type used: '{compression}', cause: '{cause}'",
        100142,
    )


def remote_file_missing(file: str) -> FileError:
    """A file that is gone, as ``first_error`` reports it [frostlake]; number 091016 (sources §1.7)."""
    return FileError(
        f"Remote file '{file}' was not found. There are several potential causes. The file might not exist. "
        "The required credentials may be missing or invalid. If you are running a copy command, please make "
        "sure files are not deleted when they are being loaded or files are not being loaded into two "
        "different tables concurrently with auto purge option.",
        91016,
    )


def access_denied(file: str) -> FileError:
    """A file S3 will not give: KMS or GetObject denied (sources: Snowflake §5.2 row 8)."""
    return FileError(
        f"Failed to access remote file: access denied. Please check your credentials (file '{file}')", 91003
    )


def _shown(delimiter: str) -> str:
    return delimiter.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
