"""What the house rules look at."""

from __future__ import annotations

import pytest
from tracked_files import Checkout


@pytest.fixture(scope="session")
def checkout() -> Checkout:
    """The checkout that these tests are part of."""
    return Checkout.read()
