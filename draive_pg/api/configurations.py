"""Configuration snapshots: `db.configurations`."""

from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Literal, cast, overload

from draive_pg.api._method import method
from draive_pg.api.folders import Folders
from draive_pg.codec.timestamps import Timestamp
from draive_pg.database import AsyncDatabase, Database
from draive_pg.models import Records, Snapshot
from draive_pg.operations.documents import configurations, snapshots
from draive_pg.operations.operation import Operation
from draive_pg.sync.kinds import CONFIGURATIONS

if TYPE_CHECKING:
    from draive import Configuration

__all__ = ("Configurations",)


class Configurations[D: Database | AsyncDatabase](Folders[D]):
    """Configuration snapshots: JSON documents by identifier, of which the newest holds."""

    __slots__ = ()
    _kind = CONFIGURATIONS

    @method
    def configurations(self) -> Operation[tuple[str, ...]]:
        """Return every known identifier, in order; cached."""
        return configurations.identifiers()

    @overload
    def load[Config: "Configuration"](
        self: "Configurations[Database]",
        config: type[Config],
        *,
        identifier: str | None = None,
        as_of: Timestamp | None = None,
    ) -> Config | None: ...

    @overload
    def load[Config: "Configuration"](
        self: "Configurations[Database]",
        config: type[Config],
        *,
        identifier: str | None = None,
        default: Config,
        as_of: Timestamp | None = None,
    ) -> Config: ...

    @overload
    def load[Config: "Configuration"](
        self: "Configurations[Database]",
        config: type[Config],
        *,
        identifier: str | None = None,
        required: Literal[True],
        as_of: Timestamp | None = None,
    ) -> Config: ...

    @overload
    def load[Config: "Configuration"](
        self: "Configurations[AsyncDatabase]",
        config: type[Config],
        *,
        identifier: str | None = None,
        as_of: Timestamp | None = None,
    ) -> Coroutine[Any, Any, Config | None]: ...

    @overload
    def load[Config: "Configuration"](
        self: "Configurations[AsyncDatabase]",
        config: type[Config],
        *,
        identifier: str | None = None,
        default: Config,
        as_of: Timestamp | None = None,
    ) -> Coroutine[Any, Any, Config]: ...

    @overload
    def load[Config: "Configuration"](
        self: "Configurations[AsyncDatabase]",
        config: type[Config],
        *,
        identifier: str | None = None,
        required: Literal[True],
        as_of: Timestamp | None = None,
    ) -> Coroutine[Any, Any, Config]: ...

    def load[Config: "Configuration"](
        self,
        config: type[Config],
        *,
        identifier: str | None = None,
        default: Config | None = None,
        required: bool = False,
        as_of: Timestamp | None = None,
    ) -> Config | Coroutine[Any, Any, Config | None] | None:
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
        as_of : datetime | date | str | None
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
        return cast(Any, self)._load(  # noqa: SLF001 - its own
            config, identifier=identifier, default=default, required=required, as_of=as_of
        )

    @method
    def _load[Config: "Configuration"](
        self,
        config: type[Config],
        *,
        identifier: str | None,
        default: Config | None,
        required: bool,
        as_of: Timestamp | None,
    ) -> "Operation[Config | None]":
        return configurations.load(
            config, identifier=identifier, default=default, required=required, as_of=as_of
        )

    @method
    def load_raw(
        self, identifier: str, *, revision: int | None = None, as_of: Timestamp | None = None
    ) -> Operation[dict[str, Any] | None]:
        """Return the newest snapshot of an identifier as a new dict, or None; cached.

        Parameters
        ----------
        identifier : str
            Which configuration.
        revision : int | None
            A snapshot by its number instead.
        as_of : datetime | date | str | None
            What was the newest at a time instead, with its time zone.

        Raises
        ------
        RevisionMissing
            If there are snapshots, but none of that number.
        """
        return snapshots.load_raw(identifier, revision=revision, as_of=as_of)

    @method
    def newest(self) -> Operation[Records[Snapshot]]:
        """Return the newest snapshot of each identifier, in order of the identifiers."""
        return snapshots.newest()

    @method
    def history(self, identifier: str) -> Operation[Records[Snapshot]]:
        """Return all snapshots of an identifier, the newest first; none where there are none."""
        return snapshots.history(identifier)

    @method
    def define(
        self,
        config: "Configuration | str",
        value: "Configuration | Mapping[str, Any] | None" = None,
        *,
        expected: int | Snapshot | None = None,
    ) -> Operation[Snapshot]:
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
        return snapshots.define(config, value, expected=expected)

    @method
    def remove(self, identifier: "type[Configuration] | str") -> Operation[int]:
        """Remove all snapshots of an identifier or a class, and return how many there were."""
        return configurations.remove(identifier)
