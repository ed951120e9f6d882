"""The files of code that the checkpoint of each model carries."""

from __future__ import annotations


BACKBONE = {
    *("attention", "capturing", "configuration_attnlstm", "configuration_checks", "embeddings", "layout"),
    *(
        "lstm_backends",
        "modeling_attnlstm",
        "ngrams",
        "pooling",
        "reading_order",
        "recurrence",
        "subwords",
        "weight_init",
    ),
}
CLASSIFIER = {
    *BACKBONE,
    *("attention_entries", "batch_workers", "compute_dtype", "losses", "modeling_sequence_classification"),
    *("pipeline_text_classification", "shown_results", "text_cuts", "text_inputs", "text_rows"),
}
# What the checkpoint of each model carries.
SHIPPED = {
    "AttnLSTMModel": BACKBONE,
    "AttnLSTMForPreTraining": {*BACKBONE, "losses", "modeling_pretraining", "sampled_softmax"},
    "AttnLSTMForSequenceClassification": CLASSIFIER,
}
