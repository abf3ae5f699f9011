"""What AWS and Snowflake refused, by their own numbers and codes."""

from dataclasses import dataclass
from typing import Any

# Snowflake's error numbers; match the number, never the text (facts: connector 4.x and 5.x differ)
DOES_NOT_EXIST = (2003, 2043)
NO_PRIVILEGE = (3001,)
NO_WAREHOUSE = (606,)
ROLE_NOT_ASSUMED = (3167,)
AWS_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "403")
AWS_CONFLICTS = ("ConcurrentModification", "OperationAborted")
AWS_NO_SESSION = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)
Row = dict[str, Any]


@dataclass(eq=False)
class SqlFailed(Exception):
    """A statement Snowflake refused: its number, text and query id."""

    errno: int
    message: str
    query_id: str
    sql: str

    def __str__(self) -> str:
        return f"{self.errno:06d}: {self.message}"


@dataclass(eq=False)
class AwsFailed(Exception):
    """A call AWS refused: service, operation, error code and text with AWS' details; a bucket's region."""

    service: str
    operation: str
    code: str
    message: str
    request_id: str
    region: str = ""

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    @property
    def is_denied(self) -> bool:
        """Whether a right is missing, rather than the thing."""
        return self.code in AWS_DENIED

    @property
    def is_of_the_moment(self) -> bool:
        """Whether the same write may well be taken a little later: nothing of it was done.

        Another write of the same thing is under way; IAM does not know yet what was just made; or a
        destination of events does not admit S3 yet: a queue's policy takes up to 60 seconds to be known.
        Sources: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (OperationAborted),
        IAM's API model (ConcurrentModification),
        https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html (eventual consistency),
        https://github.com/hashicorp/terraform-provider-aws/pull/6709 (NoSuchEntity),
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
        """
        if self.code == "NoSuchEntity":  # seconds after it was made, IAM may not know of a role everywhere
            return not self.operation.startswith(("Delete", "Detach"))
        if self.code == "InvalidArgument":
            unready = "Unable to validate the following destination configurations"
            return unready in self.message and "does not exist" not in self.message
        return self.code in AWS_CONFLICTS

    @property
    def is_absence(self) -> bool:
        """Whether AWS says that what was asked for does not exist."""
        return self.code in (
            "404",
            "NoSuchBucket",
            "NoSuchBucketPolicy",
            "NoSuchEntity",
            "NotFound",
            "NotFoundException",
            "ParameterNotFound",
            "ServerSideEncryptionConfigurationNotFoundError",
        )
