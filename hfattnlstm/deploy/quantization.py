"""From float32 to int8 by the quantiser of ONNX Runtime."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Iterator
from os import PathLike
from typing import Any

from .._extras import import_optional


# Products with fewer columns, such as those with the vector of a score, cost next to nothing and decide much.
_WIDE = 16
# Weights of n-grams, of which hundreds are added up. One scale for all of them would make the small ones, a third, 0.
_EXACT = ".ngrams.weight"
# What the quantiser writes into models that its own preparation has been through. Without it, it recommends that
# preparation, which has nothing to do in these graphs.
_PREPARED = ("onnx.quant.pre_process", "onnxruntime.quant")


def quantize(proto: Any, path: str | PathLike[str]) -> None:
    """Write the int8 form of an exported classifier.

    The LSTMs, the embedding and the wide matrix products get weights of 8 bits. What enters an LSTM or a product is
    quantised when it is known, by its range in the batch at hand: an answer depends a little on the texts beside it.

    Args:
        proto: `onnx.ModelProto` in float32; its nodes must have names. It is not changed.
        path: The .onnx file to write.
    """
    tools = import_optional("onnxruntime.quantization")
    prepared = type(proto)()
    prepared.CopyFrom(proto)
    # The quantiser transposes weights, and then stumbles over the shapes that were noted down for them.
    del prepared.graph.value_info[:]
    prepared.metadata_props.add(key=_PREPARED[0], value=_PREPARED[1])
    with _no_logging_set_up():
        tools.quantize_dynamic(
            prepared,
            path,
            op_types_to_quantize=["LSTM", "MatMul", "Gather"],
            nodes_to_quantize=_worth_quantizing(prepared.graph),
            weight_type=tools.QuantType.QInt8,
            per_channel=True,
            # Seven bits: with eight, processors without instructions for it (VNNI) would overflow.
            reduce_range=True,
        )


@contextlib.contextmanager
def _no_logging_set_up() -> Iterator[None]:
    """The quantiser calls `logging.info`, which sets up logging for the process unless the root has a handler."""
    handler = logging.NullHandler()
    logging.root.addHandler(handler)
    try:
        yield
    finally:
        logging.root.removeHandler(handler)


def _worth_quantizing(graph: Any) -> list[str]:
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    names = [node.name for node in graph.node if node.op_type == "LSTM"]
    tables = {name for name, shape in shapes.items() if len(shape) == 2 and not name.endswith(_EXACT)}
    names += [node.name for node in graph.node if node.op_type == "Gather" and node.input[0] in tables]
    for node in graph.node:
        if node.op_type == "MatMul" and math.prod(shapes.get(node.input[1], (0,))[-1:]) >= _WIDE:
            names.append(node.name)
    return names
