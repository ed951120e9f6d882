"""AdamW that touches only the rows of an embedding that a batch has read, with the result of the dense one."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn


# What is left of a move after the horizon: nothing, in float32.
_NEGLIGIBLE = 1e-8
# Below this, the product of the weight decays starts anew.
_LEAST_DECAY = 1e-6
_ROWS = "row_step"
# Threads that read the same rows side by side would make up for the same moves twice.
_CATCHING_UP = threading.RLock()
# What asks for no number of the weight; whatever is not named here sees true ones.
_PROPERTIES = (
    "device",
    "dtype",
    "grad",
    "is_cuda",
    "is_leaf",
    "is_sparse",
    "layout",
    "ndim",
    "requires_grad",
    "shape",
)
_METHODS = ("__len__", "dim", "element_size", "is_floating_point", "numel", "requires_grad_", "size", "stride")
_ASKING_NO_NUMBERS = frozenset(
    [getattr(torch.Tensor, name).__get__ for name in _PROPERTIES]
    + [getattr(torch.Tensor, name).__set__ for name in ("grad", "requires_grad")]
    + [getattr(torch.Tensor, name) for name in _METHODS]
)


class LazyAdamW(torch.optim.AdamW):
    """`torch.optim.AdamW`, with a cost for sparse gradients that depends on the rows in use and not on the table.

    A row of an embedding that no text of a batch uses still moves under Adam, from momentum and from weight decay.
    Here such moves are put off: they are a geometric series, so all that a row has missed is made up for in one go
    when it is read again, and before the weights are saved. Where the gradients are well above `eps`, the weights are
    those of the dense optimiser up to rounding. (Rows of the usual lazy Adam keep still in between; with rare words,
    that is another optimiser, which learns less.)

    Parameters with dense gradients are updated as in `torch.optim.AdamW`. The state is saved and loaded like that of
    other optimisers, and a training that goes on from it is bit-equal.

    Args:
        params, lr, betas, eps, weight_decay, fused: As in `torch.optim.AdamW`.

    Raises:
        ValueError: When β₁ is not below √β₂: moves from momentum would not die away.

    Example:

    ```python
    >>> optimizer = LazyAdamW(model.parameters(), lr=2e-3)
    >>> detach = optimizer.attach(model.get_input_embeddings())
    >>> for batch in batches:
    ...     model(**batch).loss.backward()
    ...     optimizer.step()
    ...     optimizer.zero_grad()
    >>> detach()
    ```
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        fused: bool | None = None,
    ):
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=fused)
        for group in self.param_groups:
            horizon(group["betas"])
        # Else the scaler of float16 training leaves it to a fused step to skip gradients that overflow.
        self._step_supports_amp_scaling = False

    def attach(self, embedding: nn.Embedding) -> Callable[[], None]:
        """Let an embedding have sparse gradients, and catch up with its rows before they are read, copied or saved.

        Until that ends, the embedding is a [`LazyEmbedding`] and its weight a [`LazyWeight`]. Copies and pickles are
        ordinary embeddings. A view of the weight, such as `weight.data`, is true when it is taken and may be old after
        the next step: take it anew.

        Args:
            embedding: Its weight is a parameter of this optimiser, in float32.

        Returns:
            A function that ends this, with all rows caught up.

        Raises:
            ValueError: For an embedding of another optimiser, class or dtype, or one that is attached already.
        """
        weight = embedding.weight
        if not any(weight is other for group in self.param_groups for other in group["params"]):
            raise ValueError("The embedding's weight is no parameter of this optimizer: pass it to LazyAdamW, too.")
        if type(embedding) is not nn.Embedding or type(weight) is not nn.Parameter:
            kind = type(embedding).__name__
            raise ValueError(f"The embedding is a {kind}: LazyAdamW needs a torch.nn.Embedding, not attached before.")
        if weight.dtype != torch.float32:
            raise ValueError(f"The embedding's weight is {weight.dtype}: LazyAdamW needs torch.float32.")
        embedding.sparse = True
        # In place, because the model, the optimiser and whoever else holds them must go on with the same objects.
        embedding.__class__ = LazyEmbedding
        weight.lazy_optimizer = self
        weight.__class__ = LazyWeight

        def detach() -> None:
            if isinstance(weight, LazyWeight):
                self.catch_up(weight)
                weight.__class__ = nn.Parameter
                del weight.lazy_optimizer
                embedding.__class__ = nn.Embedding
                embedding.sparse = False

        return detach

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters; of those with sparse gradients, only the rows that have one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with torch._C.DisableTorchFunctionSubclass():
            self._update()
        return loss

    def _update(self) -> None:
        sparse = []
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None and weight.grad.is_sparse:
                    sparse.append((group, weight, weight.grad))
                elif weight.grad is not None:
                    # A dense gradient moves every row, so none may be behind.
                    self.catch_up(weight)
        for group, weight, gradient in sparse:
            self._update_rows(group, weight, gradient.coalesce())
            weight.grad = None
        try:
            super().step()
        finally:
            for _, weight, gradient in sparse:
                weight.grad = gradient

    @torch.no_grad()
    def catch_up(self, weight: nn.Parameter, rows: Tensor | None = None) -> None:
        """Bring rows to where the dense optimiser would have them after the last step.

        Args:
            weight: (rows, width), a parameter of this optimiser.
            rows: (n,) different indices of rows; all rows without it.
        """
        with _CATCHING_UP, torch._C.DisableTorchFunctionSubclass():
            state = self.state.get(weight, {})
            if _is_begun(state):
                group = next(group for group in self.param_groups if any(weight is other for other in group["params"]))
                self._catch_up(group, weight, state, _rows_behind(state) if rows is None else rows)

    def _catch_up_all(self) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                self.catch_up(weight)

    def state_dict(self) -> dict[str, Any]:
        """As the base class's, of rows that are caught up: it fits weights that are read before or after."""
        self._catch_up_all()
        return super().state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As the base class's; what rows have missed under the old state is made up for before."""
        self._catch_up_all()
        super().load_state_dict(state_dict)

    def __getstate__(self) -> dict[str, Any]:
        # A copy takes the rows' clocks and the weights one after the other, and they must fit.
        self._catch_up_all()
        return super().__getstate__()

    def _update_rows(self, group: dict[str, Any], weight: nn.Parameter, gradient: Tensor) -> None:
        state = self.state[weight]
        if not _is_begun(state):
            _begin(state, weight, group)
        # Before the numbers become too small to divide by.
        if state["decay"][int(state["step"])] < _LEAST_DECAY:
            self._catch_up(group, weight, state, _rows_behind(state))
            _begin(state, weight, group)
        rows, gradient = gradient.indices()[0], gradient.values()
        self._catch_up(group, weight, state, rows)
        _advance(state, group)

        (beta1, beta2), step, rate = group["betas"], int(state["step"]), float(group["lr"])
        momentum = state["exp_avg"].index_select(0, rows).lerp_(gradient, 1 - beta1)
        square = state["exp_avg_sq"].index_select(0, rows).mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        ratio = _ratio(momentum, square, group["eps"] * (1 - beta2**step) ** 0.5)
        moved = weight.index_select(0, rows).mul_(1 - rate * group["weight_decay"])
        weight.index_copy_(0, rows, moved.sub_(ratio, alpha=_pace(group, step)))
        state["exp_avg"].index_copy_(0, rows, momentum)
        state["exp_avg_sq"].index_copy_(0, rows, square)
        state[_ROWS].index_fill_(0, rows, step)

    def _catch_up(self, group: dict[str, Any], weight: nn.Parameter, state: dict[str, Any], rows: Tensor) -> None:
        step = int(state["step"])
        since = state[_ROWS].index_select(0, rows)
        behind = since < step
        if not behind.all():
            rows, since = rows[behind], since[behind]
        if not len(rows):
            return
        beta1, beta2 = group["betas"]
        last = since.long()
        missed = (step - since)[:, None]
        momentum, square = state["exp_avg"].index_select(0, rows), state["exp_avg_sq"].index_select(0, rows)
        # The moves since then, as multiples of the last one's ratio, and the decay.
        decay = state["decay"][step]
        sums = (state["moves"][last] * decay)[:, None]
        kept = (decay / state["decay"][last])[:, None]
        ratio = _ratio(momentum, square, group["eps"] * (1 - beta2**since).sqrt()[:, None])
        weight.index_copy_(0, rows, weight.index_select(0, rows).mul_(kept).sub_(ratio.mul_(sums)))
        state["exp_avg"].index_copy_(0, rows, momentum.mul_(beta1**missed))
        state["exp_avg_sq"].index_copy_(0, rows, square.mul_(beta2**missed))
        state[_ROWS].index_fill_(0, rows, step)


