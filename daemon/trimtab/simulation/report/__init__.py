"""What people see of simulations: tables, JSON, one HTML page, plots as files.

Everything here is a pure function of a ``Study``: what was simulated, and what came of it. Nothing
is simulated and nothing is measured here, so no report can say what a measure does not.
"""
