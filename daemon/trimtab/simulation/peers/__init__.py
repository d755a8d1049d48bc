"""Other people's autoscalers, each with its documented defaults, as baselines to be measured against."""
