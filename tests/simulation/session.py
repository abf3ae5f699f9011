"""The world's answers to the statements the product sends, as a connection of the connector would give them.

What it does not know it refuses: a statement the model has no rule for fails the test that sends it.
"""

import json
import re
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import cache
from typing import Any

from snowflake.connector.errors import NotSupportedError, ProgrammingError

from runbook.clouds.connections import Clouds
from runbook.clouds.failures import AwsFailed
from runbook.loading.loader import IN_PROGRESS
from runbook.settings import Settings, Stream
from tests.simulation.world import Attempt, Refusal, Row, Staged, World

NAMES = re.compile(r"'((?:[^'\\]|''|\\.)*)'")


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


def texts(statement: str) -> list[str]:
    """The string literals of a statement, unescaped."""
    return [found.replace("''", "'").replace("\\\\", "\\") for found in NAMES.findall(statement)]


class Killed(BaseException):
    """The command's process is gone."""


class Answer:
    """Columns and rows."""

    def __init__(self, columns: str, rows: list[tuple[Any, ...]]) -> None:
        self.columns = columns.split()
        self.rows = rows


DONE = Answer("status", [("Statement executed successfully.",)])


class Session:
    """One Snowflake session: what it says is done to the world at once, but inside a transaction."""

    def __init__(self, world: World, stream: Stream) -> None:
        self.world = world
        self.stream = stream
        self.table = re.escape(stream.table.sql)
        self.pipe = re.escape(stream.pipe.sql)
        self.has_file = True
        self.who = "our"
        self._in_transaction = False
        self._gone: list[Row] = []
        self._staged: list[Staged] = []
        self.rules: list[tuple[re.Pattern[str], Callable[[str, re.Match[str]], Answer]]] = [
            (compiled(pattern), answer) for pattern, answer in self._rules()
        ]

    def _rules(self) -> list[tuple[str, Callable[[str, re.Match[str]], Answer]]]:
        table, pipe = self.table, self.pipe
        return [
            (r"USE (ROLE|SCHEMA) ", lambda *_: DONE),
            (r"SELECT SYSDATE\(\)", lambda *_: Answer("now", [(self.world.now.replace(tzinfo=None),)])),
            (r"SHOW PIPES IN SCHEMA ", self._pipes),
            (r"SELECT SYSTEM\$PIPE_STATUS\(", self._status),
            (r"SELECT SYSTEM\$PIPE_FORCE_RESUME\(", self._force),
            (r"SHOW PARAMETERS (LIKE .*)?IN PIPE ", self._parameters),
            (r"SHOW GRANTS ON PIPE ", self._grants),
            (r"SHOW GRANTS TO ROLE ", self._held),
            (r"SELECT GET_DDL\('PIPE', ", self._ddl),
            (r"LIST @", self._list),
            (r"LIST '@[^/]*/(.*)'$", self._list_below),
            (r"DESC TABLE ", self._columns),
            (r"SHOW TABLES LIKE ", self._tables),
            (r"SELECT COUNT\(\*\) AS n FROM TABLE\(.*Load in progress", self._in_progress),
            (r"SELECT file_name, .*INFORMATION_SCHEMA\.COPY_HISTORY\(", self._recent),
            (r"SELECT file_name, .*ACCOUNT_USAGE\.COPY_HISTORY", self._account),
            (rf"SELECT COUNT\(\*\) AS n FROM {table}$", self._count),
            (rf"SELECT _file AS f, .* FROM {table} WHERE (_file IN|_file IS NOT NULL)", self._by_file),
            (rf"SELECT COUNT\(event_id\).* FROM {table} WHERE _file >=", self._repeated),
            (
                rf"ALTER PIPE {pipe} REFRESH( PREFIX = ('(?:[^']|'')*'))?( MODIFIED_AFTER = '(.*?)')?$",
                self._refresh,
            ),
            (rf"ALTER PIPE {pipe} (SET|UNSET) (.*)", self._alter),
            (r"CREATE FILE FORMAT (\S+) TYPE = CSV COMMENT = ('.*')$", self._lease),
            (r"SHOW FILE FORMATS LIKE ", self._leases),
            (r"DROP FILE FORMAT IF EXISTS (\S+)$", self._lease_gone),
            (r"EXECUTE IMMEDIATE ('.*')$", self._block),
            (rf"CREATE OR REPLACE PIPE {pipe}(.*?)\nAS\n(.*)", self._create),
            (rf"GRANT (.*) ON PIPE {pipe} TO (ROLE) (\w+)( WITH GRANT OPTION)?$", self._grant),
            (r"BEGIN$", self._begin),
            (r"(COMMIT|ROLLBACK)$", self._end),
            (rf"DELETE FROM {table} WHERE _file = ", self._delete),
            (rf"COPY INTO {table} ", self._copy),
        ]

    def execute(self, statement: str) -> Answer:
        """Run one statement; raises ProgrammingError as Snowflake refuses."""
        self.world.tick(statement)
        for pattern, answer in self.rules:
            if found := pattern.match(statement.strip()):
                try:
                    return answer(statement, found)
                except Refusal as refused:
                    raise ProgrammingError(msg=str(refused), errno=refused.errno, sqlstate="55000") from None
        raise AssertionError(f"the model does not know this statement: {statement}")

    def copied(self, world: World) -> "Session":
        """The same session with a copy of its world."""
        other = Session(world, self.stream)
        other.has_file, other.who, other._in_transaction = self.has_file, self.who, self._in_transaction
        other._gone, other._staged = list(self._gone), list(self._staged)
        if self.world.lock is self:
            world.lock = other
        return other

    def close(self) -> None:
        """The session is gone, and its transaction with it."""
        self._in_transaction, self._gone, self._staged = False, [], []
        if self.world.lock is self:
            self.world.lock = None

    def waits(self, statement: str) -> bool:
        """Whether another session's transaction holds what the statement changes."""
        changes = statement.lstrip().startswith(("DELETE", "COPY"))
        return changes and self.world.lock not in (None, self)

    # -- reading ---------------------------------------------------------------------------------------

    def _pipes(self, *_: Any) -> Answer:
        pipe = self.world.pipe
        return Answer(
            "created_on name definition owner notification_channel invalid_reason comment",
            [
                (
                    pipe.created_on,
                    str(self.stream.pipe.name),
                    pipe.definition,
                    pipe.owner,
                    pipe.queue,
                    None,
                    pipe.comment,
                )
            ],
        )

    def _status(self, *_: Any) -> Answer:
        self.world.drop_old()
        pipe = self.world.pipe
        waiting = {**pipe.loading, **pipe.pending}
        shown: dict[str, Any] = {"executionState": pipe.state, "pendingFileCount": len(waiting)}
        if pipe.state == "STALLED_COMPILATION_ERROR":
            shown["error"] = (
                f"SQL compilation error:\nStage '{pipe.misses}' does not exist or not authorized."
            )
        if waiting:
            shown["oldestFileTimestamp"] = _iso(min(waiting.values()))
        if pipe.last_ingested:
            shown["lastIngestedTimestamp"] = _iso(pipe.last_ingested)
        return Answer("status", [(json.dumps(shown),)])

    def _parameters(self, statement: str, *_: Any) -> Answer:
        own = self.world.pipe.parameters
        rows = [
            (key, own.get(key, default).lower().strip("'"), "PIPE" if key in own else "", kind)
            for key, default, kind in (
                ("LOG_EVENT_LEVEL", "OFF", "STRING"),
                ("PIPE_EXECUTION_PAUSED", "FALSE", "BOOLEAN"),
            )
            if " LIKE " not in statement or key in statement
        ]
        return Answer("key value level type", rows)

    def _grants(self, *_: Any) -> Answer:
        pipe = self.world.pipe
        rows = [
            (privilege, to, role, str(option).lower()) for to, role, privilege, option in sorted(pipe.grants)
        ]
        rows.append(("OWNERSHIP", "ROLE", pipe.owner, "true"))
        return Answer("privilege granted_to grantee_name grant_option", rows)

    def _ddl(self, *_: Any) -> Answer:
        text = (
            f"create or replace pipe {self.stream.pipe.sql} auto_ingest=true as {self.world.pipe.definition};"
        )
        return Answer("ddl", [(text,)])

    def _list(self, *_: Any) -> Answer:
        start = f"s3://{self.stream.bucket}/"
        rows = [
            (start + found.key, found.size, found.etag, format_datetime(found.modified, usegmt=True))
            for found in self.world.bucket.values()
        ]
        return Answer("name size md5 last_modified", rows)

    def _list_below(self, _: str, found: re.Match[str]) -> Answer:
        start = f"s3://{self.stream.bucket}/{self.stream.prefix}{found[1]}"
        every = self._list()
        return Answer(" ".join(every.columns), [row for row in every.rows if row[0].startswith(start)])

    def _columns(self, *_: Any) -> Answer:
        extra = ["_FILE", "_FILE_ROW", "_LOADED_AT"] if self.has_file else []
        return Answer("name type", [(name, "VARCHAR") for name in ["EVENT_ID", *extra]])

    def _held(self, *_: Any) -> Answer:
        return Answer("privilege granted_on name", [("INSERT", "TABLE", self.stream.table.sql)])

    def _tables(self, *_: Any) -> Answer:
        return Answer("created_on name", [(self.world.table.created_on, str(self.stream.table.name))])

    def _count(self, *_: Any) -> Answer:
        return Answer("n", [(len(self.world.table.rows),)])

    def _by_file(self, statement: str, found: re.Match[str]) -> Answer:
        keys = set(texts(statement)) if found[1] == "_file IN" else None
        by_file: dict[str, list[Row]] = {}
        for row in self.world.table.rows:
            if keys is None or row.file in keys:
                by_file.setdefault(row.file, []).append(row)
        rows = [
            (
                file,
                len(each),
                max(row.read_at for row in each).replace(tzinfo=None),
                len(each) - len({row.number for row in each}),
                0,
            )
            for file, each in by_file.items()
        ]
        assert statement.count(" AS ") == 5
        return Answer("f n t twice misread", rows)

    def _repeated(self, statement: str, *_: Any) -> Answer:
        first, last = texts(statement)
        rows = [row for row in self.world.table.rows if first <= row.file <= last]
        events = len(rows) - len({row.value for row in rows})
        places = len(rows) - len({(row.file, row.number) for row in rows})
        return Answer("e p", [(events, places)])

    def _in_progress(self, *_: Any) -> Answer:
        return Answer("n", [(len(self.world.pipe.loading),)])

    HISTORY = (
        "file_name stage_location status last_load_time row_count row_parsed error_count "
        "first_error_message pipe_catalog_name pipe_schema_name pipe_name"
    )

    def _recent(self, statement: str, *_: Any) -> Answer:
        minutes = re.findall(r"DATEADD\('minute', (-\d+), CURRENT_TIMESTAMP\(\)\)", statement)
        if minutes:
            since = self.world.now + timedelta(minutes=int(minutes[0]))
        else:
            since = datetime.fromisoformat(texts(statement)[1])
        return Answer(
            self.HISTORY, [self._attempt(row) for row in self.world.recent() if row.ended_at >= since]
        )

    def _account(self, *_: Any) -> Answer:
        return Answer(self.HISTORY, [self._attempt(row) for row in self.world.account()])

    def _attempt(self, row: Attempt) -> tuple[Any, ...]:
        pipe = str(self.stream.pipe.name) if row.pipe else None
        name = row.key.removeprefix(self.stream.prefix)
        under_way = row.status.upper().replace(" ", "_") == IN_PROGRESS
        return (
            name,
            self.stream.url,
            row.status,
            None if under_way else row.ended_at,
            row.rows,
            row.parsed,
            int(bool(row.error)),
            row.error or None,
            None,
            None,
            pipe,
        )

    # -- leases ----------------------------------------------------------------------------------------

    def _lease(self, _: str, found: re.Match[str]) -> Answer:
        self.world.leases[found[1]] = (self.world.now, texts(found[2])[0])
        return DONE

    def _leases(self, *_: Any) -> Answer:
        rows = [
            (made, *name.split("."), comment) for name, (made, comment) in sorted(self.world.leases.items())
        ]
        return Answer("created_on database_name schema_name name comment", rows)

    def _lease_gone(self, _: str, found: re.Match[str]) -> Answer:
        self.world.leases.pop(found[1], None)
        return DONE

    def _block(self, _: str, found: re.Match[str]) -> Answer:
        """A block as the product writes them: each statement only before a time."""
        (text,) = texts(found[1])
        for until, statement in re.findall(
            r"IF \(SYSDATE\(\) >= '(.*?)'::TIMESTAMP_NTZ\) THEN RETURN 'too late'; END IF;\n(.*?);\n", text
        ):
            if self.world.now.replace(tzinfo=None) >= datetime.fromisoformat(until):
                return Answer("block", [("too late",)])
            self.execute(statement)
        return Answer("block", [("done",)])

    # -- writing ---------------------------------------------------------------------------------------

    def _refresh(self, _: str, found: re.Match[str]) -> Answer:
        prefix = texts(found[2])[0] if found[2] else ""
        after = datetime.fromisoformat(found[4]) if found[4] else None
        sent = self.world.refresh(prefix, after, by=self.who)
        return Answer("File Status", [(key, "SENT") for key in sent])

    def _alter(self, _: str, found: re.Match[str]) -> Answer:
        pipe, rest = self.world.pipe, found[2]
        if found[1] == "UNSET":
            if rest == "COMMENT":
                pipe.comment = ""
            elif rest == "PIPE_EXECUTION_PAUSED":
                self.world.set_paused(None)
            else:
                raise Refusal(1420, f"invalid property {rest}")
            return DONE
        parts = re.findall(r"(\w+) = (TRUE|FALSE|'(?:[^'\\]|''|\\.)*')", rest)
        assert " ".join(f"{name} = {value}" for name, value in parts) == rest, rest
        for name, value in parts:
            if name == "PIPE_EXECUTION_PAUSED":
                self.world.set_paused(value)
            elif name == "COMMENT":
                pipe.comment = texts(value)[0]
            else:
                pipe.parameters[name] = value
        return DONE

    def _force(self, statement: str, *_: Any) -> Answer:
        flags = texts(statement)[1].upper() if len(texts(statement)) > 1 else "OWNERSHIP"
        pipe, world = self.world.pipe, self.world
        stale = pipe.paused_since and world.now - pipe.paused_since > timedelta(days=14)
        if stale and "STALENESS_CHECK_OVERRIDE" not in flags:
            raise Refusal(3194, "Pipe is stale")
        world.force_resume()
        return Answer("r", [("done",)])

    def _create(self, _: str, found: re.Match[str]) -> Answer:
        comment = re.search(r"COMMENT = ('(?:[^'\\]|''|\\.)*')", found[1], re.DOTALL)
        self.world.replace_pipe(found[2], comment=texts(comment[1])[0] if comment else "")
        return DONE

    def _grant(self, _: str, found: re.Match[str]) -> Answer:
        self.world.pipe.grants |= {
            (found[2], found[3], privilege.strip(), bool(found[4])) for privilege in found[1].split(",")
        }
        return DONE

    def _begin(self, *_: Any) -> Answer:
        self._in_transaction = True
        return DONE

    def _delete(self, statement: str, _: Any) -> Answer:
        (key,) = texts(statement)
        self.world.lock = self
        gone = [row for row in self.world.table.rows if row.file == key]
        self._gone += gone
        return Answer("deleted", [(len(gone),)])

    def _copy(self, statement: str, _: Any) -> Answer:
        listed = re.search(r"FILES = \((.*?)\)(\n|$)", statement, re.DOTALL)
        if listed:
            keys = [self.stream.prefix + name for name in texts(listed[1])]
        else:
            keys = sorted(self.world.bucket)
        options = statement[listed.end() :] if listed else ""

        def work() -> list[tuple[str, str]]:
            return self.world.copy(
                keys,
                force="FORCE = TRUE" in options,
                uncertain="LOAD_UNCERTAIN_FILES = TRUE" in options,
                by=self.who,
                gone=self._gone,
            )

        if self._in_transaction:
            self._staged.append(self.world.replaced_rows(self._gone, work))
            said = self._staged[-1].said
        else:
            said = work()
        if not said:
            return Answer("status", [("Copy executed with 0 files processed.",)])
        errors = {"LOAD_FAILED": "not a gzip file", "LOAD_SKIPPED": "File was loaded before."}
        return Answer(
            "file status first_error",
            [(f"s3://{self.stream.bucket}/{key}", status, errors.get(status)) for key, status in said],
        )

    def _end(self, _: str, found: re.Match[str]) -> Answer:
        if found[1] == "COMMIT":
            for staged in self._staged or [Staged(self._gone, [], {}, [], [])]:
                self.world.commit(staged)
        self.close()
        return DONE


