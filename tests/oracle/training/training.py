"""Writes *.txt beside it: the losses of a hundred steps of every model with every optimiser, as PyTorch has them.

    python3 tests/oracle/training/training.py [FILE …]        (needs PyTorch; the test that reads the files does not)

README.md describes the files. Each training is made in f32 and in f64; the expectations are those of f32, and
`rounding` is the largest relative distance between the two: what f32 costs PyTorch itself.
"""
import json
import os
import sys

import torch
import torch.nn.functional as F

import networks
import optimizers

FOLDER = os.path.dirname(os.path.abspath(__file__))
HOLDS = 3e-5  # PyTorch's own f32 and f64 must be as close as this, so that another f32 can be held to 1e-4

# What each optimiser is run with; its other numbers are its defaults, which are PyTorch's.
ADAM = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
OPTIMIZERS = {
    "sgd": {"learning_rate": 0.02, "momentum": 0.9, "nesterov": 1, "weight_decay": 0.001},
    "adam": {"learning_rate": 5e-3, **ADAM, "weight_decay": 0.001},
    "adamw": {"learning_rate": 5e-3, **ADAM, "weight_decay": 0.01},
    "nadam": {"learning_rate": 2e-3, **ADAM, "weight_decay": 0.001},
    "rmsprop": {"learning_rate": 1e-3, "rho": 0.99, "momentum": 0.5, "epsilon": 1e-8, "weight_decay": 0.001},
    "adagrad": {"learning_rate": 0.01, "epsilon": 1e-10, "weight_decay": 0.001},
    "adadelta": {"learning_rate": 1, "rho": 0.9, "epsilon": 1e-6, "weight_decay": 0.001},
    "lamb": {"learning_rate": 0.02, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-6, "weight_decay": 0.01},
    "lion": {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.1},
    "muon": {"learning_rate": 0.01, **ADAM, "momentum": 0.95, "nesterov": 1, "weight_decay": 0.1},
}
LINE_SEARCH = {"lbfgs": {"learning_rate": 1}, "cg": {"learning_rate": 1}}

NUMBERS = {"features": [10], "classes": 5, "signal": 0.5}
IMAGES = {"features": [16, 16, 2], "classes": 5, "signal": 0.125}
MLP = {"model": "model.mlp", "params": {"hidden": [24, 16], "activation": "relu"}, "rows": NUMBERS, "batch": 16}
MODELS = {
    "mlp": MLP,
    "lenet": {"model": "model.lenet", "params": {}, "rows": dict(IMAGES, signal=0.5), "batch": 8},
    "lstm": {"model": "model.lstm", "params": {"layers": 2, "units": 24, "cell": "lstm", "embedding": 12},
             "rows": {"vocabulary": 13, "context": 12}, "batch": 8},
    "gru": {"model": "model.lstm", "params": {"layers": 2, "units": 20, "cell": "gru"}, "rows": IMAGES, "batch": 8},
    "gpt": {"model": "model.gpt",
            "params": {"layers": 2, "heads": 4, "width": 32, "context": 20, "dropout": 0},
            "rows": {"vocabulary": 13, "context": 16}, "batch": 8},
    "resnet": {"model": "model.resnet", "params": {"depth": "18", "width": 4}, "rows": IMAGES, "batch": 16},
    "mobilenet": {"model": "model.mobilenet", "params": {"width": 0.25, "dropout": 0}, "rows": IMAGES, "batch": 16},
}
# Where a rate above lets rounding grow beyond what can be compared, or a model needs a larger one to learn at all. In
# deep networks with batch norm and ReLU a relative distance of 1e-7 grows tenfold every few steps at a usual rate.
SLOW = {"sgd": 2e-6, "adam": 2e-6, "adamw": 2e-6, "nadam": 4e-6, "rmsprop": 1e-6, "adagrad": 2e-6, "adadelta": 1e-3,
        "lamb": 1e-5, "lion": 1e-6, "muon": 2e-6}
RATES = {
    "lenet": {"adamw": 2e-3, "lamb": 5e-3, "lion": 1e-4},
    "lstm": {"sgd": 0.3, "nadam": 0.01, "adadelta": 10},
    "gpt": {"lion": 3e-4},
    "resnet": SLOW,
    "mobilenet": {name: rate / (20 if name in ("sgd", "rmsprop") else 2) for name, rate in SLOW.items()},
}
FASTER = {"resnet": {"sgd": (7e-5, 40), "adam": (2e-4, 25)}}
STEPS = {"mobilenet": 20}  # fifty layers: at any rate that moves the loss, f32 and f64 part sooner or later


