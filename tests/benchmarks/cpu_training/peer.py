"""Trains one workload of `millrace bench` in PyTorch and prints its speed and peak memory as one line of JSON.

    python3 peer.py WORKLOAD --mode eager|compile --seconds S --threads N

Same layers, batch, optimiser and threads as the workload there; the batch is copied in from memory at each step, as a
loader would. The first steps (compilation, allocation) are not counted; the figure is the median of the steps' times.
"""
import argparse, json, resource, statistics, time

import torch
from torch import nn
from torch.nn import functional as F


def mlp(*sizes):
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


def resnet18():
    layers = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    inputs = 64
    for outputs, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [Block(inputs, outputs, stride), Block(outputs, outputs, 1)]
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


class Transformer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = (part.view(B, T, self.heads, C // self.heads).transpose(1, 2)
                   for part in self.qkv(self.norm1(x)).split(C, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(B, T, C))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Gpt(nn.Module):
    def __init__(self, vocabulary=65, layers=6, heads=6, width=384, context=256):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(Transformer(width, heads) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.answer = nn.Linear(width, vocabulary, bias=False)
        self.answer.weight = self.tokens.weight

    def forward(self, x):
        y = self.tokens(x) + self.positions(torch.arange(x.shape[1]))
        return self.answer(self.norm(self.blocks(y))).flatten(0, 1)


def adamw(model):
    return torch.optim.AdamW(model.parameters(), 1e-3, fused=True)


def sgd(model):
    return torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, fused=True)


# name: model, batch, shape of a row, classes, optimiser, channels last
WORKLOADS = {
    "digits_mlp": (lambda: mlp(64, 32, 10), 32, (64,), 10, adamw, False),
    "mlp": (lambda: mlp(784, 512, 256, 10), 128, (784,), 10, adamw, False),
    "lenet": (lenet, 128, (1, 28, 28), 10, adamw, True),
    "resnet18": (resnet18, 64, (3, 32, 32), 10, sgd, True),
    "gpt": (Gpt, 8, (256,), 65, adamw, False),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("workload", choices=WORKLOADS)
    parser.add_argument("--mode", choices=("eager", "compile"), default="eager")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)

    make, batch, row, classes, make_optimizer, channels_last = WORKLOADS[arguments.workload]
    model = make()
    language = arguments.workload == "gpt"
    if language:
        rows = torch.randint(classes, (16 * batch, *row))
        labels = torch.randint(classes, (16 * batch, *row))
    else:
        rows = torch.randn(16 * batch, *row)
        labels = torch.randint(classes, (16 * batch,))
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
        rows = rows.contiguous(memory_format=torch.channels_last)
    optimizer = make_optimizer(model)

    def step(x, y):
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=arguments.precision == "bf16"):
            loss = F.cross_entropy(forward(x), y.flatten())
        loss.backward()
        optimizer.step()
        return loss

    forward = torch.compile(model) if arguments.mode == "compile" else model
    times, begin, count = [], None, 0
    while begin is None or time.perf_counter() - begin < arguments.seconds:
        at = (count % 16) * batch
        before = time.perf_counter()
        loss = float(step(rows[at:at + batch].clone(memory_format=torch.preserve_format), labels[at:at + batch]))
        count += 1
        if count == 5:
            begin = time.perf_counter()
        elif count > 5:
            times.append(time.perf_counter() - before)
    assert loss == loss
    median = statistics.median(times)
    print(json.dumps({"workload": arguments.workload, "side": "pytorch " + arguments.mode, "version": torch.__version__,
                      "threads": torch.get_num_threads(), "precision": arguments.precision, "steps": len(times),
                      "step_seconds": median, "rows_per_second": batch / median,
                      "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
