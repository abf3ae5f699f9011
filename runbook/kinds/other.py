"""What others load that is not Snowplow's: watched, verified and filled by its files and loads alone.

Only a stream that was found has this kind, or that of its files' format: no step makes one.
"""

NUMBER = -1
MAY_STAY_AWAY = True
FORMAT: dict[str, str] = {}
MARK = "NULL"
CANARYS_COLUMNS = None
CANARYS_ROW = CANARYS_RUN = "NULL"


def canary(_run: str) -> str:
    """Nothing: no record is known that could be told from others and removed again."""
    return ""


def misread(_columns: frozenset[str]) -> str:
    """Nothing: what its rows should hold is not known."""
    return "0"


def wrong_in(_plain: bytes) -> str:
    """Nothing: what its files should hold is not known."""
    return ""


def older(_plain: bytes) -> str:
    """Nothing is known of its producer."""
    return ""