def loss_of(case, output, target):
    loss = case.get("loss", "cross_entropy")
    if loss == "cross_entropy":
        weights = case.get("class_weights")
        return F.cross_entropy(output.reshape(-1, output.shape[-1]), target.reshape(-1),
                               weight=torch.tensor(weights, dtype=output.dtype) if weights else None,
                               label_smoothing=case.get("label_smoothing", 0.0))
    if loss == "kl":
        t = case["temperature"]
        return t * t * F.kl_div(F.log_softmax(output / t, -1), F.log_softmax(target / t, -1), reduction="batchmean",
                                log_target=True)
    return {"mse": F.mse_loss, "mae": F.l1_loss, "binary_cross_entropy": F.binary_cross_entropy_with_logits,
            "huber": lambda x, y: F.huber_loss(x, y, delta=case.get("huber_delta", 1.0))}[loss](output, target)


class Training:
    """One training, of which the case says everything."""

    def __init__(self, case, dtype):
        self.case, self.dtype = case, dtype
        self.weights = networks.Weights(dtype)
        self.loss(self.weights, 0, training=False)  # makes the weights
        self.optimizer = optimizers.create(case["optimizer"], case["settings"], self.weights)

    def loss(self, weights, number, training=True):
        case, rows = self.case, self.case["rows"]
        number %= case.get("batches", 1 << 30)
        if "vocabulary" in rows:
            features, target = (torch.tensor(part) for part in networks.tokens_batch(rows, case["batch"], number))
            answers = rows["vocabulary"]
        else:
            features, labels = networks.numbers_batch(rows, case["batch"], number)
            target = torch.tensor(networks.targets(case.get("loss", "cross_entropy"), features, labels, rows,
                                                   case["batch"], number))
            target = target.to(self.dtype) if target.is_floating_point() else target
            features = torch.tensor(features).to(self.dtype)
            answers = rows["classes"] if case.get("loss", "cross_entropy") in ("cross_entropy", "kl") else 1
        output = networks.MODELS[case["model"]](weights, features, case["params"], answers, training)
        return loss_of(case, output, target)

    def evaluate(self, step):
        for weight in self.weights.values():
            weight.grad = None
        loss = self.loss(self.weights, step)
        loss.backward()
        everything = list(self.weights.values())
        if "clip_value" in self.case:
            torch.nn.utils.clip_grad_value_(everything, self.case["clip_value"])
        if "clip_norm" in self.case:
            torch.nn.utils.clip_grad_norm_(everything, self.case["clip_norm"])
        return loss

    def run(self):
        losses, average = [], None
        for step in range(self.case["steps"]):
            if self.case["optimizer"] in LINE_SEARCH:
                losses.append(float(self.optimizer.step(lambda: self.evaluate(step)).detach()))
            else:
                losses.append(self.evaluate(step).item())
                self.optimizer.step()
            if "average" in self.case:
                average = self.averaged(average)
        ends = {"inference": self.loss(self.weights, self.case["steps"], training=False).item()}
        if average:
            ends["averaged"] = self.loss(average, self.case["steps"], training=False).item()
        return losses, ends

    def averaged(self, average):
        """torch.optim.swa_utils' moving average, whose first value is the weights themselves."""
        now = {name: weight.detach().clone() for name, weight in self.weights.items()}
        if average is None:
            average = networks.Weights(self.dtype)
            average.update(now)
            average.states = self.weights.states
        else:
            torch.optim.swa_utils.get_ema_multi_avg_fn(self.case["average"])(list(average.values()),
                                                                              list(now.values()), None)
        return average


def distances(case):
    """Losses and ends in f32, and how far each is from f64."""
    single, double = Training(case, torch.float32).run(), Training(case, torch.float64).run()
    apart = [abs(a - b) / abs(b) for a, b in zip(single[0], double[0])]
    return single, apart, {name: abs(single[1][name] / double[1][name] - 1) for name in single[1]}


