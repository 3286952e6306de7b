// A device's kernels against the reference. All operands of a call lie in one piece of the device's memory, with guards
// between them; it is filled from the host before each call and read back whole after it.
#include "kernels/base/half.h"
#include "kernels/base/text.h"
#include "tests/kernels/modes.h"

#include <cmath>
#include <cstring>

namespace millrace::test {

namespace {

constexpr std::size_t kGuard = 64;
constexpr std::byte kGuardByte{0xA5};

/// How a call deviates from the plain one.
struct Variant
{
    std::string name;
    std::byte poison{0xFF};                                        ///< NaN in every type
    std::optional<std::pair<std::size_t, std::size_t>> alias = {}; ///< output and input in the same memory
    std::optional<std::size_t> unwanted = {};                      ///< an output that is null
    bool captured = false;                                         ///< replayed as a captured step
};

std::vector<Variant> variantsOf(const Function& function)
{
    std::vector<Variant> variants{{.name = "run again"},
                                  {.name = "run on other old values", .poison = std::byte{0x11}},
                                  {.name = "as a captured step", .captured = true}};
    for (const auto& alias : function.aliases)
        variants.push_back({.name = str("with ", function.outputs[alias.first].name, " in the memory of ",
                                        function.inputs[alias.second].name),
                            .alias = alias});
    for (std::size_t i = 0; function.outputsOptional && i < function.outputs.size(); ++i)
        variants.push_back({.name = str("without ", function.outputs[i].name), .unwanted = i});
    return variants;
}

void encode(double value, DType type, std::byte* to)
{
    const auto put = [&](auto bits) { std::memcpy(to, &bits, sizeof bits); };
    switch (type) {
    case DType::BF16:
        return put(toBf16(static_cast<float>(value)));
    case DType::F16:
        return put(toF16(static_cast<float>(value)));
    case DType::I32:
        return put(static_cast<std::int32_t>(value));
    default:
        return put(static_cast<float>(value));
    }
}

double decode(DType type, const std::byte* from)
{
    std::uint16_t half = 0;
    std::int32_t whole = 0;
    float single = 0;
    if (type == DType::I32) {
        std::memcpy(&whole, from, sizeof whole);
        return whole;
    }
    if (sizeBytes(type) == sizeof half) {
        std::memcpy(&half, from, sizeof half);
        return type == DType::BF16 ? fromBf16(half) : fromF16(half);
    }
    std::memcpy(&single, from, sizeof single);
    return single;
}

/// An operand's place in the memory of a call.
struct Slot
{
    std::string name;
    std::size_t offset = 0, sizeBytes = 0;
    DType type = DType::F32;
    bool written = false; ///< an output, or scratch memory
};

/// A function's kernel with memory for its operands.
class Bench
{
public:
    static Result<Bench> create(kernels::Device& device, const Function& function, const std::vector<Values>& inputs,
                                DType storage)
    {
        Bench bench(device, function, inputs);
        MR_TRY(bench.m_kernel, function.makeKernel(device.factory(storage)));
        for (const Operand& input : function.inputs) bench.add(input, storage, false);
        for (const Operand& output : function.outputs) bench.add(output, storage, true);
        bench.add({"its scratch memory", bench.m_kernel->scratchBytes(), true});
        bench.add({"the counter", sizeof(kernels::Counter)});
        MR_TRY(bench.m_device, device.allocate(bench.m_sizeBytes + kGuard, "a case's tensors"));
        MR_TRY(bench.m_host, device.allocateHost(bench.m_sizeBytes + kGuard, "a case's tensors"));
        return bench;
    }

    /// What went wrong, or an empty text; outputs are then there.
    std::string run(const Variant& variant)
    {
        fill(variant);
        m_owner->copy(m_device->at(0), m_host->at(0), m_before.size());
        if (const std::string fault = launch(variant); !fault.empty()) return fault;
        m_owner->copy(m_host->at(0), m_device->at(0), m_before.size());
        if (const Status status = m_owner->synchronize(); !status) return status.error().toString();
        return findDamage(variant);
    }

