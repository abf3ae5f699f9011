"""The section ``aws`` of the settings."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from runbook.settings.buckets import (
    BucketName,
    KeyArn,
    OtherBucket,
    Region,
    S3Bucket,
    partition_of,
    region_of_key,
)
from runbook.settings.values import IamName, Model, Tags


class Aws(Model):
    """The customer's side: who owns the bucket, and the role that lets Snowflake read it."""

    account_id: str = Field(pattern=r"^[0-9]{12}$")
    region: Region
    bucket: BucketName
    buckets: dict[str, OtherBucket] = Field(default_factory=dict)
    role_name: Annotated[IamName, Field(max_length=64)]
    policy_name: Annotated[IamName, Field(max_length=128)]
    path: str = Field(default="/", pattern=r"^/([\x21-\x7e]+/)?$", max_length=512)
    permissions_boundary: str | None = Field(
        default=None, pattern=r"^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$"
    )
    kms_key_arn: KeyArn | None = None
    tags: Tags = Field(default_factory=dict)
    managed_by: Literal["runbook", "terraform", "terraform_without_rules"] = "runbook"
    share_role: bool = False

    @field_validator("account_id", mode="before")
    @classmethod
    def _digits(cls, value: object) -> object:
        # YAML reads 111122223333 as a number, and 012345678901 would lose its zero
        if isinstance(value, int):
            raise ValueError(f"{value} must be written in quotes, as text of 12 digits")  # noqa: TRY004
        return value

    @property
    def partition(self) -> str:
        """``aws``, ``aws-cn`` or ``aws-us-gov``, from the region."""
        return partition_of(self.region)

    @property
    def role_arn(self) -> str:
        """The role's ARN; it includes the path, and is known before the role exists."""
        return f"arn:{self.partition}:iam::{self.account_id}:role{self.path}{self.role_name}"

    @property
    def policy_arn(self) -> str:
        """The permissions policy's ARN."""
        return f"arn:{self.partition}:iam::{self.account_id}:policy{self.path}{self.policy_name}"

    @property
    def bucket_arn(self) -> str:
        """The ARN of ``bucket``, where streams that name none have their files."""
        return self.bucket_named(self.bucket).arn

    def region_key(self, bucket: str) -> str:
        """The setting that says a bucket's region."""
        return f"aws.buckets.{bucket}.region" if bucket in self.buckets else "aws.region"

    def key_of(self, bucket: str, value: str) -> str:
        """The setting that gives a bucket a ``region`` or ``kms_key_arn`` of its own."""
        return f"aws.{value}" if bucket == self.bucket else f"aws.buckets.{bucket}.{value}"

    def bucket_named(self, name: str) -> S3Bucket:
        """A bucket with its region and key; one that is not ``bucket`` has its key where that can be its."""
        own = self.buckets.get(name, OtherBucket())
        region = own.region or self.region
        ours = self.kms_key_arn
        shared = ours if ours and (name == self.bucket or region_of_key(ours) == region) else None
        return S3Bucket(name, region, own.kms_key_arn or shared)

    @property
    def url_scheme(self) -> str:
        """How Snowflake writes this partition's S3: ``s3``, ``s3china`` or ``s3gov``."""
        return {"aws": "s3", "aws-cn": "s3china", "aws-us-gov": "s3gov"}[self.partition]

    @property
    def storage_provider(self) -> str:
        """The integration's STORAGE_PROVIDER."""
        return self.url_scheme.upper()
