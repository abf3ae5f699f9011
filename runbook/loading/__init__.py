"""Making it so: REFRESH, COPY, rows replaced; and who is loading, so that no two load the same."""
