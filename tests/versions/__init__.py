"""What each version of `claude` keeps of what is promised: `python -m tests.versions`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

# The environment is emptied before anything else is imported.
import hermetic  # noqa: F401
