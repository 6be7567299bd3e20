"""The class of a configuration, in the column ``name`` of draive 0.94 and newer."""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest
from draive import Configuration
from haiway import ConfigurationInvalid

from draive_pg import Client
from draive_pg.lines.line import LINE_118
from tests.conftest import Connect
from tests.schema import run_sql, set_up


class Chat(Configuration):
    model: str = "small"


class Search(Configuration):
    model: str = "small"


@pytest.fixture
def named(connect: Connect, empty_dsn: str) -> Client:
    """A client of a database in which configurations have classes."""
    set_up(empty_dsn, LINE_118)
    return connect(empty_dsn)


@pytest.fixture
def sql_of_named(named: Client, empty_dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        yield connection


def classes(connection: psycopg.Connection, identifier: str) -> Sequence[Any]:
    select = "SELECT name FROM configurations WHERE identifier = %s ORDER BY created"
    return [name for (name,) in connection.execute(select, [identifier])]


def test_class_of_a_configuration_is_written(
    named: Client, sql_of_named: psycopg.Connection
) -> None:
    named.configurations.define("chat", Chat(model="large"))
    named.configurations.define("chat", {"model": "tiny"})
    named.configurations.define(Search(model="large"))
    named.configurations.define("raw", {"model": "tiny"})
    assert classes(sql_of_named, "chat") == ["Chat", "Chat"]
    assert classes(sql_of_named, "Search") == ["Search"]
    assert classes(sql_of_named, "raw") == ["raw"]
    assert named.configurations.load(Chat, identifier="chat") == Chat(model="tiny")


def test_configuration_of_another_class_is_refused(named: Client) -> None:
    named.configurations.define("chat", Chat())
    with pytest.raises(ConfigurationInvalid, match="of the class 'Chat', not 'Search'"):
        named.configurations.load(Search, identifier="chat")
    named.configurations.label("chat", "production")
    with pytest.raises(ConfigurationInvalid, match="of the class 'Chat', not 'Search'"):
        named.configurations.load(Search, identifier="chat", label="production")
    assert named.configurations.load_raw("chat") == {"model": "small"}


def test_equal_configuration_of_another_class_is_new(named: Client) -> None:
    assert named.configurations.define("chat", Chat()).revision == 1
    assert named.configurations.define("chat", Chat()).revision == 1
    assert named.configurations.define("chat", Search()).revision == 2
    assert named.configurations.load(Search, identifier="chat") == Search()


def test_renamed_configuration_keeps_its_class(
    named: Client, sql_of_named: psycopg.Connection
) -> None:
    named.configurations.define("chat", Chat())
    named.configurations.rename("chat", "app.chat")
    assert classes(sql_of_named, "app.chat") == ["Chat"]


def test_rows_without_a_given_class_fit_any_class(named: Client, empty_dsn: str) -> None:
    run_sql(empty_dsn, "INSERT INTO configurations (identifier, content) VALUES ('app.x', '{}')")
    assert named.configurations.load(Chat, identifier="app.x") == Chat()


def test_tables_without_classes_need_none(db: Client) -> None:
    assert db.configurations.define("chat", Chat()).revision == 1
    assert db.configurations.define("chat", Search()).revision == 1
    assert db.configurations.load(Search, identifier="chat") == Search()
    assert db.configurations.rename("chat", "other").identifier == "other"