class Cursor:
    def __init__(self, execute: Callable[[str], Answer]) -> None:
        self._execute = execute
        self._answer = DONE
        self.sfqid = "01b0-0000"

    def __enter__(self) -> "Cursor":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, statement: str, binds: object = None) -> None:
        assert binds is None
        self._answer = self._execute(statement)

    @property
    def description(self) -> list[Any]:
        return [_Column(name) for name in self._answer.columns]

    def fetch_arrow_batches(self) -> Any:
        raise NotSupportedError("this answer is no Arrow")

    def fetchmany(self, count: int) -> list[tuple[Any, ...]]:
        some, self._answer.rows = self._answer.rows[:count], self._answer.rows[count:]
        return some

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._answer.rows


class _Column:
    def __init__(self, name: str) -> None:
        self.name = name


class Connection:
    """What the connector gives, as far as the product asks. ``turn`` is called before and after each."""

    host = ""

    def __init__(self, session: Session, turn: Callable[[str, Session, bool], None]) -> None:
        self.session = session
        self.turn = turn

    def cursor(self) -> Cursor:
        return Cursor(self._execute)

    def _execute(self, statement: str) -> Answer:
        self.turn(statement, self.session, True)
        answer = self.session.execute(statement)
        self.turn(statement, self.session, False)
        return answer

    def close(self) -> None:
        self.session.close()


