"""What every test may use."""

from __future__ import annotations

import os
import warnings
from typing import NoReturn

import pytest

with warnings.catch_warnings():
    # Datasette leaves a connection open while it is imported, which Python 3.13 and later complain about.
    warnings.simplefilter("ignore", ResourceWarning)
    import datasette.app  # noqa: F401


def absent(part: str, why: str) -> NoReturn:
    """Skip a test whose part of the machine is absent; fail instead where `REQUIRED_PARTS` lists the part.

    A skipped test looks much like a passed one: where a part must be there, such as in the full run, say so with
    ``REQUIRED_PARTS=browser,…``.
    """
    if part in os.environ.get("REQUIRED_PARTS", "").replace(",", " ").split():
        pytest.fail(f"REQUIRED_PARTS lists {part}, but {why}", pytrace=False)
    pytest.skip(f"needs {part}: {why}")
