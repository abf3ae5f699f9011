"""Typed, frozen settings: what the pipeline is called, and everything derived from that, once.

The values come from Invoke's configuration (``invoke.yaml``, ``-f FILE``, ``INVOKE_…``
variables). All of them are checked here, with the key's name, before anything is contacted.
Credentials are never settings.
"""

from runbook.settings.buckets import S3Bucket, partition_of, region_of_key
from runbook.settings.model import Checks, Settings
from runbook.settings.names import (
    ADOPTED_BY,
    MANAGED_BY,
    MANAGED_FOR,
    MOST_TAGS,
    SANDBOX,
    SANDBOX_ACCOUNT,
    SANDBOX_ACCOUNT_ID,
    SANDBOX_BUCKET,
    SSM,
    Identifier,
    QualifiedName,
)
from runbook.settings.reading import SECTIONS, ours, read
from runbook.settings.streams import Stream, joined

__all__ = [
    "ADOPTED_BY",
    "MANAGED_BY",
    "MANAGED_FOR",
    "MOST_TAGS",
    "SANDBOX",
    "SANDBOX_ACCOUNT",
    "SANDBOX_ACCOUNT_ID",
    "SANDBOX_BUCKET",
    "SECTIONS",
    "SSM",
    "Checks",
    "Identifier",
    "QualifiedName",
    "S3Bucket",
    "Settings",
    "Stream",
    "joined",
    "ours",
    "partition_of",
    "read",
    "region_of_key",
]
