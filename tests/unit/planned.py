"""What a step plans on given facts."""

from runbook.steps import STEPS


def changes(number, known):
    """The changes a step plans; raises what it raises."""
    return list(STEPS[number - 1].changes(known))


def files(number, known):
    """The SQL files a step plans to run, and why."""
    return [(change.file.split("/")[1], change.why) for change in changes(number, known)]
