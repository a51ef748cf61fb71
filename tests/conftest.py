"""What every test may use."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def absent(part: str, why: str) -> NoReturn:
    """Skip a test whose part of the machine is absent; fail instead where `SULH_REQUIRE` lists the part.

    A skipped test looks much like a passed one: where a part must be there, such as in the full run, say so with
    ``SULH_REQUIRE=browser,…``.
    """
    if part in os.environ.get("SULH_REQUIRE", "").replace(",", " ").split():
        pytest.fail(f"SULH_REQUIRE lists {part}, but {why}", pytrace=False)
    pytest.skip(f"needs {part}: {why}")
