"""Writes operations/*.txt: what PyTorch computes for every operation of the engine, on small inputs.

    python3 tests/oracle/operations.py        (needs PyTorch; the tests that read the files do not)

Inputs are rounded to f32, PyTorch computes in f64, so that what is written is its definition and not its rounding.
A case is a graph as in tests/graph/cases, with values; README.md describes the format.
"""
import os
import zlib

import torch
import torch.nn.functional as F

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "operations")
FILES = {}


def rounded(tensor):
    return tensor.to(torch.float32).to(torch.float64)


def show(tensor):
    values = tensor.detach().reshape(-1)
    if not tensor.is_floating_point():
        return " ".join(str(int(v)) for v in values)
    return " ".join("%.9g" % v for v in values.tolist())


def sizes(shape):
    return "x".join(str(n) for n in shape)


class Case:
    """One case: tensors are made in the order of the calls, from a generator that depends on the title alone."""

    def __init__(self, file, title, mode="training"):
        self.generator = torch.Generator().manual_seed(zlib.crc32(title.encode()))
        self.lines = ["[%s]" % title]
        if mode != "training":
            self.lines.append("mode " + mode)
        self.parameters, self.states, self.mode = {}, {}, mode
        FILES.setdefault(file, []).append(self)

    def draw(self, shape, positive=False):
        if positive:
            return rounded(0.5 + torch.rand(shape, generator=self.generator, dtype=torch.float64))
        return rounded(torch.randn(shape, generator=self.generator, dtype=torch.float64))

    def tensor(self, role, name, value):
        self.lines.append("%s = %s %s : %s" % (name, role, sizes(value.shape), show(value)))
        return value

    def parameter(self, name, *shape, positive=False, scale=1.0, value=None):
        value = rounded(scale * self.draw(shape, positive)) if value is None else rounded(value)
        self.parameters[name] = self.tensor("parameter", name, value).requires_grad_(True)
        return self.parameters[name]

    def state(self, name, *shape, positive=False, value=None):
        value = self.draw(shape, positive) if value is None else rounded(value)
        self.states[name] = self.tensor("state", name, value)
        return value

    def integers(self, name, bound, *shape):
        return self.tensor("integers", name, torch.randint(0, bound, shape, generator=self.generator))

    def op(self, line):
        self.lines.append(line)

    def compare(self, port, value):
        """The output in inference, where there is no gradient; and what the states have become."""
        self.lines += ["output " + port, "expect output : " + show(value)]
        self.lines += ["expect state %s : %s" % (name, show(value)) for name, value in self.states.items()]

    def train(self, port, output, loss="mse", compute=None, expected=None, extra=()):
        """Loss and gradients; by default the mean squared error to drawn targets."""
        if expected is None:
            expected = self.draw(output.shape)
        value = F.mse_loss(output, expected) if compute is None else compute(output, expected)
        value.backward()
        self.lines += ["output " + port, "loss " + loss]
        self.lines.append("expected %s : %s" % (sizes(expected.shape), show(expected)))
        self.lines += list(extra)
        self.lines.append("expect output : " + show(output))
        self.lines.append("expect loss : " + show(value))
        for name, parameter in self.parameters.items():
            gradient = parameter.grad if parameter.grad is not None else torch.zeros_like(parameter)
            self.lines.append("expect gradient %s : %s" % (name, show(gradient)))
        self.lines += ["expect state %s : %s" % (name, show(value)) for name, value in self.states.items()]


def bf16(x):
    return x.to(torch.float32).to(torch.bfloat16).to(torch.float64)


class RoundedGradient(torch.autograd.Function):
    """The same values; their gradient rounded to bfloat16."""

    @staticmethod
    def forward(context, x):
        return x.clone()

    @staticmethod
    def backward(context, gradient):
        return bf16(gradient)


