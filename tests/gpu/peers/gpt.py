"""GPT-2 in PyTorch, and its training: torch.compile over model and loss, the faster of PyTorch's attentions, bf16 by
autocast over f32 weights, fused AdamW, the batch that trains most tokens a second."""
import contextlib
import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from work import Rows, Work, first_step, measure, seconds_since_start


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def split(self, x):
        B, T, C = x.shape
        return (part.view(B, T, self.heads, C // self.heads).transpose(1, 2)
                for part in self.qkv(self.norm1(x)).split(C, dim=2))

    def join(self, x, attended):
        x = x + self.out(attended.transpose(1, 2).reshape(x.shape))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))

    def forward(self, x):
        q, k, v = self.split(x)
        return self.join(x, F.scaled_dot_product_attention(q, k, v, is_causal=True))


class Gpt(nn.Module):
    def __init__(self, vocabulary, layers, heads, width, context):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.answer = nn.Linear(width, vocabulary, bias=False)
        self.answer.weight = self.tokens.weight
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                scale = 0.02 / math.sqrt(2 * layers) if name.endswith(("out.weight", "down.weight")) else 0.02
                nn.init.normal_(weight, std=scale)

    def forward(self, tokens, labels):
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.blocks:
            x = block(x)
        return F.cross_entropy(self.answer(self.norm(x)).flatten(0, 1), labels.flatten())


# 50,257 tokens, rounded up to a multiple of 128 on both sides
GPT2 = {"vocabulary": 50304, "layers": 12, "heads": 12, "width": 768, "context": 1024}
TINY = {"vocabulary": 128, "layers": 2, "heads": 2, "width": 32, "context": 16}
BACKENDS = {"flash": SDPBackend.FLASH_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION}


def fastest_attention(options, sizes, batch):
    """The fastest of PyTorch's attentions for these shapes, forward and backward: (name, context manager)."""
    if options.device == "cpu":
        return "math", contextlib.nullcontext
    shape = (batch, sizes["context"], sizes["heads"], sizes["width"] // sizes["heads"])
    q, k, v = (torch.randn(shape, device="cuda", dtype=torch.bfloat16).transpose(1, 2).requires_grad_()
               for _ in range(3))

    def step():
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        torch.autograd.grad(y, (q, k, v), torch.ones_like(y))

    seconds = {}
    for name, backend in BACKENDS.items():
        try:
            with sdpa_kernel([backend]):
                step()
                seconds[name] = measure(step, options.device, 0.2)[0]
        except RuntimeError:  # not for this GPU or shape
            continue
    best = min(seconds, key=seconds.get)
    return best, lambda: sdpa_kernel([BACKENDS[best]])


def trainer(options, sizes, batch):
    """A step at that batch size, compiled, after it ran twice."""
    torch._dynamo.reset()
    model = Gpt(**sizes).to(options.device)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-4, weight_decay=0.1, fused=True)
    attention, backend = fastest_attention(options, sizes, batch)
    compiled = torch.compile(model, dynamic=False)
    rows = Rows(options.device, [torch.randint(sizes["vocabulary"], (2, batch, sizes["context"])).unbind()
                                 for _ in range(16)])
    state = {}

    def step():
        tokens, labels = rows.next()
        with backend(), torch.autocast(options.device, torch.bfloat16):
            loss = compiled(tokens, labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        state["loss"] = loss.detach()

    first = first_step(step, options.device)
    parameters = sum(weight.numel() for weight in model.parameters())
    return Work(step, batch * sizes["context"], {"batch": batch, "attention": attention, "parameters": parameters},
                first, lambda: bool(torch.isfinite(state["loss"])))


SEARCH_SECONDS = 60  # no further batch is compiled after so long


def training(options):
    sizes = TINY if options.tiny else GPT2
    batches = [options.batch] if options.batch else [2, 4] if options.tiny else [32, 64, 16]
    best, speed, first, tried = None, 0, 0, {}
    for batch in batches:
        if best and seconds_since_start() > SEARCH_SECONDS:
            break
        try:
            work = trainer(options, sizes, batch)
            first = first or work.first_step_seconds
            tried[batch] = work.rows / measure(work.step, options.device, 1.0)[0]
        except torch.OutOfMemoryError:
            continue
        if tried[batch] > speed:
            best, speed = work, tried[batch]
        del work
        if options.device == "cuda":
            torch.cuda.empty_cache()
    best.facts["tried"] = tried
    best.first_step_seconds = first
    return best
