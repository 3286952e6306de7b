"""The rates of PyTorch's schedules, step by step, for those of engine/train/schedule.h."""
import json
import warnings

import torch
from torch.optim import lr_scheduler

BASE = 0.1


def warm_up(optimizer, steps):
    """rate(s) = base (s + 1) / steps"""
    return lr_scheduler.LinearLR(optimizer, 1 / steps, 1, steps - 1)


def warmed(make, steps):
    return lambda o: lr_scheduler.SequentialLR(o, [warm_up(o, steps), make(o)], [steps])


def cosine(steps, final):
    return lambda o: lr_scheduler.CosineAnnealingLR(o, steps, final)


def one_cycle(steps, final):
    return lambda o: lr_scheduler.OneCycleLR(o, BASE, steps, cycle_momentum=False,
                                             final_div_factor=BASE / 25 / final)


def cases():
    yield "constant", {}, 5, lambda o: lr_scheduler.ConstantLR(o, 1, 0)
    yield "constant", {"warmup": 4}, 9, lambda o: warm_up(o, 4)
    yield "step", {"length": 7, "factor": 0.5}, 40, lambda o: lr_scheduler.StepLR(o, 7, 0.5)
    yield "exponential", {"length": 1, "factor": 0.9}, 40, lambda o: lr_scheduler.ExponentialLR(o, 0.9)
    yield "polynomial", {"power": 2}, 30, lambda o: lr_scheduler.PolynomialLR(o, 30, 2)
    yield "polynomial", {"power": 1, "warmup": 5}, 30, warmed(lambda o: lr_scheduler.PolynomialLR(o, 25, 1), 5)
    yield "cosine", {"final": 0.01}, 50, cosine(50, 0.01)
    yield "cosine", {"final": 0.001, "warmup": 10}, 50, warmed(cosine(40, 0.001), 10)
    yield "one_cycle", {"final": 1e-5}, 50, one_cycle(50, 1e-5)
    yield "one_cycle", {"final": 1e-3}, 33, one_cycle(33, 1e-3)


def rates_of(optimizer, scheduler, steps, losses=None):
    rates = []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(losses[step]) if losses else scheduler.step()
    return rates


def written(title, settings, rates, losses=None):
    lines = ["[%s]" % title, "schedule " + json.dumps(settings)]
    if losses:
        lines.append("losses " + " ".join("%g" % loss for loss in losses))
    return "\n".join(lines + ["rates " + " ".join("%.12g" % rate for rate in rates)]) + "\n"


def text():
    warnings.simplefilter("ignore")
    blocks = []
    for number, (name, settings, steps, make) in enumerate(cases(), 1):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=BASE)
        rates = rates_of(optimizer, make(optimizer), steps)
        blocks.append(written("%d %s" % (number, name), {"id": name, "base": BASE, "total": steps, **settings}, rates))
    losses = [3, 2.5, 2.6, 2.49999, 2.7, 2.4, 2.4, 2.4, 2.4, 2.4, 2.3, 2.31, 2.32, 2.33, 2.34, 2.35, 2.36, 2.37, 2.2, 2.25]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=BASE)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.3, patience=2, min_lr=0.005)
    blocks.append(written("reduce on plateau", {"id": "plateau", "base": BASE, "factor": 0.3, "patience": 2,
                                                "final": 0.005}, rates_of(optimizer, scheduler, len(losses), losses),
                          losses))
    return "\n".join(blocks)
