// Operations that move values without changing them.
#include "engine/execute/kernels/families.h"

#include <cstring>

namespace millrace::execute::families {

namespace {

/// The values as they are, for operations that only change the shape; nothing to do where the plan made it a view.
class Copy final : public cpu::Kernel
{
public:
    explicit Copy(std::size_t bytes) : m_bytes(bytes) {}
    void run(const cpu::Arguments& arguments) override
    {
        if (arguments.inputs[0] != arguments.outputs[0])
            std::memcpy(arguments.outputs[0], arguments.inputs[0], m_bytes);
    }

private:
    std::size_t m_bytes;
};

} // namespace

KernelResult makeCopy(const Site& site, Mode, int)
{
    const graph::Tensor& x = site.input(0);
    return std::make_unique<Copy>(static_cast<std::size_t>(x.shape.elements()) * sizeBytes(x.type));
}

std::span<const Row> reshaping()
{
    static const std::vector<Row> rows = {
        {"flatten", makeCopy, {in(0)}, {out(0)}},
        {"reshape", makeCopy, {in(0)}, {out(0)}},
    };
    return rows;
}

} // namespace millrace::execute::families
