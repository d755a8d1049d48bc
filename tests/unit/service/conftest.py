from __future__ import annotations

import sys
from pathlib import Path

# Test files are not a package; the service's tests share one scripted world.
sys.path.insert(0, str(Path(__file__).parent))
