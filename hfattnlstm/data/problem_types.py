"""What a classifier of any kind solves, ours or another."""

from __future__ import annotations

from transformers import PretrainedConfig

from ..modeling.configuration_base import REGRESSION, SINGLE_LABEL


def problem_type_of(config: PretrainedConfig) -> str:
    """The problem type, also of a model that is none of ours: one number without a type is a regression.

    Example:

    ```python
    >>> problem_type_of(BertConfig(num_labels=3))
    'single_label_classification'
    ```
    """
    resolve = getattr(config, "resolve_problem_type", None)
    if resolve is not None:
        return resolve()
    return config.problem_type or (REGRESSION if config.num_labels == 1 else SINGLE_LABEL)


def label_names_of(config: PretrainedConfig) -> list[str]:
    """The names of the labels of a model, in the order of its logits.

    Example:

    ```python
    >>> label_names_of(BertConfig(num_labels=2))
    ['LABEL_0', 'LABEL_1']
    ```
    """
    return [str(config.id2label[index]) for index in range(config.num_labels)]
