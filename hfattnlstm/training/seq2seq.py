"""Sequence to sequence, such as translation, as a task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow.compute as pc
import torch
from datasets import Dataset, DatasetDict
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback
from transformers.utils import logging

from .._places import loading_from
from .._wording import flags_in_sentences
from ..data.batching import SequenceCollator
from ..data.columns import column_values
from ..data.encoding import tell_unknown_shares
from ..data.pair_rows import encode_pairs
from ..data.pair_tokenizer import is_lowercased, train_pair_tokenizer
from ..data.pairs import SOURCE, TARGET, LoadedPairs, load_pairs
from ..modeling.configuration_seq2seq import AttnLSTMSeq2SeqConfig
from ..modeling.modeling_conditional_generation import AttnLSTMForConditionalGeneration
from ..modeling.pair_processor import PairProcessor
from .seq2seq_arguments import PairArguments, Seq2SeqModelArguments, Seq2SeqRunArguments
from .seq2seq_card import describe_texts, seq2seq_card
from .seq2seq_evaluation import PairScorer, TextEvaluation, evaluate_pairs
from .seq2seq_flags import CHANGEABLE, MEANINGLESS, check_resumed, check_seq2seq
from .seq2seq_losses import tell_changed, tell_cut, unknown_shares
from .seq2seq_trainer import AttnLSTMSeq2SeqTrainer, ScheduledSampling
from .shared_flags import tell_learnt, training_sample
from .starting_point import config_to_start_from
from .task import CardParts, Measured, Task
from .writer_arguments import config_fields


logger = logging.get_logger(__name__)

# Below so many words a text, BLEU, which counts runs of four, says nothing.
_WORDS_FOR_BLEU = 4
# Tokens that `generate` of transformers writes where nothing is said.
_DEFAULT_LENGTH = 20
# What is written may be so much longer than the longest target.
_LONGER = 1.5


class Seq2SeqTask(Task):
    """Texts that are written from others; see [`AttnLSTMForConditionalGeneration`].

    Example:

    ```python
    >>> flags = ["--task", "seq2seq", "--train_file", "pairs.tsv", "--max_steps", "2", "--hidden_size", "16"]
    >>> run = run_task(parse_task(flags))
    >>> run.metrics["eval_bleu"]
    0.0
    ```
    """

    name = "seq2seq"
    data_arguments = PairArguments
    model_arguments = Seq2SeqModelArguments
    training_arguments = Seq2SeqRunArguments
    trainer_class = AttnLSTMSeq2SeqTrainer
    model_class: type[PreTrainedModel] = AttnLSTMForConditionalGeneration
    meaningless = frozenset(MEANINGLESS)
    test_split = "a test split with targets: name one with --test_file"
    examples = (
        "--task seq2seq --train_file train.de train.en --test_file test.de test.en --output_dir de-en",
        "--task seq2seq --dataset my-translations --source_column de --target_column en --output_dir de-en",
        "--task seq2seq --train_file dates.tsv --tokenizer_kind char --output_dir dates",
    )

    data: PairArguments
    model: Seq2SeqModelArguments
    training: Seq2SeqRunArguments
    loaded: LoadedPairs
    processor: PairProcessor
    _loaded_config: AttnLSTMSeq2SeqConfig | None = None

    def check(self) -> None:
        """Refuse flags that do not fit together; a test file that is named is measured."""
        if self.data.test_file is not None and "do_predict" not in self.given:
            self.training.do_predict = True
        check_seq2seq(self.data, self.model, self.training, self.given)

    def sources(self) -> list[str]:
        """Files, data set and model."""
        data = self.data
        files = [name for part in (data.train_file, data.validation_file, data.test_file) for name in part or ()]
        return [name for name in (data.dataset, *files, self.model.model_name_or_path) if name is not None]

    def load(self) -> DatasetDict:
        """The pairs, some of them held out."""
        data = self.data
        name = self._loaded_from()
        if name is not None:
            self._loaded_config = config_to_start_from(name, AttnLSTMSeq2SeqConfig, self.model_class)
        files = {"train": data.train_file, "validation": data.validation_file, "test": data.test_file}
        with flags_in_sentences():
            self.loaded = load_pairs(
                data.dataset or {part: named for part, named in files.items() if named is not None},
                source_column=data.source_column,
                target_column=data.target_column,
                config_name=data.dataset_config,
                validation_size=data.validation_size,
                seed=data.split_seed,
            )
        splits = self.loaded.splits
        tell_learnt(self.loaded.held_out, self.training.do_train, "pairs")
        splits["train"] = training_sample(splits["train"], data, "pairs")
        return splits

    def make_processor(self, examples: DatasetDict) -> PairProcessor:
        """The tokenizers: those of the model, or new ones of the pairs for training."""
        name = self._loaded_from()
        if name is not None:
            with loading_from(name, "tokenizer") as place:
                self.processor = PairProcessor.from_pretrained(place, self._loaded_config)
            if self.checkpoint is not None:
                check_resumed(name, self.model, self.given, self._loaded_config, self.processor)
        else:
            sides = [examples["train"][side][:] for side in (SOURCE, TARGET)]
            with flags_in_sentences():
                if self.model.separate_vocabularies:
                    self.processor = PairProcessor(*map(self._train_tokenizer, sides))
                else:
                    self.processor = PairProcessor(self._train_tokenizer([*sides[0], *sides[1]]))
        return self.processor

    def _train_tokenizer(self, texts: Iterable[str]) -> PreTrainedTokenizerBase:
        flags = self.model
        return train_pair_tokenizer(
            texts,
            kind=flags.tokenizer_kind,
            vocab_size=flags.vocab_size,
            lowercase=flags.lowercase,
            model_max_length=flags.max_length,
        )

    def make_model(self, examples: DatasetDict, processor: Any) -> PreTrainedModel:
        """A new model, or the one to go on from."""
        name = self._loaded_from()
        if name is None:
            model = self.model_class(self._new_config(examples, processor))
        else:
            changes = {flag: getattr(self.model, flag) for flag in CHANGEABLE if flag in self.given}
            with loading_from(name) as place:
                model = self.model_class.from_pretrained(place, dtype=torch.float32, **changes)
            if not self.training.do_train:
                model.check_trained()
        return model

    def _new_config(self, examples: DatasetDict, processor: PairProcessor) -> AttnLSTMSeq2SeqConfig:
        target = processor.target_tokenizer
        return AttnLSTMSeq2SeqConfig(
            vocab_size=len(processor.tokenizer),
            decoder_vocab_size=None if processor.is_joint else len(target),
            pad_token_id=processor.pad_token_id,
            bos_token_id=target.bos_token_id,
            eos_token_id=target.eos_token_id,
            label_smoothing=self.training.label_smoothing_factor,
            **config_fields(self.model),
        )

    def _set_generation(self, model: PreTrainedModel, train: Dataset) -> None:
        """How the model writes unless a call says otherwise, which is saved with it; after the encoded training."""
        own, training, is_new = model.generation_config, self.training, self._loaded_config is None
        longest = pc.max(pc.list_value_length(column_values(train, "labels"))).as_py()
        if is_new or "generation_num_beams" in self.given:
            own.num_beams = training.generation_num_beams or 1
        training.generation_num_beams = own.num_beams
        if training.generation_max_length is not None:
            # It counts the token that begins, too.
            own.max_length = training.generation_max_length + 1
        elif training.do_train and self.checkpoint is None:
            own.max_length = max(int(_LONGER * longest) + 2, own.max_length or 0)
        elif longest >= (most := own.max_length or _DEFAULT_LENGTH):
            logger.warning(
                "The model writes %s tokens at most, and the longest training target has %s: --generation_max_length "
                "raises it.",
                most - 1,
                longest,
            )
        training.generation_max_length = own.max_length
        unknown = self._written_by(self.processor).unk_token_id
        if is_new and unknown is not None:
            own.suppress_tokens = [unknown]

    def _written_by(self, processor: Any) -> PreTrainedTokenizerBase:
        """The tokenizer of what is written."""
        return processor.target_tokenizer

    def encode(self, examples: DatasetDict, processor: PairProcessor, model: PreTrainedModel) -> DatasetDict:
        """Token ids of both sides."""
        encoded = DatasetDict({name: encode_pairs(split, processor) for name, split in examples.items()})
        sides = {
            "input_ids": (f"{SOURCE}s", processor.tokenizer),
            "labels": (f"{TARGET}s", processor.target_tokenizer),
        }
        self._set_generation(model, encoded["train"])
        self._tell_lost(encoded, sides, examples["train"][TARGET][:])
        return encoded

    def _tell_lost(
        self, encoded: DatasetDict, sides: Mapping[str, tuple[str, PreTrainedTokenizerBase]], written: Sequence[str]
    ) -> None:
        tell_cut(encoded, sides, self.training.unit)
        tell_unknown_shares(unknown_shares(encoded, sides), self._loaded_config is None)
        what, tokenizer = sides["labels"]
        tell_changed(encoded["train"]["labels"], written, tokenizer, what)

    def callbacks(self) -> Sequence[TrainerCallback]:
        """Scheduled sampling, where it is asked for."""
        share = self.training.scheduled_sampling
        return [ScheduledSampling(share)] if share else []

    def make_collator(self, processor: PairProcessor, model: PreTrainedModel) -> Callable[[list], dict]:
        """Padding of both sides."""
        return SequenceCollator(processor.tokenizer.pad_token_id)

    def make_scorer(self) -> PairScorer | None:
        """BLEU, chrF and exact matches of the validation split; None where nothing is written."""
        if not self.training.predict_with_generate:
            return None
        tokenizer = self._written_by(self.processor)
        return PairScorer(tokenizer, tokenizer.pad_token_id, self._references("validation"), *self._bleu_options())

    def _references(self, split: str) -> Sequence[Any]:
        """What should be written of a split, a text or several for each row."""
        return self.loaded.splits[split][TARGET][:]

    def _bleu_options(self) -> tuple[str | None, bool]:
        own = self.training.bleu_lowercase
        lowercase = is_lowercased(self._written_by(self.processor)) if own is None else own
        return self.training.bleu_tokenize, lowercase

    def best_metric(self) -> tuple[str, bool]:
        """BLEU; of targets of a few words exact matches."""
        if not self.training.predict_with_generate:
            return "loss", False
        targets = [own if isinstance(own, str) else own[0] for own in self._references("validation")]
        joined = sum(len(text.split()) if " " in text.strip() else len(text) / 4 for text in targets)
        return ("bleu" if joined >= _WORDS_FOR_BLEU * len(targets) else "exact_match"), True

    def metric_directions(self) -> dict[str, bool]:
        """All scores; the loss alone where nothing is written."""
        return PairScorer.directions() if self.training.predict_with_generate else {"loss": False}

    def measure(self, trainer: AttnLSTMSeq2SeqTrainer, rows: Dataset, prefix: str) -> Measured:
        """Write all texts of a split with the beams of the model, and compare them."""
        model = trainer.model.eval()
        loader = trainer.get_eval_dataloader(rows)
        output = trainer.evaluation_loop(loader, "Loss", prediction_loss_only=True, metric_key_prefix=prefix)
        loss = {f"{prefix}_loss": output.metrics[f"{prefix}_loss"]}
        if not self.training.predict_with_generate:
            return Measured(loss, {}, None)
        evaluation = self._write(model, trainer.processing_class, "validation" if prefix == "eval" else prefix, prefix)
        metrics = {f"{prefix}_{name}": value for name, value in evaluation.scores.metrics().items()}
        return Measured(loss | metrics, {}, evaluation)

    def _write(self, model: PreTrainedModel, processor: Any, split: str, prefix: str) -> TextEvaluation:
        """Write all texts of a split, and compare them."""
        pairs, (tokenize, lowercase) = self.loaded.splits[split], self._bleu_options()
        return evaluate_pairs(
            model,
            processor,
            pairs[SOURCE][:],
            pairs[TARGET][:],
            tokenize=tokenize,
            lowercase=lowercase,
            bounds=True,
            copy_unknown=self.training.copy_unknown,
            progress=lambda done, total: self.show_progress(f"Writing {prefix}", done, total),
        )

    def describe(self, evaluation: TextEvaluation, split: str) -> str:
        """Texts beside what they should be."""
        return describe_texts(evaluation, split)

    def card_parts(self, examples: DatasetDict, processor: PairProcessor, model: PreTrainedModel) -> CardParts:
        """Pairs, tokens and sizes."""
        return seq2seq_card(self, examples, processor, model.config)
