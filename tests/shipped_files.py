"""The files of code that the checkpoint of each model carries."""

from __future__ import annotations


# What the models of all systems share.
SHARED = {
    *(
        "attention",
        "capturing",
        "configuration_base",
        "configuration_checks",
        "configuration_context",
        "configuration_pooled",
    ),
    "context",
    *("dropout", "layout", "lsh_attention", "lstm_backends", "modeling_base", "multi_head_attention", "pooling"),
    *("configuration_pooled", "reading_order", "recurrence", "weight_init"),
}
BACKBONE = {
    *SHARED,
    *(
        "configuration_attnlstm",
        "configuration_images",
        "configuration_words",
        "embeddings",
        "modeling_attnlstm",
        "ngrams",
        "number_index",
        "spelling",
    ),
    *("subwords", "tag_schemes", "word_inputs"),
}
CLASSIFIER = {
    *BACKBONE,
    *("attention_entries", "batch_workers", "compute_dtype", "losses", "pooled_head"),
    "modeling_sequence_classification",
    *("pipeline_text_classification", "shown_results", "text_cuts", "text_inputs", "text_rows"),
}
TAGGER = {
    *BACKBONE,
    *("batch_workers", "crf", "losses", "modeling_token_classification", "pipeline_token_classification"),
    *("pooled_head", "text_cuts", "text_inputs", "word_tokens"),
}
IMAGE_TEXT = {
    *BACKBONE,
    *("attention_entries", "cross_modal", "image_inputs", "image_opening", "image_regions", "losses"),
    *("modeling_image_text_classification", "picture_reader", "pipeline_image_text_classification", "pooled_head"),
    *("text_cuts", "text_inputs", "text_rows"),
}
WRITER = {
    *BACKBONE,
    *("configuration_seq2seq", "decoder", "losses", "modeling_conditional_generation", "modeling_seq2seq"),
    *("pair_processor", "pipeline_text2text", "text_cuts", "text_generation", "text_inputs", "token_writing"),
}
CAPTIONER = {
    *(BACKBONE - {"context", "modeling_attnlstm"}),
    *("configuration_seq2seq", "decoder", "image_inputs", "image_opening", "image_regions", "losses"),
    *("modeling_image_captioning", "modeling_seq2seq", "picture_reader", "pipeline_image_to_text", "token_writing"),
}
SERIES = {*SHARED, "configuration_forecaster", "modeling_forecaster", "series_fronts", "series_scaling"}
# What the checkpoint of each model carries.
SHIPPED = {
    "AttnLSTMModel": BACKBONE,
    "AttnLSTMForPreTraining": {*BACKBONE, "losses", "modeling_pretraining", "sampled_softmax"},
    "AttnLSTMForSequenceClassification": CLASSIFIER,
    "AttnLSTMForTokenClassification": TAGGER,
    "AttnLSTMForImageTextClassification": IMAGE_TEXT,
    "AttnLSTMForConditionalGeneration": WRITER,
    "AttnLSTMForImageCaptioning": CAPTIONER,
    "AttnLSTMForecasterModel": SERIES,
    "AttnLSTMForTimeSeriesPrediction": {
        *(*SERIES, "forecast_distributions", "forecast_heads", "forecast_losses"),
        *("modeling_time_series_prediction", "pooled_head"),
    },
    "AttnLSTMForTimeSeriesClassification": {*SERIES, "losses", "modeling_time_series_classification", "pooled_head"},
}