class RoundedProduct(torch.autograd.Function):
    """A product whose factors are rounded to bfloat16, forward and backward."""

    @staticmethod
    def forward(context, a, b, product):
        context.save_for_backward(a, b)
        context.product = product
        return product(bf16(a), bf16(b))

    @staticmethod
    def backward(context, gradient):
        with torch.enable_grad():
            a, b = (bf16(factor).requires_grad_(True) for factor in context.saved_tensors)
            return (*torch.autograd.grad(context.product(a, b), (a, b), bf16(gradient)), None)


def to_channels_first(x):
    return x.movedim(-1, 1)


def to_channels_last(x):
    return x.movedim(1, -1)


def elementwise():
    def unary(line, function, scale=1.5, title=None):
        case = Case("elementwise", title or line)
        x = case.parameter("x", 3, 7, scale=scale)
        kind, *attributes = line.split(" ")
        case.op(" ".join([kind, "a", "(x)"] + attributes))
        case.train("a.out", function(x))

    unary("relu", F.relu)
    unary("leaky_relu", F.leaky_relu)
    unary("leaky_relu slope=0.2", lambda x: F.leaky_relu(x, 0.2))
    unary("tanh", torch.tanh)
    unary("sigmoid", torch.sigmoid)
    unary("gelu", F.gelu)
    unary("gelu approximate=tanh", lambda x: F.gelu(x, approximate="tanh"))
    unary("silu", F.silu)
    unary("elu", F.elu)
    unary("elu alpha=0.3", lambda x: F.elu(x, 0.3))
    unary("softplus", F.softplus)
    unary("softplus", F.softplus, scale=30, title="softplus of large values")
    unary("dropout probability=0", lambda x: F.dropout(x, 0.0))

    case = Case("elementwise", "dropout in inference", "inference")
    x = case.parameter("x", 3, 4)
    case.op("dropout a (x) probability=0.5")
    case.compare("a.out", F.dropout(x, 0.5, training=False))

    for kind, function in (("add", torch.add), ("multiply", torch.mul)):
        case = Case("elementwise", kind)
        a, b = case.parameter("a", 3, 5), case.parameter("b", 3, 5)
        case.op(kind + " y (a, b)")
        case.train("y.out", function(a, b))
    case = Case("elementwise", "multiply by itself")
    a = case.parameter("a", 3, 5)
    case.op("multiply y (a, a)")
    case.train("y.out", a * a)


def linear():
    for bias in (True, False):
        case = Case("linear", "dense with bias" if bias else "dense without bias")
        x, w = case.parameter("x", 3, 5), case.parameter("w", 4, 5)
        b = case.parameter("b", 4) if bias else None
        case.op("dense a (x, w, b)" if bias else "dense a (x, w)")
        case.train("a.out", F.linear(x, w, b))
    case = Case("linear", "dense over the steps of a sequence")
    x, w, b = case.parameter("x", 2, 3, 5), case.parameter("w", 4, 5), case.parameter("b", 4)
    case.op("dense a (x, w, b)")
    case.train("a.out", F.linear(x, w, b))


    for a_sizes, b_sizes, transposes in (((2, 3, 4), (2, 4, 5), (0, 0)), ((2, 4, 3), (2, 4, 5), (1, 0)),
                                         ((2, 3, 4), (2, 5, 4), (0, 1)), ((2, 2, 4, 3), (2, 2, 5, 4), (1, 1))):
        case = Case("linear", "matmul of %s and %s" % (sizes(a_sizes), sizes(b_sizes)))
        a, b = case.parameter("a", *a_sizes), case.parameter("b", *b_sizes)
        case.op("matmul c (a, b) transpose_a=%d transpose_b=%d" % transposes)
        case.train("c.out", torch.matmul(a.mT if transposes[0] else a, b.mT if transposes[1] else b))


