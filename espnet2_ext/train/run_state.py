"""All that a training run carries from epoch to epoch, and its files."""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.atomic import atomic_path
from espnet2_ext.mtl.espnet_model import ESPnetMTLModel
from espnet2_ext.mtl.gather import is_distributed
from espnet2_ext.train import checkpoint
from espnet2_ext.train.reporter import MTLReporter


@dataclass
class RunState:
    """Model, optimisers, schedulers, scaler and reporter of a run.

    Attributes:
        directory: The experiment's folder.
        criteria: (phase, name, min | max) that models are kept for.
        keep_nbest: How many best models are kept and averaged; several numbers give several averages.
    """

    model: ESPnetMTLModel
    optimizers: Sequence[torch.optim.Optimizer]
    schedulers: Sequence[Any]
    scaler: torch.amp.GradScaler | None
    directory: Path
    criteria: Sequence[Sequence[str]]
    keep_nbest: Sequence[int]
    reporter: MTLReporter = field(default_factory=MTLReporter)

    def resume(self) -> None:
        """Take over the newest good checkpoint, if there is one; all ranks take the same.

        Raises:
            UserError: It does not fit this model, or none can be read.
        """
        states = [checkpoint.load_checkpoint(self.directory) if _rank() == 0 else None]
        if is_distributed():
            dist.broadcast_object_list(states)
        state = states[0]
        if state is None:
            return
        checkpoint.load_state(self.model, state["model"], self.directory / checkpoint.CURRENT)
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        for scheduler, saved in zip(self.schedulers, state["schedulers"], strict=True):
            if scheduler is not None:
                scheduler.load_state_dict(saved)
        if self.scaler is not None and state["scaler"] is not None:
            self.scaler.load_state_dict(state["scaler"])
        self.reporter.load_state_dict(state["reporter"])
        if _rank() == 0:
            self._mend_models(state["model"])
            self.link_best()

    def save(self) -> None:
        """Write the epoch's model and the checkpoint, update the links, drop models that are no longer needed."""
        epoch = self.reporter.get_epoch()
        model = self.model.state_dict()
        checkpoint.save(model, self.model_path(epoch))
        state = {
            "model": model,
            "optimizers": [checkpoint.plain(optimizer.state_dict()) for optimizer in self.optimizers],
            "schedulers": [None if s is None else checkpoint.plain(s.state_dict()) for s in self.schedulers],
            "scaler": None if self.scaler is None else self.scaler.state_dict(),
            "reporter": self.reporter.state_dict(),
        }
        checkpoint.save_checkpoint(self.directory, state)
        with atomic_path(self.directory / "history.json") as temporary:
            temporary.write_text(json.dumps(state["reporter"]["stats"]), encoding="utf-8")
        self.link_best()
        self._remove_old(epoch)

    def link_best(self) -> None:
        """Point latest.pth and <phase>.<name>.best.pth to their epochs' models."""
        epoch = self.reporter.get_epoch()
        checkpoint.link(self.directory / "latest.pth", self.model_path(epoch).name)
        for phase, name, mode in self.criteria:
            best = self.reporter.best_epochs(phase, name, mode)[0]
            checkpoint.link(self.directory / f"{phase}.{name}.best.pth", self.model_path(best).name)
            if best == epoch:
                logging.info(f"best model so far by {phase}.{name}: epoch {epoch}")

    def average_best(self) -> None:
        """Write <phase>.<name>.ave_<n>best.pth for every n, and the link <phase>.<name>.ave.pth to the largest.

        Training has ended: of single models those that are averaged, and the last one, stay.
        """
        for phase, name, mode in self.criteria:
            epochs = self.reporter.best_epochs(phase, name, mode)
            numbers = sorted({min(n, len(epochs)) for n in self.keep_nbest})
            for n in numbers:
                path = self.directory / f"{phase}.{name}.ave_{n}best.pth"
                checkpoint.save(checkpoint.average([self.model_path(epoch) for epoch in epochs[:n]]), path)
                logging.info(f"{path}: average of epochs {epochs[:n]}")
            checkpoint.link(self.directory / f"{phase}.{name}.ave.pth", f"{phase}.{name}.ave_{numbers[-1]}best.pth")
        epoch = self.reporter.get_epoch()
        self._remove(set(range(1, epoch)) - self._kept_epochs(epoch))

    def model_path(self, epoch: int) -> Path:
        """The model of an epoch."""
        return self.directory / f"{epoch}epoch.pth"

    def _kept_epochs(self, last: int) -> set[int]:
        """Epochs whose models are kept at the end of epoch `last`."""
        count = max(self.keep_nbest)
        return {e for criterion in self.criteria for e in self.reporter.best_epochs(*criterion, last)[:count]}

    def _remove_old(self, epoch: int) -> None:
        # Those of the epoch before stay too: a run whose newest checkpoint is torn goes on from there.
        self._remove(set(range(1, epoch)) - self._kept_epochs(epoch) - self._kept_epochs(epoch - 1))

    def _remove(self, epochs: Iterable[int]) -> None:
        for epoch in epochs:
            self.model_path(epoch).unlink(missing_ok=True)

    def _mend_models(self, model: dict[str, Any]) -> None:
        """Look at the models that will be averaged; the checkpoint's own epoch can be written again."""
        epoch = self.reporter.get_epoch()
        for kept in sorted(self._kept_epochs(epoch) | {epoch}):
            try:
                checkpoint.load(self.model_path(kept))
            except UserError as error:
                if kept != epoch:
                    raise UserError(f"{error}; remove {self.directory} to train from the start") from error
                logging.warning(f"{error}; written again from the checkpoint")
                checkpoint.save(model, self.model_path(kept))


def _rank() -> int:
    return dist.get_rank() if is_distributed() else 0
