# generated from common/weights/find_merging.py, do not edit: `make copies`
"""Finds out with which patch merging a file's weights were trained, and decides how to run them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from ..errors import InputError
from ..network.patch_merging import AUTO, CURRENT, LEGACY, SLICES
from .merging_score import merging_score
from .preprocessing_note import MERGING, STARTED_FROM

# Public files whose names of tensors do not tell, by the MD5 that was published for them.
KNOWN_FILES = {"50dd67a01b28a1d5487fd9ac27e682fb": LEGACY}  # the model zoo's BTCV weights

LEGACY_SCORE, CURRENT_SCORE = 3.0, 1.0  # scores between tell nothing
TRAINED_SPREAD = 1.5  # below, a low score may be that of weights before any training


@dataclass(frozen=True)
class Evidence:
    """Holds the patch merging of some weights, and the source that names it.

    Args:
        merging: `current` or `legacy`; None where nothing tells.
        source: how the merging is known, for a sentence: `by its layout`.
        doubt: the merging that the weights themselves show, where it is another; else empty.
    """

    merging: str | None
    source: str
    doubt: str = ""

    def __str__(self) -> str:
        words = f"{self.merging}, {self.source}" if self.merging else f"unknown: {self.source}"
        return words + (f", but {self.doubt}" if self.doubt else "")


def find_merging(
    path: str, tensors: Mapping[str, Tensor], of_layout: str | None, note: Mapping | None
) -> Evidence:
    """Finds the patch merging by the note, the layout, the file's hash, or the weights.

    Args:
        path: the file.
        tensors: its weights by SwinUNETR's names.
        of_layout: the merging of every file of this layout; None where names do not tell.
        note: the note beside the weights, or None; see `preprocessing_note`.

    Raises:
        InputError: the note names a merging that is not known.
    """
    note, from_weights = note or {}, merging_of_weights(tensors)
    claim = _read_claim(path, of_layout, note)
    if claim is None:
        return from_weights
    # Weights keep the marks of their first merging for long, even of one before this project.
    may_be_mixed = STARTED_FROM in note or (MERGING not in note and "spacing_mm" in note)
    if may_be_mixed or from_weights.merging in (None, claim.merging):
        return claim
    return replace(claim, doubt=f"{from_weights.merging} {from_weights.source}")


def _read_claim(path: str, of_layout: str | None, note: Mapping) -> Evidence | None:
    """Reads the merging from the note, else from the layout, else from the hash."""
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
    known = _merging_by_hash(path)
    return Evidence(known, "by its hash") if known else None


def decide(asked: str, evidence: Evidence, path: str, allow_other_merging: bool = False) -> str:
    """Decides by which merging weights run: that of their training, or that of the user.

    Args:
        asked: the knob, `auto`, `current` or `legacy`.
        evidence: see `find_merging`.
        path: the file of the weights, for a sentence.
        allow_other_merging: run the weights by the knob even where it contradicts the evidence.

    Raises:
        InputError: no source tells, or the weights or the knob contradict the source.
    """
    merging = evidence.merging
    if evidence.doubt and asked == AUTO:
        other_merging = LEGACY if merging == CURRENT else CURRENT
        raise InputError(
            f"{path} has patch merging {merging} {evidence.source}, but {evidence.doubt}; find out "
            f"how it was trained, then give --merging {merging}, or --merging {other_merging} "
            "--allow_other_merging True."
        )
    if asked == AUTO and merging is None:
        raise InputError(
            f"{path} does not tell its patch merging ({evidence.source}); give --merging legacy if "
            "it was trained with MONAI 1.4.0 or older, --merging current if with 1.5.0 or newer."
        )
    if asked in (AUTO, merging) or merging is None or allow_other_merging:
        return merging if asked == AUTO else asked
    raise InputError(
        f"{path} was trained with patch merging {merging} ({evidence.source}), and --merging says "
        f"{asked}; leave --merging out, or add --allow_other_merging True to run another function."
    )


def in_words(evidence: Evidence, merging: str) -> str:
    """Describes for the log line by which merging loaded weights run, and why."""
    if evidence.merging is None:
        return f"patch merging {merging}, as --merging says"
    if evidence.merging != merging:
        return (
            f"patch merging {merging}, ALTHOUGH TRAINED WITH {evidence.merging} "
            f"({evidence.source}), as --allow_other_merging says"
        )
    return f"patch merging {evidence}"


def merging_of_weights(tensors: Mapping[str, Tensor]) -> Evidence:
    """Finds the merging by the weights themselves: `by the weights themselves (score 3.5)`.

    Before 1.5.0 the groups 2 and 5 of the reduction's columns saw the same tokens, and so did 3 and
    6. Training moves such groups alike: their cosine grows above that of all other pairs. The
    project's docs/merging.md has the thresholds' errors.
    """
    score, spread = merging_score(tensors)
    if score is None:
        return Evidence(None, "its names do not tell, and it holds no patch merging")
    if score >= LEGACY_SCORE:
        words = f"score {score:.1f}, legacy from {LEGACY_SCORE:g} on"
        return Evidence(LEGACY, f"by the weights themselves ({words})")
    if score <= CURRENT_SCORE and spread >= TRAINED_SPREAD:
        words = f"score {score:.1f}, current up to {CURRENT_SCORE:g}"
        return Evidence(CURRENT, f"by the weights themselves ({words})")
    words = f"score {score:.1f}" + (", hardly trained" if spread < TRAINED_SPREAD else "")
    return Evidence(None, f"its names do not tell, nor do its weights ({words})")


def _merging_by_hash(path: str) -> str | None:
    with open(path, "rb") as content:
        return KNOWN_FILES.get(hashlib.file_digest(content, "md5").hexdigest())
