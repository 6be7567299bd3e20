"""Configuration snapshots: `db.configurations`."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, overload

from draive_pg.database.asynchronous import AsyncDatabase
from draive_pg.database.sync import Database
from draive_pg.namespaces.twins import documented_as
from draive_pg.operations import configurations, snapshots
from draive_pg.operations.snapshots import Snapshot
from draive_pg.records import Records

if TYPE_CHECKING:
    from collections.abc import Mapping

    from draive import Configuration

__all__ = ("AsyncConfigurations", "Configurations")


class Configurations:
    """Configuration snapshots: JSON documents by identifier, of which the newest holds."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    def configurations(self) -> tuple[str, ...]:
        """Return every known identifier, in order; cached."""
        return self._database.run(configurations.identifiers())

    @overload
    def load[Config: "Configuration"](
        self,
        config: type[Config],
        *,
        identifier: str | None = None,
        as_of: datetime | None = None,
    ) -> Config | None: ...

    @overload
    def load[Config: "Configuration"](
        self,
        config: type[Config],
        *,
        identifier: str | None = None,
        default: Config,
        as_of: datetime | None = None,
    ) -> Config: ...

    @overload
    def load[Config: "Configuration"](
        self,
        config: type[Config],
        *,
        identifier: str | None = None,
        required: Literal[True],
        as_of: datetime | None = None,
    ) -> Config: ...

    def load[Config: "Configuration"](
        self,
        config: type[Config],
        *,
        identifier: str | None = None,
        default: Config | None = None,
        required: bool = False,
        as_of: datetime | None = None,
    ) -> Config | None:
        """Return the newest snapshot as an instance of a draive Configuration class; cached.

        Parameters
        ----------
        config : type[Configuration]
            The class to make.
        identifier : str | None
            Which configuration; the class's qualified name for None.
        default : Configuration | None
            Returned where there is none.
        required : bool
            Where there is none and no default, return ``config()``, or raise if the class needs
            more than its own defaults.
        as_of : datetime | None
            What was the newest at a time, with its time zone.

        Returns
        -------
        Configuration | None
            None where there is none, no default, and none is required.

        Raises
        ------
        ConfigurationMissing
            If none is there and one is required.
        ConfigurationInvalid
            If the snapshot does not fit the class.
        """
        return self._database.run(
            configurations.load(
                config, identifier=identifier, default=default, required=required, as_of=as_of
            )
        )

    def load_raw(
        self, identifier: str, *, revision: int | None = None, as_of: datetime | None = None
    ) -> dict[str, Any] | None:
        """Return the newest snapshot of an identifier as a new dict, or None; cached.

        Parameters
        ----------
        identifier : str
            Which configuration.
        revision : int | None
            A snapshot by its number instead.
        as_of : datetime | None
            What was the newest at a time instead, with its time zone.

        Raises
        ------
        RevisionMissing
            If there are snapshots, but none of that number.
        """
        return self._database.run(snapshots.load_raw(identifier, revision=revision, as_of=as_of))

    def newest(self) -> Records[Snapshot]:
        """Return the newest snapshot of each identifier, in order of the identifiers."""
        return self._database.run(snapshots.newest())

    def history(self, identifier: str) -> Records[Snapshot]:
        """Return all snapshots of an identifier, the newest first; none where there are none."""
        return self._database.run(snapshots.history(identifier))

    def define(
        self,
        config: "Configuration | str",
        value: "Configuration | Mapping[str, Any] | None" = None,
        *,
        expected: int | Snapshot | None = None,
    ) -> Snapshot:
        """Write a new snapshot, the newest of its identifier, and return it.

        Where nothing would change, none is written, and the newest one is returned.

        Parameters
        ----------
        config : Configuration | str
            A configuration, kept under its class's qualified name, or an identifier.
        value : Configuration | Mapping[str, Any] | None
            What to keep under the identifier.
        expected : int | Snapshot | None
            Write it only if this snapshot is the newest, or there is none yet for 0.

        Raises
        ------
        RevisionConflict
            If another snapshot than was expected is the newest; the message names both.
        TypeError, ValueError
            If the value is no mapping or holds what JSON or PostgreSQL cannot; nothing is written.
        """
        return self._database.run(snapshots.define(config, value, expected=expected))

    def remove(self, identifier: "type[Configuration] | str") -> int:
        """Remove all snapshots of an identifier or a class, and return how many there were."""
        return self._database.run(configurations.remove(identifier))


@documented_as(Configurations)
class AsyncConfigurations:
    __slots__ = ("_database",)

    def __init__(self, database: AsyncDatabase) -> None:
        self._database = database

    async def configurations(self) -> tuple[str, ...]:
        return await self._database.run(configurations.identifiers())

    @overload
    async def load[Config: "Configuration"](
        self,
        config: type[Config],
        *,
        identifier: str | None = None,
        as_of: datetime | None = None,
    ) -> Config | None: ...

    @overload
    async def load[Config: "Configuration"](
        self,
        config: type[Config],
        *,
        identifier: str | None = None,
        default: Config,
        as_of: datetime | None = None,
    ) -> Config: ...

    @overload
    async def load[Config: "Configuration"](
        self,
        config: type[Config],
        *,
        identifier: str | None = None,
        required: Literal[True],
        as_of: datetime | None = None,
    ) -> Config: ...

    async def load[Config: "Configuration"](
        self,
        config: type[Config],
        *,
        identifier: str | None = None,
        default: Config | None = None,
        required: bool = False,
        as_of: datetime | None = None,
    ) -> Config | None:
        return await self._database.run(
            configurations.load(
                config, identifier=identifier, default=default, required=required, as_of=as_of
            )
        )

    async def load_raw(
        self, identifier: str, *, revision: int | None = None, as_of: datetime | None = None
    ) -> dict[str, Any] | None:
        return await self._database.run(
            snapshots.load_raw(identifier, revision=revision, as_of=as_of)
        )

    async def newest(self) -> Records[Snapshot]:
        return await self._database.run(snapshots.newest())

    async def history(self, identifier: str) -> Records[Snapshot]:
        return await self._database.run(snapshots.history(identifier))

    async def define(
        self,
        config: "Configuration | str",
        value: "Configuration | Mapping[str, Any] | None" = None,
        *,
        expected: int | Snapshot | None = None,
    ) -> Snapshot:
        return await self._database.run(snapshots.define(config, value, expected=expected))

    async def remove(self, identifier: "type[Configuration] | str") -> int:
        return await self._database.run(configurations.remove(identifier))
