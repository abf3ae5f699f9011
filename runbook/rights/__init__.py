"""Before anything is done: may we do it? What each step needs, who has it, and what would grant the rest.

needs     every right that every step uses, as data; docs/runbook.md#rights is held to it
judged    each right as held, missing or not to be told
command   `invoke doctor`: rights, regions, clocks and versions, told
"""
