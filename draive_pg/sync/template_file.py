"""The file of a template: that of a prompt, whose arguments are the described variables."""

from dataclasses import replace
from typing import Any, Self

from draive_pg.models.documents import TemplateRevision
from draive_pg.operations.documents.templates import Declaration, define_template
from draive_pg.operations.operation import Operation
from draive_pg.sync.formats import Prompt, own_labels
from draive_pg.template_syntax import check_variables, variables_of


class Template(Prompt):
    """A revision of a template, with its labels.

    A variable that nobody described has its name as its description, and is not in the file.
    """

    __slots__ = ()

    @classmethod
    def of(cls, content: str, *values: Any, **members: Any) -> Self:
        """Build a template from unchecked values, or raise FileInvalid."""
        template = super().of(content, *values, **members)
        used = variables_of(template.content)
        described = [
            each
            for each in template.arguments
            if each.get("description", each["name"]) != each["name"] or each["name"] not in used
        ]
        return replace(template, arguments=described)

    @classmethod
    def of_revision(cls, revision: TemplateRevision) -> Self:  # type: ignore[override]
        return cls.of(
            revision.content,
            revision.description,
            [
                {"name": name, "description": description}
                for name, description in revision.variables.items()
            ],
            revision.meta,
            own_labels(revision.labels),
            f"the stored template {revision.identifier!r:.80}",
        )

    def define(self, name: str, **options: Any) -> Operation[TemplateRevision]:  # type: ignore[override]
        return define_template(self.declaration(name), content=self.content, **options)

    def check(self, name: str) -> None:
        check_variables(self.content, self._variables(), name=name)

    def problem(self, name: str) -> None:
        """Accept everything: whatever is no variable is text."""

    def declaration(self, name: str) -> Declaration:  # type: ignore[override]
        """Return the declaration of the template under a name."""
        return Declaration(name, self.description, self._variables(), self.meta)

    def _variables(self) -> dict[str, str]:
        variables = {name: name for name in variables_of(self.content)}
        return variables | {
            each["name"]: each.get("description", each["name"]) for each in self.arguments
        }

    def _front(self) -> dict[str, Any]:
        front = super()._front()
        if self.arguments:  # every variable is required
            front["arguments"] = [
                {key: value for key, value in each.items() if key != "required"}
                for each in self.arguments
            ]
        return front
