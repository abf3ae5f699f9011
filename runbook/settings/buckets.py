"""The buckets that the streams' files lie in: `aws.bucket`, and those that a stream names itself."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from runbook.settings.values import Model

BucketName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
Region = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]
KeyArn = Annotated[str, Field(pattern=r"^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$")]


class OtherBucket(Model):
    """What another bucket than ``aws.bucket`` has of its own."""

    region: Region | None = None
    kms_key_arn: KeyArn | None = None


@dataclass(frozen=True)
class S3Bucket:
    """A bucket with the region and the key that the settings give it."""

    name: str
    region: str
    kms_key_arn: str | None = None

    @property
    def arn(self) -> str:
        """The bucket's ARN."""
        return f"arn:{partition_of(self.region)}:s3:::{self.name}"


def partition_of(region: str) -> str:
    """``aws``, ``aws-cn`` or ``aws-us-gov``, from a region."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def region_of_key(arn: str) -> str:
    """The region a KMS key is in."""
    return arn.split(":")[3]


def refuse_wrong(name: str, bucket: OtherBucket, default: S3Bucket, *, is_named: bool) -> None:
    """Refuse an entry of ``aws.buckets`` that cannot be; raises ValueError.

    Sources: https://docs.snowflake.com/en/user-guide/data-load-s3-config-storage-integration (government and
    China regions), https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html (the key is
    in the bucket's region).
    """
    key = f"aws.buckets.{name}"
    if name == default.name:
        raise ValueError(f"{key} is aws.bucket: its region and key are aws.region and aws.kms_key_arn")
    if not is_named:
        raise ValueError(f"{key}: no stream names that bucket (streams.NAME.bucket)")
    region = bucket.region or default.region
    if partition_of(region) != partition_of(default.region):
        raise ValueError(
            f"{key}.region is in another partition than aws.region ({default.region}): "
            "one integration reads in one of them"
        )
    if bucket.kms_key_arn and region_of_key(bucket.kms_key_arn) != region:
        raise ValueError(
            f"{key}.kms_key_arn is not in {region}: S3 only uses keys of the bucket's own region"
        )