class Bucket:
    """The AWS clients' answers: the bucket's own, and one notification document."""

    def __init__(self, world: World, settings: Settings, stream: Stream, turn: Callable[[str], None]) -> None:
        self.world, self.settings, self.stream, self.turn = world, settings, stream, turn

    @property
    def meta(self) -> Any:
        raise AwsFailed("s3", "ListObjectsV2", "AccessDenied", "listed through the stage", "")

    def get_caller_identity(self) -> Any:
        account = self.settings.aws.account_id
        return {"Account": account, "Arn": f"arn:aws:iam::{account}:user/operator"}

    def head_bucket(self, **_: Any) -> Any:
        self.turn("HeadBucket")
        return {"BucketRegion": self.settings.aws.region, "ResponseMetadata": {"HTTPHeaders": {}}}

    def get_bucket_notification_configuration(self, **_: Any) -> Any:
        self.turn("GetBucketNotificationConfiguration")
        if self.world.rule_queue is None:
            return {}
        from runbook.wanted.rules import queue_rule

        return {"QueueConfigurations": [queue_rule(self.stream, self.world.rule_queue)]}

    def put_bucket_notification_configuration(self, **given: Any) -> Any:
        (rule,) = given["NotificationConfiguration"]["QueueConfigurations"]
        self.turn(f"PutBucketNotificationConfiguration {rule['QueueArn']}")
        self.world.rule_queue = rule["QueueArn"]
        return {"ResponseMetadata": {"RequestId": "R"}}


