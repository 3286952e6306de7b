"""MLP 784-512-256-10 at batch 128 in PyTorch: so little work that launching it is what takes time. The whole step,
optimizer included, is captured once as one CUDA graph; eager and compiled kernels in it, the faster of the two."""
import torch
from torch import nn
from torch.nn import functional as F

from work import Work, first_step, measure


class Perceptron(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))

    def forward(self, x, labels):
        return F.cross_entropy(self.layers(x), labels)


def trainer(options, compiled):
    """A step that copies the next batch from the host's pinned memory to where the graph reads it, and trains on it."""
    batch = options.batch or 128
    model = Perceptron().to(options.device)
    loss_of = torch.compile(model, dynamic=False) if compiled else model
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, fused=True, capturable=options.device == "cuda")
    rows, labels = torch.randn(16, batch, 784), torch.randint(10, (16, batch))
    if options.device == "cuda":
        rows, labels = rows.pin_memory(), labels.pin_memory()
    x, y = rows[0].to(options.device), labels[0].to(options.device)
    state = {"step": 0, "loss": torch.zeros((), device=options.device)}

    def train():
        loss = loss_of(x, y)
        loss.backward()
        optimizer.step()
        state["loss"].copy_(loss.detach())

    def feed():
        at = state["step"] % 16
        x.copy_(rows[at], non_blocking=True)
        y.copy_(labels[at], non_blocking=True)
        state["step"] += 1

    def launched():
        optimizer.zero_grad(set_to_none=True)
        feed()
        train()

    step = launched if options.device == "cpu" else captured(launched, feed, train, optimizer)
    return Work(step, batch, {"batch": batch, "mode": "compiled" if compiled else "eager"},
                first_step(step, options.device), lambda: bool(torch.isfinite(state["loss"])))


def captured(launched, feed, train, optimizer):
    """The step as a CUDA graph. The gradients are not there when it is captured, so that it writes and never adds."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            launched()
    torch.cuda.current_stream().wait_stream(stream)
    optimizer.zero_grad(set_to_none=True)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        train()

    def step():
        feed()
        graph.replay()
    return step


def training(options):
    eager = trainer(options, False)
    first = eager.first_step_seconds
    best = min((eager, trainer(options, True)), key=lambda work: measure(work.step, options.device, 0.5)[0])
    best.first_step_seconds = first
    return best
