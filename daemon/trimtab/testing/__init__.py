"""For authors of strategies: the contract that every strategy keeps, as tests to inherit.

    from trimtab.testing import StrategyContract

    class TestMyStrategy(StrategyContract):
        strategies = (MyStrategy(signal="load"),)

pytest collects the inherited tests. Without pytest, ``broken_promises(strategy)`` lists the same
findings as sentences. Nothing here needs more than trimtab itself.
"""

from trimtab.testing.contract import StrategyContract, broken_promises
from trimtab.testing.views import a_view, odd_views

__all__ = ["StrategyContract", "a_view", "broken_promises", "odd_views"]
