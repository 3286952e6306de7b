#include "engine/execute/executor.h"

#include "engine/execute/cpu_executor.h"
#include "engine/execute/device_executor.h"
#include "engine/execute/weights.h"
#include "kernels/base/text.h"

namespace millrace::execute {

using Arena = compile::Placement::Arena;

Result<std::unique_ptr<Executor>> Executor::create(compile::Program program, std::shared_ptr<Weights> weights,
                                                   int threads)
{
    const auto& content = weights->m_content;
    if (Weights::Content::entriesOf(program, Arena::Parameters) != content->parameterEntries ||
        Weights::Content::entriesOf(program, Arena::States) != content->stateEntries)
        return makeError(Code::InvalidArgument, "The weights belong to another model: names, shapes or order of its "
                                                "parameters differ.");
    if (!weights->place().device) return CpuExecutor::create(std::move(program), std::move(weights), threads);
    MR_TRY(auto executor, DeviceExecutor::create(std::move(program), std::move(weights)));
    return std::unique_ptr<Executor>(std::move(executor));
}

template <class T> Result<std::span<T>> Executor::port(std::string_view name, DType type)
{
    MR_TRY(const graph::TensorId id, m_program.graph.port(name));
    if (m_program.graph.tensor(id).type != type)
        return makeError(Code::InvalidArgument,
                         str("The port \"", name, "\" holds ", millrace::name(m_program.graph.tensor(id).type),
                             ", not ", millrace::name(type), "."));
    std::byte* values = hostAddress(id);
    if (!values) return makeError(Code::Unsupported, str("The port \"", name, "\" stays in the GPU's memory."));
    return std::span<T>(reinterpret_cast<T*>(values), elements(id));
}

Result<std::span<float>> Executor::floats(std::string_view name)
{
    return port<float>(name, DType::F32);
}

Result<std::span<std::int32_t>> Executor::integers(std::string_view name)
{
    return port<std::int32_t>(name, DType::I32);
}

} // namespace millrace::execute
