"""The models of the catalogue, written once more for PyTorch, and the formulas that fill their weights and batches.

Weights have the engine's names and layouts (convolutions O,KH,KW,I; dense O,I); images travel as N,C,H,W in between.
training_test.cpp has the same formulas. All of them give the same f32 numbers in both: each makes one rounding at most.
"""
import numpy as np
import torch
import torch.nn.functional as F

MASK = 0xFFFFFFFF


def stream_of(name):
    """FNV-1a of 64 bits."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def bits(seed, name, count):
    """The first numbers of 32 bits of a stream of Philox4x32-10, as kernels/base/random.h."""
    stream, blocks = stream_of(name), (count + 3) // 4
    counter = np.arange(blocks, dtype=np.uint64)
    c = [counter & MASK, counter >> 32, np.full(blocks, stream & MASK, np.uint64),
         np.full(blocks, stream >> 32, np.uint64)]
    k0, k1 = seed & MASK, seed >> 32
    for _ in range(10):
        a, b = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [(b >> 32) ^ c[1] ^ k0, b & MASK, (a >> 32) ^ c[3] ^ k1, a & MASK]
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return np.stack(c, axis=1).reshape(-1)[:count].astype(np.uint32)


def signed(numbers):
    """From 32 bits to [-1, 1), exactly."""
    return ((numbers >> 8).astype(np.float64) * 2.0**-23 - 1).astype(np.float32)


class Weights(dict):
    """Parameters by name; each is made by the formula when it is asked for first."""

    def __init__(self, dtype):
        super().__init__()
        self.dtype, self.states = dtype, {}

    def __call__(self, name, *shape):
        if name not in self:
            value = signed(bits(1, name, int(np.prod(shape)))).reshape(shape)
            if len(shape) > 1:
                value = value * np.float32(1 / np.sqrt(value.size // shape[0]))
            else:
                value = value * np.float32(0.125)
                if name.endswith(".scale"):
                    value = np.float32(1) + value
            self[name] = torch.tensor(value).to(self.dtype).requires_grad_()
        return self[name]

    def state(self, name, size, value):
        return self.states.setdefault(name, torch.full((size,), value, dtype=self.dtype))


# Layers: w weights, x what comes in.

def dense(w, name, x, units, bias=True):
    weight = w(name + ".weight", units, x.shape[-1])
    return F.linear(x, weight, w(name + ".bias", units) if bias else None)


def convolve(w, name, x, channels, kernel, stride=1, groups=1, bias=True, same=True):
    weight = w(name + ".weight", channels, kernel, kernel, x.shape[1] // groups).permute(0, 3, 1, 2)
    return F.conv2d(x, weight, w(name + ".bias", channels) if bias else None, stride, kernel // 2 if same else 0,
                    groups=groups)


def batch_norm(w, name, x, training):
    size = x.shape[1]
    return F.batch_norm(x, w.state(name + ".running_mean", size, 0.0), w.state(name + ".running_variance", size, 1.0),
                        w(name + ".scale", size), w(name + ".bias", size), training, 0.1, 1e-5)


def layer_norm(w, name, x):
    size = x.shape[-1]
    return F.layer_norm(x, (size,), w(name + ".scale", size), w(name + ".bias", size), 1e-5)


def recur(w, name, kind, x, units):
    """torch.nn's own layer, on our weights."""
    gates = (4 if kind == "lstm" else 3) * units
    layer = (torch.nn.LSTM if kind == "lstm" else torch.nn.GRU)(x.shape[-1], units, batch_first=True).to(w.dtype)
    named = {"weight_ih_l0": w(name + ".weight_input", gates, x.shape[-1]),
             "weight_hh_l0": w(name + ".weight_hidden", gates, units),
             "bias_ih_l0": w(name + ".bias_input", gates), "bias_hh_l0": w(name + ".bias_hidden", gates)}
    return torch.func.functional_call(layer, named, x)[0]


def image(x):
    return x.permute(0, 3, 1, 2)


def flat(x):
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1)


# Models: answers is the number of outputs.

def mlp(w, x, params, answers, training):
    for i, units in enumerate(params["hidden"], 1):
        x = getattr(torch, params["activation"])(dense(w, "dense%d" % i, x, units))
    return dense(w, "answer", x, answers)


def lenet(w, x, params, answers, training):
    x = image(x)
    tiny = x.shape[2] < 20
    x = F.max_pool2d(F.relu(convolve(w, "conv1", x, 6, 5)), 2)
    x = F.max_pool2d(F.relu(convolve(w, "conv2", x, 16, 5, same=tiny)), 2)
    x = F.relu(dense(w, "dense1", flat(x), 120))
    x = F.relu(dense(w, "dense2", x, 84))
    return dense(w, "answer", x, answers)


