"""Registration of the models and pipelines with transformers, put off until transformers needs it.

`AutoConfig.register` and its kin want the classes themselves, and those import torch. So nothing is registered while
`hfattnlstm` is imported. A finder on `sys.meta_path` waits for the modules of transformers that hold the registries:
the moment one of them has been imported, by whomever, our entries are added to it. Whoever holds an Auto class has
therefore passed through here, and whoever has only imported `hfattnlstm` has not paid for torch.

A registry can be imported by a module that our classes need and that is itself half imported. The entries then wait
until that module is finished, too. An import that fails or is interrupted leaves everything as it was before it, so
that the next one registers.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from ._heads import HEADS


_AUTO = "transformers.models.auto"
_OWN = f"{__package__}.modeling."


def _own_class(module: str, name: str) -> Any:
    return getattr(importlib.import_module(_OWN + module), name)


def _auto_class(name: str) -> Any:
    return getattr(importlib.import_module(f"{_AUTO}.modeling_auto"), name)


def _register_configs() -> None:
    from transformers.models.auto.configuration_auto import AutoConfig

    for module, name in dict.fromkeys((head.config_module, head.config_name) for head in HEADS):
        config_class = _own_class(module, name)
        config_class.register_for_auto_class()
        AutoConfig.register(config_class.model_type, config_class, exist_ok=True)


def _register_models() -> None:
    for head in HEADS:
        model_class = _own_class(head.module, head.name)
        model_class.register_for_auto_class(head.auto_class)
        config_class = _own_class(head.config_module, head.config_name)
        _auto_class(head.auto_class).register(config_class, model_class, exist_ok=True)


def _register_pipelines() -> None:
    from transformers.pipelines import PIPELINE_REGISTRY

    for head in HEADS:
        if head.pipeline is not None:
            PIPELINE_REGISTRY.register_pipeline(
                head.pipeline.task,
                pipeline_class=_own_class(head.pipeline.module, head.pipeline.name),
                pt_model=_auto_class(head.auto_class),
                type=head.pipeline.type,
            )


_REGISTRIES: dict[str, Callable[[], None]] = {
    f"{_AUTO}.configuration_auto": _register_configs,
    f"{_AUTO}.modeling_auto": _register_models,
    "transformers.pipelines": _register_pipelines,
}
# Imports a registry on its way, and is imported by our classes; they do the same.
_NEEDED = "transformers.modeling_layers"


def _holds_registering_up(name: str) -> bool:
    return name == _NEEDED or name.startswith(_OWN)


class _RegistryFinder(importlib.abc.MetaPathFinder):
    """Sees the registries and the modules around them being imported, and registers as soon as it can."""

    def __init__(self) -> None:
        self._pending = dict(_REGISTRIES)
        self._under_way: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not self._pending or fullname in self._under_way:
            return None
        if fullname not in _REGISTRIES and not _holds_registering_up(fullname):
            return None
        # The other finders are asked for the module; this one is asked, too, and must not answer again.
        self._under_way.add(fullname)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._under_way.discard(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _ReportingLoader(spec.loader, self)
        return spec

    def load(self, name: str, execute: Callable[[], None]) -> None:
        """Run a module's code, and register if that was what was missing."""
        self._under_way.add(name)
        try:
            execute()
        finally:
            self._under_way.discard(name)
        self.register_ready()

    def register_ready(self) -> None:
        if any(map(_holds_registering_up, self._under_way)):
            return
        for name in [name for name in self._pending if name in sys.modules and name not in self._under_way]:
            # Taken out first: registering imports modules that end here again.
            register = self._pending.pop(name, None)
            if register is None:
                continue
            try:
                register()
            except BaseException:
                self._pending[name] = register
                raise


class _ReportingLoader(importlib.abc.Loader):
    """Loads a module as its own loader does, and tells the finder about it."""

    def __init__(self, loader: importlib.abc.Loader, finder: _RegistryFinder):
        self._loader = loader
        self._finder = finder

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__.loader = module.__loader__ = self._loader
        self._finder.load(module.__name__, lambda: self._loader.exec_module(module))


def install() -> None:
    """Register with what transformers has already imported, and wait for the rest."""
    finder = _RegistryFinder()
    sys.meta_path.insert(0, finder)
    finder.register_ready()
