"""A constant balance."""

from espnet2_ext.mtl.option_values import fraction
from espnet2_ext.mtl.weighting.balance.abs_balance import AbsBalance


class FixedBalance(AbsBalance):
    """b is a number: 1/2 is the sum of both weightings (Song et al. 2022, equation 5), 1 twice DWA, 0 twice RRUW.

    Args:
        value: b in [0, 1].

    Raises:
        UserError: The value is out of its range.
    """

    varies = False

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = fraction("balance", value)

    def coefficient(self) -> float:
        """Return b."""
        return self.value

    def extra_repr(self) -> str:
        """Show b."""
        return f"{self.value:g}"
