"""Benchmarks against draive.postgres, psycopg and COPY, as ratios within one run."""
