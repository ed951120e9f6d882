"""Tagger of words, on the backbone: each tag by itself, or the best sequence of tags by a CRF."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers.modeling_outputs import TokenClassifierOutput
from transformers.utils.generic import can_return_tuple

from .configuration_attnlstm import AttnLSTMConfig
from .crf import NO_CRF, DecodedTags, LinearChainCRF
from .layout import can_be_read
from .losses import IGNORED
from .modeling_attnlstm import AttnLSTMModel, AttnLSTMPreTrainedModel
from .pooled_head import PooledHead
from .pooling import attention_penalty
from .reading_order import mask_of
from .spelling import WordTokens
from .tag_schemes import allowed_tags, tags_inside


if TYPE_CHECKING:
    # Never run: this makes `save_pretrained` copy the pipeline's files into the checkpoint.
    from .pipeline_token_classification import AttnLSTMTokenClassificationPipeline  # noqa: F401


@dataclass
class TaggerOutput(TokenClassifierOutput):
    """`TokenClassifierOutput`, with two fields more, which are None unless they are asked for with `n_best`.

    Attributes:
        sequences: (batch, n_best, length), the most probable sequences of tags, the best first; 0 where no word
            begins.
        sequences_scores: (batch, n_best), the logarithms of their probabilities; -inf where there are no more.
    """

    sequences: Tensor | None = None
    sequences_scores: Tensor | None = None


class AttnLSTMForTokenClassification(AttnLSTMPreTrainedModel):
    """Tagger of the words of a text, such as for named entities or parts of speech.

    With `use_crf`, the best sequence of tags is found as a whole. In evaluation mode, `logits` are then the logarithms
    of the probabilities that the CRF gives to the tags of each word, whatever the others are; where these would choose
    another tag than the best sequence has, the two are exchanged, so that whoever takes the highest one has that
    sequence. In training mode, and in an exported graph, they are the scores that enter the CRF.

    Example:

    ```python
    >>> config = AttnLSTMConfig(id2label={0: "O", 1: "B-PER", 2: "I-PER"}, tagging_scheme="bio", use_crf=True)
    >>> model = AttnLSTMForTokenClassification(config)
    >>> model(torch.tensor([[5, 6, 7]])).logits.shape
    torch.Size([1, 3, 3])
    >>> model.eval()(torch.tensor([[5, 6, 7]]), n_best=2).sequences.shape
    torch.Size([1, 2, 3])
    ```
    """

    # The loss is a mean over the tags of all accumulated batches, as the Trainer counts them.
    accepts_loss_kwargs = True
    custom_pipelines = {
        "attention-token-classification": {
            "impl": "pipeline_token_classification.AttnLSTMTokenClassificationPipeline",
            "pt": ["AutoModelForTokenClassification"],
            "type": "text",
        }
    }

    def __init__(self, config: AttnLSTMConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.attnlstm = AttnLSTMModel(config, add_pooling_layer=config.sentence_context)
        self.classifier = PooledHead(
            config.hidden_size + (config.pooled_size if config.sentence_context else 0),
            config.num_labels,
            hidden_size=config.classifier_hidden_size,
            dropout=config.classifier_dropout,
        )
        names = [config.id2label[number] for number in range(config.num_labels)]
        # Asked without a CRF too: it refuses tags that are none of the scheme.
        allowed = allowed_tags(names, config.tagging_scheme)
        self.crf = LinearChainCRF(config.num_labels, allowed) if config.use_crf else None
        # The tag of a token inside a word, by that of the word.
        self._inside = tags_inside(names)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        num_items_in_batch: Tensor | int | None = None,
        n_best: int | None = None,
        **kwargs: Any,
    ) -> TaggerOutput:
        """Tag a batch.

        Args:
            input_ids, attention_mask, inputs_embeds: As in [`AttnLSTMModel.forward`].
            labels: (batch, length) numbers of tags; -100 leaves a token out, and a CRF then passes it over.
            num_items_in_batch: By how many tags the loss is divided, where several batches count as one; by those of
                this batch without.
            n_best: How many of the most probable sequences of tags to return, of a model with a CRF.

        Returns:
            `logits` (batch, length, num_labels); `loss` where labels are given; `hidden_states`, `attentions` and the
            fields of [`TaggerOutput`] on request.

        Raises:
            ValueError: For the mistakes that [`AttnLSTMModel.forward`] names, labels that do not fit, an `n_best`
                below 1, or one for a model without a CRF.
        """
        kwargs |= {"output_pooler_weights": labels is not None, "output_words": True, "return_dict": True}
        outputs = self.attnlstm(input_ids, attention_mask, inputs_embeds, **kwargs)
        # Of a batch without columns, the backbone has read a token of padding.
        length = (inputs_embeds if input_ids is None else input_ids).shape[1]
        scores = self.score_tags(outputs.last_hidden_state, outputs.pooler_output)[:, :length]
        mask = mask_of(scores[..., 0], attention_mask)
        words = outputs.words if length else None
        tagged = mask if words is None else words.tagged
        loss = None
        if labels is not None:
            loss = self._loss(scores, labels, num_items_in_batch)
            if self.config.sentence_context and self.config.attention_penalties:
                loss = loss + attention_penalty(outputs.pooler_weights, **self.config.attention_penalties)
        best = (None, None) if n_best is None else best_sequences(self.crf, scores, tagged, n_best)
        return TaggerOutput(
            loss=loss,
            logits=self._logits(scores, mask, words),
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            sequences=best[0],
            sequences_scores=best[1],
        )

    def score_tags(self, states: Tensor, pooled: Tensor | None) -> Tensor:
        """A score for each tag of each token, (batch, length, tags)."""
        if pooled is not None:
            states = torch.cat([states, pooled[:, None].expand(-1, states.shape[1], -1)], -1)
        return self.classifier(states)

    def _loss(self, scores: Tensor, labels: Tensor, count: Tensor | int | None) -> Tensor:
        """The mean over the tags that count."""
        _check_labels(labels, scores)
        labels = labels.to(scores.device)
        counted = labels != IGNORED
        if self.crf is None:
            wide = scores if scores.dtype == torch.float64 else scores.float()
            weights = self.config.class_weights
            summed = F.cross_entropy(
                wide.flatten(0, 1),
                labels.flatten().long(),
                None if weights is None else wide.new_tensor(weights),
                ignore_index=IGNORED,
                reduction="sum",
                label_smoothing=self.config.label_smoothing,
            )
        else:
            likelihood = -self.crf.log_likelihood(scores, labels.where(counted, 0).long(), counted).sum()
            summed = likelihood if scores.dtype == torch.float64 else likelihood.float()
        return summed / (counted.sum().clamp(min=1) if count is None else count)

    def _logits(self, scores: Tensor, mask: Tensor, words: WordTokens | None) -> Tensor:
        """What chooses the tags; see the class."""
        if self.training or torch.compiler.is_exporting():
            return scores
        tagged = mask if words is None else words.tagged
        logits = scores if self.crf is None else logits_with_path(self.crf.decode(scores, tagged))
        if words is None:
            return logits
        inside = mask & ~tagged
        if can_be_read(inside) and not bool(inside.any()):
            return logits
        own = logits.gather(1, words.word[..., None].expand_as(logits))
        return logits.where(~inside[..., None], _moved_inside(own, self._inside))


def best_sequences(crf: LinearChainCRF | None, scores: Tensor, tagged: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The fields of [`TaggerOutput`], of scores (batch, length, tags) and a mask (batch, length) of what is tagged.

    Raises:
        ValueError: Without a CRF, or for a `count` below 1.

    Example:

    ```python
    >>> scores, tagged = torch.zeros(1, 2, 3), torch.ones(1, 2, dtype=torch.bool)
    >>> best_sequences(LinearChainCRF(3), scores, tagged, 2)[0].shape
    torch.Size([1, 2, 2])
    ```
    """
    if crf is None:
        raise ValueError(NO_CRF)
    return crf.best_sequences(scores, tagged, count)


