"""Groups of commands whose name may be forgotten before a file."""

from typing import Any, override

from typer.core import TyperGroup


class FileGroup(TyperGroup):
    """A group whose error for a file in place of a command names the command."""

    @override
    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command and its arguments."""
        if "." in args[0] and args[0] not in self.commands:
            command = f"{ctx.command_path} chats {args[0]}"
            ctx.fail(f"Missing command before {args[0]!r}: write {command}.")
        return super().resolve_command(ctx, args)
