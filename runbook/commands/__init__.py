"""One module a command, named as the command; its function of that name answers with the exit code."""
