"""An inference over many images that one of them does not stop."""

import logging
from collections.abc import Iterator
from typing import Any

import torch
from monai.engines import SupervisedEvaluator
from monai.utils import MONAIEnvVars
from torch.utils.data import DataLoader

from ..errors import InputError, sentence_of

logger = logging.getLogger(__name__)


class ContinueOnErrorEvaluator(SupervisedEvaluator):
    """MONAI's evaluator, which goes on with the next image when one fails.

    A failure is told at once in one line of the log, and `run` ends with an error that names all
    images that failed. Where there is one image alone, its own error comes through.

    Args:
        kwargs: as of MONAI's `SupervisedEvaluator`; `val_data_loader` gives an image at a time, in
            the order of its dataset.

    Raises (by `run`):
        InputError: images failed; the others are done.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.data_loader = _Attempts(self.data_loader)
        self.failed: list[str] = []

    def run(self, global_epoch: int = 1) -> None:
        self.failed = []
        super().run(global_epoch)
        if self.failed:
            raise InputError(
                f"{len(self.failed)} of {self.state.epoch_length} images could not be segmented: "
                f"{', '.join(self.failed)}; the lines above say why, mend or remove them."
            )

    def _iteration(self, engine: SupervisedEvaluator, batchdata: Any) -> Any:
        number = engine.state.iteration - 1
        if not isinstance(batchdata, _Failure):
            try:
                return super()._iteration(engine, batchdata)
            except Exception as error:
                if len(self.data_loader) == 1:
                    raise
                batchdata = self.data_loader.failure(number, error)
        self.failed.append(self.data_loader.name(number))
        logger.error(f"failed: {batchdata}")
        return []  # what handlers get of this image


class _Failure(str):
    """Why an image failed: takes the place of what it would have been."""


class _Attempts:
    """A loader's batches; the place of one that cannot be loaded is taken by a `_Failure`."""

    def __init__(self, loader: DataLoader) -> None:
        self.loader = loader

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        batches = iter(self.loader)
        for number in range(len(self.loader)):
            try:
                batch = next(batches)
            except Exception as error:
                if len(self.loader) == 1:
                    raise
                batch = self.failure(number, error)
            yield batch
            del batch  # or it would live while the next one is loaded

    def name(self, number: int) -> str:
        image = self.loader.dataset.data[number]["image"]
        return image if isinstance(image, str) else f"image {number + 1}"

    def failure(self, number: int, error: Exception) -> _Failure:
        """The reason in one sentence; of the error nothing is kept, it may hold volumes."""
        if MONAIEnvVars.debug():
            logger.error("debug", exc_info=error)
        name, sentence = self.name(number), sentence_of(error) or _in_one_line(error)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return _Failure(sentence if name in sentence else f"{name}: {sentence}")


def _in_one_line(error: BaseException) -> str:
    """What went wrong in the first place; MONAI wraps it by the name of the transform."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    words = f"{type(error).__name__}: {error}".splitlines()[0]
    is_memory = isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate" in words
    return f"there is not enough memory for it ({words})" if is_memory else words
