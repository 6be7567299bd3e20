"""How fast it is, against draive.postgres, bare psycopg and a bare COPY: ratios of one run."""
