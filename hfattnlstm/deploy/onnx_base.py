"""What exported models have in common that ONNX Runtime runs, and pipelines take for models."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from .._files import same_file, written_beside
from ..modeling.configuration_attnlstm import AttnLSTMConfig
from ..modeling.reading_order import boolean_mask
from .export_files import refuse_checkpoint
from .export_kinds import ExportKind
from .onnx_check import named_inputs, vocabulary_hash
from .session import open_session


class OnnxModel:
    """What an exported model is called with, whatever it computes.

    Args:
        path: The .onnx file.
        config: The configuration that belongs to it.
        num_threads: Threads of one call; as many as torch uses when it is called if it is None.

    Attributes:
        config: The configuration.
        path: The .onnx file.
        kind: Of model, which says what the file computes.

    Raises:
        ImportError: Without ONNX Runtime.
        ValueError: When the file is damaged, or the configuration is that of another model.
    """

    kind: ExportKind
    # What pipelines ask of a model.
    main_input_name = "input_ids"
    input_modalities = ("text",)
    device = torch.device("cpu")
    dtype = torch.float32
    training = False

    def __init__(self, path: Path, config: AttnLSTMConfig, num_threads: int | None = None):
        self.config = config
        self.path = path
        self.name_or_path = str(path.parent)
        self._num_threads = num_threads
        self._sessions: dict[int, Any] = {}
        self._lock = threading.Lock()
        outputs = self._session().get_outputs()
        inputs = [entry.name for entry in self._session().get_inputs()]
        fits = inputs == list(config.model_input_names) and outputs[0].shape[-1] == config.num_labels
        self._names = self.kind.output_names(config)
        if not fits or [entry.name for entry in outputs] != self._names:
            raise ValueError(f"The config.json beside {path} belongs to another model: export the model again.")

    @classmethod
    def from_pretrained(cls, path: str | PathLike[str], *, num_threads: int | None = None) -> Self:
        """Load an exported file and the config.json beside it.

        Args:
            path: The .onnx file, or its folder. Of several files in a folder, model.onnx is taken.
            num_threads: Threads of one call; as many as torch uses when it is called if it is None.

        Raises:
            FileNotFoundError: When there is no such file or no config.json beside it.
            ImportError: Without ONNX Runtime.
            ValueError: When a file is damaged, or the two do not belong together.
        """
        file = find_onnx_file(path)
        if not (file.parent / "config.json").is_file():
            raise FileNotFoundError(f"There is no config.json beside {file}: keep the files of an export together.")
        config = AttnLSTMConfig.from_pretrained(file.parent)
        return cls(file, config, num_threads)

    def check_tokenizer(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Make sure that a tokenizer is the one that was exported with the file.

        A later export into the same folder brings its own, and leaves the other file of the folder as it was.

        Raises:
            ValueError: When it has other tokens.
        """
        expected = self._session().get_modelmeta().custom_metadata_map.get("vocabulary")
        if expected is not None and expected != vocabulary_hash(tokenizer):
            raise ValueError(
                f"The tokenizer beside {self.path} is not the one that the file was exported with: export it again."
            )

    def __reduce__(self) -> tuple[Any, ...]:
        # The sessions stay where they are.
        return type(self), (self.path, self.config, self._num_threads)

    def _session(self) -> Any:
        """The session with the threads of this call: where batches run side by side, each has one."""
        threads = self._num_threads or torch.get_num_threads()
        with self._lock:
            if threads not in self._sessions:
                self._sessions[threads] = open_session(self.path, threads)
            return self._sessions[threads]

    def run(self, names: list[str], ids: np.ndarray, mask: np.ndarray) -> list[Tensor]:
        """Outputs of the file by name, for ids and mask, int64 (batch, length) each."""
        outputs = self._session().run(names, named_inputs(self.config, ids, mask))
        return [torch.from_numpy(output) for output in outputs]

    def _run_with_attention(
        self, ids: np.ndarray, mask: np.ndarray, output_attentions: bool | None, *names: str
    ) -> tuple[list[Tensor], tuple[Tensor, ...] | None]:
        """Outputs by name, and the attention (batch, heads, 1, length) where the file has it and it is asked for."""
        asked = self.config.output_attentions if output_attentions is None else output_attentions
        more = ["attentions"] if asked and "attentions" in self._names else []
        found = self.run([*names, *more], ids, mask)
        return found[: len(names)], tuple(weights.unsqueeze(2) for weights in found[len(names) :]) or None

    def _inputs(
        self, input_ids: Tensor | None, attention_mask: Tensor | None, others: Mapping[str, Any]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Ids and mask, checked; `others` is what the model would take beside them."""
        for name in ("labels", "inputs_embeds", "char_ids"):
            if others.get(name) is not None:
                raise ValueError(f"An exported model takes no {name}: use the model that it was exported from.")
        if input_ids is None:
            raise ValueError("Give input_ids.")
        given = torch.as_tensor(input_ids)
        ids = given.to("cpu", torch.long).numpy()
        if ids.ndim != 2:
            raise ValueError(f"input_ids must have 2 dimensions, batch first, got the shape {ids.shape}.")
        if attention_mask is None:
            mask = np.ones_like(ids)
        else:
            mask = boolean_mask(torch.as_tensor(attention_mask).cpu(), torch.device("cpu")).long().numpy()
        if mask.shape != ids.shape:
            raise ValueError(
                f"attention_mask has the shape {mask.shape}, but input_ids has {ids.shape}: they must be equal."
            )
        if ids.shape[1] == 0:
            # As the model does: texts without any token read one that is masked.
            ids, mask = np.zeros((len(ids), 1), dtype=np.int64), np.zeros((len(ids), 1), dtype=np.int64)
        if given.numel() and given.is_floating_point():
            raise ValueError(f"input_ids must be whole numbers, got {given.dtype}: give what a tokenizer returns.")
        if ids.size and not (ids.min() >= 0 and ids.max() < self.config.vocab_size):
            wrong = ids[(ids < 0) | (ids >= self.config.vocab_size)][0]
            raise ValueError(
                f"input_ids holds {wrong}, but the embedding has {self.config.vocab_size} rows: use the tokenizer "
                "that was exported with the model."
            )
        return ids, mask

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Return the model as it is: it computes on the CPU, wherever its inputs are.

        Raises:
            ValueError: For another dtype than float32.
        """
        for value in (*args, *kwargs.values()):
            if isinstance(value, torch.dtype) and value != self.dtype:
                raise ValueError("An exported model computes as its file says, and in no other dtype: leave it out.")
        return self

    def __deepcopy__(self, memo: dict) -> Self:
        return self

    def eval(self) -> Self:
        """Return the model as it is: it is never in training mode."""
        return self

    def can_generate(self) -> bool:
        """Return False: it does not generate text."""
        return False

    def save_pretrained(self, save_directory: str | PathLike[str], **kwargs: Any) -> None:
        """Copy the file and write its configuration into a folder.

        Raises:
            ValueError: When the folder holds a checkpoint, whose configuration would be replaced.
        """
        folder = Path(save_directory)
        refuse_checkpoint(folder)
        folder.mkdir(parents=True, exist_ok=True)
        copy = folder / self.path.name
        if not same_file(copy, self.path):
            with written_beside(copy) as unfinished:
                shutil.copyfile(self.path, unfinished)
        with written_beside(folder / "config.json") as unfinished:
            self.config.to_json_file(unfinished)


def find_onnx_file(path: str | PathLike[str]) -> Path:
    """The .onnx file that a path names or that lies in the folder it names.

    Raises:
        FileNotFoundError: When there is none.
        ValueError: When there are several and none is called model.onnx.

    Example:

    ```python
    >>> find_onnx_file("my-model-onnx").name
    'model.onnx'
    ```
    """
    path = Path(path).expanduser()
    if path.is_file():
        return path
    if not path.is_dir():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    files = sorted(path.glob("*.onnx"))
    if not files:
        raise FileNotFoundError(f"The folder {path} has no .onnx file: write one with hfattnlstm export.")
    if len(files) > 1 and path / "model.onnx" not in files:
        raise ValueError(f"The folder {path} has several files, {', '.join(f.name for f in files)}: name one.")
    return path / "model.onnx" if len(files) > 1 else files[0]
