// The likeliest continuation of texts: each next token is the one with the largest logit. On a GPU the choice is made
// there, so that a token needs no word from the host, which waits once for all of them.
#pragma once

#include "engine/execute/executor.h"

#include <memory>
#include <span>
#include <vector>

namespace millrace::generate {

class Greedy
{
public:
    /// `executor`: of the graph of pipeline::buildDecoder for one step of any number of texts; it must live as long.
    /// Errors: NotFound for another graph; those of the device.
    static Result<Greedy> create(execute::Executor& executor, const execute::Place& place);

    /// The `count` tokens that follow `tokens` (one a text), before which each text had `length` tokens. Token i of
    /// text t stands at [i * texts + t], until the next call.
    /// Errors: InvalidArgument for another number of texts; Diverged where a logit is not finite; those of the device.
    Result<std::span<const std::int32_t>> write(std::span<const std::int32_t> tokens, std::int64_t length,
                                                std::int64_t count);

private:
    struct OnDevice
    {
        std::shared_ptr<kernels::Device> device; // before its memory, which it outlives
        std::unique_ptr<kernels::Kernel> choose;
        std::unique_ptr<kernels::Memory> host; ///< pinned: the first tokens, the offsets, the tokens that follow
        std::unique_ptr<kernels::CapturedStep> step;
        std::byte *tokens = nullptr, *offset = nullptr, *logits = nullptr; ///< no offset in a recurrent model
        bool ran = false; ///< the first step is not captured: libraries load what they need
    };

    explicit Greedy(execute::Executor& executor) : m_executor(&executor) {}
    Status prepare(const std::shared_ptr<kernels::Device>& device);
    Status writeOnDevice(std::span<const std::int32_t> tokens, std::int64_t length);
    Status writeHere(std::span<const std::int32_t> tokens, std::int64_t length);
    void enqueueStep() const;

    execute::Executor* m_executor;
    std::size_t m_texts = 1, m_vocabulary = 0;
    std::vector<std::int32_t> m_written;
    std::unique_ptr<OnDevice> m_onDevice; ///< null on the CPU
};

} // namespace millrace::generate
