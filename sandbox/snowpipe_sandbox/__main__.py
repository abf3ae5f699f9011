"""``python -m snowpipe_sandbox``: what ``snowpipe-sandbox`` does, where no script is on the PATH."""

import sys

from snowpipe_sandbox.process import main

sys.exit(main())
