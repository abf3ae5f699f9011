"""`invoke watch`: looks at a target again and again, remembers, and tells people what changed."""
