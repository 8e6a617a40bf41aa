"""What the validator must say to a body."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from app.standin import validation
from app.standin.validation import Refusal


def assert_accepted(body: Any) -> None:
    """Fail unless the body passes, and is not changed by being looked at."""
    before = copy.deepcopy(body)
    validation.check(body, 100)
    assert body == before


def assert_refused(body: Any, message: str) -> None:
    """Fail unless the body is refused with 400 and in the API's words."""
    with pytest.raises(Refusal) as caught:
        validation.check(body, 100)
    assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")
    assert message in caught.value.message
