"""The tables, version by version. Servers bring them forward at their start, one at a time, and never back."""

from __future__ import annotations

import psycopg

from app.errors import ConfigError

# Tables of ours stand apart, in whatever database.
SCHEMA = "claude_max_api"
# What one server tells the others: the matter that has changed.
CHANNEL = "claude_max_api"
NEWER = "schema"
# The number under which servers take their turns at the tables; any fixed one will do.
LOCK = 7_301_415_926
MIN_SERVER_VERSION, MIN_SERVER = 140_000, "14"

# By version, the first is 1. What has been released is never changed; a new version is a new script at the end.
MIGRATIONS = (
    """
    CREATE TABLE sessions (
        owner text NOT NULL, id bytea NOT NULL, system bytea NOT NULL, head bigint, turns integer NOT NULL,
        revision text NOT NULL, created float8 NOT NULL, used float8 NOT NULL, PRIMARY KEY (owner, id));
    CREATE INDEX oldest ON sessions (owner, used);
    CREATE INDEX idle ON sessions (used);
    CREATE TABLE nodes (
        node bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner text NOT NULL, digest bytea NOT NULL,
        parent bigint, uses integer NOT NULL, turn bytea NOT NULL, UNIQUE (owner, digest));
    ALTER TABLE nodes ALTER COLUMN turn SET STORAGE EXTERNAL;
    CREATE TABLE owners (owner text PRIMARY KEY, bytes bigint NOT NULL);
    CREATE TABLE queue (
        ticket bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner text NOT NULL, id bytea NOT NULL,
        holder bigint NOT NULL);
    CREATE INDEX queued ON queue (owner, id, ticket);
    -- In one step, since there is a way to the database and back for each message else.
    CREATE FUNCTION forget(whose text, which bytea) RETURNS boolean LANGUAGE plpgsql AS $$
    DECLARE
        at bigint;
        freed bigint;
        gone bigint;
    BEGIN
        DELETE FROM sessions WHERE owner = whose AND id = which RETURNING head, length(system) INTO at, freed;
        IF NOT FOUND THEN
            RETURN false;
        END IF;
        WHILE at IS NOT NULL LOOP
            UPDATE nodes SET uses = uses - 1 WHERE node = at;
            DELETE FROM nodes WHERE node = at AND uses = 0 RETURNING parent, length(turn) INTO at, gone;
            EXIT WHEN NOT FOUND;
            freed := freed + gone;
        END LOOP;
        UPDATE owners SET bytes = bytes - freed WHERE owner = whose;
        DELETE FROM owners WHERE owner = whose AND bytes = 0;
        RETURN true;
    END $$;
    CREATE TABLE keys (
        number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, sha256 bytea NOT NULL UNIQUE,
        created text NOT NULL, terms text NOT NULL, revoked timestamptz);
    CREATE UNIQUE INDEX named ON keys (name) WHERE revoked IS NULL;
    """,
    # The ledger. Texts are told apart and put in order by their bytes.
    """
    CREATE TABLE ledger (epoch text NOT NULL, number bigint NOT NULL);
    INSERT INTO ledger VALUES (gen_random_uuid()::text, 0);
    CREATE TABLE turns (
        number bigint PRIMARY KEY, writer text NOT NULL, place bigint NOT NULL, day text COLLATE "C" NOT NULL,
        request text NOT NULL, at float8 NOT NULL, owner text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL,
        client text COLLATE "C" NOT NULL, asked text NOT NULL, model text COLLATE "C" NOT NULL, route text NOT NULL,
        served text NOT NULL, status bigint, code text NOT NULL, ms bigint NOT NULL, ttft_ms bigint,
        requests bigint NOT NULL, input_tokens bigint NOT NULL, output_tokens bigint NOT NULL,
        cache_read_tokens bigint NOT NULL, cache_write_tokens bigint NOT NULL, dollars float8 NOT NULL,
        unpriced bigint NOT NULL, login text COLLATE "C" NOT NULL, UNIQUE (writer, place));
    CREATE INDEX ended ON turns (at);
    -- What was written here has no source; what was copied from elsewhere has one, so that it can be copied again.
    CREATE TABLE days (
        day text COLLATE "C", owner text COLLATE "C", client text COLLATE "C", model text COLLATE "C", source text,
        key text COLLATE "C" NOT NULL, requests bigint NOT NULL, failed bigint NOT NULL, input_tokens bigint NOT NULL,
        output_tokens bigint NOT NULL, cache_read_tokens bigint NOT NULL, cache_write_tokens bigint NOT NULL,
        dollars float8 NOT NULL, unpriced bigint NOT NULL, PRIMARY KEY (day, owner, client, model, source));
    CREATE TABLE windows (
        login text, name text, resets_at float8 NOT NULL, percent float8 NOT NULL, first_percent float8 NOT NULL,
        first_dollars float8 NOT NULL, seen_at float8 NOT NULL, PRIMARY KEY (login, name));
    """,
    """
    -- A session with its messages, and its use noted, in one step. Each query in here sees what is committed by then.
    CREATE FUNCTION use_session(whose text, which bytea, seconds float8) RETURNS TABLE (
        system bytea, revision text, created float8, used float8, said bytea[]) LANGUAGE plpgsql AS $$
    DECLARE
        now float8;
        last bigint;
    BEGIN
        PERFORM pg_advisory_xact_lock(hashtextextended('tree ' || whose, 0));
        now := extract(epoch FROM clock_timestamp());
        UPDATE sessions AS kept SET used = now WHERE kept.owner = whose AND kept.id = which
            AND kept.used >= now - seconds
            RETURNING kept.system, kept.revision, kept.created, kept.used, kept.head
            INTO system, revision, created, used, last;
        IF NOT FOUND THEN
            RETURN;
        END IF;
        said := ARRAY(
            WITH RECURSIVE chain (depth, parent, turn) AS (
                SELECT 0, nodes.parent, nodes.turn FROM nodes WHERE nodes.node = last
                UNION ALL
                SELECT depth + 1, nodes.parent, nodes.turn FROM nodes JOIN chain ON nodes.node = chain.parent)
            SELECT turn FROM chain ORDER BY depth DESC);
        RETURN NEXT;
    END $$;
    """,
    # What each host tells of itself.
    """
    CREATE TABLE hosts (
        name text NOT NULL, port integer NOT NULL, worker bigint NOT NULL, seen timestamptz NOT NULL,
        stopped boolean NOT NULL, told text NOT NULL, PRIMARY KEY (name, port, worker));
    """,
)
VERSION = len(MIGRATIONS)


