"""Making it so: REFRESH, COPY, rows replaced; and who is at it, so that no two load the same."""
