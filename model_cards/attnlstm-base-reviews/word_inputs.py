"""What a word brings along beside its embedding: its characters, its case, and vectors that were trained elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from .layout import can_be_read, is_traced_for_onnx
from .lstm_backends import default_backend
from .ngrams import look_up
from .number_index import NumberIndex
from .reading_order import reading_order
from .spelling import DIGIT, LOWER, NO_CHARACTER, UPPER, Spelling


# No letter, only digits, mostly digits, some digits, upper case, a capital first, lower case, anything else; 0 for no
# characters.
NUM_CASES = 9
# Any large odd number, whose powers say at which place a character stands.
_BASE = 0x5DEECE66D1CE4E5B


class CharacterEncoder(nn.Module):
    """Embeddings of the characters of words, and what becomes of those of a word.

    Args:
        num_characters: Rows of the embedding, of which row 0 stands for no character.
        embedding_size: Width of a character's embedding.
        dropout: Share of its units that are dropped.

    Attributes:
        output_size: Width of what comes out.
    """

    output_size: int

    def __init__(self, num_characters: int, embedding_size: int, dropout: float = 0.0):
        super().__init__()
        self.embeddings = nn.Embedding(num_characters, embedding_size, padding_idx=NO_CHARACTER)
        self.dropout = nn.Dropout(dropout)

    def forward(self, characters: Tensor) -> Tensor:
        """Numbers of characters (batch, length, characters) to (batch, length, output_size); 0 where are none."""
        words = characters.flatten(0, 1)
        known = words[:, 0] > 0
        if not can_be_read(words):
            read = self.encode(words).masked_fill(~known[:, None], 0.0)
            return read.view(*characters.shape[:2], self.output_size)
        # Padding and what spells on are many, and need not be computed.
        read = (
            self.encode(words[known]) if bool(known.any()) else self.embeddings.weight.new_zeros(0, self.output_size)
        )
        empty = read.new_zeros(len(words), self.output_size)
        return empty.index_copy(0, known.nonzero().squeeze(1), read).view(*characters.shape[:2], self.output_size)

    def encode(self, words: Tensor) -> Tensor:
        """Words (words, characters) to (words, output_size)."""
        raise NotImplementedError


class CharacterCNN(CharacterEncoder):
    """The highest value of each filter of a convolution over the characters of a word (Ma and Hovy, 2016).

    Args:
        num_characters, embedding_size, dropout: As in [`CharacterEncoder`].
        output_size: Filters.
        kernel_size: Characters that a filter sees; an odd number.

    Example:

    ```python
    >>> CharacterCNN(9, 4, output_size=6, kernel_size=3)(torch.tensor([[[1, 2, 0], [3, 0, 0]]])).shape
    torch.Size([1, 2, 6])
    ```
    """

    def __init__(
        self, num_characters: int, embedding_size: int, *, output_size: int, kernel_size: int, dropout: float = 0.0
    ):
        super().__init__(num_characters, embedding_size, dropout)
        self.output_size = output_size
        self.convolution = nn.Conv1d(embedding_size, output_size, kernel_size, padding=kernel_size // 2)

    def encode(self, words: Tensor) -> Tensor:
        # The row of no character is 0, as what the convolution puts around a word.
        read = self.convolution(self.dropout(self.embeddings(words)).transpose(1, 2))
        return torch.relu(read.masked_fill((words == NO_CHARACTER)[:, None], -torch.inf).amax(2))


class CharacterLSTM(CharacterEncoder):
    """The last states of an LSTM that reads the characters of a word from both ends (Lample et al., 2016).

    Args:
        num_characters, embedding_size, dropout: As in [`CharacterEncoder`].
        output_size: Width of the states of both directions together.

    Example:

    ```python
    >>> CharacterLSTM(9, 4, output_size=6)(torch.tensor([[[1, 2, 0], [3, 0, 0]]])).shape
    torch.Size([1, 2, 6])
    ```
    """

    def __init__(self, num_characters: int, embedding_size: int, *, output_size: int, dropout: float = 0.0):
        super().__init__(num_characters, embedding_size, dropout)
        self.output_size = output_size
        # By themselves: what an `LSTMLayer` returns is captured as hidden states of the text.
        self.forward_lstm = nn.LSTM(embedding_size, output_size // 2)
        self.backward_lstm = nn.LSTM(embedding_size, output_size // 2)

    def encode(self, words: Tensor) -> Tensor:
        inputs = self.dropout(self.embeddings(words)).transpose(0, 1).contiguous()
        order = reading_order(words != NO_CHARACTER)
        reading = default_backend()([self.forward_lstm, self.backward_lstm], inputs, order, None, False)
        return reading.hidden.transpose(0, 1).flatten(1)


class CaseEmbedding(nn.Module):
    """An embedding of how a word is written, such as in lower case or with a capital (Huang et al., 2015).

    Args:
        size: Width of the embedding.

    Example:

    ```python
    >>> CaseEmbedding(4)(torch.tensor([[[UPPER, LOWER, LOWER]]])).shape
    torch.Size([1, 1, 4])
    ```
    """

    def __init__(self, size: int):
        super().__init__()
        self.embeddings = nn.Embedding(NUM_CASES, size, padding_idx=0)

    def forward(self, kinds: Tensor) -> Tensor:
        """Kinds of characters (batch, length, characters) to (batch, length, size)."""
        return self.embeddings(case_of(kinds))


def case_of(kinds: Tensor) -> Tensor:
    """How words are written, as numbers.

    Args:
        kinds: (…, characters), what each character is, see [`Spelling`].

    Returns:
        (…), from 0 for a word without characters to 8.

    Example:

    ```python
    >>> case_of(torch.tensor([[UPPER, LOWER], [UPPER, UPPER], [DIGIT, DIGIT]]))
    tensor([6, 5, 2])
    ```
    """
    count = (kinds != NO_CHARACTER).sum(-1)
    lower, upper, digits = ((kinds == kind).sum(-1) for kind in (LOWER, UPPER, DIGIT))
    # From the last that is tried to the first.
    case = torch.full_like(count, 8)
    case = case.masked_fill(lower == count, 7)
    case = case.masked_fill((upper == 1) & (kinds[..., 0] == UPPER), 6)
    case = case.masked_fill(upper == count, 5)
    case = case.masked_fill(digits > 0, 4)
    case = case.masked_fill(2 * digits > count, 3)
    case = case.masked_fill((digits == count) & (digits > 0), 2)
    case = case.masked_fill((lower + upper + digits) == 0, 1)
    return case.masked_fill(count == 0, 0)


def word_numbers(characters: Tensor) -> Tensor:
    """A number for every word, by which it is found in a list.

    Two words share a number with a chance of one to 2⁶³.

    Args:
        characters: (…, characters), the numbers of their characters, 0 behind the last.

    Returns:
        (…), not negative; 0 for a word without characters.

    Example:

    ```python
    >>> word_numbers(torch.tensor([[1, 2, 0], [2, 1, 0]])).unique().shape
    torch.Size([2])
    ```
    """
    powers = [pow(_BASE, place, 2**64) for place in range(1, characters.shape[-1] + 1)]
    # Sums and products of whole numbers wrap around at 2⁶⁴, of which half are negative.
    factors = torch.tensor([power - 2**64 if power >= 2**63 else power for power in powers], device=characters.device)
    numbers = characters.long() * factors
    # One by one in a graph: the sum of ONNX Runtime is not exact for large whole numbers.
    total = sum(numbers.unbind(-1)) if is_traced_for_onnx() else numbers.sum(-1)
    return total & (2**63 - 1)


def distinct_words(characters: Tensor) -> tuple[Tensor, Tensor]:
    """The words of a batch, each once.

    Args:
        characters: (batch, length, characters), the numbers of their characters, 0 behind the last.

    Returns:
        The words (words, characters), and the number of that at each place (batch, length).

    Example:

    ```python
    >>> words, places = distinct_words(torch.tensor([[[1, 2], [3, 0], [1, 2]]]))
    >>> words.shape, bool(places[0, 0] == places[0, 2])
    (torch.Size([2, 2]), True)
    ```
    """
    given = characters.flatten(0, 1)
    number, places = word_numbers(given).unique(return_inverse=True)
    rows = torch.arange(len(given), device=given.device)
    words = given[places.new_zeros(len(number)).scatter(0, places, rows)]
    if not torch.equal(words[places], given):
        # Two words share a number.
        words, places = given, rows
    return words, places.view(characters.shape[:2])


class WordVectors(nn.Module):
    """Vectors for the words of a list, which need not be tokens: a word is known by its characters in lower case.

    Args:
        size: Words that have one.
        width: Of a vector.

    Attributes:
        numbers: (size,), those of the words in rising order; see [`word_numbers`].

    Example:

    ```python
    >>> WordVectors(size=10, width=4)(torch.tensor([[[1, 2], [3, 0]]])).shape
    torch.Size([1, 2, 4])
    ```
    """

    def __init__(self, size: int, width: int):
        super().__init__()
        self.index = NumberIndex(size)
        # Row 0 is for words that have none.
        self.table = nn.Embedding(size + 1, width, padding_idx=0)

    def forward(self, lower: Tensor) -> Tensor:
        """Characters in lower case (batch, length, characters) to (batch, length, width); 0 for other words."""
        return look_up(self.table, self.index.rows(word_numbers(lower)))


class InputMerge(nn.Module):
    """One input from the several ones of a word.

    Args:
        sizes: Widths of the inputs.
        output_size: Width of what comes out, unless they are joined.
        kind: `"concat"` joins them. The others bring all to one width first; `"sum"` adds them, `"gated"` weighs each
            unit of each by what all of them are (Miyamoto and Cho, 2016), `"attention"` weighs each input by what it
            is, so that the weights of a word sum to 1 (Rei et al., 2016; Kiela et al., 2018).

    Example:

    ```python
    >>> InputMerge([4, 2], 4, "attention")([torch.zeros(1, 3, 4), torch.zeros(1, 3, 2)]).shape
    torch.Size([1, 3, 4])
    ```
    """

    def __init__(self, sizes: Sequence[int], output_size: int, kind: str):
        super().__init__()
        self.kind = kind
        if kind != "concat":
            self.projections = nn.ModuleList(nn.Linear(size, output_size, bias=False) for size in sizes)
        if kind == "gated":
            self.gates = nn.Linear(len(sizes) * output_size, len(sizes) * output_size)
        if kind == "attention":
            self.hidden = nn.Linear(output_size, output_size)
            # Not `score`: adapters by `peft` take a layer of that name for a head, which is trained as a whole.
            self.scoring = nn.Linear(output_size, 1, bias=False)

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Inputs (…, size) each to (…, output_size)."""
        if self.kind == "concat":
            return torch.cat(tuple(inputs), -1)
        alike = torch.stack([layer(each) for layer, each in zip(self.projections, inputs)], -2)
        if self.kind == "gated":
            alike = alike * torch.sigmoid(self.gates(alike.flatten(-2))).view_as(alike)
        if self.kind == "attention":
            alike = alike * self.weights(alike)[..., None]
        return alike.sum(-2)

    def weights(self, alike: Tensor) -> Tensor:
        """Inputs of one width (…, inputs, output_size) to weights (…, inputs)."""
        scores = self.scoring(torch.tanh(self.hidden(alike))).squeeze(-1)
        return torch.softmax(scores.float(), -1).to(alike.dtype)