def resnet(w, x, params, answers, training):
    def unit(name, norm, x, channels, kernel, stride):
        return batch_norm(w, norm, convolve(w, name, x, channels, kernel, stride, bias=False), training)

    width, count = params["width"], 0
    x = F.relu(unit("stem.conv", "stem.norm", image(x), width, 3, 1))
    for stage in range(4):
        for i in range(2):
            count += 1
            name, channels, stride = "block%d." % count, width << stage, 2 if stage > 0 and i == 0 else 1
            y = F.relu(unit(name + "conv1", name + "norm1", x, channels, 3, stride))
            y = unit(name + "conv2", name + "norm2", y, channels, 3, 1)
            if stride != 1 or x.shape[1] != channels:
                x = unit(name + "shortcut", name + "shortcut_norm", x, channels, 1, stride)
            x = F.relu(y + x)
    return dense(w, "answer", x.mean((2, 3)), answers)


def mobilenet(w, x, params, answers, training):
    def scaled(channels):
        wanted = channels * params["width"]
        rounded = max(8, int(wanted + 4) // 8 * 8)
        return rounded + 8 if rounded < 0.9 * wanted else rounded

    def unit(name, x, channels, kernel, stride=1, groups=1):
        x = convolve(w, name, x, channels, kernel, stride, groups, bias=False)
        return batch_norm(w, name + "_norm", x, training)

    x, count = F.relu(unit("stem.conv", image(x), scaled(32), 3)), 0
    for expansion, channels, blocks, stride in ((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2),
                                                (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(blocks):
            count += 1
            name, y, inside = "block%d." % count, x, x.shape[1] * expansion
            if expansion != 1:
                y = F.relu(unit(name + "expand", y, inside, 1))
            y = F.relu(unit(name + "depthwise", y, inside, 3, stride if i == 0 else 1, inside))
            y = unit(name + "project", y, scaled(channels), 1)
            x = y + x if y.shape == x.shape else y
    x = F.relu(unit("head.conv", x, scaled(1280 / params["width"]), 1))
    return dense(w, "answer", x.mean((2, 3)), answers)


def lstm(w, x, params, answers, training):
    tokens = not x.is_floating_point()
    if tokens:
        x = F.embedding(x, w("embedding.weight", answers, params["embedding"]))
    elif x.dim() == 4:
        x = x.flatten(2)  # the lines of an image
    for i in range(1, params["layers"] + 1):
        x = recur(w, params["cell"] + str(i), params["cell"], x, params["units"])
    return dense(w, "answer", x if tokens else x[:, -1], answers)


def gpt(w, x, params, answers, training):
    width, heads, steps = params["width"], params["heads"], x.shape[1]
    table = w("embedding.weight", answers, width)
    x = F.embedding(x, table) + w("position.weight", params["context"], width)[:steps]
    for i in range(1, params["layers"] + 1):
        name = "block%d." % i
        packed = dense(w, name + "attention.qkv", layer_norm(w, name + "norm1", x), 3 * width)
        q, k, v = (part.unflatten(2, (heads, -1)).transpose(1, 2) for part in packed.split(width, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        x = x + dense(w, name + "attention.out", y, width)
        y = F.gelu(dense(w, name + "dense1", layer_norm(w, name + "norm2", x), 4 * width), approximate="tanh")
        x = x + dense(w, name + "dense2", y, width)
    return F.linear(layer_norm(w, "norm", x), table)


MODELS = {"model." + model.__name__: model for model in (mlp, lenet, resnet, mobilenet, lstm, gpt)}


# Batches: each depends on its number alone.

def tokens_batch(rows, batch, number):
    """Lines in which three of four tokens follow from the one before."""
    steps, vocabulary = rows["context"], rows["vocabulary"]
    drawn = bits(2, "batch/%d" % number, batch * (steps + 1) * 2).reshape(batch, steps + 1, 2).astype(np.int64)
    line = drawn[:, :, 0] % vocabulary
    for t in range(1, steps + 1):
        follows = (5 * line[:, t - 1] + 2) % vocabulary
        line[:, t] = np.where(drawn[:, t, 1] % 4 > 0, follows, line[:, t])
    return line[:, :-1], line[:, 1:]


def numbers_batch(rows, batch, number):
    """A pattern for each class, under noise, and the class."""
    shape, classes = rows["features"], rows["classes"]
    size = int(np.prod(shape))
    drawn = bits(2, "batch/%d" % number, batch * (size + 1)).reshape(batch, size + 1)
    labels = (drawn[:, 0] % classes).astype(np.int64)
    patterns = signed(bits(2, "pattern", classes * size)).reshape(classes, size) * np.float32(rows["signal"])
    features = signed(drawn[:, 1:]) + patterns[labels]
    return features.reshape([batch] + shape), labels


def targets(loss, features, labels, rows, batch, number):
    """What a loss compares the outputs with."""
    first = features.reshape(batch, -1)
    if loss == "cross_entropy":
        return labels
    if loss == "binary_cross_entropy":
        return (first[:, :1] > first[:, 1:2]).astype(np.float32)
    if loss == "kl":
        drawn = signed(bits(2, "teacher/%d" % number, batch * rows["classes"]))
        return drawn.reshape(batch, -1) * np.float32(4)
    return first[:, :1] - first[:, 1:2]
