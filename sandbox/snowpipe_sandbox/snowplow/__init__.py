"""Snowplow events and bad rows to work with: seeded, as a pipeline makes them, as a loader writes them.

``fields`` names the 131 fields; ``events`` and ``bad_rows`` make them; ``files`` writes them under the
keys of a loader; ``hard_cases`` holds the lines that break naive readers, with what to expect of each.
``python -m snowpipe_sandbox.snowplow --help`` writes folders of files. Standard library only.
"""
