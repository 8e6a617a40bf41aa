"""An attack on the event loop: `python -m tests.attack`."""

from __future__ import annotations

import sys
from pathlib import Path

# The helpers of the tests, under the names the tests know them by.
sys.path.insert(0, str(Path(__file__).parent.parent))

# The environment is emptied before anything else is imported.
import hermetic  # noqa: F401
