from __future__ import annotations

import sys
from pathlib import Path

# Test files are not a package; the tests of pushes share one world.
sys.path.insert(0, str(Path(__file__).parent))
