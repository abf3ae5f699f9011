"""The first bytes of a stream's newest files, without a warehouse. Only reads."""

from dataclasses import dataclass

from runbook.clouds.failures import AwsFailed
from runbook.clouds.reader import Reader
from runbook.facts.aws import ask
from runbook.facts.content import older, wrong_in
from runbook.facts.objects import Listing, StagedFile
from runbook.settings import Stream

MOST_FILES = 3
FIRST_BYTES = 64 * 1024


@dataclass(frozen=True)
class Glimpse:
    """What is wrong in a file, by its beginning; ``older``: with fewer fields than today's events have."""

    key: str
    wrong: str
    older: str = ""


def newest(stream: Stream, listing: Listing) -> list[StagedFile]:
    """The newest files the pipe is meant to load."""
    files = [file for file in listing.files if file.size and stream.takes(file.key)]
    return sorted(files, key=lambda file: (file.modified, file.key))[-MOST_FILES:]


def glimpses(reader: Reader, stream: Stream, listing: Listing) -> tuple[Glimpse, ...]:
    """What the newest files begin with, side by side. Raises CannotTell where we may not read them.

    One that is archived, or gone by now, is passed over.
    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html (Range)
    """
    files = newest(stream, listing)
    with reader.side_by_side(max(1, len(files))) as pool:
        found = list(pool.map(lambda file: _of(reader, stream, file), files))
    return tuple(each for each in found if each)


def _of(reader: Reader, stream: Stream, file: StagedFile) -> Glimpse | None:
    def read() -> bytes:
        try:
            answer = reader.aws(
                "s3",
                "GetObject",
                Bucket=stream.bucket,
                Key=file.key,
                Range=f"bytes=0-{FIRST_BYTES - 1}",
                ExpectedBucketOwner=reader.settings.aws.account_id,
            )
        except AwsFailed as error:
            if error.code in ("InvalidObjectState", "NoSuchKey", "InvalidRange"):
                return b""
            raise
        return bytes(answer["Body"].read())

    first = ask(read, f"What {file.key} holds")
    if not first:
        return None
    wrong = wrong_in(first, stream, is_whole=file.size == len(first))
    return Glimpse(file.key, wrong, older(first, stream))
