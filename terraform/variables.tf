# Written by `invoke tfvars` into terraform.tfvars.json. Nothing in it is secret.

variable "installation" {
  description = "Whose these variables are: the Snowflake account, and the schema. A state is of one installation."
  type        = string
}

variable "region" {
  description = "The bucket's region."
  type        = string
}

variable "account_id" {
  description = "The AWS account that owns the bucket and the role; nothing is done in another."
  type        = string
}

variable "bucket" {
  description = "The bucket Snowplow writes to, where a stream names no other. It must exist."
  type        = string
}

variable "role_name" {
  description = "The role Snowflake assumes."
  type        = string
}

variable "policy_name" {
  description = "The role's permissions policy."
  type        = string
}

variable "path" {
  description = "The IAM path of both."
  type        = string
  default     = "/"
}

variable "permissions_boundary" {
  description = "ARN of a boundary policy, where the organisation demands one."
  type        = string
  default     = null
}

variable "kms_key_arn" {
  description = "ARN of the key, where the bucket is encrypted with SSE-KMS."
  type        = string
  default     = null
}

variable "other_keys" {
  description = "The region of each key that encrypts another bucket than the first, by the key's ARN."
  type        = map(string)
  default     = {}
}

variable "tags" {
  description = "Added to role and policy."
  type        = map(string)
  default     = {}
}

variable "snowflake_user_arn" {
  description = "STORAGE_AWS_IAM_USER_ARN of the integration."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::[0-9]{12}:user/[A-Za-z0-9_+=,.@/-]+$", var.snowflake_user_arn))
    error_message = "This is not the ARN of one IAM user."
  }
}

variable "external_id" {
  description = "STORAGE_AWS_EXTERNAL_ID of the integration."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_+=,.@:/-]{2,}$", var.external_id)) && var.external_id != "0000"
    error_message = "This is not an external ID that Snowflake made."
  }
}

variable "streams" {
  description = "Each stream's folder, and its pipe's queue: null until Snowflake has made the pipe."
  type = map(object({
    bucket    = optional(string)
    prefix    = string
    suffix    = string
    queue_arn = optional(string)
  }))
}

variable "manage_notifications" {
  description = "Whether the bucket's whole notification document is this module's."
  type        = bool
  default     = true
}

variable "foreign_rules" {
  description = "The bucket's notification rules that are somebody else's, as last read; null: nobody has looked."
  type        = list(string)
  default     = null
}

variable "other_foreign_rules" {
  description = "The same of each other bucket that a stream names."
  type        = map(list(string))
  default     = {}
}
