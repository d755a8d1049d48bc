"""Forecasts that learn from a deployment's own past: levels, seasons, replayed settings, a price.

Works on numpy arrays; nothing here is imported unless a policy uses the strategy ``capacity``. All of it
is pure, and only operations that IEEE 754 rounds correctly touch what is remembered (sums, products,
quotients, square roots, comparisons; no library sums, powers or logarithms of arrays), so that a
replay on another machine comes to the same bits.
"""
