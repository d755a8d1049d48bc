"""``/v1``: every address once, as a value from which its route, its checks and its description are made."""
