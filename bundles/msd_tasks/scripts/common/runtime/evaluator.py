# generated from common/runtime/evaluator.py, do not edit: `make copies`
"""Reports a failed image, goes on with the next, and fails at the end with a list."""

import logging
from collections.abc import Iterator
from typing import Any

import torch
from monai.engines import SupervisedEvaluator
from monai.utils import MONAIEnvVars
from torch.utils.data import DataLoader

from ..errors import InputError, sentence_of
from .distributed import gather, is_main_process

logger = logging.getLogger(__name__)


class ContinueOnErrorEvaluator(SupervisedEvaluator):
    """Evaluates image by image as MONAI's evaluator, and goes on with the next when one fails.

    Each failure is one line of the log at once, and `run` ends with an error that names all images
    that failed. Where there is one image alone, its own error comes through. Several processes
    share the images, each at its own pace; the first of them raises the error for all.

    Args:
        purpose: the processing of an image, for the error: "segmented", "evaluated".
        kwargs: as of MONAI's `SupervisedEvaluator`; `val_data_loader` gives one image at a time,
            in an order that does not change.

    Raises (by `run`):
        InputError: images failed; the others are done.
    """

    def __init__(self, purpose: str = "segmented", **kwargs) -> None:
        super().__init__(**kwargs)
        # in DistributedDataParallel the first forward waits for one of each process
        self.network = getattr(self.network, "module", self.network)
        self.data_loader = _ContinuingLoader(self.data_loader)
        self.purpose = purpose
        self.failed: list[str] = []

    def run(self, global_epoch: int = 1) -> None:
        """Evaluates all images, and raises an InputError at the end if any failed."""
        self.failed = []
        super().run(global_epoch)
        # a case may be in two processes, so that each has as many
        failed = list(dict.fromkeys(name for names in gather(self.failed) for name in names))
        if failed and is_main_process():
            raise InputError(
                f"{len(failed)} of {self.data_loader.images} images could not be {self.purpose}: "
                f"{', '.join(failed)}; the lines above say why, mend or remove them."
            )

    def _iteration(self, engine: SupervisedEvaluator, batchdata: Any) -> Any:
        number = engine.state.iteration - 1
        if not isinstance(batchdata, _Failure):
            try:
                return super()._iteration(engine, batchdata)
            except Exception as error:
                if self.data_loader.images == 1:
                    raise
                batchdata = self.data_loader.failure(number, error)
        self.failed.append(self.data_loader.name(number))
        logger.error(f"failed: {batchdata}")
        return []  # handlers get no item of this image


class _Failure(str):
    """Says why an image failed; takes the place of the image's batch."""


class _ContinuingLoader:
    """Yields a loader's batches, and a `_Failure` in the place of one that cannot be loaded."""

    def __init__(self, loader: DataLoader) -> None:
        self.loader, self.dataset = loader, loader.dataset
        self.images = len(loader.dataset)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        batches = iter(self.loader)
        for number in range(len(self.loader)):
            try:
                batch = next(batches)
            except Exception as error:
                if self.images == 1:
                    raise
                batch = self.failure(number, error)
            yield batch
            del batch  # or it would live while the next one is loaded

    def name(self, number: int) -> str:
        """Names an image by its path, or by its number where it has none."""
        index = list(self.loader.sampler)[number]
        image = self.loader.dataset.data[index]["image"]
        return image if isinstance(image, str) else f"image {index + 1}"

    def failure(self, number: int, error: Exception) -> _Failure:
        """Gives the reason in one sentence, and drops the error, which may hold volumes."""
        if MONAIEnvVars.debug():
            logger.error("debug", exc_info=error)
        name, sentence = self.name(number), sentence_of(error) or _describe_cause(error)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return _Failure(sentence if name in sentence else f"{name}: {sentence}")


def _describe_cause(error: BaseException) -> str:
    """Describes the first cause of an error; MONAI wraps it by the name of the transform."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    words = f"{type(error).__name__}: {error}".splitlines()[0]
    is_memory = isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate" in words
    return f"there is not enough memory for it ({words})" if is_memory else words
