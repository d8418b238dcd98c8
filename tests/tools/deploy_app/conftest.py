"""What the tests of the application on MONAI Deploy share."""

import pytest

from common.errors import InputError


@pytest.fixture
def refusal():
    """`with refusal("a.nii"):` the body raises an InputError whose sentence names it."""
    return lambda words: pytest.raises(InputError, match=words)
