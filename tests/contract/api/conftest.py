from __future__ import annotations

import sys
from pathlib import Path

# Test files are not a package, and they share one way to run a daemon in a thread.
sys.path.insert(0, str(Path(__file__).parent))
