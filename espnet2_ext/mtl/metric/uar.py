"""Unweighted average recall."""

from numpy.typing import ArrayLike

from espnet2_ext.mtl.metric.confusion import confusion_matrix, mean_of_known, recall_by_class


def uar(prediction: ArrayLike, target: ArrayLike) -> float:
    """Mean recall over the classes that occur in the labels (unweighted accuracy, UA).

    A class without a label has no recall and is left out of the mean; scikit-learn's balanced accuracy does likewise.

    Args:
        prediction: (N,) class indices, or (N, C) probabilities or scores.
        target: (N,) class indices; -1 where missing.

    Returns:
        In [0, 1]; NaN without any label.

    Raises:
        ValueError: See `labels.class_pair`.
    """
    return mean_of_known(recall_by_class(confusion_matrix(prediction, target)))
