"""Describes each layout of the phantoms: labels, channels, field of view, lesions."""

from dataclasses import dataclass

from .tissue import T, Tissue

ORGANS = (  # BTCV's, at the index of their label
    "background",
    "spleen",
    "right kidney",
    "left kidney",
    "gallbladder",
    "esophagus",
    "liver",
    "stomach",
    "aorta",
    "inferior vena cava",
    "portal and splenic veins",
    "pancreas",
    "right adrenal gland",
    "left adrenal gland",
)
ORGAN_OF_TISSUE = {
    T.SPLEEN: 1,
    **dict.fromkeys([T.RIGHT_KIDNEY, T.RIGHT_MEDULLA], 2),
    **dict.fromkeys([T.LEFT_KIDNEY, T.LEFT_MEDULLA], 3),
    T.GALLBLADDER: 4,
    T.ESOPHAGUS: 5,
    **dict.fromkeys([T.LIVER, T.LIVER_VESSEL], 6),
    **dict.fromkeys([T.STOMACH, T.STOMACH_CONTENT, T.STOMACH_GAS], 7),
    T.AORTA: 8,
    T.VENA_CAVA: 9,
    T.PORTAL_VEIN: 10,
    T.PANCREAS: 11,
    T.RIGHT_ADRENAL: 12,
    T.LEFT_ADRENAL: 13,
}
# Relative signal in MR of a head (FLAIR, T1w, t1gd, T2w) and of a torso (MRI, T2, ADC).
HEAD_CHANNELS = ("FLAIR", "T1w", "t1gd", "T2w")
TORSO_CHANNELS = ("MRI", "T2", "ADC")


@dataclass(frozen=True)
class Lesion:
    """Describes tumours to draw: concentric layers, each a tissue and its share of the radius."""

    host: Tissue
    onto: tuple[Tissue, ...]
    radius_mm: tuple[float, float]
    most: int = 1  # the number is drawn from 1 to this
    layers: tuple[tuple[Tissue, float], ...] = ((T.TUMOUR, 1.0),)


@dataclass(frozen=True)
class Task:
    """Describes a layout: file names, channels, labels, field of view, lesions."""

    prefix: str
    labels: tuple[str, ...]  # without the background
    label_of_tissue: dict[Tissue, int]
    channels: tuple[str, ...] = ("CT",)
    size_mm: tuple[float, float, float] = (365, 275, 265)
    centre_mm: tuple[float, float, float] = (0, 0, 0)  # in the body frame
    lesion: Lesion | None = None
    digits: int = 3
    slice_ratio: tuple[float, float] = (1, 1.6)  # thickness of a slice, in voxels of its plane
    coarsest_mm: float = 10.0  # in-plane spacing, where the archive's is fine
    head: bool = False
    stripped: bool = False  # of skull and scalp, as BRATS is


BTCV = Task("img", ORGANS[1:], ORGAN_OF_TISSUE, digits=4)
TASKS: dict[str, Task] = {
    "Task01_BrainTumour": Task(
        prefix="BRATS",
        labels=("edema", "non-enhancing tumor", "enhancing tumour"),
        label_of_tissue={T.EDEMA: 1, T.CORE: 2, T.ENHANCING: 3},
        channels=HEAD_CHANNELS,
        size_mm=(176, 216, 176),
        lesion=Lesion(
            host=T.WHITE,
            onto=(T.WHITE, T.GREY, T.FLUID),
            radius_mm=(24, 34),
            layers=((T.EDEMA, 1.0), (T.ENHANCING, 0.65), (T.CORE, 0.45)),
        ),
        head=True,
        stripped=True,
    ),
    "Task02_Heart": Task(
        prefix="la",
        labels=("left atrium",),
        label_of_tissue={T.LEFT_ATRIUM: 1},
        channels=("MRI",),
        size_mm=(330, 260, 150),
        centre_mm=(0, 10, 155),
    ),
    "Task03_Liver": Task(
        prefix="liver",
        labels=("liver", "cancer"),
        label_of_tissue={T.LIVER: 1, T.LIVER_VESSEL: 1, T.TUMOUR: 2},
        lesion=Lesion(T.LIVER, (T.LIVER, T.LIVER_VESSEL), radius_mm=(8, 26), most=4),
        digits=0,
    ),
    "Task04_Hippocampus": Task(
        prefix="hippocampus",
        labels=("Anterior", "Posterior"),
        label_of_tissue={T.HIPPOCAMPUS_HEAD: 1, T.HIPPOCAMPUS_TAIL: 2},
        channels=("T1w",),
        size_mm=(36, 60, 44),
        centre_mm=(28, -14, -20),
        slice_ratio=(1, 1),
        coarsest_mm=1.0,
        head=True,
    ),
    "Task05_Prostate": Task(
        prefix="prostate",
        labels=("PZ", "TZ"),
        label_of_tissue={T.PERIPHERAL_ZONE: 1, T.TRANSITION_ZONE: 2},
        channels=("T2", "ADC"),
        size_mm=(170, 170, 80),
        centre_mm=(0, 5, -250),
        slice_ratio=(5.2, 6.4),
        coarsest_mm=0.9,
        digits=2,
    ),
    "Task06_Lung": Task(
        prefix="lung",
        labels=("cancer",),
        label_of_tissue={T.TUMOUR: 1},
        centre_mm=(0, 0, 175),
        lesion=Lesion(T.LUNG, (T.LUNG, T.LUNG_VESSEL), radius_mm=(7, 20)),
    ),
    "Task07_Pancreas": Task(
        prefix="pancreas",
        labels=("pancreas", "cancer"),
        label_of_tissue={T.PANCREAS: 1, T.TUMOUR: 2},
        lesion=Lesion(T.PANCREAS, (T.PANCREAS, T.CAVITY), radius_mm=(7, 14)),
    ),
    "Task08_HepaticVessel": Task(
        prefix="hepaticvessel",
        labels=("Vessel", "Tumour"),
        label_of_tissue={T.LIVER_VESSEL: 1, T.TUMOUR: 2},
        lesion=Lesion(T.LIVER, (T.LIVER,), radius_mm=(10, 26), most=2),
    ),
    "Task09_Spleen": Task(
        prefix="spleen",
        labels=("spleen",),
        label_of_tissue={T.SPLEEN: 1},
        digits=0,
    ),
    "Task10_Colon": Task(
        prefix="colon",
        labels=("colon cancer primaries",),
        label_of_tissue={T.TUMOUR: 1},
        centre_mm=(0, 0, -45),
        lesion=Lesion(
            host=T.COLON,
            onto=(T.COLON, T.COLON_CONTENT, T.COLON_GAS, T.CAVITY),
            radius_mm=(9, 18),
        ),
    ),
}
