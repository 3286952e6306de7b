// Runs a program on the CPU: all memory and all kernels are made before the first step, none within one.
#pragma once

#include "engine/compile/program.h"

#include <cstdint>
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
    /// sqrt(5)); XavierUniform within sqrt(6/(fanIn+fanOut)); Normal has the tensor's deviation. Errors: OutOfMemory.
    static Result<std::shared_ptr<Weights>> create(const compile::Program& program, std::uint64_t seed);

    struct Named
    {
        std::string name;
        Shape shape;
        bool decay;
        std::span<float> values;
    };
    std::span<float> parameters(); ///< flat, padding between tensors is zero
    std::span<float> states();
    std::vector<Named> namedParameters(); ///< in graph order
    std::vector<Named> namedStates();

private:
    struct Content;
    std::shared_ptr<Content> m_content; // shared with every executor that runs on these weights
    friend class Executor;
};

class Executor
{
public:
    /// `threads`: how many the kernels may use (0: all). Errors: OutOfMemory; Unsupported naming operation and layer;
    /// InvalidArgument where the weights are those of another model.
    static Result<std::unique_ptr<Executor>> create(compile::Program program, std::shared_ptr<Weights> weights,
                                                    int threads);
    ~Executor();

    /// One execution of the whole program. `step` is the counter that dropout draws from (with `seed`).
    /// The same inputs, weights, seed, step and number of threads give the same bits. No allocation, no lock.
    /// Errors: Diverged naming the first layer whose output is not finite, where `checkFinite`.
    Status run(std::uint64_t seed, std::uint64_t step, bool checkFinite = false);

    /// What each operation of the program takes, in the order of execution.
    struct OperationTime
    {
        std::string kind, layer;
        double seconds = 0;
        graph::Cost cost;
    };
    /// Runs the program once and takes the time of each operation; about a microsecond more each than run() takes.
    std::vector<OperationTime> time(std::uint64_t seed, std::uint64_t step);

    /// A port's values; the caller writes inputs and reads outputs. Errors: NotFound.
    Result<std::span<float>> floats(std::string_view port);
    Result<std::span<std::int32_t>> integers(std::string_view port);
    std::span<float> gradients(); ///< flat, same layout as Weights::parameters()
    /// The name of the first layer (in execution order) with a NaN or infinity in an output or gradient; empty if none.
    /// Computes the last step once more and looks after every operation, because by the end of a run much of what it
    /// computed is overwritten; so call it before inputs or parameters change. States are left as they were.
    std::string firstNonFinite() const;
    const compile::Program& program() const;
    /// What was allocated in all, in bytes: arenas and kernels' scratch.
    std::uint64_t memoryBytes() const;

private:
    Executor();
    struct Implementation;
    std::unique_ptr<Implementation> m_implementation;
};

} // namespace millrace::execute
