"""`invoke down`: show what goes, what stays and what is lost; ask; remove; prove that it is gone."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from runbook import settings as reading
from runbook.errors import NotConverged, SettingsWrong
from runbook.facts import Facts
from runbook.facts.ours import granted_to, is_marked, marked, marked_roles
from runbook.facts.whose import integration_is_for_us, policy_is_for_us, role_is_for_us
from runbook.plan import Applied, Step, apply, plan_step
from runbook.plan_formats import tell
from runbook.running import Run, answered, running
from runbook.settings import Stream
from runbook.teardown import BACKWARDS, handed_over, one_stream
from runbook.teardown.integration import FILES, others_things
from runbook.teardown.rules import needed_by
from runbook.terminal import Style, counted, note, say, wrapped
from runbook.wanted.views import wanted


def down(config: Mapping[str, Any], *, dry_run: bool, yes: bool, name: str, stream: str | None) -> int:
    """Remove what the steps made, in reverse, or only one stream of it. Writes unless dry.

    ``name``: the target's name, as typed where nobody can be asked. Everything is planned before
    anything is removed, so that a refusal leaves all of it in place.
    """
    reading.ours(config, "down")
    with running(config, "down", yes=yes) as run:
        facts = _looked(run)
        one = one_stream.stream_of(facts, stream) if stream else None
        steps = one_stream.backwards(one) if one else BACKWARDS
        plans = [plan_step(step, facts) for step in steps]
        file = None if one else handed_over.file(facts)
        count = sum(len(each.changes) for each in plans) + bool(file)
        for each in plans:
            tell(each)
        if file:
            say(f"  + delete {file}: it hands over what is gone")
        _say_all("stays: ", stays_of(one) if one else stays(facts))
        if not count:
            say("there is nothing to take back")
            return 0
        of = (one,) if one else _streams(facts)
        _say_all("lost for good: ", [*lost_loads(facts, of), *([] if one else lost(facts))])
        if dry_run:
            return 0
        _confirm(run, name, count)
        run.record.make_sure()
        for step in steps:
            _taken_back(run, step)
        if file:
            _delete(run, file)
        if one:
            say(f"{counted(count, 'change')} made; {one.name} is taken back")
            named = one in run.settings.streams
            first = f"take {one.name} out of the settings (enabled: false), then " if named else ""
            say(f"next: {first}`invoke up`, which takes its folder out of policy and integration")
            return 0
        _prove_absence(_looked(run))
        say("everything else of this project is gone")
    return 0


def _streams(facts: Facts) -> tuple[Stream, ...]:
    return (*facts.settings.streams, *facts.left_over)


def stays_of(stream: Stream) -> list[str]:
    """What is left in place where one stream is taken back. Only reads."""
    return [
        f"the folder {stream.url} with every object",
        f"the table {stream.table.sql} with its rows",
        "the other streams, and what they share with it",
    ]


def _looked(run: Run) -> Facts:
    facts = run.facts()
    facts.look(delivery=False)
    return facts


def _taken_back(run: Run, step: Step) -> None:
    """One step's opposite, planned afresh and observed again afterwards."""

    def made(applied: Applied) -> None:
        run.applied(step.number, applied)
        note(f"  done: {applied.change.done}")

    facts = run.facts()
    found = plan_step(step, facts)
    if found.changes:
        run.record.planned(step.number, found.changes)
    apply(found, facts, run.writer, made, run.ask)


def _delete(run: Run, file: Path) -> None:
    """The handoff file, noted with what was in it before it goes. Writes."""
    change, why = f"delete {file}", "it hands over what is gone"
    try:
        text = file.read_text(encoding="utf-8")
        run.record.note({"step": 1, "planned": [{"change": change, "why": why, "text": text}]})
        file.unlink(missing_ok=True)
    except OSError as error:
        raise NotConverged(
            "The handoff cannot be deleted", where=str(file), why=str(error), remedy="delete it by hand"
        ) from None
    run.changed += 1
    run.record.made(change, {"step": 1, "change": change, "why": why, "text": text, "references": []})
    note(f"  done: {change}")


def _prove_absence(facts: Facts) -> None:
    """Everything is asked for once more at the end; raises NotConverged naming what is there (again)."""
    left = [change for step in BACKWARDS for change in plan_step(step, facts).changes]
    if left:
        raise NotConverged(
            "Something of this project is still there, or there again",
            why="; ".join(f"{change.title}: {change.why}" for change in left),
            remedy="run `invoke down` again; if it stays, somebody else is setting it up",
        )


def _confirm(run: Run, name: str, count: int) -> None:
    """Go on only when the target's name is typed; the sandbox needs no asking. Raises SettingsWrong."""
    target = run.settings.target
    if run.settings.is_sandbox or name == target:
        return
    if name or run.yes:
        said = f"--name {name} is not this target's" if name else "--yes is not enough on a live target"
        raise SettingsWrong(said, where=target, remedy=f"type it: --name {target}")
    if not sys.stdin.isatty():
        raise SettingsWrong(
            "There is nobody to ask", where=target, remedy=f"run it with --name {target}, or --dry-run first"
        )
    if answered(f"{counted(count, 'change')}. To go on, type the target's name: ") != target:
        raise SettingsWrong("Nothing was changed: that is not the target's name", where=target)


