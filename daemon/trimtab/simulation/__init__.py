"""The engine on the plant: references to compare a run with."""
