"""Lists the organs, bones, muscles and vessels of a torso.

The origin is in the middle of the abdomen (level of L1). Lengths are in mm.
"""

from .parts import Blob, Part, blob, both, hollow, tube
from .tissue import CAVITY, CHEST, TRUNK, T, Tissue


def kidney(cortex: Tissue, medulla: Tissue, side: int, z: float) -> tuple[Blob, ...]:
    """Makes cortex, medulla and sinus, open towards the spine; side is 1 (right) or -1 (left)."""
    tilt = (-8, side * -14, side * -20)
    return (
        blob(cortex.name, cortex, CAVITY, (side * 64, -40, z), (27, 23, 55), tilt),
        blob(cortex.name, medulla, (cortex,), (side * 63, -39, z), (19, 15, 46), tilt),
        blob(cortex.name, T.SINUS, (cortex, medulla), (side * 48, -32, z), (15, 10, 20), tilt),
    )


# Painted in this order. Positions and sizes follow a supine adult of 330 x 226 mm.
TORSO: tuple[Part, ...] = (
    *both(tube("back", T.MUSCLE, TRUNK, "30 -80 320 17; 32 -77 0 24; 30 -86 -190 24")),
    *both(tube("psoas", T.MUSCLE, CAVITY, "22 -42 5 7; 44 -38 -70 18; 62 -10 -180 20")),
    *both(tube("loin", T.MUSCLE, CAVITY, "66 -76 0 11; 80 -66 -120 15")),
    *both(blob("hip", T.BONE, (T.MUSCLE, T.CAVITY), (86, 4, -246), (27, 27, 27))),
    *both(blob("hip", T.MARROW, (T.BONE,), (86, 4, -246), (23, 23, 23))),
    *both(tube("pubis", T.BONE, (T.MUSCLE, T.CAVITY), "55 40 -240 10; 6 58 -258 10")),
    *both(tube("obturator", T.MUSCLE, CAVITY, "52 8 -215 12; 44 5 -300 15")),
    blob("heart", T.MEDIASTINUM, CHEST, (-20, 27, 135), (68, 56, 54), (0, -25, 0)),
    blob("heart", T.MYOCARDIUM, CHEST, (-22, 28, 135), (62, 50, 46), (0, -25, 0)),
    blob("heart", T.BLOOD, (T.MYOCARDIUM,), (-44, 26, 124), (30, 22, 22), (0, -25, 0)),
    blob("heart", T.BLOOD, (T.MYOCARDIUM,), (-12, 54, 122), (34, 18, 26), (0, -25, 0)),
    blob("heart", T.BLOOD, (T.MYOCARDIUM,), (22, 26, 142), (19, 22, 26)),
    blob("heart", T.LEFT_ATRIUM, (*CHEST, T.MYOCARDIUM), (-4, -2, 160), (31, 19, 25)),
    *both(tube("heart", T.LEFT_ATRIUM, CHEST, "18 -6 168 7; 48 -14 178 5")),
    *both(tube("heart", T.LEFT_ATRIUM, CHEST, "18 -6 150 7; 46 -20 142 5")),
    tube(
        "aorta",
        T.AORTA,
        (*TRUNK, T.MYOCARDIUM),
        "8 26 152 14; 12 26 205 14; -2 8 232 13; -20 -18 224 12; -25 -28 190 12;"
        "-23 -26 110 12; -14 -10 62 11.5; -9 -8 0 10.5; -4 -8 -100 9.5",
    ),
    *both(tube("iliac", T.BLOOD, CAVITY, "4 -8 -106 7; 34 -12 -160 6; 62 20 -220 5")),
    tube(
        "cava",
        T.VENA_CAVA,
        TRUNK,
        "16 -8 -112 10; 18 -6 -20 12; 22 -2 45 13; 22 10 92 13; 22 18 125 13",
    ),
    tube(
        "esophagus",
        T.ESOPHAGUS,
        TRUNK,
        "-2 -14 300 8; -4 -14 190 8; -10 -2 110 9; -20 6 80 9.5; -42 -2 64 10",
    ),
    tube(
        "portal",
        T.PORTAL_VEIN,
        CAVITY,
        "-84 -22 26 4.5; -46 -6 22 5.5; 0 10 12 6.5; 22 16 26 8; 42 12 44 8; 64 6 48 6",
    ),
    tube("portal", T.PORTAL_VEIN, CAVITY, "42 12 44 7; 24 34 54 5.5"),
    tube("portal", T.PORTAL_VEIN, CAVITY, "0 10 12 6.5; 4 18 -16 6"),
    tube("mesenteric", T.BLOOD, CAVITY, "4 18 -16 6; 8 28 -80 5"),
    tube("right adrenal", T.RIGHT_ADRENAL, TRUNK, "38 -22 44 3.5; 40 -32 30 5; 44 -42 12 4"),
    tube("right adrenal", T.RIGHT_ADRENAL, TRUNK, "40 -32 30 4.5; 35 -44 14 4"),
    tube("left adrenal", T.LEFT_ADRENAL, TRUNK, "-36 -14 40 3.5; -38 -22 28 5; -46 -30 16 4"),
    tube("left adrenal", T.LEFT_ADRENAL, TRUNK, "-38 -22 28 4.5; -32 -34 16 4"),
    *kidney(T.RIGHT_KIDNEY, T.RIGHT_MEDULLA, 1, -40),
    *kidney(T.LEFT_KIDNEY, T.LEFT_MEDULLA, -1, -28),
    tube("gallbladder", T.GALLBLADDER, CAVITY, "46 34 8 8; 54 52 -16 16; 57 58 -28 15"),
    tube(
        "pancreas",
        T.PANCREAS,
        CAVITY,
        "30 14 -24 12; 26 18 -4 17; 4 26 12 11; -34 14 24 12.5; -78 -10 30 11",
    ),
    *hollow(
        "stomach",
        T.STOMACH,
        T.STOMACH_CONTENT,
        "-52 -8 58 34; -62 18 38 33; -56 42 14 29; -22 56 -2 21; 18 44 2 14",
    ),
    *hollow(
        "duodenum",
        T.BOWEL,
        T.BOWEL_CONTENT,
        "20 44 2 13; 50 26 0 13; 50 4 -34 14; 20 8 -48 13; -26 14 -40 13",
    ),
    blob("spleen", T.SPLEEN, CAVITY, (-100, -34, 20), (28, 46, 52), (-15, 12, 20)),
    blob("liver", T.LIVER, CAVITY, (66, -2, 50), (74, 84, 50), (0, 14, 0)),
    blob("liver", T.LIVER, CAVITY, (100, -2, -2), (38, 74, 66), (0, -8, 0)),
    blob("liver", T.LIVER, CAVITY, (2, 42, 50), (72, 36, 32), (0, -10, -8)),
    *hollow(
        "colon",
        T.COLON,
        T.COLON_CONTENT,
        "100 -12 -150 24; 106 -12 -90 25; 104 0 -52 23; 80 48 -50 20; 20 66 -52 19;"
        "-50 62 -34 19; -100 30 -8 20; -112 -14 -20 19; -112 -22 -80 18; -100 -8 -150 17;"
        "-70 10 -178 16; -25 -5 -185 15; 0 -40 -200 17; 0 -33 -250 16; 0 -33 -300 15",
    ),
    blob("bladder", T.BLADDER, CAVITY, (0, 26, -204), (42, 34, 28)),
    blob("prostate", T.PERIPHERAL_ZONE, CAVITY, (0, 6, -255), (28, 20, 23)),
    blob("prostate", T.TRANSITION_ZONE, (T.PERIPHERAL_ZONE,), (0, 11, -252), (20, 14, 18)),
)
# Trees of vessels: tissue, onto, then root (x, y, z, radius), direction and length of the trunk.
TORSO_TREES = (
    (T.LIVER_VESSEL, (T.LIVER,), (60, 6, 48, 5), (30, -4, -12), 34),
    (T.LIVER_VESSEL, (T.LIVER,), (60, 6, 48, 5), (20, 10, 16), 30),
    (T.LIVER_VESSEL, (T.LIVER,), (24, 34, 54, 4.5), (-20, 8, -2), 24),
    (T.LIVER_VESSEL, (T.LIVER,), (24, 8, 84, 6), (30, -10, -12), 36),
    (T.LIVER_VESSEL, (T.LIVER,), (22, 14, 84, 5.5), (12, 22, -12), 34),
    *(
        (T.LUNG_VESSEL, (T.LUNG,), (side * 26, -4, 172, 7), (side * 30, y, z), 38)
        for side in (1, -1)
        for y, z in ((-14, -24), (10, 26), (16, -22), (-16, 14))
    ),
)