def logits_with_path(decoded: DecodedTags) -> Tensor:
    """Logarithms of probabilities (batch, length, tags), of which those of the best sequence are the highest.

    Example:

    ```python
    >>> logits_with_path(DecodedTags(torch.tensor([[1]]), torch.tensor([[[0.6, 0.4]]]).log())).argmax(-1)
    tensor([[1]])
    ```
    """
    logs = decoded.log_marginals
    own = decoded.tags[..., None]
    highest, place = logs.max(-1, keepdim=True)
    return logs.scatter(-1, place, logs.gather(-1, own)).scatter(-1, own, highest)


def _moved_inside(logits: Tensor, inside: list[int]) -> Tensor:
    """Logits (…, tags) of words as those of tokens inside them: what begins a span there goes on with it."""
    wide = logits if logits.dtype == torch.float64 else logits.float()
    goes_on = torch.tensor(inside, device=logits.device)
    moved = torch.zeros_like(wide).index_add(-1, goes_on, wide.softmax(-1))
    logs = moved.clamp(min=torch.finfo(torch.float32).tiny).log().to(logits.dtype)
    # Two tags that have become one must not outdo that of the word.
    return logits_with_path(DecodedTags(goes_on[logits.argmax(-1)], logs))


def _check_labels(labels: Tensor, scores: Tensor) -> None:
    if labels.shape != scores.shape[:2]:
        raise ValueError(
            f"labels of shape {tuple(labels.shape)} do not fit the tokens {tuple(scores.shape[:2])}: give a number "
            f"for each token, {IGNORED} for those that have no tag."
        )
    if can_be_read(labels):
        wrong = labels[(labels != IGNORED) & ((labels < 0) | (labels >= scores.shape[2]))]
        if len(wrong):
            raise ValueError(
                f"labels holds {wrong[0].item()}, but the model has {scores.shape[2]} tags, numbered from 0 to "
                f"{scores.shape[2] - 1}: number the tags so, or set num_labels ({IGNORED} leaves a token out)."
            )


__all__ = ["AttnLSTMForTokenClassification"]
