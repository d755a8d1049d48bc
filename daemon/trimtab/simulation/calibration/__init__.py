"""What one replica carries within its SLO, and how long it takes to start, from a recorded past."""
