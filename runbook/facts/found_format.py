"""The file format a found pipe reads by: named, stated in its COPY, or written on its stage. Only reads."""

from dataclasses import dataclass, field

from runbook.clouds.reader import Reader
from runbook.errors import CannotTell
from runbook.facts.copy_statement import CopyStatement, read
from runbook.facts.snowflake import ask
from runbook.settings import Identifier, QualifiedName
from runbook.sql import Keyword


@dataclass(frozen=True)
class Format:
    """What counts for a pipe. ``name``: of a named format, whose options can be altered behind its back."""

    name: QualifiedName | None = None
    options: dict[str, str] = field(default_factory=dict)

    @property
    def file_type(self) -> str:
        """``CSV``, ``JSON``, …: CSV where nothing is stated, as Snowflake has it."""
        return self.options.get("TYPE", "").upper() or "CSV"

    @property
    def watched(self) -> dict[str, str]:
        """The named format's options; nothing where none is named."""
        return self.options if self.name else {}


def format_of(reader: Reader, copy: CopyStatement, stage: QualifiedName) -> Format:
    """What a COPY reads its files as. Raises CannotTell naming the right that is missing."""
    on_stage = {} if copy.states_a_format else format_on_stage(reader, stage)
    name = copy.file_format
    if on_stages := on_stage.get("FORMAT_NAME", "").replace('\\"', '"'):  # as DESC writes quotes
        text = f"COPY INTO x FROM @x FILE_FORMAT = {on_stages}"
        name = read(text, stage.database, stage.schema).file_format
    return (
        Format(name, described(reader, "file format", name))
        if name
        else Format(None, {**on_stage, **copy.options})
    )


def format_on_stage(reader: Reader, stage: QualifiedName) -> dict[str, str]:
    """The file format written on a stage, which counts where the COPY states none.

    Source: https://docs.snowflake.com/en/sql-reference/sql/copy-into-table
    """
    name = stage.sql
    rows = ask(lambda: reader.sql(f"DESC STAGE {name}"), f"The stage {name}", f"USAGE on stage {name}")
    return {
        str(row["property"]): str(row["property_value"])
        for row in rows or ()
        if row["parent_property"] == "STAGE_FILE_FORMAT"
    }


def described(reader: Reader, kind: str, name: Identifier | QualifiedName) -> dict[str, str]:
    """The properties of an integration or a file format. Raises CannotTell for a missing right."""
    what, right = f"The {kind} {name.sql}", f"USAGE on {kind} {name.sql}"
    rows = ask(lambda: reader.sql(f"DESC {Keyword(kind.upper()).sql} {name.sql}"), what, right)
    if rows is None:
        raise CannotTell(
            f"{what} cannot be seen",
            why="it was dropped, or our role may not see it",
            remedy=f"grant the role {right}",
            missing_right=right,
        )
    return {str(row["property"]): str(row["property_value"] or "") for row in rows}
