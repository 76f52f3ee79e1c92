import numpy as np
from fake_experiment import make_spec

from espnet2_ext.report.figure.scatter import Scatter, scatter_panels


def test_a_single_outlier_among_many_is_seen_on_white() -> None:
    """W3C's contrast ratio of a cell to the page; 1 is no difference."""
    rng = np.random.default_rng(0)
    target = rng.random((4000, 1))
    prediction = target + 0.02 * rng.standard_normal((4000, 1))
    target[0], prediction[0] = 0.1, 0.9
    age = make_spec()["age"]
    (figure,) = scatter_panels(Scatter(age, target, prediction, {"age": 0.9}))
    figure.canvas.draw()
    cells = figure.axes[0].collections[0]
    colours, counts = cells.get_facecolor()[:, :3], cells.get_array()
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    contrast = 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)
    assert counts.min() == 1
    assert contrast[counts == 1].min() > 1.2
    assert contrast[counts == counts.max()].max() > 7
