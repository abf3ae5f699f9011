"""Step 4, Snowflake: file formats, tables, stages, pipes and grants, for every stream.

Documented as: create the stage using the storage integration, create the Snowpipe, alter the
permissions on it, retrieve its SQS queue. Creating a pipe is the first statement for which
Snowflake really assumes the role, so this step needs step 3.
"""

from collections.abc import Iterator

from runbook.errors import Blocked, Refused
from runbook.facts import Facts
from runbook.facts.left_over import is_ours, under_another_name
from runbook.facts.ours import MARK, marked
from runbook.facts.snowflake import ORPHANED_STAGE
from runbook.kinds import kind_of
from runbook.plan import Change, SqlChange
from runbook.remedy import invoke
from runbook.settings import Identifier, Stream
from runbook.sql import rendered
from runbook.steps.owners import refuse_another_owners
from runbook.wanted.grants import Grant, loader_grants, missing_grants, operator_grants
from runbook.wanted.pipeline import missing_columns, sql_file

FOLDER = "step4_snowflake"
STEP_3, TERRAFORM = "invoke step3-aws", "`invoke tfvars`, terraform -chdir=terraform apply"


def plan(facts: Facts) -> Iterator[Change]:
    """Create what is missing, alter what has drifted, replace nothing."""
    if facts.integration is None:
        raise Blocked("There is no integration for the stages", by_step=2, remedy="invoke step2-snowflake")
    if not facts.schema_exists:
        yield SqlChange(
            f"{FOLDER}/10_schema.sql",
            rendered(f"{FOLDER}/10_schema.sql", facts.settings),
            "the schema does not exist",
        )
    for stream in facts.settings.streams:
        yield from _data(facts, stream)
    for stream in facts.settings.streams:
        yield from _pipe(facts, stream)


def refuse_others(facts: Facts) -> None:
    """Raises Refused where a stage, table or pipe of ours is there, and is not what the settings say."""
    for stream in facts.settings.streams:
        _no_second_pipe(facts, stream)
        _table(facts, stream)
        if facts.stage(stream) is not None:
            _on_the_folder(facts, stream)
            _stage(facts, stream, listed=False)


def _data(facts: Facts, stream: Stream) -> Iterator[Change]:
    """What the pipe of a stream stands on."""
    if why := _format(facts, stream):
        if facts.file_format(stream) is not None:
            _refuse_another_owners(facts, "FILE FORMAT", stream.file_format.sql, why)
        yield _file(facts, stream, "file_format", why)
    if why := _table(facts, stream):
        yield _file(facts, stream, "table", why)
    if why := _stage(facts, stream):
        if facts.stage(stream) is not None:
            _refuse_another_owners(facts, "STAGE", stream.stage.sql, why)
        yield _named(facts, stream, "40_stage.sql", why)
    loader = facts.settings.snowflake.loader_role
    if missing := _missing(facts, loader, loader_grants(stream)):
        yield _named(facts, stream, "50_loader_rights.sql", f"{loader} lacks {_list(missing)}")


def _missing(facts: Facts, role: Identifier, wanted: tuple[Grant, ...]) -> list[str]:
    """What the role lacks; raises Refused where the owner role may not grant it."""
    held, found = facts.grants_to(role), []
    for grant in wanted:
        if lacked := missing_grants(held, (grant,)):
            found += lacked
            if _is_anothers_to_grant(facts, grant):
                _refuse_another_owners(
                    facts, grant.on, grant.name, f"{role} lacks {lacked[0]}", to="grant it"
                )
    return found


def _is_anothers_to_grant(facts: Facts, grant: Grant) -> bool:
    """Whether another role owns the object, and ours may not grant in its place; pipes are the loader's."""
    owner_role = facts.settings.snowflake.owner_role
    return (
        grant.on != "PIPE"
        and facts.schema_exists
        and bool(facts.other_owner(grant.on, grant.name, owner_role))
        and not facts.may_hand_on(grant, owner_role)
    )


def _refuse_another_owners(facts: Facts, kind: str, name: str, why: str, to: str = "alter it") -> None:
    role = facts.settings.snowflake.owner_role
    refuse_another_owners(facts, kind, name, role, why=why, number=4, to=to)


def _pipe(facts: Facts, stream: Stream) -> Iterator[Change]:
    have = facts.pipe(stream)
    if have is None:
        _no_second_pipe(facts, stream)
        _role_can_be_assumed(facts)
        yield _file(facts, stream, "pipe", "the pipe does not exist")
    elif (pause := facts.pause(stream)) and pause.paused and pause.level == "PIPE":
        if not (is_ours(have.comment) or facts.adopt):
            raise Refused(
                f"The pipe {stream.pipe} was not made by this project, and somebody has paused it",
                remedy=f"invoke resume --stream {stream.name}",
            )
        yield _named(facts, stream, "70_resume.sql", "the pipe is paused")
    operator = facts.settings.snowflake.operator_role
    if missing := _missing(facts, operator, operator_grants(facts.settings, stream)):
        yield _named(facts, stream, "80_operator_rights.sql", f"{operator} lacks {_list(missing)}")


