"""The optimisers of kernels/ops/optimizer.h as PyTorch has them; LAMB, Lion and CG, which it lacks, from their papers."""
import torch
from torch.optim import _muon
from torch.optim.lbfgs import _strong_wolfe


class Lamb(torch.optim.Optimizer):
    """You et al. 2020, arXiv:1904.00962, algorithm 2; the ratio is 1 for what has no weight decay."""

    def __init__(self, params, **settings):
        super().__init__(params, settings)

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for w in group["params"]:
                state = self.state[w]
                if not state:
                    state.update(t=0, m=torch.zeros_like(w), v=torch.zeros_like(w))
                state["t"] += 1
                state["m"].lerp_(w.grad, 1 - beta1)
                state["v"].mul_(beta2).addcmul_(w.grad, w.grad, value=1 - beta2)
                m = state["m"] / (1 - beta1 ** state["t"])
                v = state["v"] / (1 - beta2 ** state["t"])
                d = m / (v.sqrt() + group["eps"]) + group["weight_decay"] * w
                long, wide = w.norm(), d.norm()
                ratio = long / wide if group["adapts"] and long > 0 and wide > 0 else 1.0
                w.sub_(group["lr"] * ratio * d)


class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, arXiv:2302.06675, program 1."""

    def __init__(self, params, **settings):
        super().__init__(params, settings)

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for w in group["params"]:
                m = self.state[w].setdefault("m", torch.zeros_like(w))
                update = (beta1 * m + (1 - beta1) * w.grad).sign()
                w.mul_(1 - group["lr"] * group["weight_decay"]).sub_(group["lr"] * update)
                m.mul_(beta2).add_((1 - beta2) * w.grad)


class Muon:
    """torch.optim.Muon for the matrices, AdamW for the rest. PyTorch iterates in bf16; here its own code does so in the
    parameters' type, because the engine does."""

    class Module:
        def __init__(self, dtype):
            self.bfloat16 = dtype

        def __getattr__(self, name):
            return getattr(torch, name)

    def __init__(self, matrices, decayed, plain, settings, dtype):
        _muon.torch = Muon.Module(dtype)
        rest = dict(lr=settings["learning_rate"], betas=(settings["beta1"], settings["beta2"]),
                    eps=settings["epsilon"])
        self.parts = [torch.optim.AdamW(groups(decayed, plain, settings), **rest)]
        if matrices:
            self.parts.append(torch.optim.Muon(matrices, lr=settings["learning_rate"], momentum=settings["momentum"],
                                               nesterov=bool(settings["nesterov"]),
                                               weight_decay=settings["weight_decay"]))

    def step(self):
        for part in self.parts:
            part.step()


class ConjugateGradients:
    """Nocedal, Wright 2006, section 5.2 (Polak–Ribière+, restart by Powell), with the line search of PyTorch's L-BFGS."""

    def __init__(self, params, learning_rate):
        self.params, self.rate = list(params), learning_rate
        self.direction = self.previous = None
        self.t = self.slope = 0.0

    def step(self, closure):
        def set_to(start, t, direction):
            torch.nn.utils.vector_to_parameters(start + t * direction, self.params)

        def evaluate(start, t, direction):
            set_to(start, t, direction)
            loss = closure()
            return float(loss.detach()), torch.cat([w.grad.reshape(-1) for w in self.params]).clone()

        start = torch.nn.utils.parameters_to_vector(self.params).detach().clone()
        loss, gradient = evaluate(start, 0.0, torch.zeros_like(start))
        square, beta = gradient.dot(gradient), 0.0
        if self.previous is not None and abs(gradient.dot(self.previous)) < 0.2 * square:
            beta = max(0.0, gradient.dot(gradient - self.previous) / self.previous.dot(self.previous))
        direction = -gradient if not beta else beta * self.direction - gradient
        if gradient.dot(direction) >= 0:
            direction = -gradient
        slope = gradient.dot(direction)
        first = self.t * self.slope / slope if self.t else min(1.0, 1.0 / gradient.abs().sum()) * self.rate
        _, _, t, _ = _strong_wolfe(evaluate, start, float(first), direction, loss, gradient, slope, c2=0.1)
        self.direction, self.previous, self.t, self.slope = direction, gradient, float(t), float(slope)
        set_to(start, self.t, direction)
        return torch.tensor(loss)


def groups(decayed, plain, settings, **more):
    """Weight decay is for weights alone, not for biases and norms."""
    both = [dict(params=decayed, weight_decay=settings.get("weight_decay", 0.0), adapts=True, **more),
            dict(params=plain, weight_decay=0.0, adapts=False, **more)]
    return [group for group in both if group["params"]]


def hidden_matrices(weights):
    """What Muon makes orthogonal: of two dimensions, neither a table nor the answer."""
    return [n for n, w in weights.items() if w.dim() == 2 and n.split(".")[0] not in ("embedding", "position", "answer")]


def create(name, settings, weights):
    decayed = [w for w in weights.values() if w.dim() > 1]
    plain = [w for w in weights.values() if w.dim() == 1]
    if name == "muon":
        matrices = [weights[n] for n in hidden_matrices(weights)]
        others = [w for w in decayed if not any(w is m for m in matrices)]
        return Muon(matrices, others, plain, settings, weights.dtype)
    if name == "lbfgs":
        return torch.optim.LBFGS(list(weights.values()), lr=settings["learning_rate"], max_iter=1, max_eval=26,
                                 history_size=10, line_search_fn="strong_wolfe")
    if name == "cg":
        return ConjugateGradients(weights.values(), settings["learning_rate"])
    # the engine's names, and PyTorch's for the same
    renamed = {"learning_rate": "lr", "epsilon": "eps", "nesterov": "nesterov", "momentum": "momentum",
               "rho": "alpha" if name == "rmsprop" else "rho"}
    options = {renamed[key]: value for key, value in settings.items() if key in renamed}
    if "beta1" in settings:
        options["betas"] = (settings["beta1"], settings["beta2"])
    if "nesterov" in options:
        options["nesterov"] = bool(options["nesterov"])
    kinds = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "nadam": torch.optim.NAdam,
             "rmsprop": torch.optim.RMSprop, "adagrad": torch.optim.Adagrad, "adadelta": torch.optim.Adadelta,
             "lamb": Lamb, "lion": Lion}
    return kinds[name](groups(decayed, plain, settings), **options)
