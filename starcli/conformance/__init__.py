"""Rules that every plugin keeps, one pytest case each, for authors of plugins.

    @conforms("backbone", MyNet)
    def test_my_net(rule):
        rule()

A rule is a function `(plugin, settings)` that raises AssertionError where it is broken; its name is
the id of its test. What a plugin knowingly does not keep is declared with a reason, and then it has
to fail: `broken={"persons_are_alike": "reads the first person only"}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from pydantic import BaseModel

from starcli.contracts import Kind, Plugin

Rule = Callable[[type[object], BaseModel], None]
"""Called with a plugin class of the rule's kind and its settings."""
Cases = Callable[[Callable[..., None]], Callable[..., None]]
"""A decorator of pytest."""
MODULES: Mapping[Kind, str] = {
    "dataset": "datasets",
    "reader": "readers",
    "describer": "describers",
    "text-encoder": "encoders",
    "backbone": "backbones",
    "method": "methods",
}
"""Kind -> module of this package with its rules."""


def rules(kind: Kind) -> dict[str, Rule]:
    """The rules of a kind by name: those of every plugin, then its own.

    Args:
        kind: Kind of the plugins.
    """
    rules_of: dict[str, Rule] = {}
    for name in ("plugins", MODULES[kind]):
        module = import_module(f"starcli.conformance.{name}")
        rules_of |= {rule.__name__: rule for rule in module.RULES}
    return rules_of


def conforms(
    kind: Kind,
    plugin: type[object],
    settings: BaseModel | Callable[[], BaseModel] | None = None,
    *,
    broken: Mapping[str, str] | None = None,
) -> Cases:
    """Give a test function with the argument `rule` one case per rule of a kind.

    Args:
        kind: Kind of the plugin.
        plugin: Its class.
        settings: Its settings in the tests, or what makes them when a test runs; its defaults
            if None. Small ones make quick tests.
        broken: Name of a rule -> why this plugin does not keep it; the rule then has to fail.

    Raises:
        ValueError: `broken` names no rule of this kind.
    """
    import pytest

    known, reasons = rules(kind), dict(broken or {})
    if unknown := sorted(set(reasons) - set(known)):
        raise ValueError(
            f"no rule {', '.join(unknown)} for a {kind}; there are: {', '.join(known)}"
        )

    def case(rule: Rule) -> Callable[[], None]:
        def run() -> None:
            own = settings() if callable(settings) else settings
            rule(plugin, _defaults(plugin) if own is None else own)

        run.__doc__ = rule.__doc__
        return run

    cases = [
        pytest.param(
            case(rule),
            id=name,
            marks=[pytest.mark.xfail(reason=reasons[name], strict=True)] if name in reasons else [],
        )
        for name, rule in known.items()
    ]
    return pytest.mark.parametrize("rule", cases)


def _defaults(plugin: type[object]) -> BaseModel:
    assert isinstance(plugin, Plugin), f"{plugin.__name__} lacks api, revision or Settings"
    return plugin.Settings()
