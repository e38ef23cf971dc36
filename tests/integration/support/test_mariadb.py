"""The MariaDB fixtures: fresh for each test, and a server that may be killed."""

import psutil
import pymysql
import pytest

from tests.support import mariadb
from tests.support.mariadb import MariadbServer


def test_a_fresh_database_is_dropped_after_use(mariadb_place: mariadb.Place) -> None:
    """Nothing is left on the shared server."""
    with mariadb.fresh_database(mariadb_place) as place:
        place.rows("CREATE TABLE only_here (id int)")
    with pytest.raises(pymysql.MySQLError, match="Unknown database"):
        place.rows("SELECT 1")


def test_a_killed_server_has_its_rows_when_it_is_back(mariadb_server: MariadbServer) -> None:
    """A row survives kill -9 and restart; address and credentials stay, and the server is not root."""
    place = mariadb_server.place
    place.rows("CREATE DATABASE kept")
    place.rows("CREATE TABLE kept.kept (id int)")
    place.rows("INSERT INTO kept.kept VALUES (1)")
    assert psutil.Process(mariadb_server.pid).uids().effective != 0

    mariadb_server.kill9()
    mariadb_server.start()

    assert place.rows("SELECT * FROM kept.kept") == [(1,)]
