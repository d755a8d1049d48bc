from __future__ import annotations

import sys
from pathlib import Path

# Test files are not a package; these share a scripted control plane and a way to run the process.
sys.path.insert(0, str(Path(__file__).parent))