class LazyWeight(nn.Parameter):
    """The weight of an embedding while a [`LazyAdamW`] puts off moves of its rows: they are made before it is read.

    Not to be made by hand: `LazyAdamW.attach` turns a parameter into one and back. Whatever reads it, torch function,
    method or attribute, finds the weights of the dense optimiser; copies and pickles are ordinary parameters.

    Example:

    ```python
    >>> import copy
    >>> embedding = torch.nn.Embedding(30_000, 128)
    >>> detach = LazyAdamW(embedding.parameters()).attach(embedding)
    >>> type(embedding.weight).__name__, type(copy.deepcopy(embedding).weight).__name__
    ('LazyWeight', 'Parameter')
    ```
    """

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func not in _ASKING_NO_NUMBERS:
            for weight in _lazy_weights((args, kwargs)):
                weight.lazy_optimizer.catch_up(weight)
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **kwargs)

    def __deepcopy__(self, memo: dict[int, Any]) -> nn.Parameter:
        # `copy.deepcopy` asks the memo itself, and notes the result there.
        return nn.Parameter(self.detach().clone(), self.requires_grad)

    def __reduce_ex__(self, protocol: Any) -> Any:
        plain = nn.Parameter(self.detach(), self.requires_grad)
        vars(plain).update({name: value for name, value in vars(self).items() if name != "lazy_optimizer"})
        return plain.__reduce_ex__(protocol)


