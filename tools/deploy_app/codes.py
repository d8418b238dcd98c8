"""Names the SNOMED CT code of each label; needs pydicom alone, not the SDK."""

from pydicom.sr.codedict import Code, codes

# SNOMED CT, from pydicom's dictionary of the standard's context groups
STRUCTURES = {
    "spleen": codes.SCT.Spleen,
    "right kidney": codes.SCT.Kidney,
    "left kidney": codes.SCT.Kidney,
    "gallbladder": codes.SCT.Gallbladder,
    "esophagus": codes.SCT.Esophagus,
    "liver": codes.SCT.Liver,
    "stomach": codes.SCT.Stomach,
    "aorta": codes.SCT.Aorta,
    "inferior vena cava": codes.SCT.InferiorVenaCava,
    "pancreas": codes.SCT.Pancreas,
    "right adrenal gland": codes.SCT.AdrenalGland,
    "left adrenal gland": codes.SCT.AdrenalGland,
}
TUMOURS = ("tumour", "cancer")
ANATOMICAL_STRUCTURE = Code("123037004", "SCT", "Anatomical Structure")
ABNORMAL_STRUCTURE = Code("49755003", "SCT", "Morphologically Abnormal Structure")
NEOPLASM = Code("108369006", "SCT", "Neoplasm")


def choose_codes(name: str) -> tuple[Code, Code]:
    """Chooses category and type of a segment.

    A label without a code of its own gets the general "anatomical structure", a tumour "neoplasm".

    Args:
        name: of the label, as in a bundle's metadata; capitals do not matter.
    """
    if any(word in name.lower() for word in TUMOURS):
        return ABNORMAL_STRUCTURE, NEOPLASM
    return ANATOMICAL_STRUCTURE, STRUCTURES.get(name.lower(), ANATOMICAL_STRUCTURE)