def transposed_convolution():
    def conv(title, attributes, channels, outputs, kernel, bias=True, groups=1, **keywords):
        case = Case("transposed_convolution", title)
        x = case.parameter("x", 2, 3, 4, channels)
        w = case.parameter("w", channels, *kernel, outputs // groups)
        b = case.parameter("b", outputs) if bias else None
        case.op("conv_transpose2d a (x, w%s) %s" % (", b" if bias else "", attributes))
        y = F.conv_transpose2d(to_channels_first(x), to_channels_first(w), b, groups=groups, **keywords)
        case.train("a.out", to_channels_last(y))

    conv("conv_transpose2d", "", 2, 3, (3, 2))
    conv("conv_transpose2d without bias", "stride=2 padding=1", 2, 3, (3, 3), bias=False, stride=2, padding=1)
    conv("conv_transpose2d, output padding", "stride=2,3 padding=1 output_padding=1,2", 2, 2, (3, 3), stride=(2, 3),
         padding=1, output_padding=(1, 2))
    conv("conv_transpose2d, groups and dilation", "groups=2 dilation=2", 4, 6, (2, 2), groups=2, dilation=2)


def convolution():
    def conv(title, attributes, channels, outputs, kernel, size=(6, 5), bias=True, groups=1, **keywords):
        case = Case("convolution", title)
        x = case.parameter("x", 2, *size, channels)
        w = case.parameter("w", outputs, *kernel, channels // groups)
        b = case.parameter("b", outputs) if bias else None
        case.op("conv2d a (x, w%s) %s" % (", b" if bias else "", attributes))
        y = F.conv2d(to_channels_first(x), to_channels_first(w), b, groups=groups, **keywords)
        case.train("a.out", to_channels_last(y))

    conv("conv2d", "padding=1", 2, 3, (3, 3), padding=1)
    conv("conv2d without bias", "stride=2", 2, 3, (3, 2), bias=False, stride=2)
    conv("conv2d, stride and padding by direction", "stride=2,1 padding=1,2", 2, 3, (3, 5), stride=(2, 1),
         padding=(1, 2))
    conv("conv2d, dilation", "dilation=2 padding=2", 2, 2, (3, 3), dilation=2, padding=2)
    conv("conv2d, groups", "groups=2 padding=1", 4, 6, (3, 3), groups=2, padding=1)
    conv("conv2d, depthwise", "groups=3 stride=2", 3, 6, (3, 3), groups=3, stride=2)
    conv("conv2d, 1x1", "", 3, 4, (1, 1))


def pooling():
    def pool(title, line, function, size=(6, 5)):
        case = Case("pooling", title)
        x = case.parameter("x", 2, *size, 2)
        kind, *attributes = line.split(" ")
        case.op(" ".join([kind, "a", "(x)"] + attributes))
        case.train("a.out", to_channels_last(function(to_channels_first(x))))

    pool("max_pool2d", "max_pool2d size=2", lambda x: F.max_pool2d(x, 2))
    pool("max_pool2d, overlapping", "max_pool2d size=3 stride=2 padding=1", lambda x: F.max_pool2d(x, 3, 2, 1))
    pool("max_pool2d by direction", "max_pool2d size=3,2 stride=1,2 padding=1,0",
         lambda x: F.max_pool2d(x, (3, 2), (1, 2), (1, 0)))
    pool("average_pool2d", "average_pool2d size=2", lambda x: F.avg_pool2d(x, 2))
    pool("average_pool2d, overlapping", "average_pool2d size=3 stride=2 padding=1", lambda x: F.avg_pool2d(x, 3, 2, 1))
    for name, function in (("max", F.adaptive_max_pool2d), ("average", F.adaptive_avg_pool2d)):
        kind = "adaptive_%s_pool2d" % name
        pool(kind + ", global", kind, lambda x: function(x, 1))
        pool(kind, kind + " size=4,3", lambda x: function(x, (4, 3)))
        pool(kind + ", larger than the image", kind + " size=4", lambda x: function(x, 4), size=(3, 2))


def normalization():
    for mode in ("training", "inference"):
        case = Case("normalization", "batch_norm in " + mode, mode)
        x, w, b = case.parameter("x", 3, 2, 2, 3), case.parameter("w", 3, positive=True), case.parameter("b", 3)
        mean, variance = case.state("mean", 3), case.state("variance", 3, positive=True)
        case.op("batch_norm n (x, w, b, mean, variance) momentum=0.2 epsilon=0.001")
        y = to_channels_last(F.batch_norm(to_channels_first(x), mean, variance, w, b, mode == "training", 0.2, 0.001))
        if mode == "training":
            case.train("n.out", y)
        else:
            case.compare("n.out", y)
    for bias in (True, False):
        case = Case("normalization", "layer_norm with bias" if bias else "layer_norm without bias")
        x, w = case.parameter("x", 2, 3, 6), case.parameter("w", 6, positive=True)
        b = case.parameter("b", 6) if bias else None
        case.op("layer_norm n (x, w, b)" if bias else "layer_norm n (x, w) epsilon=0.01")
        case.train("n.out", F.layer_norm(x, (6,), w, b, 1e-5 if bias else 0.01))
    # the mean is kept in f32, so that a row a thousand deviations from zero would lose four digits
    case = Case("normalization", "layer_norm far from zero")
    x, w = case.parameter("x", value=20 + case.draw((4, 8))), case.parameter("w", 8)
    case.op("layer_norm n (x, w)")
    case.train("n.out", F.layer_norm(x, (8,), w))
    for epsilon in (None, 0.01):
        case = Case("normalization", "rms_norm" if epsilon is None else "rms_norm with epsilon")
        x, w = case.parameter("x", 2, 3, 6), case.parameter("w", 6, positive=True)
        case.op("rms_norm n (x, w)" + ("" if epsilon is None else " epsilon=0.01"))
        # the default is the machine epsilon of the input's type; in f32 this one
        case.train("n.out", F.rms_norm(x, (6,), w, torch.finfo(torch.float32).eps if epsilon is None else epsilon))
    for groups in (1, 2, 6):
        case = Case("normalization", "group_norm in %d" % groups)
        x, w, b = case.parameter("x", 2, 3, 2, 6), case.parameter("w", 6, positive=True), case.parameter("b", 6)
        case.op("group_norm n (x, w, b) groups=%d" % groups)
        case.train("n.out", to_channels_last(F.group_norm(to_channels_first(x), groups, w, b)))
    case = Case("normalization", "group_norm without positions")
    x, w, b = case.parameter("x", 3, 6), case.parameter("w", 6, positive=True), case.parameter("b", 6)
    case.op("group_norm n (x, w, b) groups=2 epsilon=0.1")
    case.train("n.out", F.group_norm(x, 2, w, b, 0.1))
    for kind, function in (("softmax", F.softmax), ("log_softmax", F.log_softmax)):
        case = Case("normalization", kind)
        x = case.parameter("x", 2, 3, 5, scale=2)
        case.op(kind + " a (x)")
        case.train("a.out", function(x, dim=-1))


def arrangement():
    def unary(title, shape, line, function):
        case = Case("arrangement", title)
        x = case.parameter("x", *shape)
        kind, *attributes = line.split(" ")
        case.op(" ".join([kind, "a", "(x)"] + attributes))
        case.train("a.out", function(x))

    unary("flatten", (2, 3, 2), "flatten", lambda x: x.flatten(1))
    unary("reshape", (2, 6), "reshape shape=3,-1", lambda x: x.reshape(2, 3, 2))
    unary("transpose", (2, 3, 4, 5), "transpose order=3,1,2", lambda x: x.permute(0, 3, 1, 2))
    unary("transpose of two axes", (2, 3, 4), "transpose order=2,1", lambda x: x.transpose(1, 2))
    unary("slice", (2, 5, 3), "slice axis=1 start=1 size=3", lambda x: x.narrow(1, 1, 3))
    unary("slice to the end", (2, 5), "slice start=2", lambda x: x[:, 2:])
    for operation, function in (("sum", torch.sum), ("mean", torch.mean), ("max", torch.amax)):
        for axes in ((1,), (2, 3), (1, 3), (1, 2, 3)):
            unary("reduce by %s over %s" % (operation, sizes(axes)), (2, 3, 2, 4),
                  "reduce operation=%s axes=%s" % (operation, ",".join(map(str, axes))),
                  lambda x: function(x, dim=axes))
    case = Case("arrangement", "reduce by max with equal maxima")
    x = case.parameter("x", value=torch.tensor([[1.0, 3, 3, 2], [5, 5, 5, 0]]))
    case.op("reduce a (x) operation=max axes=1")
    case.train("a.out", torch.amax(x, dim=1))

    case = Case("arrangement", "concatenate")
    a, b, c = case.parameter("a", 2, 3, 2), case.parameter("b", 2, 1, 2), case.parameter("c", 2, 4, 2)
    case.op("concatenate y (a, b, c) axis=1")
    case.train("y.out", torch.cat((a, b, c), dim=1))
    case = Case("arrangement", "concatenate along the last axis, one twice")
    a, b = case.parameter("a", 2, 3), case.parameter("b", 2, 2)
    case.op("concatenate y (a, b, a)")
    case.train("y.out", torch.cat((a, b, a), dim=-1))
    case = Case("arrangement", "split, all parts read")
    x = case.parameter("x", 2, 6, 2)
    case.op("split s (x) axis=1 sizes=2,2,2")
    case.op("multiply m (s.out, s.out.2)")
    case.op("add y (m.out, s.out.3)")
    first, second, third = torch.split(x, [2, 2, 2], dim=1)
    case.train("y.out", first * second + third)
    case = Case("arrangement", "split, only the middle read")
    x = case.parameter("x", 2, 6)
    case.op("split s (x) sizes=1,3,2")
    case.op("tanh y (s.out.2)")
    case.train("y.out", torch.tanh(torch.split(x, [1, 3, 2], dim=1)[1]))
    for axis in (1, 2):
        case = Case("arrangement", "gather along axis %d" % axis)
        x = case.parameter("x", 2, 3, 4)
        index = case.integers("index", (3, 4)[axis - 1], *((2, 5, 4) if axis == 1 else (2, 3, 2)))
        case.op("gather y (x, index) axis=%d" % axis)
        case.train("y.out", torch.gather(x, axis, index))


def losses():
    def cross_entropy(title, shape, attributes="", weighted=False, ignore=-100, smoothing=0.0):
        case = Case("losses", title)
        x = case.parameter("x", *shape, scale=2)
        labels = torch.randint(0, shape[-1], shape[:-1], generator=case.generator)
        if ignore < 0:
            labels.reshape(-1)[1] = ignore
        weights = case.draw((shape[-1],), positive=True) if weighted else None
        case.op("reshape y (x) shape=" + ",".join(map(str, shape[1:])))
        extra = ["class_weights %d : %s" % (shape[-1], show(weights))] if weighted else []
        rows = x.reshape(-1, shape[-1]).argmax(-1)
        counted = labels.reshape(-1) != ignore
        extra.append("expect correct : %d" % int(((rows == labels.reshape(-1)) & counted).sum()))
        case.train("y.out", x, ("cross_entropy " + attributes).strip(),
                   lambda y, t: F.cross_entropy(y.reshape(-1, shape[-1]), t.reshape(-1), weights, ignore_index=ignore,
                                                label_smoothing=smoothing), labels, extra)

    cross_entropy("cross_entropy", (5, 4))
    cross_entropy("cross_entropy of sequences", (2, 3, 5))
    cross_entropy("cross_entropy, label smoothing", (5, 4), "label_smoothing=0.1", smoothing=0.1)
    cross_entropy("cross_entropy, class weights", (6, 4), weighted=True)
    cross_entropy("cross_entropy, another ignored index", (8, 3), "ignore_index=1", ignore=1)
    cross_entropy("cross_entropy, all at once", (9, 4), "label_smoothing=0.2 ignore_index=2", True, 2, 0.2)

    def plain(title, line, function, targets=None, shape=(4, 3), count=False):
        case = Case("losses", title)
        x = case.parameter("x", *shape, scale=2)
        expected = case.draw(shape) if targets is None else rounded(targets(case))
        extra = ["expect correct : %d" % int(((x > 0) == (expected > 0.5)).sum())] if count else []
        case.op("reshape y (x) shape=" + ",".join(map(str, shape[1:])))
        case.train("y.out", x, line, function, expected, extra)

    plain("mse", "mse", F.mse_loss)
    plain("mae", "mae", F.l1_loss)
    plain("huber", "huber", F.huber_loss)
    plain("huber with delta", "huber delta=0.4", lambda y, t: F.huber_loss(y, t, delta=0.4))
    plain("binary_cross_entropy", "binary_cross_entropy", F.binary_cross_entropy_with_logits,
          lambda case: torch.randint(0, 2, (4, 3), generator=case.generator).double(), count=True)
    plain("binary_cross_entropy of probabilities", "binary_cross_entropy", F.binary_cross_entropy_with_logits,
          lambda case: torch.rand((4, 3), generator=case.generator), count=True)

    def distillation(temperature):
        return lambda y, t: temperature ** 2 * F.kl_div(
            F.log_softmax(y.reshape(-1, y.shape[-1]) / temperature, -1),
            F.log_softmax(t.reshape(-1, t.shape[-1]) / temperature, -1), reduction="batchmean", log_target=True)

    plain("kl", "kl", distillation(1.0))
    plain("kl with a temperature", "kl temperature=3.5", distillation(3.5))
    plain("kl of sequences", "kl temperature=2", distillation(2.0), shape=(2, 3, 4))


def attention(x, heads, causal):
    """Of x (B,T,3C), queries, keys and values side by side."""
    batch, length, width = x.shape[0], x.shape[1], x.shape[2] // 3
    q, k, v = (part.reshape(batch, length, heads, width // heads).transpose(1, 2) for part in x.split(width, dim=2))
    y = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    return y.transpose(1, 2).reshape(batch, length, width)


def sequence():
    case = Case("sequence", "embedding")
    table, tokens = case.parameter("table", 6, 3), case.integers("tokens", 6, 2, 5)
    case.op("embedding e (table, tokens)")
    case.train("e.out", F.embedding(tokens, table))
    case = Case("sequence", "position")
    x, table = case.parameter("x", 2, 3, 4), case.parameter("table", 5, 4)
    case.op("position p (x, table)")
    case.train("p.out", x + table[:3])
    case = Case("sequence", "position with an offset")
    x, table = case.parameter("x", 2, 3, 4), case.parameter("table", 5, 4)
    offset = case.tensor("integers", "offset", torch.tensor([2]))
    case.op("position p (x, table, offset)")
    case.train("p.out", x + table[int(offset):int(offset) + 3])
    for causal in (False, True):
        for heads in (1, 2):
            case = Case("sequence", "%s attention of %d heads" % ("causal" if causal else "full", heads))
            x = case.parameter("x", 2, 5, 12)
            case.op("attention a (x) heads=%d causal=%d" % (heads, causal))
            case.train("a.out", attention(x, heads, causal))
    case = Case("sequence", "attention with a cache", "inference")
    whole = case.draw((2, 5, 12))
    x = case.parameter("x", value=whole[:, 3:])  # the last two of five places
    keys, values = torch.zeros(2, 6, 4), torch.zeros(2, 6, 4)
    keys[:, :3], values[:, :3] = whole[:, :3, 4:8], whole[:, :3, 8:]
    keys, values = case.state("keys", value=keys), case.state("values", value=values)
    case.tensor("integers", "offset", torch.tensor([3]))
    case.op("attention a (x, keys, values, offset) heads=2 causal=1")
    keys[:, 3:5], values[:, 3:5] = whole[:, 3:, 4:8], whole[:, 3:, 8:]
    case.compare("a.out", attention(whole, 2, True)[:, 3:])


def recurrent():
    for kind, module, gates in (("lstm", torch.nn.LSTM, 4), ("gru", torch.nn.GRU, 3)):
        def call(x, weights, *states):
            names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
            arguments = [part.unsqueeze(0) for part in states]
            arguments = (x,) if not states else (x, tuple(arguments) if kind == "lstm" else arguments[0])
            y, last = torch.func.functional_call(module(3, 4, batch_first=True), dict(zip(names, weights)), arguments)
            return y, [part.squeeze(0) for part in (last if kind == "lstm" else [last])]

        def weights(case):
            return [case.parameter("wi", gates * 4, 3, scale=0.5), case.parameter("wh", gates * 4, 4, scale=0.5),
                    case.parameter("bi", gates * 4), case.parameter("bh", gates * 4)]

        case = Case("recurrent", kind)
        x, all_weights = case.parameter("x", 2, 5, 3), weights(case)
        case.op(kind + " r (x, wi, wh, bi, bh)")
        case.train("r.out", call(x, all_weights)[0])
        case = Case("recurrent", kind + " with states", "inference")
        x, all_weights = case.parameter("x", 2, 2, 3), weights(case)
        states = [case.state(name, 2, 4) for name in ("hidden", "cell")[:gates - 2]]
        case.op("%s r (x, wi, wh, bi, bh, %s)" % (kind, ", ".join(case.states)))
        y, last = call(x, all_weights, *states)
        for name, value in zip(list(case.states), last):
            case.states[name] = value
        case.compare("r.out", y)


def rounded_products():
    case = Case("rounded_products", "dense in bf16")
    x, w, b = case.parameter("x", 3, 5), case.parameter("w", 4, 5), case.parameter("b", 4)
    case.op("dense a (x, w, b) precision=bf16")
    case.train("a.out", RoundedProduct.apply(x, w, F.linear) + b)
    case = Case("rounded_products", "matmul in bf16")
    a, b = case.parameter("a", 2, 4, 3), case.parameter("b", 2, 4, 5)
    case.op("matmul c (a, b) transpose_a=1 precision=bf16")
    case.train("c.out", RoundedProduct.apply(a, b, lambda left, right: torch.matmul(left.mT, right)))
    case = Case("rounded_products", "conv2d in bf16")
    x, w, b = case.parameter("x", 2, 5, 4, 3), case.parameter("w", 4, 3, 3, 3), case.parameter("b", 4)
    case.op("conv2d a (x, w, b) padding=1 stride=2 precision=bf16")
    y = RoundedProduct.apply(to_channels_first(x), to_channels_first(w), lambda i, k: F.conv2d(i, k, None, 2, 1))
    case.train("a.out", to_channels_last(y + RoundedGradient.apply(b.view(1, 4, 1, 1).expand_as(y))))


def main():
    torch.set_default_dtype(torch.float64)
    for family in (elementwise, linear, convolution, transposed_convolution, pooling, normalization, arrangement,
                   losses, sequence, recurrent,
                   rounded_products):
        family()
    for name, cases in FILES.items():
        with open(os.path.join(FOLDER, name + ".txt"), "w") as file:
            file.write("# Written by operations.py with PyTorch; do not edit.\n")
            for case in cases:
                file.write("\n" + "\n".join(case.lines) + "\n")


if __name__ == "__main__":
    main()
