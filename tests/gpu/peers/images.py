"""ResNets in PyTorch: channels last, bf16 by autocast, torch.compile over model and loss, fused SGD with momentum."""
import torch
from torch import nn
from torch.nn import functional as F

from work import Rows, Work, first_step


def convolution(inputs, outputs, kernel, stride=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs))


class Residual(nn.Module):
    """`sizes`: the kernels of the convolutions in turn; the bottleneck's are 1, 3, 1, with the stride at the 3."""

    def __init__(self, inputs, width, sizes, stride):
        super().__init__()
        outputs = width * (4 if len(sizes) == 3 else 1)
        channels = [inputs] + [width] * (len(sizes) - 1) + [outputs]
        strided = sizes.index(3)
        self.layers = nn.ModuleList(
            convolution(channels[i], channels[i + 1], size, stride if i == strided else 1)
            for i, size in enumerate(sizes))
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = convolution(inputs, outputs, 1, stride)

    def forward(self, x):
        y = x
        for layer in self.layers[:-1]:
            y = F.relu(layer(y))
        return F.relu(self.layers[-1](y) + self.shortcut(x))


def resnet(blocks, sizes, classes, small):
    """With a 3×3 first convolution for small images, the 7×7 and pooling for those of 224."""
    layers = [convolution(3, 64, 3)] if small else [convolution(3, 64, 7, 2)]
    layers.append(nn.ReLU())
    if not small:
        layers.append(nn.MaxPool2d(3, 2, 1))
    inputs, grow = 64, 4 if len(sizes) == 3 else 1
    for i, count in enumerate(blocks):
        for j in range(count):
            layers.append(Residual(inputs, 64 << i, sizes, 2 if i > 0 and j == 0 else 1))
            inputs = (64 << i) * grow
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes))


class Loss(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x, labels):
        return F.cross_entropy(self.model(x), labels)


def training(options, model, side, classes, batch):
    loss_of = Loss(model.to(options.device, memory_format=torch.channels_last))
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=5e-5, fused=True)
    compiled = torch.compile(loss_of, dynamic=False)
    rows = Rows(options.device, [(torch.randn(batch, 3, side, side).contiguous(memory_format=torch.channels_last),
                                  torch.randint(classes, (batch,))) for _ in range(2)])
    state = {}

    def step():
        images, labels = rows.next()
        with torch.autocast(options.device, torch.bfloat16):
            loss = compiled(images, labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        state["loss"] = loss.detach()

    return Work(step, batch, {"batch": batch, "parameters": sum(weight.numel() for weight in model.parameters())},
                first_step(step, options.device), lambda: bool(torch.isfinite(state["loss"])))


def resnet50(options):
    blocks, side = ((1, 1, 1, 1), 32) if options.tiny else ((3, 4, 6, 3), 224)
    return training(options, resnet(blocks, (1, 3, 1), 1000, False), side, 1000,
                    options.batch or (2 if options.tiny else 256))


def resnet18(options):
    blocks = (1, 1, 1, 1) if options.tiny else (2, 2, 2, 2)
    return training(options, resnet(blocks, (3, 3), 10, True), 32, 10, options.batch or (2 if options.tiny else 512))
