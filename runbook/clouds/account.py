"""A Snowflake account and the names it goes by."""

import re
from dataclasses import dataclass

_SUFFIXES = (".SNOWFLAKECOMPUTING.COM", ".SNOWFLAKECOMPUTING.CN", ".PRIVATELINK")


@dataclass(frozen=True)
class Account:
    """An account as it answers CURRENT_ACCOUNT, _ORGANIZATION_NAME, _ACCOUNT_NAME and _REGION."""

    locator: str
    organization: str
    name: str
    region: str = ""

    def __str__(self) -> str:
        return " / ".join(sorted({self.locator.upper(), f"{self.organization}-{self.name}".upper()}))

    def is_called(self, identifier: str) -> bool:
        """Whether an account identifier, as people and Snowflake's pages write it, means this account.

        By organization and name, with a hyphen or a dot between them and hyphens for underscores; by locator,
        alone or with region and cloud; by the name with the region, as old connections have it. Any of them
        may have .privatelink behind it, or the whole host's name. The case does not matter.
        Source: https://docs.snowflake.com/en/user-guide/admin-account-identifier
        """
        text = identifier.upper()
        for suffix in _SUFFIXES:
            text = text.removesuffix(suffix)
        if _alike(text) == _alike(f"{self.organization}-{self.name}"):
            return True
        first, _, rest = text.partition(".")
        if first == self.locator.upper():
            return not rest or self._is_in(rest)
        return _alike(first) == _alike(self.name) and bool(rest) and self._is_in(rest)

    def _is_in(self, rest: str) -> bool:
        """Whether ``us-west-2`` or ``us-west-2.aws`` is the account's region, to it AWS_US_WEST_2."""
        cloud, _, region = self.region.upper().rpartition(".")[2].partition("_")
        wanted, _, of = rest.partition(".")
        return _bare(wanted) == _bare(region) and of in ("", cloud)


def _alike(text: str) -> str:
    """One spelling for all: a hyphen for each underscore, and for the dot."""
    return text.upper().replace("_", "-").replace(".", "-")


def _bare(text: str) -> str:
    """Letters and digits only: Azure's west-europe is AZURE_WESTEUROPE."""
    return re.sub(r"[^A-Z0-9]", "", text)
