"""Lists the tissues of phantoms, and groups of tissues on which parts are painted."""

from enum import IntEnum, auto


class Tissue(IntEnum):
    """Lists the tissues that a voxel can be."""

    AIR = 0
    FAT = auto()
    MUSCLE = auto()
    CAVITY = auto()  # intra-abdominal fat, where the organs go
    MEDIASTINUM = auto()
    LUNG = auto()
    LUNG_VESSEL = auto()
    BONE = auto()
    MARROW = auto()
    DISC = auto()
    CANAL = auto()
    MYOCARDIUM = auto()
    BLOOD = auto()
    LEFT_ATRIUM = auto()
    SPLEEN = auto()
    RIGHT_KIDNEY = auto()
    RIGHT_MEDULLA = auto()
    LEFT_KIDNEY = auto()
    LEFT_MEDULLA = auto()
    SINUS = auto()  # fat of the renal sinus
    GALLBLADDER = auto()
    ESOPHAGUS = auto()
    LIVER = auto()
    LIVER_VESSEL = auto()
    STOMACH = auto()
    STOMACH_CONTENT = auto()
    STOMACH_GAS = auto()
    AORTA = auto()
    VENA_CAVA = auto()
    PORTAL_VEIN = auto()
    PANCREAS = auto()
    RIGHT_ADRENAL = auto()
    LEFT_ADRENAL = auto()
    BOWEL = auto()
    BOWEL_CONTENT = auto()
    COLON = auto()
    COLON_CONTENT = auto()
    COLON_GAS = auto()
    BLADDER = auto()
    PERIPHERAL_ZONE = auto()
    TRANSITION_ZONE = auto()
    TUMOUR = auto()
    TABLE = auto()
    SCALP = auto()
    SKULL = auto()
    FLUID = auto()  # cerebrospinal
    GREY = auto()
    WHITE = auto()
    HIPPOCAMPUS_HEAD = auto()
    HIPPOCAMPUS_TAIL = auto()
    EDEMA = auto()
    CORE = auto()
    ENHANCING = auto()


T = Tissue
CAVITY = (T.CAVITY,)
CHEST = (T.MEDIASTINUM, T.LUNG)
TRUNK = (T.CAVITY, T.MEDIASTINUM, T.LUNG, T.MUSCLE)
BRAIN = (T.GREY, T.WHITE, T.FLUID)