def write_case(title, case):
    (losses, ends), apart, ends_apart = distances(case)
    holds = next((i for i, distance in enumerate(apart) if distance > HOLDS), len(apart))
    print("%-24s %8.4f → %8.4f, rounding %.1e, holds %d, %s" % (title, losses[0], losses[-1], max(apart), holds,
          " ".join("%s %.5f %.1e" % (name, ends[name], ends_apart[name]) for name in ends)), flush=True)
    lines = ["[%s]" % title]
    for key in ("model", "loss"):
        if key in case:
            lines.append("%s %s" % (key, case[key]))
    lines += ["%s %s" % (key, json.dumps(case[key])) for key in ("params", "rows")]
    lines.append("optimizer %s %s" % (case["optimizer"], " ".join("%s=%g" % pair for pair in case["settings"].items())))
    if "class_weights" in case:
        lines.append("class_weights %s" % " ".join("%g" % weight for weight in case["class_weights"]))
    lines += ["%s %g" % (key, case[key]) for key in ("batch", "batches", "accumulation", "label_smoothing", "temperature",
              "huber_delta", "clip_norm", "clip_value", "average") if key in case]
    lines.append("rounding %.1e" % max(apart))
    if holds < len(apart):
        lines.append("# compared for %d steps: then PyTorch's own f32 and f64 are more than %g apart" % (holds, HOLDS))
    else:
        lines += ["%s %.9g" % (name, ends[name]) for name in ends if ends_apart[name] <= HOLDS]
    lines.append("losses")
    shown = ["%.9g" % loss for loss in losses[:holds]]
    lines += [" ".join(shown[i:i + 10]) for i in range(0, len(shown), 10)]
    return "\n".join(lines) + "\n"


def model_cases(model):
    for name, settings in OPTIMIZERS.items():
        rate = RATES.get(model, {}).get(name, settings["learning_rate"])
        yield name, dict(MODELS[model], optimizer=name, settings=dict(settings, learning_rate=rate),
                         steps=STEPS.get(model, 100))
    for name, (rate, steps) in FASTER.get(model, {}).items():
        yield name + ", faster", dict(MODELS[model], optimizer=name, steps=steps,
                                      settings=dict(OPTIMIZERS[name], learning_rate=rate))
    if model == "mlp":
        for name, settings in LINE_SEARCH.items():
            for title, hidden in ((name, [4]), (name + ", linear", [])):
                yield title, {"model": "model.mlp", "params": {"hidden": hidden, "activation": "tanh"},
                              "rows": {"features": [6], "classes": 3, "signal": 0.25}, "batch": 512, "batches": 1,
                              "optimizer": name, "settings": settings, "steps": 100}


def option_cases():
    base = dict(MLP, optimizer="adamw", settings=OPTIMIZERS["adamw"], steps=100)
    sgd = dict(MLP, optimizer="sgd", settings=OPTIMIZERS["sgd"], steps=100)
    yield "accumulation", dict(base, accumulation=4)
    yield "clip by norm", dict(sgd, clip_norm=0.3)
    yield "clip by value", dict(sgd, clip_value=0.02)
    yield "label smoothing", dict(base, label_smoothing=0.1)
    yield "class weights", dict(base, class_weights=[1, 2, 0.5, 1.5, 3])
    yield "class weights, smoothed, accumulated", dict(base, class_weights=[1, 2, 0.5, 1.5, 3], label_smoothing=0.1,
                                                       accumulation=2)
    yield "moving average", dict(base, average=0.95)
    yield "squared error", dict(base, loss="mse")
    yield "absolute error", dict(base, loss="mae")
    yield "huber", dict(base, loss="huber", huber_delta=0.5)
    yield "binary cross-entropy", dict(base, loss="binary_cross_entropy")
    yield "distillation", dict(base, loss="kl", temperature=2)


def main():
    torch.set_num_threads(1)
    wanted = sys.argv[1:] or list(MODELS) + ["options", "schedules"]
    for name in wanted:
        if name == "schedules":
            import schedules
            text = schedules.text()
        else:
            cases = option_cases() if name == "options" else model_cases(name)
            text = "\n".join(write_case(title, case) for title, case in cases)
        with open(os.path.join(FOLDER, name + ".txt"), "w") as file:
            file.write("# Written by training.py with PyTorch %s.\n\n%s" % (torch.__version__.split("+")[0], text))


if __name__ == "__main__":
    main()
