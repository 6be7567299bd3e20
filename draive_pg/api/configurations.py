"""Configuration snapshots: `db.configurations`."""

from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

from draive_pg.api._method import method
from draive_pg.api.documents import Documents
from draive_pg.api.folders import Folders
from draive_pg.codec.timestamps import Timestamp
from draive_pg.database import AsyncDatabase, Database
from draive_pg.errors import warn
from draive_pg.models.documents import Snapshot
from draive_pg.models.record import Records
from draive_pg.operations.documents import define, load, read, remove
from draive_pg.operations.documents.kind import CONFIGURATIONS, ConfigurationReference
from draive_pg.operations.documents.preconditions import Expected
from draive_pg.operations.documents.selectors import RevisionRef, select
from draive_pg.operations.operation import Operation, Request

if TYPE_CHECKING:
    from draive import Configuration


class Configurations[D: Database | AsyncDatabase](
    Documents[D, ConfigurationReference, Snapshot], Folders[D]
):
    """Configurations: JSON documents by identifier; the newest snapshot is the current one.

    A class may be given for an identifier: its qualified name is used.
    """

    __slots__ = ()

    _documents = CONFIGURATIONS

    @method
    def configurations(self) -> Request[tuple[str, ...]]:
        """Return every known identifier, in order; cached."""
        return read.names(CONFIGURATIONS)

    @overload
    def load[Config: "Configuration"](
        self: "Configurations[Database]",
        config: type[Config],
        *,
        identifier: str | None = None,
        revision: int | Snapshot | None = None,
        label: str | None = None,
        as_of: Timestamp | None = None,
    ) -> Config | None: ...

    @overload
    def load[Config: "Configuration"](
        self: "Configurations[Database]",
        config: type[Config],
        *,
        identifier: str | None = None,
        default: Config,
        revision: int | Snapshot | None = None,
        label: str | None = None,
        as_of: Timestamp | None = None,
    ) -> Config: ...

    @overload
    def load[Config: "Configuration"](
        self: "Configurations[Database]",
        config: type[Config],
        *,
        identifier: str | None = None,
        required: Literal[True],
        revision: int | Snapshot | None = None,
        label: str | None = None,
        as_of: Timestamp | None = None,
    ) -> Config: ...

    @overload
    def load[Config: "Configuration"](
        self: "Configurations[AsyncDatabase]",
        config: type[Config],
        *,
        identifier: str | None = None,
        revision: int | Snapshot | None = None,
        label: str | None = None,
        as_of: Timestamp | None = None,
    ) -> Coroutine[Any, Any, Config | None]: ...

    @overload
    def load[Config: "Configuration"](
        self: "Configurations[AsyncDatabase]",
        config: type[Config],
        *,
        identifier: str | None = None,
        default: Config,
        revision: int | Snapshot | None = None,
        label: str | None = None,
        as_of: Timestamp | None = None,
    ) -> Coroutine[Any, Any, Config]: ...

    @overload
    def load[Config: "Configuration"](
        self: "Configurations[AsyncDatabase]",
        config: type[Config],
        *,
        identifier: str | None = None,
        required: Literal[True],
        revision: int | Snapshot | None = None,
        label: str | None = None,
        as_of: Timestamp | None = None,
    ) -> Coroutine[Any, Any, Config]: ...

    @method
    def load[Config: "Configuration"](
        self,
        config: type[Config],
        *,
        identifier: str | None = None,
        default: Config | None = None,
        required: bool = False,
        revision: int | Snapshot | None = None,
        label: str | None = None,
        as_of: Timestamp | None = None,
    ) -> "Request[Config | None]":
        """Return the newest snapshot as an instance of a draive Configuration class; cached.

        Parameters
        ----------
        config : type[Configuration]
            The class to make.
        identifier : str | None
            Which configuration; the class's qualified name for None.
        default : Configuration | None
            Returned if there is no snapshot.
        required : bool
            If there is neither a snapshot nor a default, return ``config()``, or raise if the
            class has fields without defaults.
        revision : int | Snapshot | None
            The number of a snapshot, or its record; the newest by default.
        label : str | None
            The snapshot that the label is on.
        as_of : datetime | date | str | None
            What was the newest, or what the label was on, at a time.

        Returns
        -------
        Configuration | None
            None if there is no snapshot and no default, unless ``required``.

        Raises
        ------
        ConfigurationMissing
            If there is no snapshot, with ``required``.
        RevisionMissing
            If there are snapshots, but not that revision or label, and no default.
        ConfigurationInvalid
            If the snapshot does not fit the class.
        """
        return load.load_configuration(
            config,
            identifier=identifier,
            default=default,
            required=required,
            selector=select(revision=revision, label=label, as_of=as_of),
        )

    @method
    def load_raw(
        self,
        identifier: str,
        *,
        revision: int | Snapshot | None = None,
        label: str | None = None,
        as_of: Timestamp | None = None,
    ) -> Request[dict[str, Any] | None]:
        """Return the newest snapshot of an identifier as a new dict, or None; cached.

        Parameters
        ----------
        identifier : str
            Which configuration.
        revision : int | Snapshot | None
            A snapshot by its number, or as it was read, instead.
        label : str | None
            The snapshot that the label is on instead.
        as_of : datetime | date | str | None
            What was the newest, or what the label was on, at a time.

        Raises
        ------
        RevisionMissing
            If there are snapshots, but not that revision or label.
        """
        selector = select(revision=revision, label=label, as_of=as_of)
        return load.load_raw(identifier, selector, required=selector.is_explicit)

    @method
    def newest(self) -> Operation[Records[Snapshot]]:
        """Return the newest snapshot of each identifier. Deprecated: use `list`."""
        warn("configurations.newest() is deprecated; use list()", DeprecationWarning)
        return read.list_(CONFIGURATIONS)

    @method
    def define(
        self,
        config: "Configuration | str",
        value: "Configuration | Mapping[str, Any] | None" = None,
        *,
        message: str | None = None,
        author: str | None = None,
        expected: Expected[Snapshot] = None,
    ) -> Operation[Snapshot]:
        """Write a new snapshot, the newest of its identifier, and return it.

        If nothing would change, nothing is written, and the newest snapshot is returned.

        Parameters
        ----------
        config : Configuration | str
            A configuration, kept under its class's qualified name, or an identifier.
        value : Configuration | Mapping[str, Any] | None
            What to keep under the identifier.
        message, author : str | None
            Why it is written, and who writes it; kept with the snapshot.
        expected : int | Snapshot | None
            Write only if this snapshot is the newest; 0: only if there is no snapshot yet.

        Raises
        ------
        RevisionConflict
            If the newest snapshot is not the expected one; the message names both.
        TypeError, ValueError
            If the value is not a mapping, or JSON or PostgreSQL cannot represent it.
        """
        return define.define_configuration(
            config, value, message=message, author=author, expected=expected
        )

    # As in `Documents`, but their first argument may be given by keyword.

    @method
    def history(self, identifier: ConfigurationReference) -> Operation[Records[Snapshot]]:
        """Return all snapshots of an identifier, the newest first; none where there are none."""
        return read.history(CONFIGURATIONS, identifier)

    @method
    def remove(
        self,
        identifier: ConfigurationReference,
        *,
        revision: RevisionRef[Snapshot] = None,
        labelled: bool = False,
        message: str | None = None,
        author: str | None = None,
        expected: Expected[Snapshot] = None,
    ) -> Request[int]:
        """Remove a configuration, or one snapshot of it, and return how many were removed.

        Parameters and errors are those of `instructions.remove`.
        """
        return remove.remove(
            CONFIGURATIONS,
            identifier,
            revision=revision,
            labelled=labelled,
            message=message,
            author=author,
            expected=expected,
        )
