"""The trainers' models from plain ``torch.nn`` layers, as their documentation describes them. Only for the tests."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class RmsNorm(nn.Module):
    def __init__(self, d: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d))

    def forward(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, (x.shape[-1],), self.weight)


class Attention(nn.Module):
    """Causal self-attention without biases; grouped queries share half as many key/value heads."""

    def __init__(self, d: int, heads: int, grouped: bool) -> None:
        super().__init__()
        self.heads, self.width = heads, d // heads
        self.kv = max(1, heads // 2) if grouped else heads
        self.q = nn.Linear(d, heads * self.width, bias=False)
        self.k = nn.Linear(d, self.kv * self.width, bias=False)
        self.v = nn.Linear(d, self.kv * self.width, bias=False)
        self.o = nn.Linear(d, d, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, d = x.shape
        q = self.q(x).view(batch, length, self.heads, self.width).transpose(1, 2)
        k, v = (
            layer(x)
            .view(batch, length, self.kv, self.width)
            .transpose(1, 2)
            .repeat_interleave(self.heads // self.kv, 1)
            for layer in (self.k, self.v)
        )
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o(y.transpose(1, 2).reshape(batch, length, d))


class FeedForward(nn.Module):
    def __init__(self, d: int, hidden: int, gated: bool) -> None:
        super().__init__()
        self.gated = gated
        if gated:
            self.gate, self.up = nn.Linear(d, hidden, bias=False), nn.Linear(d, hidden, bias=False)
            self.down = nn.Linear(hidden, d, bias=False)
        else:
            self.first, self.second = nn.Linear(d, hidden), nn.Linear(hidden, d)

    def forward(self, x: Tensor) -> Tensor:
        if not self.gated:
            return self.second(functional.gelu(self.first(x)))
        gate = self.gate(x)
        return self.down(gate * torch.sigmoid(gate) * self.up(x))


class Experts(nn.Module):
    def __init__(self, d: int, hidden: int, gated: bool, count: int) -> None:
        super().__init__()
        self.router = nn.Linear(d, count, bias=False)
        self.experts = nn.ModuleList(FeedForward(d, hidden, gated) for _ in range(count))


class Block(nn.Module):
    def __init__(self, c: Mapping[str, Any]) -> None:
        super().__init__()
        d, hidden, gated = c["d_model"], c["d_ff"], c["use_swiglu"]
        self.norm1, self.norm2 = RmsNorm(d), RmsNorm(d)
        self.attention = Attention(d, c["n_heads"], c["use_gqa"])
        self.mlp = Experts(d, hidden, gated, c["num_experts"]) if c.get("use_moe") else FeedForward(d, hidden, gated)
        self.drop = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop(self.attention(self.norm1(x)))
        return x + self.drop(self.mlp(self.norm2(x)))


class Thinker(nn.Module):
    def __init__(self, c: Mapping[str, Any]) -> None:
        super().__init__()
        self.embedding = nn.Embedding(c["vocab_size"], c["d_model"])
        self.blocks = nn.ModuleList(Block(c) for _ in range(c["n_layers"]))
        self.norm = RmsNorm(c["d_model"])
        self.head = nn.Linear(c["d_model"], c["vocab_size"], bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class EncoderBlock(nn.Module):
    def __init__(self, d: int, hidden: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = RmsNorm(d), RmsNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.mlp = nn.Sequential(nn.Linear(d, hidden), nn.GELU(), nn.Linear(hidden, d))
        self.drop = nn.Dropout(0.1)

    def forward(self, x: Tensor, heads: int) -> Tensor:
        batch, length, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(batch, length, 3, heads, d // heads).permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(q, k, v)
        x = x + self.drop(self.out(y.transpose(1, 2).reshape(batch, length, d)))
        return x + self.drop(self.mlp(self.norm2(x)))


class AudioEncoder(nn.Module):
    def __init__(self, c: Mapping[str, Any]) -> None:
        super().__init__()
        factor, d = c["downsample_time"], c["d_model"]
        self.heads = c["n_heads"]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(1 if stage == 0 else 64, 64, 3, stride=2, padding=1) for stage in range(3 if factor == 8 else 2)
        )
        self.projection = nn.Linear(64 * (128 // factor), d)
        self.blocks = nn.ModuleList(EncoderBlock(d, c["d_ff"]) for _ in range(c["n_layers"]))
        self.norm = RmsNorm(d)

    def forward(self, mel: Tensor) -> Tensor:
        x = mel.unsqueeze(1)
        for convolution in self.convolutions:
            x = functional.gelu(convolution(x))
        x = self.projection(x.transpose(1, 2).flatten(2))
        for block in self.blocks:
            x = block(x, self.heads)
        return self.norm(x)


class VisionTransformer(nn.Module):
    def __init__(
        self, size: int, patch: int, d: int, layers: int, heads: int, hidden: int, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, d, patch, stride=patch)
        self.cls = nn.Parameter(torch.zeros(1, 1, d))
        self.positions = nn.Parameter(torch.zeros(1, 1 + (size // patch) ** 2, d))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(d, heads, hidden, dropout, batch_first=True, norm_first=True, activation="gelu")
            for _ in range(layers)
        )
        self.norm = RmsNorm(d)

    def forward(self, images: Tensor) -> Tensor:
        x = self.patches(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class Talker(nn.Module):
    def __init__(self, c: Mapping[str, Any]) -> None:
        super().__init__()
        d, codes = c["d_model"], c["codebook_size"]
        self.embedding = nn.Embedding(codes, d)
        self.start = nn.Parameter(torch.zeros(1, 1, d))
        self.blocks = nn.ModuleList(Block(c) for _ in range(c["n_layers"]))
        self.norm = RmsNorm(d)
        self.base, self.residual = nn.Linear(d, codes), nn.Linear(d, codes)

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        x = self.embedding(codes[..., 0]) + self.embedding(codes[..., 1])
        x = torch.cat([self.start.expand(len(x), -1, -1), x[:, :-1]], 1)
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        return self.base(x), self.residual(x)


class Codec(nn.Module):
    def __init__(self, c: Mapping[str, Any]) -> None:
        super().__init__()
        self.codebooks = nn.ModuleList(nn.Embedding(c["codebook_size"], 64) for _ in range(c["codebooks"]))
        self.inwards, self.outwards = nn.Linear(128, 64), nn.Linear(64, 128)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """The codes, and the frames made again from them."""
        rest = self.inwards(mel)
        codes, made = [], torch.zeros_like(rest)
        for book in self.codebooks:
            codes.append((rest.unsqueeze(2) - book.weight).square().sum(-1).argmin(-1))
            chosen = book(codes[-1])
            made, rest = made + chosen, rest - chosen
        return torch.stack(codes, -1), self.outwards(made)


class TalkerAndCodec(nn.Module):
    """What a training step of the talker runs."""

    def __init__(self, c: Mapping[str, Any]) -> None:
        super().__init__()
        self.talker, self.codec = Talker(c), Codec(c)

    def forward(self, mel: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
        codes, made = self.codec(mel)
        return self.talker(codes), made


class OcrBlock(nn.Module):
    def __init__(self, c: Mapping[str, Any]) -> None:
        super().__init__()
        d, heads = c["decoder_d_model"], c["decoder_heads"]
        self.norms = nn.ModuleList(RmsNorm(d) for _ in range(3))
        self.attention = Attention(d, heads, c["use_gqa"])
        self.cross = nn.MultiheadAttention(d, heads, dropout=0.1, batch_first=True)
        self.mlp = FeedForward(d, c["decoder_d_ff"], c["use_swiglu"])
        self.drop = nn.Dropout(0.1)

    def forward(self, x: Tensor, picture: Tensor) -> Tensor:
        x = x + self.drop(self.attention(self.norms[0](x)))
        x = x + self.drop(self.cross(self.norms[1](x), picture, picture)[0])
        return x + self.drop(self.mlp(self.norms[2](x)))


class Ocr(nn.Module):
    def __init__(self, c: Mapping[str, Any], vocab: int) -> None:
        super().__init__()
        d, seen = c["decoder_d_model"], c["vision_d_model"]
        self.vision = VisionTransformer(
            c["img_size"], c["patch"], seen, c["vision_layers"], c["vision_heads"], c["vision_d_ff"],
            # With dropout, attention on a CPU keeps its scores, which fused attention on a card does not.
            dropout=0.0,
        )  # fmt: skip
        self.embedding = nn.Embedding(vocab, d)
        self.blocks = nn.ModuleList(OcrBlock(c) for _ in range(c["decoder_layers"]))
        self.norm, self.head, self.images = RmsNorm(d), nn.Linear(d, vocab, bias=False), nn.Linear(seen, d)

    def forward(self, images: Tensor, label: Tensor) -> Tensor:
        picture = self.images(self.vision(images)[:, 1:])
        x = self.embedding(label)
        for block in self.blocks:
            x = block(x, picture)
        return self.head(self.norm(x))


class Generator(nn.Module):
    def __init__(self, c: Mapping[str, Any]) -> None:
        super().__init__()
        width = c["upsample_initial_channel"]
        self.before = nn.Conv1d(c["n_mels"], width, 7, padding=3)
        self.up, self.blocks = nn.ModuleList(), nn.ModuleList()
        for rate, kernel in zip((8, 8, 2, 2), (16, 16, 4, 4), strict=True):
            self.up.append(nn.ConvTranspose1d(width, width // 2, kernel, rate, padding=(kernel - rate) // 2))
            width //= 2
            for size, dilations in zip(c["resblock_kernel_sizes"], c["resblock_dilation_sizes"], strict=True):
                for dilation in dilations:
                    self.blocks.append(nn.Conv1d(width, width, size, dilation=dilation, padding="same"))
                    self.blocks.append(nn.Conv1d(width, width, size, padding="same"))
        self.after = nn.Conv1d(width, 1, 7, padding=3)
        self.dilations = [len(dilations) for dilations in c["resblock_dilation_sizes"]]

    def forward(self, mel: Tensor) -> Tensor:
        x, convolutions = self.before(mel), iter(self.blocks)
        for up in self.up:
            x = up(functional.leaky_relu(x, 0.1))
            sums = torch.zeros_like(x)
            for dilations in self.dilations:
                y = x
                for _ in range(dilations):
                    z = next(convolutions)(functional.leaky_relu(y, 0.1))
                    y = y + next(convolutions)(functional.leaky_relu(z, 0.1))
                sums = sums + y
            x = sums / len(self.dilations)
        return torch.tanh(self.after(functional.leaky_relu(x)))


class Discriminators(nn.Module):
    """By period, and by scale."""

    def __init__(self, c: Mapping[str, Any]) -> None:
        super().__init__()
        self.periods, size = c["mpd_periods"], c["mpd_kernel_size"]
        chain = (1, 32, 128, 512, 1024, 1024)
        self.by_period = nn.ModuleList(
            nn.ModuleList(
                [
                    nn.Conv2d(a, b, (size, 1), (2 if b < 1024 or a < 1024 else 1, 1), (size // 2, 0))
                    for a, b in itertools.pairwise(chain)
                ]
                + [nn.Conv2d(1024, 1, (3, 1), padding=(1, 0))]
            )
            for _ in self.periods
        )
        layers = (
            (1, 128, 15, 1, 1), (128, 128, 41, 4, 2), (128, 256, 41, 16, 2), (256, 512, 41, 16, 4),
            (512, 1024, 41, 16, 4), (1024, 1024, 41, 16, 1), (1024, 1024, 5, 1, 1), (1024, 1, 3, 1, 1),
        )  # fmt: skip
        self.by_scale = nn.ModuleList(
            nn.ModuleList(
                nn.Conv1d(a, b, kernel, stride, kernel // 2, groups=groups) for a, b, kernel, groups, stride in layers
            )
            for _ in range(c["msd_num_scales"])
        )

    def forward(self, sound: Tensor) -> list[Tensor]:
        judged = []
        for period, layers in zip(self.periods, self.by_period, strict=True):
            x = functional.pad(sound, (0, -sound.shape[-1] % period))
            judged.append(_chain(x.view(len(x), 1, -1, period), layers))
        for layers in self.by_scale:
            judged.append(_chain(sound, layers))
            sound = functional.avg_pool1d(sound, 4, 2, 2)
        return judged


def _chain(x: Tensor, layers: Iterable[nn.Module]) -> Tensor:
    *inner, last = layers
    for layer in inner:
        x = functional.leaky_relu(layer(x), 0.1)
    return last(x)


class Vocoder(nn.Module):
    """What the generator's half of a training step runs: sound made from mel frames, judged beside the real one."""

    def __init__(self, c: Mapping[str, Any]) -> None:
        super().__init__()
        self.generator, self.discriminators = Generator(c), Discriminators(c)

    def forward(self, mel: Tensor, real: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        return self.discriminators(real), self.discriminators(self.generator(mel))


def parameters(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


def kept_for_backward(module: nn.Module, *inputs: Tensor) -> int:
    """Bytes autograd keeps of a forward pass, the weights themselves left out, each tensor once."""
    weights = {p.untyped_storage().data_ptr() for p in module.parameters()}
    kept: dict[int, int] = {}
    alive: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)  # no address may be used twice while we count
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = module(*inputs)
    del output
    return sum(kept.values())
