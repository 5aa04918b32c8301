"""Whether an LSTM can be trained in bf16 here; some processors cannot."""

import pytest

from autocomplete.errors import SettingsError
from autocomplete.training.precision import check_bf16
from autocomplete.training.processes import ALONE


def trains_in_bf16() -> bool:
    """Return it."""
    try:
        check_bf16({"lstm"}, ALONE.device)
    except SettingsError:
        return False
    return True


needs_bf16 = pytest.mark.skipif(not trains_in_bf16(), reason="this processor cannot train an LSTM in bf16")
