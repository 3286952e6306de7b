"""Trains the character GPT of shakespeare.millrace in PyTorch with the same settings and prints its losses as JSON.

    python3 peer.py TEXT [--steps 600] [--threads N]

Same split (the last tenth is held out), batch, optimiser, schedule and starting distribution; the batches are other
random windows and the starting weights another draw, so that only the losses that are reached can be compared.
"""
import argparse
import json
import math
import os
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cpu_training"))
from peer import Gpt  # noqa: E402

CONTEXT, BATCH, LAYERS, RATE, WARMUP = 256, 8, 6, 1e-3, 50


def start_like_gpt2(model):
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        elif parameter.dim() > 1:
            residual = name.endswith(("out.weight", "down.weight"))
            nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * LAYERS) if residual else 0.02)


def rate(step, steps):
    if step < WARMUP:
        return RATE * (step + 1) / WARMUP
    return RATE * (1 + math.cos(math.pi * (step - WARMUP) / (steps - WARMUP))) / 2


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("text")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    text = open(arguments.text, encoding="utf-8").read()
    characters = sorted(set(text))
    tokens = torch.tensor([characters.index(c) for c in text])
    held = len(tokens) - len(tokens) // 10
    train, validation = tokens[:held], tokens[held:]
    model = Gpt(len(characters), LAYERS, 6, 384, CONTEXT)
    start_like_gpt2(model)
    weights = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": weights, "weight_decay": 0.1}, {"params": others, "weight_decay": 0}],
                                  RATE, betas=(0.9, 0.999), fused=True)

    def validate():
        with torch.no_grad():
            losses = []
            for first in range(0, len(validation) - CONTEXT, CONTEXT * BATCH):
                rows = [validation[at:at + CONTEXT + 1] for at in range(first, first + CONTEXT * BATCH, CONTEXT)]
                rows = torch.stack([row for row in rows if len(row) == CONTEXT + 1])
                losses += [F.cross_entropy(model(rows[:, :-1]), rows[:, 1:].flatten()).item()] * len(rows)
            return sum(losses) / len(losses)

    begin, history = time.perf_counter(), []
    for step in range(arguments.steps):
        at = torch.randint(len(train) - CONTEXT, (BATCH,))
        rows = torch.stack([train[i:i + CONTEXT + 1] for i in at])
        for group in optimizer.param_groups:
            group["lr"] = rate(step, arguments.steps)
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(rows[:, :-1]), rows[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 100 == 0:
            history.append([step + 1, loss.item(), validate()])
            print(history[-1], f"{time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
    print(json.dumps({"version": torch.__version__, "steps": arguments.steps, "parameters":
                      sum(p.numel() for p in model.parameters()), "validation_loss": history[-1][2],
                      "history": history}))


if __name__ == "__main__":
    main()
