"""A local stand-in for both clouds: its own process, met only over HTTP.

Nothing else in ``runbook`` or ``checks`` imports this package; ``tasks.py`` starts it
(:mod:`runbook.sandbox.process`), and the ordinary clients talk to it.
"""
