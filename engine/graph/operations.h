// The table of operation kinds: what each takes and gives, its shape rule, its gradient rule, its cost and what its
// memory may share. Adding an operation is adding one row, in the file of its family (kinds/).
//
// Images are NHWC: (B,H,W,C). Square brackets mark what may be absent.
//
// Types. All tensors of an operation have one storage type, f32, bf16 or f16, but for those that the rows mark: labels,
// tokens, offsets and indices are i32; scales and biases of norms, statistics (mean, rstd, logsumexp, running_mean, …),
// losses, hits, class weights and the gradients of parameters are f32 whatever the storage type is. Kinds marked
// f32Alone know no other storage type.
//
//   kind            inputs                                    attributes (default)                 outputs
//   dense           x (B,…,I), weight (O,I), [bias (O)]                                            out (B,…,O)
//   conv2d          x (B,H,W,C), weight (O,KH,KW,C/groups),   stride (1), padding (0),             out (B,OH,OW,O)
//                   [bias (O)]                                dilation (1), groups (1)
//   conv_transpose2d  x (B,H,W,C), weight (C,KH,KW,O/groups),  stride (1), padding (0),          out (B,OH,OW,O)
//                   [bias (O)]                                output_padding (0), dilation (1),
//                                                             groups (1)
//   matmul          a (B,…,M,K), b (B,…,K,N)                  transpose_a (0), transpose_b (0):    out (B,…,M,N)
//                                                             that input has its last two axes
//                                                             exchanged
//   max_pool2d      x (B,H,W,C)                               size, stride (size), padding (0)     out (B,OH,OW,C)
//   average_pool2d  x (B,H,W,C)                               size, stride (size), padding (0)     out (B,OH,OW,C)
//   adaptive_max_pool2d, adaptive_average_pool2d
//                   x (B,H,W,C)                               size (1)                             out (B,size,C)
//   batch_norm      x (B,…,C), scale (C), bias (C),           momentum (0.1), epsilon (1e-5)       out, as x; mean,
//                   running_mean (C), running_variance (C)                                         rstd (C)
//   relu            x                                                                              out, as x
//   tanh            x                                                                              out, as x
//   sigmoid         x                                                                              out, as x
//   gelu            x                                         approximate ("none"; or "tanh")      out, as x
//   dropout         x                                         probability (0.5), stream (layer's)  out, as x
//   flatten         x (B,…)                                                                        out (B,product)
//   reshape         x (B,…)                                   shape (without the batch)            out (B,shape…)
//   leaky_relu      x                                         slope (0.01)                         out, as x
//   silu            x                                                                              out, as x
//   elu             x                                         alpha (1)                            out, as x
//   softplus        x                                                                              out, as x
//   add             a, b of one shape                                                              out, as a
//   multiply        a, b of one shape                                                              out, as a
//   softmax         x (…,C), over the last axis                                                    out, as x
//   log_softmax     x (…,C), over the last axis                                                    out, as x
//   layer_norm      x (…,C), scale (C), [bias (C)]            epsilon (1e-5)                       out, as x; mean,
//                                                                                                  rstd (…)
//   rms_norm        x (…,C), scale (C)                        epsilon (1.1920929e-7)               out, as x; rstd (…)
//   group_norm      x (B,…,C), scale (C), bias (C)            groups (1), epsilon (1e-5)           out, as x; mean,
//                                                                                                  rstd (B,groups)
//   concatenate     a, b, … alike but along the axis          axis (-1)                            out
//   split           x                                         axis (-1), sizes                     out, one per size
//   slice           x                                         axis (-1), start (0), size (rest)    out
//   transpose       x (B,…)                                   order of the axes 1, 2, …            out
//   gather          x, index i32 alike but along the axis     axis (-1)                            out, as index
//   reduce          x (B,…)                                   operation ("sum"; "mean", "max"),    out, without the
//                                                             axes                                 axes
//   cross_entropy   logits (…,C), labels (…) i32,             label_smoothing (0),                 loss (1), correct
//                   [class weights (C)]                       ignore_index (-100)
//   binary_cross_entropy  logits, targets of one shape                                             loss (1), correct
//   mse             prediction, targets of one shape                                               loss (1)
//   mae             prediction, targets of one shape                                               loss (1)
//   huber           prediction, targets of one shape          delta (1)                            loss (1)
//   kl              logits, teacher's logits of one shape     temperature (1)                      loss (1)
//   embedding       table (V,C), tokens (…) i32                                                    out (…,C)
//   position        x (B,T,C), table (L,C), [offset (1) i32]                                       out, as x
//   attention       qkv (B,T,3C), [key_cache, value_cache     heads (1), causal (0)                out (B,T,C);
//                   (B,L,C), offset (1) i32]                                                       logsumexp
//                   (B,heads,T)
//   lstm            x (B,T,I), weight_input (4H,I), weight_hidden (4H,H), bias_input,              out (B,T,H); cells,
//   as
//                   bias_hidden (4H), [hidden, cell (B,H)]                                         out; gates (B,T,4H)
//   gru             x (B,T,I), weight_input (3H,I), weight_hidden (3H,H), bias_input,              out (B,T,H); gates
//                   bias_hidden (3H), [hidden (B,H)]                                               (B,T,3H), product
//
// lstm and gru with states (role State) carry them from call to call; they then have no other outputs and no gradient.
// dense, conv2d, matmul and their backward kinds take precision ("f32"; or "bf16", "tf32": their factors are rounded to
// bfloat16, or may be rounded to TF32 on devices that have it; sums and tensors stay f32).
//
// attention with caches (role State) is its form for inference: it writes the new keys and values behind `offset`
// places of them, sees offset+T places, and has no logsumexp and no gradient.
//
// Axes count from 0, the batch, which stays as it is; a negative one counts from the end.
// stride, padding, dilation and size are one integer for both directions or a list {vertical, horizontal}. An output
// has floor((H + 2·padding - dilation·(size-1) - 1) / stride) + 1 rows. Average pooling counts padded cells as zeros,
// as PyTorch does. batch_norm's running_mean and running_variance (role State) are updated in training:
// running = (1-momentum)·running + momentum·batch. dropout's stream is a number; left out, it follows from the layer's
// name. One size in reshape's shape may be -1 and takes what is left. loss is the mean over the rows (all axes but
// the last; cross_entropy by their labels' weights) for cross_entropy and kl, over all elements for the others; correct
// is the number of rows whose largest logit is the label's (binary_cross_entropy: of elements on their target's side),
// as f32. The model builder adds no loss: compile::withGradients and compile::withLoss do, for the port "output".
//
// What gradient rules add (dy is the gradient of out; height and width are those of x; dbias comes
// where bias is 1):
//
//   dense_backward_data       weight, dy                                                   dx
//   dense_backward_weights    x, dy                      bias                              dweight, [dbias]
//   conv2d_backward_data      weight, dy                 conv2d's, height, width           dx
//   conv2d_backward_weights   x, dy                      conv2d's, size, bias              dweight, [dbias]
//   conv_transpose2d_backward_data     weight, dy        conv_transpose2d's                dx
//   conv_transpose2d_backward_weights  x, dy             conv_transpose2d's, size, bias    dweight, [dbias]
//   max_pool2d_backward       x, dy                      max_pool2d's                      dx
//   average_pool2d_backward   dy                         average_pool2d's, height, width   dx
//   batch_norm_backward       x, scale, mean, rstd, dy   batch_norm's                      dx, dscale, dbias
//   relu_backward             y, dy                                                        dx
//   tanh_backward             y, dy                                                        dx
//   sigmoid_backward          y, dy                                                        dx
//   softmax_backward          y, dy                                                        dx
//   log_softmax_backward      y, dy                                                        dx
//   leaky_relu_backward       y, dy                      leaky_relu's                      dx
//   silu_backward             x, dy                                                        dx
//   elu_backward              y, dy                      elu's                             dx
//   softplus_backward         y, dy                                                        dx
//   layer_norm_backward       x, scale, mean, rstd, dy   layer_norm's, bias                dx, dscale, [dbias]
//   rms_norm_backward         x, scale, rstd, dy         rms_norm's                        dx, dscale
//   group_norm_backward       x, scale, mean, rstd, dy   group_norm's                      dx, dscale, dbias
//   adaptive_max_pool2d_backward      x, dy              size                              dx
//   adaptive_average_pool2d_backward  dy                 size, height, width               dx
//   split_backward            dy, … those present        split's, present                  dx
//   slice_backward            dy                         axis, start, whole (x's size)     dx
//   gather_backward           index, dy                  axis, whole                       dx
//   reduce_backward           dy                         reduce's, shape (x's)             dx
//   reduce_max_backward       x, y, dy                   reduce's, shape                   dx
//   gelu_backward             x, dy                      gelu's                            dx
//   embedding_backward        tokens i32, dy             rows                              dtable
//   position_backward         dy, [offset i32]           places                            dtable
//   attention_backward        qkv, y, logsumexp, dy      attention's                       dqkv
//   lstm_backward             x, weight_input,           data (1: dx is wanted)            dweight_input,
//                             weight_hidden, y, cells,                                     dweight_hidden, dbias_input,
//                             gates, dy                                                    dbias_hidden, [dx]
//   gru_backward              x, weight_input,           data                              as lstm_backward
//                             weight_hidden, y, gates,
//                             product, dy
//
// What compile::withFusion puts in the place of several operations, for devices that have such kernels:
//
//   dense                     activation ("relu", "gelu_tanh") after the bias; aux (1): the pre-activation is a second
//                             output, from which gelu_tanh's gradient follows
//   dense_backward_data       activation and a last input: dx times the derivative of the activation that gave x, which
//                             follows from that input (relu: its output; gelu_tanh: its input)
//   batch_norm                [addend] as a last input, activation ("relu") after it
//   batch_norm_backward       activation and a last input, its output; addend (1): a last output daddend
//   add_layer_norm            a, b, scale, [bias], epsilon -> sum, out, mean, rstd
//   layer_norm_backward       a last input that is added to dx
//
// and what compile::withStorage puts between types:  cast  x, to ("f32", "bf16", "f16") -> out, as x
//
// dropout's gradient is dropout itself (the mask is drawn again, not kept), flatten's and reshape's is reshape, add's
// is dy for both, multiply's is multiply, transpose's transpose, concatenate's split. A loss with the attribute
// gradient = 1 has the gradient of its first input as its last output: losses are where differentiation starts.
#pragma once

