"""What the proxy costs, measured side by side in one run: `python -m tests.bench`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

# The environment is emptied before anything else is imported.
import hermetic  # noqa: F401
