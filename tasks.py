"""The runbook's contents page: one task per documented step, each a docstring and one call.

`invoke --list` shows the tasks, `invoke --help TASK` what one does. The default target is the
sandbox, which starts by itself; `invoke -f environments/NAME.yaml TASK` works on a live one.
"""

import atexit
import sys
from functools import partial
from types import TracebackType

from invoke import Collection, Context, Exit, Program
from invoke import task as invokes_task

from runbook import command_line as line
from runbook import interrupts
from runbook.errors import RunbookError

# Invoke keeps Python from writing what it compiled, and every command would compile and rewrite it again
sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)

# a short flag would mean something else in each task, and a word without a flag is most often a slip
task = partial(invokes_task, auto_shortflags=False, positional=[])

DRY_RUN = "only plan: print what would be done, and do nothing"
YES = "ask nothing (a live target asks before each step)"
YES_ONCE = "ask nothing (a live target asks first)"
ADOPT = "take over a role, policy or integration that this project did not make"
STREAM = "only this stream (see streams in invoke.yaml)"
DEBUG = "show the traceback of an error"
STEP_HELP = {"dry_run": DRY_RUN, "yes": YES, "adopt": ADOPT, "debug": DEBUG}
SWITCH_HELP = {"stream": STREAM, "dry_run": DRY_RUN, "yes": YES_ONCE, "debug": DEBUG}
TFVARS = "terraform/terraform.tfvars.json"
FORMATS = "table (default: table), json, junit, tap, nagios, prometheus; NAME=FILE; may be repeated"
TABLE_OR_JSON = "table or json (default: table)"


def run(context: Context, command: str, *, debug: bool = False, **options: object) -> None:
    """Call ``runbook.cli``; imported late, so that `invoke --list` costs nothing but Invoke."""
    try:
        from runbook.cli import run as runs

        code = runs(context.config, command, debug=debug, **options)
    except KeyboardInterrupt:  # Invoke itself would end silently, with 1
        raise Exit("interrupted; nothing was changed by this command", code=130) from None
    if code:
        raise Exit(code=code)


