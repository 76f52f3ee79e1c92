"""Batch normalisation over the batches of all ranks, on GPUs and on CPUs."""

import torch
import torch.distributed as dist
import torch.distributed.nn.functional as dist_nn
from torch import Tensor


class CPUSyncBatchNorm(torch.nn.modules.batchnorm._BatchNorm):
    """Batch normalisation whose training statistics are those of the global batch.

    torch.nn.SyncBatchNorm wants a GPU; this one takes any backend. Parameters, buffers and their names are those of
    BatchNorm. Mean first, then the variance of the centred values: no cancellation.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected (B, C, ...), got {tuple(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, ...) -> (B, C, ...); every rank takes part with any B >= 1."""
        if not (self.training and dist.is_initialized()):
            return super().forward(input)
        self._check_input_dim(input)
        dtype = input.dtype
        # Under mixed precision, moments of bfloat16 values would be too coarse.
        input = input.to(torch.promote_types(dtype, torch.float32))
        dims = [0, *range(2, input.dim())]
        shape = [1, -1] + [1] * (input.dim() - 2)
        count = input.new_tensor(float(input.numel() // input.size(1)))
        dist.all_reduce(count)
        mean = dist_nn.all_reduce(input.sum(dims)) / count
        centred = input - mean.view(shape)
        variance = dist_nn.all_reduce(centred.square().sum(dims)) / count
        self._update_running(mean.detach(), variance.detach(), count)
        output = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            output = output * self.weight.view(shape) + self.bias.view(shape)
        return output.to(dtype)

    @torch.no_grad()
    def _update_running(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """As torch does: the running variance is unbiased."""
        if not self.track_running_stats:
            return
        self.num_batches_tracked += 1
        momentum = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * count / (count - 1), momentum)


def synchronise_batch_norm(module: torch.nn.Module, gpu: bool) -> torch.nn.Module:
    """Replace every batch normalisation inside `module` by a synchronised one; parameters stay the same objects."""
    if gpu:
        return torch.nn.SyncBatchNorm.convert_sync_batchnorm(module)
    for name, child in module.named_children():
        if isinstance(child, torch.nn.modules.batchnorm._BatchNorm):
            setattr(module, name, _convert(child))
        else:
            synchronise_batch_norm(child, gpu)
    return module


def _convert(norm: torch.nn.modules.batchnorm._BatchNorm) -> CPUSyncBatchNorm:
    synced = CPUSyncBatchNorm(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    synced._parameters.update(norm._parameters)
    synced._buffers.update(norm._buffers)
    synced.train(norm.training)
    return synced
