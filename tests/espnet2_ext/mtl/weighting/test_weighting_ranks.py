"""Every weighting on two ranks gives what it gives on one, also where a rank lacks labels."""

import pytest
import torch
from ranks import run_ranks
from torch.nn.parallel import DistributedDataParallel
from weighting_cases import CASES, build

from espnet2_ext.mtl.gather import gather_rows
from espnet2_ext.mtl.loss import ccc_loss, cross_entropy_loss, l1_loss
from espnet2_ext.mtl.weighting import AbsWeighting

TASKS = ("emotion", "country", "age")
N_STEPS = 3
ROWS = 8


class TinyModel(torch.nn.Module):
    """A linear layer per task on shared features, losses over the rows of all ranks."""

    def __init__(self, weighting: AbsWeighting) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        sizes = {"emotion": 2, "country": 3, "age": 1}
        self.heads = torch.nn.ModuleDict({task: torch.nn.Linear(4, size) for task, size in sizes.items()})
        with torch.no_grad():
            for parameter in self.heads.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
        self.weighting = weighting

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        outputs = {task: gather_rows(head(batch["feats"])) for task, head in self.heads.items()}
        targets = {task: gather_rows(batch[task]) for task in TASKS}
        losses = {
            "emotion": ccc_loss(outputs["emotion"], targets["emotion"]).mean(),
            "country": cross_entropy_loss(outputs["country"], targets["country"]).sum(),
            "age": l1_loss(outputs["age"], targets["age"]).sum(),
        }
        present = [(targets["country"] >= 0).any() if t == "country" else (~targets[t].isnan()).any() for t in TASKS]
        return self.weighting(losses, torch.stack(present))[0]


def global_batch(step: int, labels: str) -> dict[str, torch.Tensor]:
    """Labels: `all`; `one rank lacks` country and some emotions; `nobody has` a country in the second step."""
    generator = torch.Generator().manual_seed(100 + step)
    batch = {
        "feats": torch.randn(ROWS, 4, generator=generator),
        "emotion": torch.rand(ROWS, 2, generator=generator),
        "country": torch.randint(3, (ROWS,), generator=generator),
        "age": torch.randn(ROWS, 1, generator=generator),
    }
    if labels == "one rank lacks":
        batch["country"][ROWS // 2 :] = -1
        batch["emotion"][: ROWS // 2, 1] = torch.nan
    if labels == "nobody has" and step == 1:
        batch["country"][:] = -1
    return batch


def train(rank: int, world_size: int, labels: str) -> dict[str, dict[str, torch.Tensor]]:
    """Take three AdamW steps and an epoch's end for every weighting; return totals and the final state of each."""
    results = {}
    for case in CASES:
        model = TinyModel(build(case, TASKS))
        wrapped = DistributedDataParallel(model) if world_size > 1 else model
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
        totals = []
        for step in range(N_STEPS):
            batch = {key: value.chunk(world_size)[rank] for key, value in global_batch(step, labels).items()}
            total = wrapped(batch)
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
            model.weighting.on_epoch_end({task: 1.0 / (1 + step + len(task)) for task in TASKS})
            totals.append(total.detach())
        results[case] = {"total": torch.stack(totals), **{k: v.clone() for k, v in model.state_dict().items()}}
    return results


@pytest.mark.parametrize("labels", ["all", "one rank lacks", "nobody has"])
def test_two_ranks_equal_one(labels: str) -> None:
    expected = train(0, 1, labels)
    for result in run_ranks(train, 2, labels):
        for case in CASES:
            assert set(result[case]) == set(expected[case])
            for name, value in expected[case].items():
                assert torch.allclose(result[case][name], value, rtol=1e-5, atol=1e-6), (case, name)
