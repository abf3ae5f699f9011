# The AWS side of the pipeline: what steps 1, 3 and 5 of the runbook make.

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]
}

data "aws_partition" "this" {}

locals {
  bucket_arn = "arn:${data.aws_partition.this.partition}:s3:::${var.bucket}"
  folders    = [for stream in values(var.streams) : "${stream.prefix}*"]
  tags       = merge(var.tags, { ManagedBy = "terraform" })
  announced  = { for name, stream in var.streams : name => stream if stream.queue_arn != null }
  decrypting = var.kms_key_arn == null ? [] : [{
    Sid       = "DecryptThroughS3"
    Effect    = "Allow"
    Action    = "kms:Decrypt"
    Resource  = var.kms_key_arn
    Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.${data.aws_partition.this.dns_suffix}" } }
  }]
}

# The least Snowflake needs to load. GetBucketLocation stands alone: under an s3:prefix condition it
# would never be allowed (docs/runbook.md, The permissions policy).
resource "aws_iam_policy" "read" {
  name        = var.policy_name
  path        = var.path
  description = "Lets Snowflake read Snowplow files"
  tags        = local.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid      = "ReadObjects"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectVersion"]
        Resource = [for folder in local.folders : "${local.bucket_arn}/${folder}"]
      },
      {
        Sid       = "ListFolders"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = local.bucket_arn
        Condition = { StringLike = { "s3:prefix" = local.folders } }
      },
      {
        Sid      = "LocateBucket"
        Effect   = "Allow"
        Action   = "s3:GetBucketLocation"
        Resource = local.bucket_arn
      },
    ], local.decrypting)
  })
}

# Assumable by Snowflake's user with the integration's external ID, and by nobody else.
resource "aws_iam_role" "snowflake" {
  name                 = var.role_name
  path                 = var.path
  description          = "Assumed by Snowflake to read Snowplow files"
  permissions_boundary = var.permissions_boundary
  tags                 = local.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "SnowpipeRunbookSnowflakeUser"
      Effect    = "Allow"
      Principal = { AWS = var.snowflake_user_arn }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "sts:ExternalId" = var.external_id } }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "read" {
  role       = aws_iam_role.snowflake.name
  policy_arn = aws_iam_policy.read.arn
}

# This resource is the bucket's whole notification document: it would delete every rule it does not
# know. So it refuses a bucket with rules of others, or one that nobody has looked at.
resource "aws_s3_bucket_notification" "files" {
  count  = var.manage_notifications && length(local.announced) > 0 ? 1 : 0
  bucket = var.bucket

  dynamic "queue" {
    for_each = local.announced
    content {
      id            = "terraform-snowpipe:${queue.key}"
      queue_arn     = queue.value.queue_arn
      events        = ["s3:ObjectCreated:*"]
      filter_prefix = replace(urlencode(queue.value.prefix), "%2F", "/")
      filter_suffix = queue.value.suffix == "" ? null : urlencode(queue.value.suffix)
    }
  }

  lifecycle {
    precondition {
      condition     = var.foreign_rules != null
      error_message = "Nobody has looked at the notification rules of ${var.bucket}, and this would replace them all. Run `invoke tfvars` with AWS credentials."
    }
    precondition {
      condition     = length(coalesce(var.foreign_rules, [])) == 0
      error_message = "${var.bucket} has notification rules of others (${join(", ", coalesce(var.foreign_rules, []))}), which Terraform would delete. Set aws.managed_by to terraform_without_rules, run `invoke tfvars`, and leave the rules to `invoke step5-aws`: it merges them."
    }
  }
}