def lost_loads(facts: Facts, streams: tuple[Stream, ...]) -> list[str]:
    """The load histories that go with the streams' pipes. Only reads."""
    pipes = marked(facts.reader, "pipe")
    found = []
    for stream in streams:
        if stream.pipe.name not in pipes:
            continue
        status = facts.pipe_status(stream)
        waiting = counted(status.pending_files, "file") if status and status.pending_files else ""
        found.append(
            f"the load history of {stream.pipe.sql}: a pipe made again does not know what is loaded"
            + (f"; {waiting} that it has not loaded yet" if waiting else "")
        )
    return found


def lost(facts: Facts) -> Iterator[str]:
    """What else nobody can bring back, as far as it is there now. Only reads."""
    have = facts.integration
    if have is not None and integration_is_for_us(facts, have):
        yield (
            f"the external ID of {have.name}: made again, the integration has another, "
            "and whoever trusts this one must be told"
        )
    there = marked_roles(facts.reader)
    for setting in FILES:
        role = getattr(facts.settings.snowflake, setting)
        if role in there and not others_things(facts, role) and (holders := granted_to(facts.reader, role)):
            yield f"the role {role.sql} for {', '.join(holders)}"


def stays(facts: Facts) -> Iterator[str]:
    """What is left in place, with the reason. Only reads."""
    settings = facts.settings
    yield from _data_that_stays(facts)
    yield from _views_that_stay(facts)
    for stream in settings.streams:
        for kind, found in (("pipe", facts.pipe(stream)), ("stage", facts.stage(stream))):
            name = getattr(stream, kind)
            if found is not None and name.name not in marked(facts.reader, kind):
                yield f"the {kind} {name.sql}: its comment is not this project's"
    if facts.integration is not None and not is_marked(facts.integration.comment):
        yield f"the integration {facts.integration.name}: its comment is not this project's"
    elif facts.integration is not None and not integration_is_for_us(facts, facts.integration):
        yield f"the integration {facts.integration.name}: it is another installation's"
    yield from _rules_that_stay(facts)
    there = marked_roles(facts.reader)
    for setting in FILES:
        role = getattr(settings.snowflake, setting)
        if role in there and (beyond := others_things(facts, role)):
            held = beyond[0]
            yield f"the role {role.sql}: it also holds {held.privilege} on {held.on.lower()} {held.name}"
        elif role in facts.roles and role not in there:
            yield f"the role {role.sql}, with its grants: its comment is not this project's"
    yield from _stays_on_aws(facts)


def _data_that_stays(facts: Facts) -> Iterator[str]:
    settings = facts.settings
    for bucket in settings.buckets:
        yield f"the bucket {bucket.name} with every object"
    for stream in settings.streams:
        if facts.table(stream) is not None:
            yield f"the table {stream.table.sql} with its rows"
    if facts.schema_exists:
        yield f"the schema {settings.schema_sql} with every other table in it"


def _views_that_stay(facts: Facts) -> Iterator[str]:
    views = wanted(facts.settings)
    for view in views:
        if (have := facts.view(view)) and not have.is_for(view):
            whose = "another installation's" if have.is_ours else "not this project's"
            yield f"the {have.kind.lower()} {view.name}: its comment is {whose}"
    for schema in sorted({view.schema for view in views if facts.view_schema_exists(view)}):
        yield f"the schema {schema} of the views"


def _stays_on_aws(facts: Facts) -> Iterator[str]:
    if facts.settings.is_terraforms(1):
        yield "what Terraform made: terraform -chdir=terraform destroy"
        return
    role, policy = facts.role, facts.policy
    for what, have in (("role", role), ("policy", policy)):
        if have is not None and not have.is_ours:
            yield f"the {what} {have.arn}: it has no tag ManagedBy of this project"
    if role is not None and role.is_ours and not role_is_for_us(facts, role):
        yield f"the role {role.arn}: it is another installation's"
    if policy is not None and policy.is_ours and not policy_is_for_us(facts, policy):
        yield f"the policy {policy.arn}: it is another installation's"


def _rules_that_stay(facts: Facts) -> Iterator[str]:
    for stream in facts.settings.streams if not facts.settings.is_terraforms(5) else ():
        if (have := facts.notifications_of(stream.bucket)) is None:
            continue
        rule = have.of(stream, stream.sns_topic or facts.channel(stream))
        if rule and (others := needed_by(facts, stream.bucket, rule)):
            yield f"the rule {rule.id}: it also tells {', '.join(others)}"


def _say_all(label: str, lines: Iterable[str]) -> None:
    style = Style.of(sys.stdout)
    for line in lines:
        say(wrapped(f"  {label}", line, style))
