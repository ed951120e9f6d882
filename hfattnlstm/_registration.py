"""Registration of the models and the pipeline with transformers, put off until transformers needs it.

`AutoConfig.register` and its kin want the classes themselves, and those import torch. So nothing is registered while
`hfattnlstm` is imported. A finder on `sys.meta_path` waits for the modules of transformers that hold the registries:
the moment one of them has been imported, by whomever, our entries are added to it. Whoever holds an Auto class has
therefore passed through here, and whoever has only imported `hfattnlstm` has not paid for torch.

A registry can be imported by a module that our classes need and that is itself half imported. The entries then wait
until that module is finished, too.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType


PIPELINE_TASK = "attention-text-classification"


def _register_config() -> None:
    from transformers.models.auto.configuration_auto import AutoConfig

    from .modeling.configuration_attnlstm import AttnLSTMConfig

    AttnLSTMConfig.register_for_auto_class()
    AutoConfig.register(AttnLSTMConfig.model_type, AttnLSTMConfig, exist_ok=True)


def _register_models() -> None:
    from transformers.models.auto.modeling_auto import AutoModel, AutoModelForSequenceClassification

    from .modeling.configuration_attnlstm import AttnLSTMConfig
    from .modeling.modeling_attnlstm import AttnLSTMForSequenceClassification, AttnLSTMModel

    for auto_class, model_class in (
        (AutoModel, AttnLSTMModel),
        (AutoModelForSequenceClassification, AttnLSTMForSequenceClassification),
    ):
        model_class.register_for_auto_class(auto_class.__name__)
        auto_class.register(AttnLSTMConfig, model_class, exist_ok=True)


def _register_pipeline() -> None:
    from transformers.models.auto.modeling_auto import AutoModelForSequenceClassification
    from transformers.pipelines import PIPELINE_REGISTRY

    from .modeling.pipeline_attnlstm import AttnLSTMTextClassificationPipeline

    PIPELINE_REGISTRY.register_pipeline(
        PIPELINE_TASK,
        pipeline_class=AttnLSTMTextClassificationPipeline,
        pt_model=AutoModelForSequenceClassification,
        type="text",
    )


_AUTO = "transformers.models.auto"
_OWN = f"{__package__}.modeling"
_REGISTRIES: dict[str, Callable[[], None]] = {
    f"{_AUTO}.configuration_auto": _register_config,
    f"{_AUTO}.modeling_auto": _register_models,
    "transformers.pipelines": _register_pipeline,
}
# Modules that import a registry on their way, and that our classes import.
_NEEDED = (
    "transformers.modeling_layers",
    f"{_OWN}.configuration_attnlstm",
    f"{_OWN}.recurrence",
    f"{_OWN}.modeling_attnlstm",
    f"{_OWN}.pipeline_attnlstm",
)


class _RegistryFinder(importlib.abc.MetaPathFinder):
    """Sees the registries and the modules around them being imported, and registers as soon as it can."""

    def __init__(self) -> None:
        self._pending = dict(_REGISTRIES)
        self._unseen = {*_REGISTRIES, *_NEEDED} - set(sys.modules)
        self._unfinished: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._unseen:
            return None
        self._unseen.remove(fullname)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _ReportingLoader(spec.loader, self)
        return spec

    def started(self, name: str) -> None:
        self._unfinished.add(name)

    def finished(self, name: str) -> None:
        self._unfinished.discard(name)
        self.register_ready()

    def register_ready(self) -> None:
        if self._unfinished.intersection(_NEEDED):
            return
        for name in [name for name in self._pending if name in sys.modules and name not in self._unfinished]:
            # Taken out first: registering imports modules that end here again.
            register = self._pending.pop(name, None)
            if register is not None:
                register()


class _ReportingLoader(importlib.abc.Loader):
    """Loads a module as its own loader does, and tells the finder when it starts and when it is done."""

    def __init__(self, loader: importlib.abc.Loader, finder: _RegistryFinder):
        self._loader = loader
        self._finder = finder

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        module.__spec__.loader = module.__loader__ = self._loader
        self._finder.started(name)
        self._loader.exec_module(module)
        self._finder.finished(name)


def install() -> None:
    """Register with what transformers has already imported, and wait for the rest."""
    finder = _RegistryFinder()
    sys.meta_path.insert(0, finder)
    finder.register_ready()
