"""All that a database holds, as text: with pg_dump, or table by table where the server does not bear it."""

from __future__ import annotations

import re
import subprocess

import psycopg
from psycopg import sql

from gateway.embedded import installation


def dumped(url: str) -> str:
    """The whole database as pg_dump writes it, with bytes both as PostgreSQL and as people write them."""
    program = installation() / "bin" / "pg_dump"
    done = subprocess.run(
        [program, "--inserts", f"--dbname={url}"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + _bytes_in(done.stdout)


async def every_row(url: str) -> str:
    """The same without pg_dump: each table of ours, and each of the extension's that holds rows of ours."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        cursor = await connection.execute(
            """SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')"""
        )
        found = []
        for schema, table in await cursor.fetchall():
            query = sql.SQL("SELECT t::text FROM ONLY {} t").format(sql.Identifier(schema, table))
            found += [row[0] for row in await (await connection.execute(query)).fetchall()]
    whole = "\n".join(found)
    return whole + _bytes_in(whole)


def _bytes_in(text: str) -> str:
    return "\n".join(bytes.fromhex(each).decode("latin-1") for each in re.findall(r"\\\\?x((?:[0-9a-f]{2})+)", text))
