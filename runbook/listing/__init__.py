"""A folder's keys, listed as fast as S3 gives them."""
