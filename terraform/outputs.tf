output "role_arn" {
  description = "STORAGE_AWS_ROLE_ARN of the integration."
  value       = aws_iam_role.snowflake.arn
}
