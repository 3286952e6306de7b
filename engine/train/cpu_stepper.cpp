#include "engine/train/cpu_stepper.h"

#include "kernels/base/text.h"
#include "kernels/cpu/optimizer.h"

#include <algorithm>
#include <cmath>
#include <thread>

namespace millrace::train {

namespace {

template <class T> void fill(std::span<T> port, std::span<const T> values)
{
    std::copy(values.begin(), values.end(), port.begin());
}

/// The loss's weights of the classes are an input like the rows, but stay the same.
Status fillClassWeights(execute::Executor& executor, const compile::LossOptions& options)
{
    if (options.classWeights.empty()) return {};
    MR_TRY(const auto port, executor.floats("class_weights"));
    fill(port, std::span<const float>(options.classWeights));
    return {};
}

} // namespace

Result<std::unique_ptr<Stepper>> CpuStepper::create(const TrainingModel& model, const StepSettings& settings,
                                                    const std::vector<std::int64_t>& batchSizes)
{
    std::unique_ptr<CpuStepper> stepper(new CpuStepper(settings));
    int& threads = stepper->m_settings.threads;
    if (threads <= 0) threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    ParameterLayout layout;
    for (const std::int64_t batch : batchSizes) {
        MR_TRY(compile::Program program, trainingProgram(model, settings, batch));
        if (!stepper->m_weights) {
            MR_TRY(stepper->m_weights, execute::Weights::create(program, settings.seed));
            layout = parameterLayout(program);
            stepper->m_countsCorrect = program.graph.ports().contains("correct");
        }
        MR_TRY(auto executor, execute::Executor::create(std::move(program), stepper->m_weights, threads));
        MR_CHECK(fillClassWeights(*executor, model.options));
        stepper->m_executors[batch] = std::move(executor);
    }
    const std::size_t size = stepper->m_weights->parameters().size();
    stepper->m_fullBatch = isFullBatch(settings.optimizer);
    if (stepper->m_fullBatch || settings.accumulation > 1) stepper->m_sum.resize(size);
    if (settings.average > 0) stepper->m_average.resize(size);
    MR_TRY(stepper->m_optimizer, createOptimizer(settings.optimizer, std::move(layout), threads));
    return std::unique_ptr<Stepper>(std::move(stepper));
}

Status CpuStepper::step(StepRows& rows, std::int64_t step, double learningRate)
{
    m_rows = &rows;
    m_step = step;
    m_evaluated = false;
    MR_CHECK(m_optimizer->step(*this, learningRate, step + 1));
    m_done = m_figures;
    if (m_average.empty()) return {};
    const auto kept = static_cast<float>(step == 0 ? 0 : m_settings.average);
    const auto newer = static_cast<float>(step == 0 ? 1 : 1 - m_settings.average);
    kernels::cpu::combine(m_average, kept, parameters(), newer, m_settings.threads);
    return {};
}

Result<execute::Executor*> CpuStepper::run(const MicroBatch& rows, std::int64_t index)
{
    const auto found = m_executors.find(rows.rows);
    if (found == m_executors.end())
        return makeError(Code::Internal, str("No program was made for a batch of ", rows.rows, " rows."));
    execute::Executor& executor = *found->second;
    if (rows.tokens.empty()) {
        MR_TRY(const auto port, executor.floats("features"));
        fill(port, rows.features);
    } else {
        MR_TRY(const auto port, executor.integers("features"));
        fill(port, rows.tokens);
    }
    if (!rows.labels.empty()) {
        MR_TRY(const auto port, executor.integers("labels"));
        fill(port, rows.labels);
    } else {
        MR_TRY(const auto port, executor.floats("targets"));
        fill(port, rows.targets);
    }
    // dropout draws anew for each micro-batch; in a line search it draws the same at each point
    MR_CHECK(executor.run(m_settings.seed, static_cast<std::uint64_t>(m_step * m_settings.accumulation + index)));
    return &executor;
}

Result<double> CpuStepper::evaluate()
{
    MR_CHECK(m_rows->begin());
    StepFigures figures{.step = m_step};
    double lossSum = 0;
    m_gradients = m_sum;
    for (std::int64_t index = 0;; ++index) {
        MR_TRY(const MicroBatch* rows, m_rows->next());
        if (!rows) break;
        MR_TRY(execute::Executor * executor, run(*rows, index));
        const double loss = static_cast<double>((*executor->floats("loss"))[0]);
        const bool finite = std::isfinite(loss);
        if (!finite || !kernels::cpu::allFinite(executor->gradients(), m_settings.threads))
            return divergence(*executor, m_step, finite);
        if (m_sum.empty())
            m_gradients = executor->gradients();
        else
            kernels::cpu::combine(m_sum, index == 0 ? 0.0F : 1.0F, executor->gradients(),
                                  static_cast<float>(rows->weight), m_settings.threads);
        lossSum += loss * rows->weight;
        figures.loss = loss;
        figures.weight += rows->weight;
        figures.rows += rows->rows;
        if (m_countsCorrect) figures.correct += static_cast<double>((*executor->floats("correct"))[0]);
    }
    if (!m_sum.empty()) {
        figures.loss = lossSum / figures.weight;
        kernels::cpu::scale(m_sum, static_cast<float>(1 / figures.weight), m_settings.threads);
    }
    if (!m_fullBatch) clip();
    if (!m_evaluated) m_figures = figures;
    m_evaluated = true;
    return figures.loss;
}

void CpuStepper::clip()
{
    if (m_settings.clipValue > 0)
        kernels::cpu::clamp(m_gradients, static_cast<float>(m_settings.clipValue), m_settings.threads);
    if (m_settings.clipNorm <= 0) return;
    const double norm = std::sqrt(kernels::cpu::squaredNorm(m_gradients, m_settings.threads));
    if (norm > m_settings.clipNorm)
        kernels::cpu::scale(m_gradients, static_cast<float>(m_settings.clipNorm / norm), m_settings.threads);
}

Status CpuStepper::exchangeAverage()
{
    if (!m_average.empty()) std::swap_ranges(m_average.begin(), m_average.end(), parameters().begin());
    return {};
}

Result<std::map<std::string, std::span<std::byte>>> CpuStepper::state()
{
    std::map<std::string, std::span<std::byte>> all{{"parameters", std::as_writable_bytes(parameters())},
                                                    {"states", std::as_writable_bytes(m_weights->states())}};
    for (const auto& [name, values] : m_optimizer->vectors()) all["optimizer." + name] = std::as_writable_bytes(values);
    for (const auto& [name, bytes] : m_optimizer->numbers()) all["optimizer." + name] = bytes;
    if (!m_average.empty()) all["average"] = std::as_writable_bytes(std::span(m_average));
    return all;
}

} // namespace millrace::train
