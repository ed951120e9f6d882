"""The tokenizers of a model that writes: one for what it reads, and perhaps another for what it writes."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging

from .text_inputs import TextEncoder


logger = logging.get_logger(__name__)

# Where a checkpoint has the tokenizer of what is written, if it is another one.
TARGET_FOLDER = "target_tokenizer"


class PairProcessor:
    """Texts to the token ids of source and target, and back.

    Args:
        tokenizer: A fast tokenizer, which ends each text with its `eos_token`.
        target_tokenizer: That of the targets; the same without.

    Raises:
        ValueError: A tokenizer does not end what is written.

    Example:

    ```python
    >>> processor = PairProcessor(train_pair_tokenizer(["ab cd"], kind="char", min_frequency=1))
    >>> processor.decode(processor.targets(["ab cd"]))
    ['ab cd']
    ```
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, target_tokenizer: PreTrainedTokenizerBase | None = None):
        self.tokenizer = tokenizer
        self.target_tokenizer = tokenizer if target_tokenizer is None else target_tokenizer
        self.sources_of, self.targets_of = TextEncoder(tokenizer), TextEncoder(self.target_tokenizer)
        end = self.target_tokenizer.eos_token_id
        if end is None or self.targets_of.input_ids([""])[0][-1:] != [end]:
            raise ValueError(
                "The tokenizer of the targets does not end a text with its eos_token, so that a model would not learn "
                "where to stop: take one that does, such as hfattnlstm.train_pair_tokenizer makes."
            )

    @property
    def is_joint(self) -> bool:
        """Whether sources and targets have one vocabulary."""
        return self.target_tokenizer is self.tokenizer

    @property
    def pad_token_id(self) -> int | None:
        """What fills up what is written."""
        return self.target_tokenizer.pad_token_id

    @property
    def eos_token_id(self) -> int:
        """What ends it."""
        return self.target_tokenizer.eos_token_id

    @property
    def model_input_names(self) -> list[str]:
        """What the model reads."""
        return ["input_ids", "attention_mask"]

    def sources(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of what is read, cut to the tokenizer's `model_max_length`."""
        return self.sources_of.input_ids(texts)

    def targets(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of what is written, cut likewise."""
        return self.targets_of.input_ids(texts)

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Texts of what was written."""
        return self.target_tokenizer.batch_decode(ids, skip_special_tokens=True)

    def save_pretrained(self, folder: str | PathLike) -> None:
        """Write the tokenizers, the first where `AutoTokenizer` finds it."""
        self.tokenizer.save_pretrained(folder)
        if not self.is_joint:
            self.target_tokenizer.save_pretrained(f"{folder}/{TARGET_FOLDER}")

    @classmethod
    def from_pretrained(cls, name: str | PathLike, config: Any, **kwargs: Any) -> PairProcessor:
        """Of a folder or a name on the Hub.

        Args:
            name: Of the model.
            config: Its configuration, which says whether there are two vocabularies.
            **kwargs: As `AutoTokenizer.from_pretrained` takes them.

        Raises:
            OSError: A tokenizer is missing.

        Example:

        ```python
        >>> PairProcessor.from_pretrained("translator", AutoConfig.from_pretrained("translator")).is_joint
        True
        ```
        """
        tokenizer = AutoTokenizer.from_pretrained(name, **kwargs)
        if config.decoder_vocab_size is None:
            return cls(tokenizer)
        return cls(tokenizer, AutoTokenizer.from_pretrained(name, subfolder=TARGET_FOLDER, **kwargs))