    const Slot& output(std::size_t i) const { return m_slots[m_function->inputs.size() + i]; }
    std::vector<std::byte> bytes(const Slot& slot) const
    {
        return {m_host->at(slot.offset), m_host->at(slot.offset) + slot.sizeBytes};
    }

private:
    Bench(kernels::Device& owner, const Function& function, const std::vector<Values>& inputs)
        : m_owner(&owner), m_function(&function), m_inputs(&inputs)
    {
    }

    void add(const Operand& operand, DType storage, bool written)
    {
        const DType type = typeOf(operand, storage);
        add({operand.name, static_cast<std::size_t>(operand.elements) * sizeBytes(type), written, type});
    }
    struct Piece
    {
        std::string name;
        std::size_t sizeBytes;
        bool written = false;
        DType type = DType::F32;
    };
    /// 64-byte aligned and no more, behind a guard.
    void add(const Piece& piece)
    {
        const std::size_t offset = (m_sizeBytes + 127) / 128 * 128 + kGuard;
        m_slots.push_back({piece.name, offset, piece.sizeBytes, piece.type, piece.written});
        m_sizeBytes = offset + piece.sizeBytes + kGuard;
    }

    void fill(const Variant& variant)
    {
        m_before.assign(m_sizeBytes, kGuardByte);
        for (std::size_t i = 0; i < m_slots.size(); ++i) {
            const Slot& slot = m_slots[i];
            std::byte* at = m_before.data() + slot.offset;
            if (slot.written) {
                std::fill_n(at, slot.sizeBytes, variant.poison);
            } else if (i < m_inputs->size()) {
                for (const double value : (*m_inputs)[i])
                    encode(value, slot.type, std::exchange(at, at + sizeBytes(slot.type)));
            }
        }
        const kernels::Counter counter{kSeed, kStep};
        std::memcpy(m_before.data() + m_slots.back().offset, &counter, sizeof counter);
        if (variant.alias) {
            const Slot &from = m_slots[variant.alias->second], &to = output(variant.alias->first);
            std::copy_n(m_before.data() + from.offset, from.sizeBytes, m_before.data() + to.offset);
        }
        std::memcpy(m_host->at(0), m_before.data(), m_before.size());
    }

    std::string launch(const Variant& variant)
    {
        const auto at = [&](const Slot& slot) -> void* {
            return slot.sizeBytes > 0 ? m_device->at(slot.offset) : nullptr;
        };
        std::vector<const void*> inputs;
        std::vector<void*> outputs;
        for (std::size_t i = 0; i < m_inputs->size(); ++i) inputs.push_back(at(m_slots[i]));
        for (std::size_t i = 0; i < m_function->outputs.size(); ++i) outputs.push_back(at(output(i)));
        if (variant.alias) inputs[variant.alias->second] = outputs[variant.alias->first];
        if (variant.unwanted) outputs[*variant.unwanted] = nullptr;
        const auto run = [&] {
            m_kernel->run({.inputs = inputs,
                           .outputs = outputs,
                           .scratch = static_cast<std::byte*>(at(m_slots[m_slots.size() - 2])),
                           .counter = static_cast<const kernels::Counter*>(at(m_slots.back()))});
        };
        if (!variant.captured) {
            run();
            return {};
        }
        auto step = m_owner->capture(run);
        if (!step) return step.error().toString();
        (*step)->launch();
        const Status status = m_owner->synchronize(); // the step must stay until it is done
        return status ? std::string() : status.error().toString();
    }