class LazyEmbedding(nn.Embedding):
    """An embedding while a [`LazyAdamW`] is attached: of its weight, only the rows of a batch are caught up with.

    Copies and pickles are ordinary embeddings with dense gradients.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Ids of any shape to their rows (*shape, embedding_dim)."""
        weight = self.weight
        if not isinstance(weight, LazyWeight):
            # `torch.func.functional_call` puts another in its place.
            return super().forward(input)
        weight.lazy_optimizer.catch_up(weight, input.unique())
        with torch._C.DisableTorchFunctionSubclass():
            return super().forward(input)

    def __reduce_ex__(self, protocol: Any) -> Any:
        plain = nn.Embedding.__new__(nn.Embedding)
        vars(plain).update(vars(self), sparse=False)
        # What later protocols say, `pickle` accepts of objects of the same class only.
        return plain.__reduce_ex__(1)


def _lazy_weights(value: Any) -> Iterator[LazyWeight]:
    """Those among the arguments of a function, which may be nested."""
    if isinstance(value, LazyWeight):
        yield value
    elif isinstance(value, dict):
        yield from _lazy_weights(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _lazy_weights(item)


def _rows_behind(state: dict[str, Any]) -> Tensor:
    return (state[_ROWS] < state["step"].to(state[_ROWS].device)).nonzero()[:, 0]


def horizon(betas: tuple[float, float]) -> int:
    """Steps after which nothing in float32 is left of the moves that momentum alone makes.

    Raises:
        ValueError: When they do not die away.

    Example:

    ```python
    >>> horizon((0.9, 0.999))
    176
    ```
    """
    shrinks = betas[0] / betas[1] ** 0.5 if betas[1] else math.inf
    if shrinks >= 1:
        raise ValueError(f"betas={betas} cannot be used: β₁ must be below √β₂; take the dense AdamW.")
    return math.ceil(math.log(_NEGLIGIBLE) / math.log(shrinks)) if shrinks else 1


def _is_begun(state: dict[str, Any]) -> bool:
    """Whether the rows' clocks are those of the last step; a dense optimiser that took over leaves them behind."""
    return _ROWS in state and bool(state["lazy_step"] == state["step"])


def _begin(state: dict[str, Any], weight: Tensor, group: dict[str, Any]) -> None:
    """State of a table whose rows have their own clocks, and are all up to date.

    `moves[s]` is what a row has to move that was last updated at step s, as a multiple of its ratio of momentum to
    root mean square at that step and in units of `decay[t]`, the product of the weight decays of all steps up to t.
    All are of the weight's dtype, which is what loading a state makes of them.
    """
    # There are a step and moments where a dense optimiser has begun the training.
    step = state.setdefault("step", torch.zeros((), dtype=torch.float32))
    state.setdefault("exp_avg", torch.zeros_like(weight))
    state.setdefault("exp_avg_sq", torch.zeros_like(weight))
    state["lazy_step"] = step.clone()
    state[_ROWS] = weight.new_full((weight.shape[0],), float(step))
    length = int(step) + 1 + horizon(group["betas"])
    state["moves"] = weight.new_zeros(length)
    state["decay"] = weight.new_ones(length)


def _advance(state: dict[str, Any], group: dict[str, Any]) -> None:
    """Go on to the next step: what the rows that have no gradient in it miss is added to their sums."""
    state["step"] += 1
    state["lazy_step"] = state["step"].clone()
    step = int(state["step"])
    if step >= len(state["moves"]):
        state["moves"] = torch.cat([state["moves"], torch.zeros_like(state["moves"])])
        state["decay"] = torch.cat([state["decay"], torch.ones_like(state["decay"])])
    kept = max(1 - float(group["lr"]) * group["weight_decay"], _LEAST_DECAY**2)
    state["decay"][step] = state["decay"][step - 1] * kept
    beta1, beta2 = group["betas"]
    first = max(step - horizon(group["betas"]), 0)
    age = torch.arange(step - first, 0, -1, dtype=torch.float32, device=state["moves"].device)
    shrunk = (beta1 / beta2**0.5) ** age
    state["moves"][first:step] += shrunk * (_pace(group, step) / state["decay"][step])


def _pace(group: dict[str, Any], step: int) -> float:
    """The learning rate with Adam's two corrections for its start."""
    beta1, beta2 = group["betas"]
    return float(group["lr"]) * (1 - beta2**step) ** 0.5 / (1 - beta1**step)


def _ratio(momentum: Tensor, square: Tensor, eps: float | Tensor) -> Tensor:
    # A row that was never used has no moments: 0 over 0, without a bound.
    return momentum / (square.sqrt() + eps).clamp_(min=torch.finfo(momentum.dtype).tiny)
