"""Holds the momentum teacher, and moves it after every step of the student."""

import copy
from math import cos, pi

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from torch import Tensor, nn

from ..base import encode
from .heads import standardized

HEADS = ("token_head", "global_head")


def tokens_of(features: Tensor) -> Tensor:
    """Returns features (B, C, X, Y, Z) as standardized tokens (B, XYZ, C)."""
    return standardized(features.flatten(2).transpose(1, 2))


class Teacher(nn.Module):
    """Copies the parts of a student that its targets need; no gradient reaches the copy.

    The encoder's last merging, 29 % of its weights, lies behind the tokens and is left out.

    Args:
        encoder, token_head, global_head: the student's.

    Attributes:
        token_centre, global_centre: running means of the logits, (K,).
        temperature: by which the centred logits are divided.
    """

    def __init__(self, encoder: nn.Module, token_head: nn.Module, global_head: nn.Module) -> None:
        super().__init__()
        skipped = {id(encoder.layers4[0].downsample): nn.Identity()}
        self.encoder = copy.deepcopy(encoder, skipped)
        self.token_head, self.global_head = copy.deepcopy(token_head), copy.deepcopy(global_head)
        prototypes = len(token_head.prototypes)
        self.register_buffer("token_centre", torch.zeros(prototypes))
        self.register_buffer("global_centre", torch.zeros(prototypes))
        self.register_buffer("temperature", torch.tensor(0.04))
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "Teacher":
        """Stays in evaluation mode, so that its targets have no dropout."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Computes the targets of crops (B, 1, X, Y, Z), of which nothing is hidden.

        Returns:
            `token_embedding` (B, T, D), `token_assignment` (B, T, K), `global_embedding` (B, D),
            `global_assignment` (B, K), and `token_mean`, `global_mean`, the mean logits, (K,).
        """
        tokens = tokens_of(encode(self.encoder, image)[-1])
        targets = {}
        for name, head, features in (
            ("token", self.token_head, tokens),
            ("global", self.global_head, tokens.mean(dim=1)),
        ):
            targets[f"{name}_embedding"], logits = head(features)
            centred = (logits - getattr(self, f"{name}_centre")) / self.temperature
            targets[f"{name}_assignment"] = centred.softmax(dim=-1)
            targets[f"{name}_mean"] = logits.flatten(0, -2).mean(dim=0)
        return targets

    @torch.no_grad()
    def follow(self, student: nn.Module, momentum: float) -> None:
        """Moves every tensor: momentum times itself, the rest the student's."""
        pairs = [(self.encoder, student.swinViT)]
        pairs += [(getattr(self, name), getattr(student, name)) for name in HEADS]
        for mine, theirs in pairs:
            own = dict(theirs.named_parameters())
            for name, value in mine.named_parameters():
                value.mul_(momentum).add_(own[name], alpha=1 - momentum)

    @torch.no_grad()
    def centre(self, means: dict[str, Tensor], momentum: float) -> None:
        """Moves both centres to the mean logits of a batch, averaged over the processes."""
        for name in ("token", "global"):
            mean = idist.all_reduce(means[f"{name}_mean"].clone()) / idist.get_world_size()
            getattr(self, f"{name}_centre").mul_(momentum).add_(mean, alpha=1 - momentum)


class MomentumUpdate:
    """Updates the teacher after every step; a trainer's handler.

    At the start of a new run the teacher becomes the student, weights of `--pretrained` included.
    In the first epoch the prototypes get no gradient, as in DINO and SMIT. The centres start at the
    mean logits of the first batch.

    Args:
        iterations: of the training; the momentum reaches 1 at their end.
        momentum: at the start.
        temperatures: of the teacher, at the start and after the warm-up, linear between them.
        warmup: share of the iterations; 30 of SMIT's 500 epochs are 0.06.
        centre_momentum: of the centres.
    """

    def __init__(
        self,
        iterations: int,
        momentum: float = 0.996,
        temperatures: tuple[float, float] = (0.04, 0.07),
        warmup: float = 0.06,
        centre_momentum: float = 0.9,
    ) -> None:
        self.iterations, self.lowest, self.warmup = iterations, momentum, warmup
        self.temperatures, self.centre_momentum = temperatures, centre_momentum

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.started)
        engine.add_event_handler(Events.ITERATION_STARTED, self.iteration_started)
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self.backward_completed)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.iteration_completed)

    def started(self, engine: Engine) -> None:
        if engine.state.iteration == 0:  # a run that goes on has the teacher of its checkpoint
            student = _student(engine)
            student.teacher.follow(student, momentum=0.0)

    def iteration_started(self, engine: Engine) -> None:
        first, last = self.temperatures
        done = (engine.state.iteration - 1) / max(1, self.warmup * self.iterations)
        _student(engine).teacher.temperature.fill_(first + (last - first) * min(1.0, done))

    def backward_completed(self, engine: Engine) -> None:
        if engine.state.epoch == 1:
            for name in HEADS:
                getattr(_student(engine), name).prototypes.grad = None

    def iteration_completed(self, engine: Engine) -> None:
        student = _student(engine)
        student.teacher.follow(student, self.momentum(engine.state.iteration))
        momentum = self.centre_momentum if engine.state.iteration > 1 else 0.0
        student.teacher.centre(engine.state.output["label"], momentum)

    def momentum(self, iteration: int) -> float:
        """Returns the momentum after an iteration, `momentum` to 1 by a cosine."""
        return 1 - (1 - self.lowest) * (cos(pi * iteration / self.iterations) + 1) / 2


def _student(engine: Engine) -> nn.Module:
    return getattr(engine.network, "module", engine.network)
