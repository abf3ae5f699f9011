# The AWS side of the pipeline: what steps 1, 3 and 5 of the runbook make.

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]
}

data "aws_partition" "this" {}

# A state is of one installation: with another one's variables Terraform would turn its role, policy and rules
# into theirs. So whose it is stands in it, and the plan fails for any other.
resource "terraform_data" "installation" {
  input = var.installation

  lifecycle {
    ignore_changes = [input]
    postcondition {
      condition     = self.output == var.installation
      error_message = "This state is of ${self.output}, and terraform.tfvars.json of ${var.installation}. Choose that one's own: terraform workspace select -or-create NAME, or a copy of this folder. Where it is the same installation by another name: terraform apply -replace=terraform_data.installation"
    }
  }
}

locals {
  arns      = "arn:${data.aws_partition.this.partition}:s3:::"
  bucket_of = { for name, stream in var.streams : name => coalesce(stream.bucket, var.bucket) }
  others    = sort(setsubtract(values(local.bucket_of), [var.bucket]))
  buckets   = concat([for bucket in [var.bucket] : bucket if contains(values(local.bucket_of), bucket)], local.others)
  folders = {
    for bucket in local.buckets :
    bucket => [for name, stream in var.streams : "${stream.prefix}*" if local.bucket_of[name] == bucket]
  }
  tags      = merge(var.tags, { ManagedBy = "terraform" })
  announced = { for name, stream in var.streams : name => stream if stream.queue_arn != null }
  keys      = merge({ for arn in compact([var.kms_key_arn]) : arn => var.region }, var.other_keys)
  key_arns  = concat(compact([var.kms_key_arn]), sort([for arn in keys(local.keys) : arn if arn != var.kms_key_arn]))
  decrypting = [for number, arn in local.key_arns : {
    Sid       = "DecryptThroughS3${number == 0 ? "" : number}"
    Effect    = "Allow"
    Action    = "kms:Decrypt"
    Resource  = arn
    Condition = { StringEquals = { "kms:ViaService" = "s3.${local.keys[arn]}.${data.aws_partition.this.dns_suffix}" } }
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
    Statement = concat(flatten([for number, bucket in local.buckets : [
      {
        Sid      = "ReadObjects${number == 0 ? "" : number}"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectVersion"]
        Resource = [for folder in local.folders[bucket] : "${local.arns}${bucket}/${folder}"]
      },
      {
        Sid       = "ListFolders${number == 0 ? "" : number}"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = "${local.arns}${bucket}"
        Condition = { StringLike = { "s3:prefix" = local.folders[bucket] } }
      },
      {
        Sid      = "LocateBucket${number == 0 ? "" : number}"
        Effect   = "Allow"
        Action   = "s3:GetBucketLocation"
        Resource = "${local.arns}${bucket}"
      },
    ]]), local.decrypting)
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

# These resources are a bucket's whole notification document: they would delete every rule they do not
# know. So each refuses a bucket with rules of others, or one that nobody has looked at.
resource "aws_s3_bucket_notification" "files" {
  count  = var.manage_notifications && length([for name in keys(local.announced) : name if local.bucket_of[name] == var.bucket]) > 0 ? 1 : 0
  bucket = var.bucket

  dynamic "queue" {
    for_each = { for name, stream in local.announced : name => stream if local.bucket_of[name] == var.bucket }
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

# The buckets that streams name themselves. The first one keeps its own resource, and so its place in a state.
resource "aws_s3_bucket_notification" "other_files" {
  for_each = toset(var.manage_notifications ? [for bucket in local.others : bucket if contains([for name in keys(local.announced) : local.bucket_of[name]], bucket)] : [])
  bucket   = each.key

  dynamic "queue" {
    for_each = { for name, stream in local.announced : name => stream if local.bucket_of[name] == each.key }
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
      condition     = lookup(var.other_foreign_rules, each.key, null) != null
      error_message = "Nobody has looked at the notification rules of ${each.key}, and this would replace them all. Run `invoke tfvars` with AWS credentials."
    }
    precondition {
      condition     = length(coalesce(lookup(var.other_foreign_rules, each.key, null), [])) == 0
      error_message = "${each.key} has notification rules of others (${join(", ", coalesce(lookup(var.other_foreign_rules, each.key, null), []))}), which Terraform would delete. Set aws.managed_by to terraform_without_rules, run `invoke tfvars`, and leave the rules to `invoke step5-aws`: it merges them."
    }
  }
}