class WordInputs(nn.Module):
    """What a word brings along beside its embedding, and one input from all of it.

    Args:
        encoders: Encoders of its characters, by name.
        case: Embedding of how it is written; None for none.
        vectors: Vectors that were trained elsewhere.
        merge: Makes one input of the embedding and of those, in this order.
        dropout: Share of the words whose embedding is left out in training.

    Example:

    ```python
    >>> further = WordInputs({}, CaseEmbedding(4), [], InputMerge([8, 4], 8, "concat"))
    >>> further(torch.zeros(1, 3, 8), torch.ones(1, 3, 5, dtype=torch.long), Spelling(9, 6, 5)).shape
    torch.Size([1, 3, 12])
    ```
    """

    def __init__(
        self,
        encoders: Mapping[str, CharacterEncoder],
        case: CaseEmbedding | None,
        vectors: Sequence[WordVectors],
        merge: InputMerge,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.dropout = dropout
        self.encoders = nn.ModuleDict(encoders)
        self.register_module("case", case)
        self.vectors = nn.ModuleList(vectors)
        self.merge = merge

    def forward(self, embedded: Tensor, characters: Tensor, spelling: Spelling) -> Tensor:
        """Embeddings (batch, length, size) and characters (batch, length, characters) to (batch, length, width)."""
        if self.training and self.dropout:
            left_out = torch.rand(embedded.shape[:2], device=embedded.device) < self.dropout
            embedded = embedded.masked_fill(left_out[..., None], 0.0)
        inputs = [embedded, *self._of_spelling(characters, spelling)]
        # Time-major in memory, as the recurrence reads it.
        return self.merge([each.transpose(0, 1) for each in inputs]).transpose(0, 1)

    def _of_spelling(self, characters: Tensor, spelling: Spelling) -> list[Tensor]:
        """Those that depend on the characters alone, (batch, length, size) each."""
        if self.training or not can_be_read(characters):
            return self._read(characters, spelling)
        # Most words of a batch stand in it more than once.
        words, places = distinct_words(characters)
        rows = places.t().flatten()
        batch, length = places.shape
        read = (each[0].index_select(0, rows) for each in self._read(words[None], spelling))
        return [each.view(length, batch, each.shape[1]).transpose(0, 1) for each in read]

    def _read(self, characters: Tensor, spelling: Spelling) -> list[Tensor]:
        inputs = [encoder(characters) for encoder in self.encoders.values()]
        if self.case is not None:
            inputs.append(self.case(spelling.kinds[characters]))
        if len(self.vectors):
            lower = spelling.lower[characters]
            inputs += [vectors(lower) for vectors in self.vectors]
        return inputs
