"""Explanations, from text to weights of words, beside a prediction and beside captum's own methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase, pipeline

from hfattnlstm.explain import Explainer
from hfattnlstm.explain.attribution import INTEGRATION_STEPS, METHODS
from hfattnlstm.explain.scoring import TextScorer

from ..models import Configuration, configurations, ours, small_bert
from ..options import Options
from ..peers import peer
from ..pipelines import call_of
from ..speed import add_measurements, speed_table
from ..table import Table
from ..targets import PLAIN_PREDICTION, TRANSFORMERS_INTERPRET, explained
from ..timing import Call, Candidate, Prepare, measure
from ..workload import Sample, Workload


# With random weights, the first number is enough.
_STEPS = INTEGRATION_STEPS[0]
NOTES = [
    f'"{PLAIN_PREDICTION}" is from text to label and score, in the same batches, without any weight of a word.',
    "Our methods give an object with label, score and the words with their places and weights for every text; how far "
    "these can be trusted is not measured in these times.",
    f"Captum's methods get one text at a time, as its tutorials do it, on our model and its embeddings; integrated "
    f"gradients take {_STEPS} steps, in ours and in captum's.",
    "The ratio of a BERT is the speed against transformers-interpret, which gets one text at a time and takes as many "
    "steps.",
    "Weights are random, for which the time is the same.",
]
# Of the slow ones, few texts a call.
_LEAST = {"integrated_gradients": 4, "occlusion": 4}
_CAPTUM = ("InputXGradient", "IntegratedGradients", "FeatureAblation")


def run(options: Options) -> Table:
    """Measure reviews."""
    table = speed_table("explain", "Explanations", PLAIN_PREDICTION, list(NOTES))
    configuration = Configuration(vocab_size=configurations(options)[0].vocab_size)
    workload = options.workload(configuration.kind)
    candidates = _candidates(partial(ours, configuration), workload)
    measured = measure(candidates, workload, options, PLAIN_PREDICTION)
    add_measurements(table, configuration.name, measured, PLAIN_PREDICTION, targets=configuration.kind)
    measured = measure(_of_a_bert(workload), workload, options, TRANSFORMERS_INTERPRET)
    add_measurements(table, "reviews, a BERT of two layers, 128 wide", measured, TRANSFORMERS_INTERPRET)
    return table


def _candidates(make_model: Callable[[], PreTrainedModel], workload: Workload) -> list[Candidate]:
    found = [Candidate(PLAIN_PREDICTION, partial(_prediction, make_model, workload))]
    found.append(Candidate("attention pipeline", partial(_pipeline, make_model, workload)))
    for method in METHODS:
        load = partial(_explanation, method, make_model, workload.tokenizer())
        found.append(Candidate(explained(method), load, least=_LEAST.get(method, 64)))
    for name in _CAPTUM:
        found.append(Candidate(f"captum's {name}", partial(_captum, name, make_model, workload), least=4))
    return found


def _of_a_bert(workload: Workload) -> list[Candidate]:
    """Our methods on a model that is not ours, beside a tool that is made for it."""
    make_model, tokenizer = partial(small_bert, workload.vocab_size), workload.bert_tokenizer()
    theirs = {"make_model": make_model, "tokenizer": tokenizer, "steps": _STEPS}
    found = [
        Candidate(
            TRANSFORMERS_INTERPRET, peer("transformers_interpret", "integrated_gradients", **theirs), least=2, most=64
        )
    ]
    for method in METHODS:
        load = partial(_explanation, method, make_model, tokenizer)
        found.append(Candidate(explained(method), load, least=_LEAST.get(method, 16)))
    return found


def _prediction(make_model: Callable[[], PreTrainedModel], workload: Workload) -> Prepare:
    scorer = TextScorer(make_model(), workload.tokenizer())
    names = [scorer.model.config.id2label[index] for index in range(scorer.model.config.num_labels)]

    def predict(texts: Sequence[str]) -> int:
        logits = scorer.logits([scorer.tokens_of(text) for text in scorer.encode(texts)])
        scores = scorer.probabilities(logits)
        return len([(names[row.argmax()], float(row.max())) for row in scores])

    return partial(_call, predict)


def _pipeline(make_model: Callable[[], PreTrainedModel], workload: Workload) -> Prepare:
    return call_of(
        pipeline("attention-text-classification", model=make_model(), tokenizer=workload.tokenizer(), device="cpu")
    )


def _explanation(
    method: str, make_model: Callable[[], PreTrainedModel], tokenizer: PreTrainedTokenizerBase
) -> Prepare:
    explainer = Explainer(make_model(), tokenizer, method)
    return partial(_call, lambda texts: sum(bool(found.words) for found in explainer(texts)))


def _captum(name: str, make_model: Callable[[], PreTrainedModel], workload: Workload) -> Prepare:
    import captum.attr

    scorer = TextScorer(make_model().eval(), workload.tokenizer())
    method = getattr(captum.attr, name)(lambda embedded: scorer.model(inputs_embeds=embedded).logits)

    def attribute(texts: Sequence[str]) -> int:
        return sum(bool(_weights(method, scorer, text)) for text in texts)

    return partial(_call, attribute)


def _weights(method: Any, scorer: TextScorer, text: str) -> list[float]:
    ids = torch.tensor([scorer.encode([text])[0].input_ids])
    with torch.no_grad():
        embedded = scorer.model.embed(ids)
        target = int(scorer.model(inputs_embeds=embedded).logits.argmax())
    options: dict[str, Any] = {"target": target}
    if type(method).__name__ == "FeatureAblation":
        # A word is one feature.
        places = torch.arange(ids.shape[1])[None, :, None].expand_as(embedded)
        options |= {"feature_mask": places, "perturbations_per_eval": 32}
    if type(method).__name__ == "IntegratedGradients":
        options["n_steps"] = _STEPS
    return method.attribute(embedded, **options).sum(-1)[0].tolist()


def _call(handle: Callable[[Sequence[str]], int], sample: Sample) -> Call:
    texts = sample.texts
    return lambda: handle(texts)
