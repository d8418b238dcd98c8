# generated from common/data/dicom/padding.py, do not edit: `make copies`
"""Sets the padding around a round field of view to air, where the tag can be believed."""

from dataclasses import dataclass

import numpy as np

AIR_HU = -1024
# of a voxel of a body, of air or of metal: from the least value of 12 bits to the end of int16
POSSIBLE_HU = (-1024, 32767)


@dataclass
class Padding:
    """Counts the voxels of a series' slices whose value is PixelPaddingValue.

    Args:
        replaced: voxels that were set to air.
        kept: voxels whose HU a body may have: the tag is not believed against them.
        kept_hu: of the last voxel that was kept.
    """

    replaced: int = 0
    kept: int = 0
    kept_hu: float = 0.0

    def set_to_air(self, values: np.ndarray, stored: np.ndarray, item: dict) -> None:
        """Sets a slice's padding to air, in place, unless it is a HU that a body may have.

        Args:
            values: HU, (rows, columns).
            stored: the same before slope and intercept.
            item: the slice's header.
        """
        if item["padding"] is None:
            return
        # the tag may be written without the sign of the voxels, 63536 for -2000
        is_padding = stored == np.array(item["padding"]).astype(stored.dtype)
        count = int(np.count_nonzero(is_padding))
        if not count:
            return
        hu = float(values[is_padding][0])
        if POSSIBLE_HU[0] <= hu <= POSSIBLE_HU[1]:
            is_air = hu == AIR_HU
            self.kept += 0 if is_air else count
            self.kept_hu = self.kept_hu if is_air else hu
            return
        values[is_padding] = AIR_HU
        self.replaced += count

    def repairs(self) -> list[str]:
        """Describes the repairs in words."""
        words = []
        if self.replaced:
            words.append(f"padding set to air: {self.replaced} voxels")
        if self.kept:
            words.append(
                f"PixelPaddingValue not believed: {self.kept} voxels of {self.kept_hu:g} HU kept"
            )
        return words
