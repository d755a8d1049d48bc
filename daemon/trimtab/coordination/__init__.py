"""Which process owns which deployments: buckets with one owner each, on a coordination service."""
