"""The declarations of instructions of draive 0.87 to 0.89."""

from draive_pg.codec.draive_import import Importing
from draive_pg.errors import StoredDataInvalid

with Importing("a declaration of instructions", "0.87 to 0.89", "draive[postgres]~=0.89.5"):
    from draive import InstructionsDeclaration, Meta
    from draive.models.instructions.types import InstructionsArgumentDeclaration


def decode_declaration(
    name: str, description: str | None, arguments: str, meta: str
) -> InstructionsDeclaration:
    """Build the declaration of a stored revision.

    Raises
    ------
    StoredDataInvalid
        If draive 0.89 cannot read its arguments or its meta.
    """
    try:
        return InstructionsDeclaration(
            name=name,
            description=description,
            arguments=InstructionsArgumentDeclaration.from_json_array(arguments),
            meta=Meta.from_json(meta),
        )
    except Exception as error:  # draive's validation raises many kinds
        raise StoredDataInvalid(
            f"the stored arguments or meta of instructions {name!r:.80} cannot be read "
            f"({str(error).splitlines()[0]:.120}); define them anew"
        ) from error
