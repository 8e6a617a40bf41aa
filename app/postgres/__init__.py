"""PostgreSQL as the place of what several servers share; needs the extra `postgres`. Nothing else imports psycopg."""
