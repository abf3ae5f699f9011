"""`python -m runbook`: what the console script does, where no script is on the PATH."""

from runbook.program import main

main()
