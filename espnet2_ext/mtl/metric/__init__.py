"""Metrics over a whole set: numpy, float64, missing labels left out."""

from espnet2_ext.mtl.metric.ccc import ccc
from espnet2_ext.mtl.metric.confusion import confusion_matrix
from espnet2_ext.mtl.metric.corpus import evaluate, per_dimension
from espnet2_ext.mtl.metric.harmonic_mean import harmonic_mean
from espnet2_ext.mtl.metric.macro_f1 import macro_f1
from espnet2_ext.mtl.metric.mae import mae
from espnet2_ext.mtl.metric.pearson import pearson
from espnet2_ext.mtl.metric.uar import uar
from espnet2_ext.mtl.metric.wa import wa

__all__ = [
    "ccc",
    "confusion_matrix",
    "evaluate",
    "harmonic_mean",
    "macro_f1",
    "mae",
    "pearson",
    "per_dimension",
    "uar",
    "wa",
]
