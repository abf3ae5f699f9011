"""Reading IAM policy documents: what they let whom do. Pure functions."""
