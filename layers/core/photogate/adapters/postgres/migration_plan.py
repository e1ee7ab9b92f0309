"""What ``photogate migrate`` would do to a database; looks, and writes nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from photogate.adapters.postgres.migration_files import Migration, shipped
from photogate.adapters.postgres.pool import Pool, Session

#: ``CREATE OR REPLACE TRIGGER``, ``gen_random_uuid`` and records beyond keys need these.
_LEAST_VERSION = 140_000
_CREATED = re.compile(r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+)", re.MULTILINE)
#: Filled in by every upload; others of a table that is adopted need a default, or no NOT NULL.
_FILLED = ("user_id", "url", "batch_id", "media_type", "moderation_status", "display_order")


@dataclass(frozen=True, kw_only=True)
class MigrationPlan:
    """What would be done, and what stands in the way of it."""

    #: Files that are missing, in order.
    migrations: tuple[str, ...]
    #: One line for each thing that would be done or stay.
    steps: tuple[str, ...]
    #: What would make it fail, each with the way out.
    in_the_way: tuple[str, ...]
    #: Whether the database holds no table of anybody's.
    empty: bool

    @property
    def lines(self) -> list[str]:
        """The plan in words."""
        if not self.migrations:
            return ["the schema is up to date"]
        files = f"would apply {len(self.migrations)} migrations: {', '.join(self.migrations)}"
        return [files, *self.steps, *(f"IN THE WAY: {line}" for line in self.in_the_way)]


def plan(pool: Pool, migrations: list[Migration] | None = None) -> MigrationPlan:
    """Look at the database and say what migrating would do to it.

    Raises:
        DatabaseUnavailable: it does not answer.
        ConfigError: it refuses the role.
    """
    wanted = shipped() if migrations is None else migrations
    return pool.transaction(lambda session: _plan(session, wanted))


def _plan(session: Session, wanted: list[Migration]) -> MigrationPlan:
    session.rows("SET TRANSACTION READ ONLY")
    tables = {
        row["name"]: row
        for row in session.rows(
            "SELECT relname AS name, pg_get_userbyid(relowner) AS owner,"
            " pg_has_role(relowner, 'USAGE') AS ours,"
            " has_table_privilege(oid, 'SELECT') AS readable FROM pg_class"
            " WHERE relnamespace = CAST(current_schema() AS regnamespace)"
            " AND relkind IN ('r', 'p', 'v', 'm')"
        )
    }
    done: set[int] = set()
    if "schema_migrations" in tables:
        done = {row["number"] for row in session.rows("SELECT number FROM schema_migrations")}
    missing = [migration for migration in wanted if migration.number not in done]
    steps: list[str] = []
    problems = _problems_of_server(session)
    if missing:
        problems += _problems_of_names(tables, missing)
    if missing and missing[0].number == 1:
        if "media" in tables:
            found_steps, found_problems = _adoption(session, tables["media"])
            steps += found_steps
            problems += found_problems
        else:
            steps.append("would make the table media and what surrounds it; adopts nothing")
    return MigrationPlan(
        migrations=tuple(migration.name for migration in missing),
        steps=tuple(steps),
        in_the_way=tuple(problems),
        empty=not tables,
    )


def _problems_of_server(session: Session) -> list[str]:
    row = session.rows(
        "SELECT current_setting('server_encoding') AS encoding,"
        " CAST(current_setting('server_version_num') AS integer) AS version,"
        " current_setting('server_version') AS version_words, current_user AS me,"
        " has_schema_privilege(current_schema(), 'CREATE') AS may_create,"
        " current_schema() AS schema"
    )[0]
    problems = []
    if row["encoding"] != "UTF8":
        problems.append(f"the database's encoding is {row['encoding']}; Photogate needs UTF8")
    if row["version"] < _LEAST_VERSION:
        problems.append(f"PostgreSQL is {row['version_words']}; Photogate needs 14 or newer")
    if not row["may_create"]:
        problems.append(
            f"the role {row['me']} may not make tables in the schema {row['schema']}:"
            f" GRANT CREATE ON SCHEMA {row['schema']} TO {row['me']}"
        )
    return problems


def _problems_of_names(tables: dict[str, Any], missing: list[Migration]) -> list[str]:
    made = {name for migration in missing for name in _CREATED.findall(migration.sql)}
    taken = sorted((made - {"media"}) & tables.keys())
    problems = []
    if taken and missing[0].number == 1:
        problems.append(
            f"tables or views of these names are there already: {', '.join(taken)}; give Photogate"
            " a schema of its own in front on the search_path, or rename them"
        )
    if (media := tables.get("media")) and not media["ours"]:
        problems.append(
            f"the table media belongs to {media['owner']}: migrate as that role"
            " (MIGRATE_DATABASE_URL)"
        )
    return problems


def _adoption(session: Session, media: dict[str, Any]) -> tuple[list[str], list[str]]:
    columns = {
        row["name"]: row
        for row in session.rows(
            "SELECT attname AS name, format_type(atttypid, atttypmod) AS type,"
            " attnotnull AS filled,"
            " atthasdef OR attidentity <> '' OR attgenerated <> '' AS has_default,"
            " typtype = 'e' AS enum, pg_has_role(typowner, 'USAGE') AS type_is_ours, atttypmod"
            " FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid"
            " WHERE attrelid = to_regclass('media') AND attnum > 0 AND NOT attisdropped"
        )
    }
    steps = [f"would adopt the table media of {media['owner']}: rows, types and keys stay"]
    problems = [
        f"the table media has no column {name}"
        for name in ("id", "user_id", "url")
        if name not in columns
    ]
    problems += [
        f"media.{name} must be filled and has no default, and uploads do not fill it:"
        f" ALTER TABLE media ALTER COLUMN {name} SET DEFAULT …"
        for name, column in columns.items()
        if column["filled"] and not column["has_default"] and name not in (*_FILLED, "id")
    ]
    if "id" in columns and not columns["id"]["has_default"]:
        problems.append(
            "media.id has no default, and uploads do not fill it:"
            " ALTER TABLE media ALTER COLUMN id SET DEFAULT gen_random_uuid()"
        )
    if (status := columns.get("moderation_status")) and status["enum"]:
        steps.append(f"would add `review` to the type {status['type']}")
        if not status["type_is_ours"]:
            problems.append(f"the type {status['type']} belongs to another role; migrate as that")
    converted = _converted(columns)
    steps += [f"would make media.{name} text" for name in converted]
    problems += _views(session, converted)
    steps += [
        f"would drop the constraint {row['name']}: {row['definition']}"
        for row in session.rows(
            "SELECT DISTINCT conname AS name, pg_get_constraintdef(pg_constraint.oid) AS definition"
            " FROM pg_constraint JOIN pg_attribute"
            "   ON attrelid = conrelid AND attnum = ANY (conkey)"
            " WHERE conrelid = to_regclass('media') AND contype IN ('c', 'f')"
            " AND attname IN ('batch_id', 'moderation_status', 'moderation_reason') ORDER BY 1"
        )
    ]
    if media["readable"]:
        steps += _rows(session, columns)
    else:
        steps.append("its rows were not counted: this role may not read media")
    return steps, problems


def _converted(columns: dict[str, Any]) -> list[str]:
    """Name the columns whose type cannot stay; as migration 0001 has it."""
    found = []
    if (batch := columns.get("batch_id")) is not None:
        wide = batch["type"] == "character varying" or (
            batch["type"].startswith("character varying(") and batch["atttypmod"] >= 36 + 4
        )
        if batch["type"] not in ("text", "uuid") and not wide:
            found.append("batch_id")
    if (reason := columns.get("moderation_reason")) is not None and not reason["type"].startswith(
        ("text", "character varying")
    ):
        found.append("moderation_reason")
    return found


def _views(session: Session, converted: list[str]) -> list[str]:
    rows = session.rows(
        "SELECT DISTINCT CAST(CAST(ev_class AS regclass) AS text) AS view, attname AS name"
        " FROM pg_depend JOIN pg_rewrite ON pg_rewrite.oid = objid"
        " JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid"
        " WHERE refobjid = to_regclass('media') AND ev_class <> refobjid"
        " AND attname = ANY (CAST(:names AS text[])) ORDER BY 1, 2",
        names=converted,
    )
    return [
        f"the view {row['view']} reads media.{row['name']}, whose type changes: drop it, migrate,"
        " and make it again"
        for row in rows
    ]


def _rows(session: Session, columns: dict[str, Any]) -> list[str]:
    session.rows("SET LOCAL statement_timeout = 0")

    def text_of(name: str) -> str:
        return f"CAST({name} AS text)" if name in columns else "CAST(NULL AS text)"

    status, kind, flag = map(text_of, ("moderation_status", "media_type", "is_approved"))
    photo = f"coalesce({kind}, 'photo') = 'photo'"
    decided = f"{status} IN ('approved', 'rejected', 'review')"
    by_flag = f"{status} IS NULL AND coalesce({flag}, '') = 'true'"
    row = session.rows(
        f"SELECT count(*) AS n, count(*) FILTER (WHERE NOT {photo}) AS others,"
        f" count(*) FILTER (WHERE {photo} AND {by_flag}) AS by_flag,"
        f" count(*) FILTER (WHERE {photo} AND NOT coalesce({decided}, false)"
        f"   AND NOT ({by_flag})) AS waiting,"
        f" count(*) FILTER (WHERE {photo} AND {status} = 'rejected'"
        f"   AND coalesce({flag}, '') = 'true') AS shown FROM media"
    )[0]
    steps = [f"media has {row['n']:,} rows; {row['waiting']:,} photos would be moderated"]
    if row["others"]:
        steps.append(f"{row['others']:,} rows are no photos and stay as they are")
    if row["by_flag"]:
        steps.append(f"{row['by_flag']:,} photos without a status would be approved: is_approved")
    if "is_approved" in columns:
        steps.append("is_approved would follow the status from then on")
    if row["shown"]:
        steps.append(f"{row['shown']:,} rejected photos have is_approved; it would become false")
    return steps