#include "engine/graph/graph.h"

#include <optional>
#include <span>

namespace millrace::graph {

/// An operation in its graph, as shape and cost rules see it.
class Site
{
public:
    Site(const Graph& graph, const Operation& operation) : m_graph(&graph), m_operation(&operation) {}

    const Operation* operator->() const { return m_operation; }
    const Operation& operation() const { return *m_operation; }
    bool hasInput(std::size_t index) const { return index < m_operation->inputs.size(); }
    const Tensor& input(std::size_t index) const { return m_graph->tensor(m_operation->inputs[index]); }
    const Tensor& output(std::size_t index) const { return m_graph->tensor(m_operation->outputs[index]); }
    /// The input's shape without the batch, as a message shows it: "8×8×64".
    std::string sample(std::size_t index) const;
    /// "8×8×64 from pool2".
    std::string sampleAndSource(std::size_t index) const;
    /// InvalidArgument at this layer.
    Error refuse(std::string message, std::string advice = {}) const;

private:
    const Graph* m_graph;
    const Operation* m_operation;
};

/// What a gradient rule may do: read the operation, add operations, and hand over the gradients of its inputs.
class Differentiation
{
public:
    virtual ~Differentiation() = default;
    virtual const Graph& graph() const = 0;
    virtual const Operation& operation() const = 0;
    /// The gradient of the first output. Not for losses, where differentiation starts, nor for kinds where a gradient
    /// may come to every output.
    virtual TensorId outputGradient() const = 0;
    /// The gradient of that output; nothing where the loss does not depend on it.
    virtual std::optional<TensorId> gradientOf(std::size_t output) const = 0;
    /// Whether anybody needs the gradient of that input.
    virtual bool wants(std::size_t input) const = 0;
    /// Adds an operation in the name of the same layer.
    virtual Result<std::vector<TensorId>> add(std::string kind, std::vector<TensorId> inputs,
                                              std::map<std::string, Attribute> attributes = {}) = 0;
    virtual void give(std::size_t input, TensorId gradient) = 0;
};

/// Of inputs and outputs that have the storage type of their operation, whatever that is.
inline constexpr std::nullopt_t kStored = std::nullopt;

struct InputRow
{
    std::string_view name;
    std::optional<DType> type = kStored;
    bool optional = false; ///< only the last ones
};

struct OutputType
{
    std::string_view suffix; ///< the tensor is called "<layer>.<suffix>"
    Shape shape;
    std::optional<DType> type = kStored;
};

/// When an operation only gives another shape to the same values, so that its output may be its input's memory.
enum class View
{
    Never,
    Always,
    InInference
};

struct OperationKind
{
    std::string_view name;
    std::vector<InputRow> inputs;
    std::vector<std::string_view> attributes;
    Result<std::vector<OutputType>> (*shape)(const Site&);
    double (*flops)(const Site&); ///< of one execution, a multiply-add counted as two
    /// Adds the backward operations; null for kinds without a gradient (the backward kinds themselves).
    Status (*gradient)(Differentiation&) = nullptr;
    /// The inputs (by index) whose memory the output `overwriter` may take while it is computed.
    std::vector<std::size_t> overwrites = {};
    View view = View::Never;
    std::size_t overwriter = 0;
    bool repeats = false;     ///< the last input may come any number of times
    bool everyOutput = false; ///< a gradient may come to each output, not to the first alone
    bool f32Alone = false;    ///< no kernels for other storage types
};

/// All kinds. A pointer into it stays valid.
std::span<const OperationKind> operationKinds();
/// Errors: NotFound with the nearest names.
Result<const OperationKind*> findKind(std::string_view name);
/// The type of the operation's stored inputs, and of its outputs that are stored: f32, bf16 or f16.
DType storageTypeOf(const Graph& graph, const Operation& operation);
/// Operations and bytes of one execution (a view moves none).
Cost costOf(const Graph& graph, const Operation& operation);

/// The attribute axis (default: the last) of an operation on that shape, counted from the front.
std::size_t axisOf(const Operation& operation, const Shape& shape);
/// For each axis, whether a reduce or its backward kinds reduce it.
std::vector<bool> reducedAxes(const Operation& operation, std::size_t rank);

/// A window that slides over an image, of conv2d and the pooling kinds.
struct Window
{
    std::int64_t height = 1, width = 1;
    std::int64_t strideHeight = 1, strideWidth = 1;
    std::int64_t paddingHeight = 0, paddingWidth = 0;
    std::int64_t dilationHeight = 1, dilationWidth = 1;

    std::int64_t outputHeight(std::int64_t inputHeight) const;
    std::int64_t outputWidth(std::int64_t inputWidth) const;
};
/// The window of a conv2d or of its backward kinds with that kernel size, from its attributes.
Window convolutionWindow(const Operation& operation, std::int64_t kernelHeight, std::int64_t kernelWidth);
/// The window of a pooling operation, from its attributes.
Window poolingWindow(const Operation& operation);
/// Rows and columns of an adaptive pooling operation's output, from its attributes.
std::pair<std::int64_t, std::int64_t> adaptivePoolSize(const Operation& operation);

} // namespace millrace::graph
