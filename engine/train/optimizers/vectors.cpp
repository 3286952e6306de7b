#include "engine/train/optimizers/vectors.h"

#include "kernels/cpu/optimizer.h"
#include "kernels/ops/device.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace millrace::train {

namespace {

class HostVectors final : public Vectors
{
public:
    explicit HostVectors(int threads) : m_threads(threads) {}

    Result<std::span<float>> allocate(std::size_t n) override { return std::span<float>(m_memory.emplace_back(n)); }
    void copy(std::span<float> to, std::span<const float> from) override
    {
        std::copy(from.begin(), from.end(), to.begin());
    }
    void scale(std::span<float> values, float factor) override { kernels::cpu::scale(values, factor, m_threads); }
    void combine(std::span<float> values, float own, std::span<const float> other, float factor) override
    {
        kernels::cpu::combine(values, own, other, factor, m_threads);
    }

    Result<double> dot(std::span<const float> a, std::span<const float> b) override
    {
        return kernels::cpu::dot(a, b, m_threads);
    }
    Result<double> largest(std::span<const float> values) override
    {
        float largest = 0;
        for (const float value : values) largest = std::max(largest, std::abs(value));
        return static_cast<double>(largest);
    }
    Result<double> sumOfSizes(std::span<const float> values) override
    {
        double sum = 0;
        for (const float value : values) sum += static_cast<double>(std::abs(value));
        return sum;
    }

private:
    int m_threads;
    std::vector<std::vector<float>> m_memory;
};

class DeviceVectors final : public Vectors
{
public:
    explicit DeviceVectors(kernels::Device& device) : m_device(device) {}

    Result<std::span<float>> allocate(std::size_t n) override
    {
        MR_TRY(auto memory, m_device.allocate(n * sizeof(float), "an optimizer's vectors"));
        m_memory.push_back(std::move(memory));
        return std::span<float>(reinterpret_cast<float*>(m_memory.back()->at(0)), n);
    }
    void copy(std::span<float> to, std::span<const float> from) override
    {
        m_device.copy(to.data(), from.data(), from.size_bytes());
    }
    void scale(std::span<float> values, float factor) override { m_device.scale(values.data(), factor, values.size()); }
    void combine(std::span<float> values, float own, std::span<const float> other, float factor) override
    {
        m_device.combine(values.data(), own, other.data(), factor, values.size());
    }

    Result<double> dot(std::span<const float> a, std::span<const float> b) override
    {
        return m_device.dot(a.data(), b.data(), a.size());
    }
    Result<double> largest(std::span<const float> values) override
    {
        return m_device.largest(values.data(), values.size());
    }
    Result<double> sumOfSizes(std::span<const float> values) override
    {
        return m_device.sumOfSizes(values.data(), values.size());
    }

private:
    kernels::Device& m_device;
    std::vector<std::unique_ptr<kernels::Memory>> m_memory;
};

} // namespace

std::unique_ptr<Vectors> hostVectors(int threads)
{
    return std::make_unique<HostVectors>(threads);
}

std::unique_ptr<Vectors> deviceVectors(kernels::Device& device)
{
    return std::make_unique<DeviceVectors>(device);
}

} // namespace millrace::train