def bring_forward(connection: psycopg.Connection) -> None:
    """Make the tables what this server knows. Raises ConfigError where they are newer, or the database will not do."""
    if connection.info.server_version < MIN_SERVER_VERSION:
        told = connection.info.parameter_status("server_version")
        raise ConfigError(f"the database is PostgreSQL {told}; it takes {MIN_SERVER} or newer")
    if (encoding := connection.info.parameter_status("server_encoding")) != "UTF8":
        raise ConfigError(f"the database has the encoding {encoding}; make it with ENCODING 'UTF8'")
    if _version(connection) == VERSION:
        return
    # Before the transaction: one that waited would still have an idea of the tables from before.
    connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
    try:
        with connection.transaction():
            _migrate(connection, _version(connection))
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", (LOCK,))


def _migrate(connection: psycopg.Connection, version: int) -> None:
    if version > VERSION:
        raise ConfigError(
            f"the database's tables are of version {version}, this server knows them up to {VERSION}: a newer server "
            "has been here; upgrade this one, too"
        )
    if version == VERSION:
        return
    if not version:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        connection.execute("CREATE TABLE version (version integer NOT NULL)")
    # A new index on a million rows takes its time.
    connection.execute("SET LOCAL statement_timeout TO 0")
    for script in MIGRATIONS[version:]:
        connection.execute(script)
    connection.execute("DELETE FROM version")
    connection.execute("INSERT INTO version VALUES (%s)", (VERSION,))
    connection.execute(f"NOTIFY {CHANNEL}, '{NEWER}'")


def _version(connection: psycopg.Connection) -> int:
    """Return the version of the tables, 0 where there are none."""
    (there,) = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{SCHEMA}.version",)).fetchone() or (False,)
    if not there:
        return 0
    row = connection.execute(f"SELECT version FROM {SCHEMA}.version").fetchone()
    return int(row[0]) if row is not None else 0
