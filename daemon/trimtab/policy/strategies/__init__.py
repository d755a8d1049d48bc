"""How each strategy is configured in a policy file, one file each; the algorithms are in the core."""
