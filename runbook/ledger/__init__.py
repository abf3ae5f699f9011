"""What became of each file: one verdict from everything that is known, for every command that asks.

``verify --deep``, ``status``, ``refresh`` and ``backfill`` judge a file by the same rules
(:func:`runbook.ledger.classes.classify`); each of them only says which verdicts it speaks of.
"""
