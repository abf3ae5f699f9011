"""Terraform's AWS provider against the gateway: the pipeline's AWS objects made, unchanged, and gone.

The provider asks far more of S3 and IAM than the objects need (website, ACL, lifecycle, instance profiles);
all of it must be answered as AWS answers it, or the plan after the apply is not empty.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from snowpipe_sandbox import process

PROVIDER = "5.100.0"
EXTERNAL_ID = "TENANT_SFCRole=1_abc/def="
CONFIGURATION = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "%s" }
  }
}
variable "bucket" {}
variable "queue_arn" {}
variable "snowflake_user_arn" {}
variable "external_id" {}

data "aws_s3_bucket" "events" {
  bucket = var.bucket
}
resource "aws_s3_bucket" "archive" {
  bucket = "${var.bucket}-archive"
  tags   = { ManagedBy = "terraform" }
}
resource "aws_s3_bucket_versioning" "archive" {
  bucket = aws_s3_bucket.archive.id
  versioning_configuration { status = "Enabled" }
}
resource "aws_iam_policy" "read" {
  name        = "terraform-read"
  path        = "/snowplow/"
  description = "Lets Snowflake read Snowplow files"
  tags        = { ManagedBy = "terraform" }
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "ReadObjects", Effect = "Allow", Action = ["s3:GetObject", "s3:GetObjectVersion"],
        Resource = "${data.aws_s3_bucket.events.arn}/p/*" },
      { Sid = "ListFolders", Effect = "Allow", Action = "s3:ListBucket",
        Resource = data.aws_s3_bucket.events.arn, Condition = { StringLike = { "s3:prefix" = ["p/*"] } } },
    ]
  })
}
resource "aws_iam_role" "snowflake" {
  name = "terraform-role"
  path = "/snowplow/"
  tags = { ManagedBy = "terraform" }
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow", Principal = { AWS = var.snowflake_user_arn }, Action = "sts:AssumeRole",
      Condition = { StringEquals = { "sts:ExternalId" = var.external_id } }
    }]
  })
}
resource "aws_iam_role_policy_attachment" "read" {
  role       = aws_iam_role.snowflake.name
  policy_arn = aws_iam_policy.read.arn
}
resource "aws_s3_bucket_notification" "events" {
  bucket = data.aws_s3_bucket.events.id
  queue {
    id            = "events"
    queue_arn     = var.queue_arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = "p/"
    filter_suffix = ".gz"
  }
}
"""


class Terraform:
    """`terraform` in a folder of its own, with nothing of this machine's configuration."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment

    def __call__(self, *arguments: str, expect: int = 0) -> str:
        done = subprocess.run(
            ["terraform", *arguments], cwd=self.folder, env=self.environment, capture_output=True,
            text=True, timeout=180, check=False,
        )  # fmt: skip
        assert done.returncode == expect, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def terraform(tenant: Any, snowflake: Any, tmp_path: Path) -> Terraform:
    plugins = os.environ.get("TERRAFORM_PLUGIN_DIR", "")
    if not shutil.which("terraform"):
        pytest.skip("terraform is not installed")
    if not (Path(plugins) / "registry.terraform.io/hashicorp/aws" / PROVIDER).is_dir():
        pytest.skip(f"TERRAFORM_PLUGIN_DIR names no folder with the AWS provider {PROVIDER}")
    (tmp_path / "main.tf").write_text(CONFIGURATION % PROVIDER)
    queue = snowflake.queue()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "CHECKPOINT_DISABLE": "1",
        "TF_VAR_bucket": tenant.bucket,
        "TF_VAR_queue_arn": queue.arn,
        "TF_VAR_snowflake_user_arn": snowflake.arn,
        "TF_VAR_external_id": EXTERNAL_ID,
        **process.env(tmp_path, tenant.described),
    }
    run = Terraform(tmp_path, environment)
    run("init", "-plugin-dir", plugins, "-input=false")
    return run


def test_terraform_applies_plans_nothing_and_destroys(
    terraform: Terraform, tenant: Any, snowflake: Any
) -> None:
    terraform("apply", "-auto-approve", "-input=false")
    role_arn = f"arn:aws:iam::{tenant.account_id}:role/snowplow/terraform-role"
    reader = snowflake.as_role(role_arn, ExternalId=EXTERNAL_ID)
    tenant.boto3("s3").put_object(Bucket=tenant.bucket, Key="p/a.gz", Body=b"x")
    assert reader.get_object(Bucket=tenant.bucket, Key="p/a.gz")["Body"].read() == b"x"
    queues = tenant.boto3("s3").get_bucket_notification_configuration(Bucket=tenant.bucket)
    assert [rule["Id"] for rule in queues["QueueConfigurations"]] == ["events"]

    # 0: no changes, 2: changes (terraform plan -help)
    terraform("plan", "-detailed-exitcode", "-input=false", expect=0)
    tenant.boto3("iam").update_assume_role_policy(
        RoleName="terraform-role", PolicyDocument=json.dumps(_trust(snowflake.arn, "another"))
    )
    assert "~ assume_role_policy" in terraform(
        "plan", "-detailed-exitcode", "-input=false", "-no-color", expect=2
    )

    terraform("destroy", "-auto-approve", "-input=false")
    assert "terraform-role" not in [one["RoleName"] for one in tenant.boto3("iam").list_roles()["Roles"]]
    assert tenant.boto3("iam").list_policies(Scope="Local")["Policies"] == []
    left = tenant.boto3("s3").get_bucket_notification_configuration(Bucket=tenant.bucket)
    assert "QueueConfigurations" not in left
    assert tenant.bucket in [bucket["Name"] for bucket in tenant.boto3("s3").list_buckets()["Buckets"]]


def _trust(principal: str, external_id: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
