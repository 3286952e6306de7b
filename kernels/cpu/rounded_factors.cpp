#include "kernels/cpu/rounded_factors.h"

#include "kernels/cpu/product.h"

#include <array>

namespace millrace::kernels::cpu {

namespace {

constexpr std::size_t kMostInputs = 4;

class WithRoundedFactors final : public Kernel
{
public:
    WithRoundedFactors(std::unique_ptr<Kernel> kernel, std::vector<std::int64_t> elements, int threads)
        : m_kernel(std::move(kernel)), m_elements(std::move(elements)), m_threads(threads)
    {
    }
    std::uint64_t scratchBytes() const override
    {
        std::uint64_t bytes = m_kernel->scratchBytes();
        for (const std::int64_t count : m_elements) bytes += bytesOf(count);
        return bytes;
    }
    void run(const Arguments& arguments) override
    {
        std::array<const void*, kMostInputs> inputs{};
        std::byte* free = arguments.scratch;
        for (std::size_t i = 0; i < m_elements.size(); ++i) {
            inputs[i] = arguments.inputs[i];
            if (m_elements[i] == 0 || !inputs[i]) continue;
            auto* rounded = reinterpret_cast<float*>(free);
            roundToBf16(arguments.input(i), m_elements[i], rounded, m_threads);
            inputs[i] = rounded;
            free += bytesOf(m_elements[i]);
        }
        Arguments own = arguments;
        own.inputs = std::span<const void* const>(inputs.data(), m_elements.size());
        own.scratch = free;
        m_kernel->run(own);
    }

private:
    static std::uint64_t bytesOf(std::int64_t count)
    {
        return (static_cast<std::uint64_t>(count) * sizeof(float) + 63) / 64 * 64;
    }

    std::unique_ptr<Kernel> m_kernel;
    std::vector<std::int64_t> m_elements;
    int m_threads;
};

} // namespace

std::unique_ptr<Kernel> makeWithRoundedFactors(std::unique_ptr<Kernel> kernel, std::vector<std::int64_t> elements,
                                               int threads)
{
    return std::make_unique<WithRoundedFactors>(std::move(kernel), std::move(elements), threads);
}

} // namespace millrace::kernels::cpu