def told(_: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What Invoke trips over before a task runs, such as a broken -f file: a paragraph, exit code 2."""
    from runbook.cli import unreadable

    raise SystemExit(unreadable(error.with_traceback(trace), sys.argv))


def flushed() -> None:
    """What Invoke printed to a reader that went away (``invoke --list | head -1``) is dropped in silence."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        from runbook.terminal import silence

        silence(sys.stdout)


def prepared() -> None:
    """This process ends every trouble as a paragraph, and loses no Ctrl-C."""
    sys.excepthook = told
    sys.unraisablehook = interrupts.lost
    atexit.register(flushed)


CALLED = sys.argv[0].replace("\\", "/")
BY_INVOKE = CALLED.rpartition("/")[2] in ("invoke", "inv") or CALLED.endswith("invoke/__main__.py")
if BY_INVOKE:
    prepared()


@task(help=STEP_HELP)
def step1_aws(
    c: Context, dry_run: bool = False, yes: bool = False, adopt: bool = False, debug: bool = False
) -> None:
    """Step 1, AWS: create the permissions policy and the role.

    Documented as: create IAM policy, create IAM role. The policy reads the
    streams' folders and nothing else; the role is assumable by nobody until
    step 3.
    """
    run(c, "step", numbers=(1,), dry_run=dry_run, yes=yes, adopt=adopt, debug=debug)


@task(help=STEP_HELP)
def step2_snowflake(
    c: Context, dry_run: bool = False, yes: bool = False, adopt: bool = False, debug: bool = False
) -> None:
    """Step 2, Snowflake: create the storage integration for the role.

    Documented as: create the integration object with the new IAM role; retrieve
    the external ID for the trust relationship. It is never replaced: that would
    orphan every stage on it.
    """
    run(c, "step", numbers=(2,), dry_run=dry_run, yes=yes, adopt=adopt, debug=debug)


@task(help=STEP_HELP)
def step3_aws(
    c: Context, dry_run: bool = False, yes: bool = False, adopt: bool = False, debug: bool = False
) -> None:
    """Step 3, AWS: let Snowflake's user, with the external ID, assume the role.

    Documented as: add Snowflake's external ID as trust relationship for the IAM
    role. Other people's statements stay. Waits until Snowflake can assume the
    role.
    """
    run(c, "step", numbers=(3,), dry_run=dry_run, yes=yes, adopt=adopt, debug=debug)


@task(help=STEP_HELP)
def step4_snowflake(
    c: Context, dry_run: bool = False, yes: bool = False, adopt: bool = False, debug: bool = False
) -> None:
    """Step 4, Snowflake: create file formats, tables, stages, pipes and grants.

    Documented as: create the stage using the storage integration, create the
    Snowpipe, alter the permissions on it, retrieve its SQS queue.
    """
    run(c, "step", numbers=(4,), dry_run=dry_run, yes=yes, adopt=adopt, debug=debug)


@task(help=STEP_HELP)
def step5_aws(
    c: Context, dry_run: bool = False, yes: bool = False, adopt: bool = False, debug: bool = False
) -> None:
    """Step 5, AWS: have the bucket tell the pipes about new files.

    Documented as: configure the S3 event notification with the Snowpipe's SQS
    queue as target. Other people's rules are written back as they were read.
    """
    run(c, "step", numbers=(5,), dry_run=dry_run, yes=yes, adopt=adopt, debug=debug)


@task(help=STEP_HELP)
def up(
    c: Context, dry_run: bool = False, yes: bool = False, adopt: bool = False, debug: bool = False
) -> None:
    """All five steps, in order."""
    run(c, "step", numbers=(1, 2, 3, 4, 5), dry_run=dry_run, yes=yes, adopt=adopt, debug=debug)


@task(
    help={
        "dry_run": DRY_RUN,
        "yes": "ask nothing (a live target also wants --name)",
        "name": "the target's name, where nobody can be asked to type it",
        "stream": "only this stream: one of the settings, or a pipe or stage that is left over",
        "debug": DEBUG,
    }
)
def down(
    c: Context,
    dry_run: bool = False,
    yes: bool = False,
    name: str = "",
    stream: str | None = None,
    debug: bool = False,
) -> None:
    """Take back what the steps made, in reverse; tables, buckets and data stay.

    Shows first what goes, what stays and what is lost for good. Touches only
    what carries this installation's tag, comment or Id.
    """
    run(c, "down", dry_run=dry_run, yes=yes, name=name, stream=stream, debug=debug)


@task(help={"format": TABLE_OR_JSON, "all": "also what is held", "debug": DEBUG})
def doctor(c: Context, format: str = "table", all: bool = False, debug: bool = False) -> None:
    """Whether we may do what each step does: rights, regions, clocks, versions.

    Names each right that is missing with the statement that grants it; changes
    nothing. Exit code 0: all there. 1: something is missing. 3: nothing is, but
    some checks could not tell.
    """
    run(c, "doctor", output_format=format, every=all, debug=debug)


@task(
    help={
        "format": "table (default: table), json, markdown, or github (annotation and job summary)",
        "exit_code": "exit code 10 where something is left to change",
        "debug": DEBUG,
    }
)
def plan(c: Context, format: str = "table", exit_code: bool = False, debug: bool = False) -> None:
    """What every step would change; changes nothing.

    Exit code 0; with --exit-code 0: nothing to change, 10: something is.
    """
    run(c, "plan", output_format=format, exit_code=exit_code, debug=debug)


@task(
    iterable=["format"],
    help={
        "step": "only the checks of this step, 1 to 5 (default: 0, all)",
        "stream": STREAM,
        "deep": "also the checks that need a warehouse",
        "strict": "advice counts too: exit code 1 where something works and should be changed",
        "canary": "also send one recognisable file the whole way, time each hop, and remove it again",
        "yes": "ask nothing (a live target asks before a canary is sent)",
        "wait": "seconds to wait for health, telling what is red, and for the canary's arrival (default: 0)",
        "format": FORMATS,
        "output": "the file of the format that names none",
        "all": "list every check, not only what did not pass",
        "record": "also write this file: the verdict with every answer of both clouds that it stands on",
        "replay": "tell such a file's verdict again; contacts nobody",
        "plain": "with --record: replace no name in it",
        "debug": DEBUG,
    },
)
def verify(
    c: Context,
    format: list[str],
    step: int = 0,
    stream: str | None = None,
    deep: bool = False,
    canary: bool = False,
    strict: bool = False,
    yes: bool = False,
    wait: int = 0,
    output: str = "",
    all: bool = False,
    record: str | None = None,
    replay: str | None = None,
    plain: bool = False,
    debug: bool = False,
) -> None:
    """Check everything; name the root cause and the command that mends it.

    Exit code 0: healthy. 1: a check failed. 3: nothing failed, but something
    could not be told.
    """
    run(
        c,
        "verify",
        step_number=step or None,
        stream=stream,
        deep=deep,
        canary=canary,
        strict=strict,
        yes=yes,
        wait=wait,
        formats=format,
        output=output or None,
        every=all,
        record=record,
        replay=replay,
        plain=plain,
        debug=debug,
    )


@task(
    help={
        "since": "what `invoke watch` saw since then (36h, 7d, 2w) instead; contacts nobody",
        "format": TABLE_OR_JSON,
        "debug": DEBUG,
    }
)
def status(c: Context, since: str = "", format: str = "table", debug: bool = False) -> None:
    """Where the files and rows of every stream are."""
    run(c, "status", since=since, output_format=format, debug=debug)


@task(
    help={
        "since": "how far it looks back: 36h, 7d, 2w (default: 7d)",
        "output": "the file to write (default: standard output)",
        "debug": DEBUG,
    }
)
def report(c: Context, since: str = "7d", output: str = "", debug: bool = False) -> None:
    """What `invoke watch` saw, as one HTML page with plots; contacts nobody."""
    run(c, "report", since=since, output=output or None, debug=debug)


@task(
    help={
        "once": "one round, for a scheduler; exit code as verify's",
        "every": "seconds between rounds, or 90s, 5m, 1h (default: watch.every_minutes of the settings)",
        "test_message": "send one message to every route, and look at nothing",
        "format": "write the round's figures: prometheus or json (default: none)",
        "output": "the file of the figures, replaced whole each round (default: standard output)",
        "listen": "HOST:PORT where Prometheus scrapes the figures, such as 127.0.0.1:9142",
        "debug": DEBUG,
    }
)
def watch(
    c: Context,
    once: bool = False,
    every: str = "",
    test_message: bool = False,
    format: str = "",
    output: str = "",
    listen: str = "",
    debug: bool = False,
) -> None:
    """Look again and again, and tell people what broke and what is well again.

    Whom it tells is in the environment file: docs/watch.md. Ends cleanly on
    SIGTERM.
    """
    run(
        c,
        "watch",
        once=once,
        every=every,
        test_message=test_message,
        output_format=format,
        output=output or None,
        listen=listen,
        debug=debug,
    )


@task(
    positional=["key"],
    help={
        "key": "the file's key, its s3:// URL, or with --pattern a regular expression for whole keys",
        "pattern": "KEY is a regular expression, as in backfill",
        "event": "KEY is the id of an event: which rows have it, of events or failed events",
        "stream": STREAM,
        "max_files": "with --pattern: explain at most so many files, the oldest first (default: 20)",
        "format": TABLE_OR_JSON,
        "debug": DEBUG,
    },
)
def explain(
    c: Context,
    key: str,
    pattern: bool = False,
    event: bool = False,
    stream: str | None = None,
    max_files: int = 20,
    format: str = "table",
    debug: bool = False,
) -> None:
    """What became of a file: every load of it, its rows, a verdict, what to do.

    Exit code 0: nothing of it is missing. 1: something is.
    """
    run(
        c,
        "explain",
        key=key,
        pattern=pattern,
        event=event,
        stream=stream,
        max_files=max_files,
        output_format=format,
        debug=debug,
    )


@task(help=SWITCH_HELP)
def refresh(
    c: Context, stream: str | None = None, dry_run: bool = False, yes: bool = False, debug: bool = False
) -> None:
    """Load files of the last 7 days that were never announced, once.

    Exit code 0: they are loaded. 1: some failed, by name. 4: queued, and not
    loaded yet.
    """
    run(c, "refresh", stream=stream, dry_run=dry_run, yes=yes, debug=debug)


@task(
    help={
        "pattern": "regular expression that matches the whole object key, as PATTERN in COPY (required)",
        "stream": STREAM,
        "since": "only files last modified at this time or later (2026-01-31, 2026-01-31T08:00Z)",
        "until": "only files last modified before this time",
        "max_files": "refuse to load more files than this (default: 10000)",
        "max_gb": "refuse to load more gigabytes than this, as they lie in S3 (default: 100)",
        "reload_failed": "also failed files; and changed, partly or twice loaded ones, replacing their rows",
        "reload_gone": "also files that were loaded once and whose rows are not in the table",
        "engine": "local (default: local), or snowflake: compare there, from a stage's directory table",
        "dry_run": DRY_RUN,
        "yes": YES_ONCE,
        "format": TABLE_OR_JSON,
        "debug": DEBUG,
    }
)
def backfill(
    c: Context,
    pattern: str = "",
    stream: str | None = None,
    since: str | None = None,
    until: str | None = None,
    max_files: int = 10_000,
    max_gb: int = 100,
    reload_failed: bool = False,
    reload_gone: bool = False,
    engine: str = "local",
    dry_run: bool = False,
    yes: bool = False,
    format: str = "table",
    debug: bool = False,
) -> None:
    """Load what matches and is missing, each file once.

    Exit code 0: nothing is missing. 1: something is, by name and reason. 4: run
    it again.
    """
    run(
        c,
        "backfill",
        pattern=pattern,
        stream=stream,
        since=since,
        until=until,
        max_files=max_files,
        max_gb=max_gb,
        reload_failed=reload_failed,
        reload_gone=reload_gone,
        engine=engine,
        dry_run=dry_run,
        yes=yes,
        output_format=format,
        debug=debug,
    )


@task(
    help={
        "dry_run": DRY_RUN,
        "yes": YES_ONCE,
        "scan": "find the schemas in the data, and write them into the environment file",
        "days": "with --scan: how many days of events are read (default: 14)",
        "debug": DEBUG,
    }
)
def views(
    c: Context,
    dry_run: bool = False,
    yes: bool = False,
    scan: bool = False,
    days: int = 14,
    debug: bool = False,
) -> None:
    """Typed events on top of the raw tables; off until views.enabled is set.

    A column for each schema of the settings. Views hold no data; `invoke down`
    takes them back.
    """
    run(c, "views", dry_run=dry_run, yes=yes, scan=scan, days=days, debug=debug)


@task(
    help={
        **SWITCH_HELP,
        "stream": "the stream whose pipe is replaced (required)",
        "max_files": "refuse where more files than this wait to be loaded (default: 10000)",
        "max_gb": "refuse where more gigabytes than this wait, as they lie in S3 (default: 100)",
        "format": TABLE_OR_JSON,
    }
)
def replace_pipe(
    c: Context,
    stream: str = "",
    max_files: int = 10_000,
    max_gb: int = 100,
    dry_run: bool = False,
    yes: bool = False,
    format: str = "table",
    debug: bool = False,
) -> None:
    """Bring a changed COPY statement live; nothing is lost or loaded twice.

    Grants, comment, parameters and owner stay; what waits in the old pipe's
    queue is loaded by name. Cut off anywhere, run it again. Exit code 1: done,
    but a file that waited did not load, by name.
    """
    run(
        c,
        "replace_pipe",
        stream=stream,
        max_files=max_files,
        max_gb=max_gb,
        dry_run=dry_run,
        yes=yes,
        output_format=format,
        debug=debug,
    )


@task(help=SWITCH_HELP)
def pause(
    c: Context, stream: str | None = None, dry_run: bool = False, yes: bool = False, debug: bool = False
) -> None:
    """Stop loading; what is announced meanwhile waits up to 14 days."""
    run(c, "pause", stream=stream, dry_run=dry_run, yes=yes, debug=debug)


@task(help=SWITCH_HELP)
def resume(
    c: Context, stream: str | None = None, dry_run: bool = False, yes: bool = False, debug: bool = False
) -> None:
    """Let a paused pipe load again."""
    run(c, "resume", stream=stream, dry_run=dry_run, yes=yes, debug=debug)


@task(
    help={
        "output": "write it to this file, beside what the other side wrote there",
        "ssm": "write it to the Systems Manager parameter of this name instead",
        "yes": YES_ONCE,
        "debug": DEBUG,
    }
)
def handoff(c: Context, output: str = "", ssm: str = "", yes: bool = False, debug: bool = False) -> None:
    """What one cloud's administrator gives the other's: role, user, ID, queues.

    One side's credentials are enough. Goes where the setting handoff says;
    without one it is printed.
    """
    run(c, "handoff", output=output or None, ssm=ssm or None, yes=yes, debug=debug)


@task(
    help={
        "show": "print this run: its id, the end of it, or latest",
        "diff": "how two runs differ: A..B",
        "format": TABLE_OR_JSON,
        "debug": DEBUG,
    }
)
def runs(c: Context, show: str = "", diff: str = "", format: str = "table", debug: bool = False) -> None:
    """What earlier runs changed, from their records under .runbook/runs."""
    run(c, "runs", show=show or None, diff=diff or None, output_format=format, debug=debug)


@task(
    help={
        "pipe": "DATABASE.SCHEMA.PIPE, one of the installation's pipes (default: lists them, and asks)",
        "all": "every pipe that one file can hold; the others are named, with the reason",
        "connection": "a named connection of connections.toml (default: the settings' own)",
        "name": "what commands will call the place (default: after the pipe)",
        "output": "the environment file to write (default: environments/NAME.yaml); - prints it",
        "replace": "overwrite the file",
        "debug": DEBUG,
    }
)
def discover(
    c: Context,
    pipe: str = "",
    all: bool = False,
    connection: str = "",
    name: str = "",
    output: str = "",
    replace: bool = False,
    debug: bool = False,
) -> None:
    """Write the environment file of an installation that others made.

    Made by hand, by Terraform or by anything else: what is there is read from
    one pipe on, and what differs from the steps becomes a setting, named in the
    file. Changes nothing on either cloud.
    """
    run(
        c,
        "discover",
        pipe=pipe,
        every=all,
        connection=connection or None,
        name=name or None,
        output=output or None,
        replace=replace,
        debug=debug,
    )


@task(
    iterable=["format"],
    help={
        "pipe": "DATABASE.SCHEMA.PIPE (required)",
        "connection": "a named connection of connections.toml (default: the settings' own)",
        "deep": "also the checks that need a warehouse",
        "format": FORMATS,
        "all": "list every check, not only what did not pass",
        "debug": DEBUG,
    },
)
def check(
    c: Context,
    format: list[str],
    pipe: str = "",
    connection: str = "",
    deep: bool = False,
    all: bool = False,
    debug: bool = False,
) -> None:
    """Check a pipe that exists already, however it was made; writes nothing.

    `discover` and `verify` in one: the first minute with a pipe of one's own.
    """
    run(
        c,
        "check",
        pipe=pipe,
        connection=connection or None,
        deep=deep,
        formats=format,
        every=all,
        debug=debug,
    )


@task(help={"output": f"the file to write (default: {TFVARS})", "debug": DEBUG})
def tfvars(c: Context, output: str = TFVARS, debug: bool = False) -> None:
    """What the Terraform module of the AWS side takes: terraform.tfvars.json."""
    run(c, "tfvars", output=output, debug=debug)


@task(help={"schema": "print the JSON schema of an environment file instead, for an editor", "debug": DEBUG})
def settings(c: Context, schema: bool = False, debug: bool = False) -> None:
    """The settings as they are read, defaults and all; contacts nobody.

    What is wrong in the environment file or in a variable is refused with the
    key's name.
    """
    run(c, "settings", schema=schema, debug=debug)


@task(help={"step": "2 or 4 (required)", "debug": DEBUG})
def sql(c: Context, step: int = 0, debug: bool = False) -> None:
    """Print a Snowflake step's statements as they would run, for a worksheet."""
    run(c, "sql", step_number=step, debug=debug)


@task(
    help={
        "with": "a recording, as verify --record writes it (required)",
        "format": TABLE_OR_JSON,
        "debug": DEBUG,
    }
)
def compare(c: Context, with_: str = "", format: str = "table", debug: bool = False) -> None:
    """Ask a sandbox what a recording asked of the clouds; list what differs."""
    run(c, "compare", file=with_, format=format, debug=debug)


@task(help={"debug": DEBUG})
def demo(c: Context, debug: bool = False) -> None:
    """The whole story on a fresh sandbox: set-up, files, a fault, its remedy."""
    run(c, "demo", debug=debug)


@task
def start(c: Context) -> None:
    """Start the sandbox: both clouds, on this machine only."""
    run(c, "sandbox_start")


@task
def stop(c: Context) -> None:
    """Stop the sandbox; what was in it is gone."""
    run(c, "sandbox_stop")


@task(name="status")
def sandbox_status(c: Context) -> None:
    """Whether the sandbox runs, and where."""
    run(c, "sandbox_status")


@task
def env(c: Context) -> None:
    """Print the variables that any client needs: eval "$(invoke sandbox.env)"."""
    run(c, "sandbox_env")


@task
def reset(c: Context) -> None:
    """Empty the sandbox: fresh accounts, an empty bucket."""
    run(c, "sandbox_reset")


@task
def lint(c: Context) -> None:
    """Format, lint, types, imports and SQL style of the project itself."""
    for command in (
        "ruff format --check .",
        "ruff check .",
        "mypy",
        "lint-imports",
        "sqlfluff lint sql",
    ):
        c.run(command)


namespace = Collection(
    step1_aws,
    step2_snowflake,
    step3_aws,
    step4_snowflake,
    step5_aws,
    check,
    discover,
    doctor,
    up,
    down,
    plan,
    verify,
    status,
    explain,
    refresh,
    backfill,
    replace_pipe,
    views,
    pause,
    resume,
    handoff,
    tfvars,
    watch,
    report,
    runs,
    settings,
    sql,
    compare,
    demo,
    lint,
)
namespace.add_collection(Collection("sandbox", start, stop, env, reset, status=sandbox_status))


def read_line(program: Program) -> None:
    """Refuse a line that does not say what was meant, before Invoke reads it and runs its first task."""
    try:
        line.checked(program, namespace)
    except RunbookError as error:
        from runbook.cli import refused

        raise SystemExit(refused(error, sys.argv)) from None


if BY_INVOKE:
    from invoke.main import program

    read_line(program)
