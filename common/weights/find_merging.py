"""Finds out with which patch merging a file's weights were trained, and decides how to run them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from math import sqrt

import torch
from torch import Tensor

from ..errors import InputError
from ..network.patch_merging import AUTO, CURRENT, LEGACY, SLICES, WEIGHT
from .preprocessing_note import MERGING, STARTED_FROM

# Public files whose names of tensors do not tell, by the MD5 that was published for them.
KNOWN_FILES = {"50dd67a01b28a1d5487fd9ac27e682fb": LEGACY}  # the model zoo's BTCV weights

# Pairs of the eight groups of columns that saw the same tokens before 1.5.0, and all other pairs.
DUPLICATES = ((2, 5), (3, 6))
OTHERS = tuple(pair for pair in combinations(range(8), 2) if pair not in DUPLICATES)
LEGACY_SCORE, CURRENT_SCORE = 3.0, 1.0  # scores between tell nothing
TRAINED_SPREAD = 1.5  # below, a low score may be that of weights before any training


@dataclass(frozen=True)
class Evidence:
    """What tells the patch merging of some weights.

    Args:
        merging: `current` or `legacy`; None where nothing tells.
        source: how it is known, for a sentence: `by its layout`.
        doubt: what the weights themselves say, where that is another merging; else empty.
    """

    merging: str | None
    source: str
    doubt: str = ""

    def __str__(self) -> str:
        told = f"{self.merging}, {self.source}" if self.merging else f"unknown: {self.source}"
        return told + (f", but {self.doubt}" if self.doubt else "")


def find_merging(
    path: str, tensors: Mapping[str, Tensor], of_layout: str | None, note: Mapping | None
) -> Evidence:
    """Tell the patch merging by the note, the layout, the file's hash, or the weights themselves.

    Args:
        path: the file.
        tensors: its weights by SwinUNETR's names.
        of_layout: what every file of this layout was trained with; None where names do not tell.
        note: what lies beside the weights, or None; see `preprocessing_note`.

    Raises:
        InputError: the note names a merging that is not known.
    """
    note, own = note or {}, merging_of_weights(tensors)
    claim = _claimed(path, of_layout, note)
    if claim is None:
        return own
    # Weights keep for long what they were trained with first, be it before this project's training.
    may_be_mixed = STARTED_FROM in note or (MERGING not in note and "spacing_mm" in note)
    if may_be_mixed or own.merging in (None, claim.merging):
        return claim
    return replace(claim, doubt=f"{own.merging} {own.source}")


def _claimed(path: str, of_layout: str | None, note: Mapping) -> Evidence | None:
    """What the note, the layout or the hash says, the first that says anything."""
    if MERGING in note:
        if note[MERGING] not in SLICES:
            raise InputError(
                f"{path} says patch merging {note[MERGING]}, which is not known here; there are "
                f"{' and '.join(SLICES)}."
            )
        return Evidence(note[MERGING], "by its note")
    if "spacing_mm" in note:
        return Evidence(CURRENT, "as all of this project from before it was noted")
    if of_layout:
        return Evidence(of_layout, "by its layout")
    known = _of_known_file(path)
    return Evidence(known, "by its hash") if known else None


def decide(asked: str, evidence: Evidence, path: str, allow_other_merging: bool = False) -> str:
    """The merging to run weights by: what they were trained with, or what the user insists on.

    Args:
        asked: the knob, `auto`, `current` or `legacy`.
        evidence: see `find_merging`.
        path: of the weights, for a sentence.
        allow_other_merging: run them by the knob even where it contradicts the evidence.

    Raises:
        InputError: nothing tells, the weights contradict what else tells, or the knob does.
    """
    theirs = evidence.merging
    if evidence.doubt and asked == AUTO:
        other = LEGACY if theirs == CURRENT else CURRENT
        raise InputError(
            f"{path} has patch merging {theirs} {evidence.source}, but {evidence.doubt}; find out "
            f"how it was trained, then give --merging {theirs}, or --merging {other} "
            "--allow_other_merging True."
        )
    if asked == AUTO and theirs is None:
        raise InputError(
            f"{path} does not tell its patch merging ({evidence.source}); give --merging legacy if "
            "it was trained with MONAI 1.4.0 or older, --merging current if with 1.5.0 or newer."
        )
    if asked in (AUTO, theirs) or theirs is None or allow_other_merging:
        return theirs if asked == AUTO else asked
    raise InputError(
        f"{path} was trained with patch merging {theirs} ({evidence.source}), and --merging says "
        f"{asked}; leave --merging out, or add --allow_other_merging True to run another function."
    )


def in_words(evidence: Evidence, merging: str) -> str:
    """Words for the line about weights that are taken: by which merging they run, and why."""
    if evidence.merging is None:
        return f"patch merging {merging}, as --merging says"
    if evidence.merging != merging:
        return (
            f"patch merging {merging}, ALTHOUGH TRAINED WITH {evidence.merging} "
            f"({evidence.source}), as --allow_other_merging says"
        )
    return f"patch merging {evidence}"


def merging_of_weights(tensors: Mapping[str, Tensor]) -> Evidence:
    """What the weights themselves tell; in a sentence `by the weights themselves (score 3.5)`.

    Before 1.5.0 the groups 2 and 5 of the reduction's columns saw the same tokens, and so did 3 and
    6. Training moves what sees the same alike: the cosine between such groups grows above that
    between all others. docs/merging.md of the project has the thresholds' errors.
    """
    score, spread = merging_score(tensors)
    if score is None:
        return Evidence(None, "its names do not tell, and it holds no patch merging")
    if score >= LEGACY_SCORE:
        told = f"score {score:.1f}, legacy from {LEGACY_SCORE:g} on"
        return Evidence(LEGACY, f"by the weights themselves ({told})")
    if score <= CURRENT_SCORE and spread >= TRAINED_SPREAD:
        told = f"score {score:.1f}, current up to {CURRENT_SCORE:g}"
        return Evidence(CURRENT, f"by the weights themselves ({told})")
    told = f"score {score:.1f}" + (", hardly trained" if spread < TRAINED_SPREAD else "")
    return Evidence(None, f"its names do not tell, nor do its weights ({told})")


def merging_score(tensors: Mapping[str, Tensor]) -> tuple[float | None, float]:
    """How much more alike the columns are that saw the same tokens before 1.5.0, than all others.

    Args:
        tensors: an encoder, by SwinUNETR's names.

    Returns:
        The score, about 0 of the current merging and 3 or more of the legacy one: over the stages
        the sum, divided by the root of their number, of the difference in cosine between the two
        kinds of pairs in units of the others' standard deviation. And the spread: the mean over
        the stages of that deviation in units of random columns'; about 1 before any training.
        None and 0.0 where there is no patch merging.
    """
    scores, spreads = [], []
    for name, weight in tensors.items():
        is_merging = name.endswith(f".downsample.{WEIGHT}") and weight.ndim == 2
        if not is_merging or not weight.numel() or weight.shape[1] % 8:
            continue
        groups = weight.detach().float().unflatten(1, (8, -1)).movedim(1, 0).flatten(1)  # (8, 2C C)
        groups = groups / groups.norm(dim=1, keepdim=True).clamp(min=1e-12)
        cosine = groups @ groups.T
        same = torch.stack([cosine[pair] for pair in DUPLICATES])
        others = torch.stack([cosine[pair] for pair in OTHERS])
        noise = groups.shape[1] ** -0.5  # deviation of the cosine of random columns
        deviation = max(float(others.std()), noise)
        scores.append(float(same.mean() - others.mean()) / deviation)
        spreads.append(float(others.std()) / noise)
    if not scores:
        return None, 0.0
    return sum(scores) / sqrt(len(scores)), sum(spreads) / len(spreads)


def _of_known_file(path: str) -> str | None:
    with open(path, "rb") as content:
        return KNOWN_FILES.get(hashlib.file_digest(content, "md5").hexdigest())
