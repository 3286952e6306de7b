// Runs a program: all memory and all kernels are made before the first step, none within one.
#pragma once

#include "engine/execute/place.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::execute {

/// Parameters and states of a model, shared by the training and the evaluation program of one graph
/// (both programs place them at the same offsets, because both come from the same forward graph).
class Weights
{
public:
    /// Draws every parameter and state from (seed, streamOf(its name)). KaimingUniform is uniform within 1/sqrt(fanIn),
    /// weights and biases alike, as PyTorch starts its linear and convolution layers (Kaiming's bound with a =
    /// sqrt(5)); XavierUniform within sqrt(6/(fanIn+fanOut)); Normal has the tensor's deviation. The same numbers at
    /// every place. Errors: OutOfMemory, those of the device.
    static Result<std::shared_ptr<Weights>> create(const compile::Program& program, std::uint64_t seed,
                                                   const Place& place = {});
    const Place& place() const;

    struct Named
    {
        std::string name;
        Shape shape;
        bool decay;
        std::span<float> values; ///< empty for a state that is not f32
        std::span<std::byte> bytes;
    };
    // The host's values. Beside a GPU they are a copy: fetch() before reading, publish() after writing them.

    std::span<float> parameters(); ///< flat, padding between tensors is zero
    std::span<float> states();
    std::vector<Named> namedParameters(); ///< in graph order
    std::vector<Named> namedStates();
    /// From the GPU, after all that is enqueued. Nothing to do on the CPU. Errors: those of the device.
    Status fetch();
    /// To the GPU, with the mirror. Nothing to do on the CPU. Errors: those of the device.
    Status publish();
    /// The states alone. Errors: those of the device.
    Status publishStates();

    /// For what changes them where they are: addresses in the GPU's memory. Only where the place has a device.
    struct OnDevice
    {
        float* parameters;
        void* mirror; ///< or null
        kernels::StepControl* control;
        kernels::StepOutcome* outcome;
    };
    OnDevice onDevice() const;
    /// Enqueues the mirror's copy of the parameters.
    void refreshMirror();

private:
    struct Content;
    std::shared_ptr<Content> m_content; // shared with every executor that runs on these weights
    friend class Executor;
    friend class CpuExecutor;
    friend class DeviceExecutor;
};

class Executor
{
public:
    /// On the CPU or the GPU, as the weights' place says; a program for a GPU comes from planFor. `threads`: how many
    /// the CPU's kernels may use (0: all). Errors: OutOfMemory; Unsupported naming operation and layer;
    /// InvalidArgument where the weights are those of another model; those of the device.
    static Result<std::unique_ptr<Executor>> create(compile::Program program, std::shared_ptr<Weights> weights,
                                                    int threads);
    virtual ~Executor() = default;

    /// One execution of the whole program; when it returns, ports hold its results. `step` is the counter that dropout
    /// draws from (with `seed`). The same inputs, weights, seed, step and number of threads give the same bits. On the
    /// CPU no allocation and no lock.
    /// Errors: Diverged naming the first layer whose output is not finite, where `checkFinite`; those of the device.
    virtual Status run(std::uint64_t seed, std::uint64_t step, bool checkFinite = false) = 0;

    /// What each operation of the program takes, in the order of execution.
    struct OperationTime
    {
        std::string kind, layer;
        double seconds = 0;
        graph::Cost cost;
    };
    /// Runs the program once and takes the time of each operation; about a microsecond more each than run() takes, on a
    /// GPU the mean of several runs of each.
    virtual std::vector<OperationTime> time(std::uint64_t seed, std::uint64_t step) = 0;

    /// A port's values in the host's memory; the caller writes inputs and reads outputs. Errors: NotFound.
    Result<std::span<float>> floats(std::string_view port);
    Result<std::span<std::int32_t>> integers(std::string_view port);
    /// Flat, same layout as Weights::parameters(); on a GPU a copy that this call makes.
    virtual std::span<float> gradients() = 0;
    /// The name of the first layer (in execution order) with a NaN or infinity in an output or gradient; empty if none.
    /// Computes the last step once more and looks after every operation, because by the end of a run much of what it
    /// computed is overwritten; so call it before inputs or parameters change. States are left as they were.
    virtual std::string firstNonFinite() const = 0;
    const compile::Program& program() const { return m_program; }
    /// Has run() call this after each operation, with its index, once it was executed or (on a GPU) enqueued: for what
    /// goes on beside the run, such as the exchange of gradients that are done. Empty: nothing.
    void afterEach(std::function<void(std::size_t)> call) { m_afterEach = std::move(call); }
    /// What was allocated in all, in bytes: arenas and kernels' scratch.
    virtual std::uint64_t memoryBytes() const = 0;

protected:
    Executor(compile::Program program, std::shared_ptr<Weights::Content> weights)
        : m_program(std::move(program)), m_weights(std::move(weights))
    {
    }
    /// Where the host finds the values of a port's tensor.
    virtual std::byte* hostAddress(graph::TensorId id) = 0;
    std::size_t elements(graph::TensorId id) const
    {
        return static_cast<std::size_t>(m_program.graph.tensor(id).shape.elements());
    }

    compile::Program m_program;
    std::shared_ptr<Weights::Content> m_weights; // shared with the other executors of the same model
    std::function<void(std::size_t)> m_afterEach;

private:
    template <class T> Result<std::span<T>> port(std::string_view name, DType type);
};

} // namespace millrace::execute