def _no_second_pipe(facts: Facts, stream: Stream) -> None:
    """Raises Refused where a pipe of ours loads the folder into the table already, under another name."""
    if others := under_another_name(facts, stream):
        raise Refused(
            f"The pipe {others[0]} of this installation loads {stream.url} into {stream.table} already",
            why=f"beside it {stream.pipe} would load every file a second time",
            remedy=f"correct streams.{stream.name}.pipe in the settings; to rename a pipe, the old one "
            "goes first (docs/rename.md)",
        )


def _role_can_be_assumed(facts: Facts) -> None:
    """Snowflake refuses an auto-ingest pipe (3167) before step 3; say so before it does."""
    if facts.entry is not None and not facts.entry.succeeded:
        raise Blocked(
            f"Snowflake cannot read the bucket yet, and creates no pipe before ({facts.entry.message})",
            by_step=3,
            remedy=STEP_3 if facts.settings.aws.managed_by == "runbook" else TERRAFORM,
        )


def _format(facts: Facts, stream: Stream) -> str:
    have = facts.file_format(stream)
    if have is None:
        return "the file format does not exist"
    wrong = [name for name, value in kind_of(stream).FORMAT.items() if have.options.get(name, value) != value]
    if not wrong:
        return ""
    why = f"{', '.join(wrong)} of the file format differ"
    if not facts.adopt and stream.file_format.name not in marked(facts.reader, "file_format"):
        raise _theirs(f"The file format {stream.file_format}", why, f"snowflake.file_format_{stream.kind}")
    return why


def _table(facts: Facts, stream: Stream) -> str:
    have = facts.table(stream)
    if have is None:
        return "the table does not exist"
    if missing := missing_columns(have.names, stream):
        raise Refused(
            f"The table {stream.table} has no column {', '.join(missing)}",
            why="a table that exists is never altered by a step: other people may read it",
            remedy=f"add the columns, or set another table for streams.{stream.name}.table",
        )
    return ""


def _stage(facts: Facts, stream: Stream, *, listed: bool = True) -> str:
    have = facts.stage(stream)
    if have is None:
        return "the stage does not exist"
    _on_the_folder(facts, stream)
    why = ""
    if have.integration != facts.settings.snowflake.integration:
        why = f"the stage is on the integration {have.integration or 'none'}"
    elif listed and _is_orphaned(facts, stream):
        why = "the integration the stage was made on has been replaced"
    if why and not (facts.adopt or is_ours(have.comment)):
        raise _theirs(f"The stage {stream.stage}", why, f"streams.{stream.name}.stage")
    return why


def _is_orphaned(facts: Facts, stream: Stream) -> bool:
    listing = facts.listing(stream)
    return bool(listing and listing.error and listing.error.errno == ORPHANED_STAGE)


def _theirs(what: str, why: str, setting: str) -> Refused:
    """What others made is altered only with --adopt; it keeps its comment, so `invoke down` leaves it."""
    adopting = invoke("step4-snowflake", "--adopt")
    return Refused(
        f"{what} was not made by this project, and is not what is wanted",
        why=f"{why}. Its comment does not end in {MARK}",
        remedy=f"{adopting} alters it; or set {setting} to a new name",
        adopts=adopting,
    )


def _on_the_folder(facts: Facts, stream: Stream) -> None:
    have = facts.stage(stream)
    if have is not None and have.url != stream.url:
        raise Refused(
            f"The stage {stream.stage} is on {have.url}, not on {stream.url}",
            why="changing a stage's URL stops its pipe for good, and a new pipe knows no loaded file",
            remedy=f"set streams.{stream.name}.stage and .pipe to new names (docs/runbook.md#moving), "
            "or correct the prefix",
        )


def _file(facts: Facts, stream: Stream, what: str, why: str) -> SqlChange:
    return _named(facts, stream, sql_file(stream, what).removeprefix(f"{FOLDER}/"), why)


def _named(facts: Facts, stream: Stream, name: str, why: str) -> SqlChange:
    path = f"{FOLDER}/{name}"
    return SqlChange(path, rendered(path, facts.settings, stream), f"{stream.name}: {why}", stream.name)


def _list(missing: list[str]) -> str:
    return missing[0] + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
