from __future__ import annotations

import sys
from pathlib import Path

# Test files are not a package, and the two SDK suites share one way to run a server.
sys.path.insert(0, str(Path(__file__).parent))
