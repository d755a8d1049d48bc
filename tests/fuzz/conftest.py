from __future__ import annotations

import sys
from pathlib import Path

# Test files are not a package; these share the subjects, the mutations and the engine.
sys.path.insert(0, str(Path(__file__).parent))