    /// Everything but what the call may write is as it was.
    std::string findDamage(const Variant& variant) const
    {
        std::size_t begin = 0;
        const std::byte* after = m_host->at(0);
        const std::string* last = nullptr;
        const auto isWhole = [&](std::size_t from, std::size_t to) {
            return std::memcmp(after + from, m_before.data() + from, to - from) == 0;
        };
        for (const Slot& slot : m_slots) {
            const bool unwanted = variant.unwanted && &slot == &output(*variant.unwanted);
            if (!isWhole(begin, slot.offset))
                return str("wrote outside of ", last ? *last : slot.name, " or ", slot.name);
            if ((!slot.written || unwanted) && !isWhole(slot.offset, slot.offset + slot.sizeBytes))
                return str("changed ", slot.name, unwanted ? ", which nobody wants" : ", an input");
            begin = slot.offset + slot.sizeBytes;
            last = &slot.name;
        }
        return isWhole(begin, m_before.size()) ? std::string() : str("wrote behind ", *last);
    }

    kernels::Device* m_owner;
    const Function* m_function;
    const std::vector<Values>* m_inputs;
    std::unique_ptr<kernels::Kernel> m_kernel;
    std::vector<Slot> m_slots; // inputs, outputs, scratch memory, counter
    std::size_t m_sizeBytes = 0;
    std::unique_ptr<kernels::Memory> m_device, m_host;
    std::vector<std::byte> m_before;
};

/// ‖values - expected‖ / ‖expected‖; infinite where a value is not finite.
double relativeError(const std::vector<std::byte>& bytes, DType type, const Values& expected)
{
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const double value = decode(type, bytes.data() + i * sizeBytes(type));
        if (!std::isfinite(value)) return INFINITY;
        difference += (value - expected[i]) * (value - expected[i]);
        norm += expected[i] * expected[i];
    }
    return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

double toleranceOf(const Function& function, DType storage)
{
    const double ofType = storage == DType::BF16 ? 1e-2 : storage == DType::F16 ? 2e-3 : 1e-5;
    return std::max(function.tolerance, ofType);
}

std::string compare(kernels::Device& device, const Function& function, const std::vector<Values>& inputs,
                    const std::vector<Values>& expected, DType storage)
{
    auto made = Bench::create(device, function, inputs, storage);
    if (!made) return made.error().toString();
    Bench& bench = *made;
    if (std::string fault = bench.run({.name = "plain"}); !fault.empty()) return fault;
    std::vector<std::vector<std::byte>> plain;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        plain.push_back(bench.bytes(bench.output(i)));
        const double error = relativeError(plain[i], bench.output(i).type, expected[i]);
        if (!(error <= toleranceOf(function, storage)))
            return str(function.outputs[i].name, " is off by ", significant(error, 3), " of its norm");
    }
    for (const Variant& variant : variantsOf(function)) {
        if (const std::string fault = bench.run(variant); !fault.empty()) return str(variant.name, ": ", fault);
        for (std::size_t i = 0; i < expected.size(); ++i) {
            if (variant.unwanted != i && bench.bytes(bench.output(i)) != plain[i])
                return str(variant.name, ": other bits in ", function.outputs[i].name);
        }
    }
    return {};
}

} // namespace

std::string compareDeviceWithReference(kernels::Device& device, const Problem& problem, DType storage)
{
    const Function& forward = problem.forward;
    const std::vector<Values> inputs = drawInputs(forward.inputs, kSeed, {}, storage);
    std::vector<Values> outputs = emptyOutputs(forward.outputs);
    forward.reference(inputs, outputs);
    if (std::string fault = compare(device, forward, inputs, outputs, storage); !fault.empty())
        return str("forward: ", fault);
    if (!problem.backward) return {};

    const Function& backward = *problem.backward;
    const std::vector<Values> gradientInputs =
        drawInputs(backward.inputs, kSeed + 1, named(forward, inputs, outputs, storage), storage);
    std::vector<Values> gradients = emptyOutputs(backward.outputs);
    backward.reference(gradientInputs, gradients);
    if (std::string fault = compare(device, backward, gradientInputs, gradients, storage); !fault.empty())
        return str("backward: ", fault);
    return {};
}

} // namespace millrace::test
