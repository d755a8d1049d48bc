"""The journal in a PostgreSQL database, which many processes write to."""
