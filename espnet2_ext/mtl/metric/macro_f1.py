"""Macro-averaged F1."""

from numpy.typing import ArrayLike

from espnet2_ext.mtl.metric.confusion import confusion_matrix, f1_by_class, mean_of_known


def macro_f1(prediction: ArrayLike, target: ArrayLike) -> float:
    """Mean F1 over the classes that occur in the labels or in the predictions, as scikit-learn does by default.

    A class that is predicted but never true counts with F1 0.

    Args:
        prediction: (N,) class indices, or (N, C) probabilities or scores.
        target: (N,) class indices; -1 where missing.

    Returns:
        In [0, 1]; NaN without any label.

    Raises:
        ValueError: See `labels.class_pair`.
    """
    return mean_of_known(f1_by_class(confusion_matrix(prediction, target)))