class ModelClouds(Clouds):
    """Both clouds, answered by the world."""

    def __init__(
        self, settings: Settings, stream: Stream, world: World, turn: Callable[[str, Any, bool], None]
    ) -> None:
        super().__init__(settings, run_id="model", command="model")
        self.opened = lambda: Connection(Session(world, stream), turn)
        self.has_file = True
        self._sessions: dict[str, Connection] = {}
        self._bucket = Bucket(world, settings, stream, lambda call: turn(call, None, True))

    def aws(self, service: str) -> Any:
        return self._bucket

    def side_by_side(self, width: int) -> Any:
        """One after the other, so that a seed repeats."""
        return Inline(width)

    def aside(self) -> Any:
        return Inline()

    def snowflake(self, purpose: str) -> Any:
        if purpose not in self._sessions:
            self._sessions[purpose] = self.opened()
            self._sessions[purpose].session.has_file = self.has_file
        return self._sessions[purpose]

    def close(self) -> None:
        for connection in self._sessions.values():
            connection.close()


class Inline:
    """A pool that does everything at once, in its turn: the same seed, the same order."""

    def __init__(self, _: int = 1) -> None:
        pass

    def __enter__(self) -> "Inline":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(work(*arguments))
        except Exception as error:  # noqa: BLE001 (raised where the result is asked for)
            done.set_exception(error)
        return done


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:23] + "Z"
