#include "engine/train/cpu_stepper.h"

#include "kernels/base/text.h"
#include "kernels/cpu/optimizer.h"

#include <algorithm>
#include <array>
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
            if (settings.ranks.group && settings.ranks.group->memory() != collective::Memory::Host)
                return makeError(Code::InvalidArgument,
                                 "The ranks exchange what lies on GPUs, but the training is on the CPU.")
                    .advise("Make the group with Gloo.");
            if (settings.ranks.group) {
                MR_TRY(stepper->m_exchange, GradientExchange::create(settings.ranks, settings.optimizer, program));
            }
        }
        MR_TRY(auto executor, execute::Executor::create(std::move(program), stepper->m_weights, threads));
        MR_CHECK(fillClassWeights(*executor, model.options));
        if (stepper->m_exchange)
            executor->afterEach(
                [exchange = stepper->m_exchange.get()](std::size_t operation) { exchange->completed(operation); });
        stepper->m_executors[batch] = std::move(executor);
    }
    const std::size_t size = stepper->m_weights->parameters().size();
    stepper->m_fullBatch = isFullBatch(settings.optimizer);
    if (stepper->m_fullBatch || settings.accumulation > 1) stepper->m_sum.resize(size);
    if (settings.average > 0) stepper->m_average.resize(size);
    if (stepper->isSharded()) {
        layout = stepper->m_exchange->ownedLayout(layout);
        stepper->m_ownWeights.resize(layout.size);
        stepper->m_ownGradients.resize(layout.size);
    }
    if (stepper->m_exchange)
        MR_CHECK(stepper->m_exchange->group().broadcast(std::as_writable_bytes(stepper->m_weights->parameters()), 0));
    MR_TRY(stepper->m_optimizer, createOptimizer(settings.optimizer, std::move(layout), threads));
    return std::unique_ptr<Stepper>(std::move(stepper));
}

Status CpuStepper::step(StepRows& rows, std::int64_t step, double learningRate)
{
    m_rows = &rows;
    m_step = step;
    m_evaluated = false;
    MR_CHECK(m_optimizer->step(*this, learningRate, step + 1));
    if (m_exchange) MR_CHECK(shareUpdate());
    m_done = m_figures;
    if (m_average.empty()) return {};
    const auto kept = static_cast<float>(step == 0 ? 0 : m_settings.average);
    const auto newer = static_cast<float>(step == 0 ? 1 : 1 - m_settings.average);
    kernels::cpu::combine(m_average, kept, m_weights->parameters(), newer, m_settings.threads);
    return {};
}

/// With shards every rank gets what the others have updated. What is kept beside the parameters (running means of a
/// batch norm) follows each rank's own rows; rank 0's is everybody's.
Status CpuStepper::shareUpdate()
{
    if (isSharded()) {
        m_exchange->copyBack(m_ownWeights, m_weights->parameters());
        MR_CHECK(m_exchange->gather(std::as_writable_bytes(m_weights->parameters()), sizeof(float)));
    }
    if (m_weights->states().empty()) return {};
    return m_exchange->group().broadcast(std::as_writable_bytes(m_weights->states()), 0);
}

Result<execute::Executor*> CpuStepper::executorFor(const MicroBatch& rows) const
{
    const auto found = m_executors.find(rows.rows);
    if (found == m_executors.end())
        return makeError(Code::Internal, str("No program was made for a batch of ", rows.rows, " rows."));
    return found->second.get();
}

Status CpuStepper::run(execute::Executor& executor, const MicroBatch& rows, std::int64_t index)
{
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
    // dropout draws anew for each micro-batch of each rank; in a line search it draws the same at each point
    const std::int64_t batch = m_step * m_settings.accumulation + index;
    return executor.run(m_settings.seed,
                        static_cast<std::uint64_t>(batch * m_settings.ranks.worldSize() + m_settings.ranks.rank()));
}

Result<double> CpuStepper::evaluate()
{
    StepFigures figures{.step = m_step};
    MR_CHECK(m_rows->begin());
    MR_CHECK(m_exchange ? evaluateTogether(figures) : evaluateAlone(figures));
    if (!m_fullBatch) MR_CHECK(clip());
    if (!m_evaluated) m_figures = figures;
    m_evaluated = true;
    return figures.loss;
}

Status CpuStepper::evaluateAlone(StepFigures& figures)
{
    double lossSum = 0;
    m_gradients = m_sum;
    for (std::int64_t index = 0;; ++index) {
        MR_TRY(const MicroBatch* rows, m_rows->next());
        if (!rows) break;
        MR_TRY(execute::Executor * executor, executorFor(*rows));
        MR_CHECK(run(*executor, *rows, index));
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
    return {};
}

/// Sums weighted by rows over micro-batches and ranks, divided once by all rows' weight. The gradients of the step's
/// last micro-batch leave while they are made; where it is not known to be the last, all leave at the end.
Status CpuStepper::evaluateTogether(StepFigures& figures)
{
    double lossSum = 0;
    const execute::Executor* last = nullptr;
    bool begun = false;
    for (std::int64_t index = 0;; ++index) {
        MR_TRY(const MicroBatch* rows, m_rows->next());
        if (!rows) break;
        MR_TRY(execute::Executor * executor, executorFor(*rows));
        const auto weight = static_cast<float>(rows->weight);
        begun = !m_fullBatch && index + 1 == m_settings.accumulation;
        if (begun) begin(*executor, weight, index == 0);
        MR_CHECK(run(*executor, *rows, index));
        if (!begun)
            kernels::cpu::combine(m_sum, index == 0 ? 0.0F : 1.0F, executor->gradients(), weight, m_settings.threads);
        lossSum += static_cast<double>((*executor->floats("loss"))[0]) * rows->weight;
        figures.weight += rows->weight;
        figures.rows += rows->rows;
        if (m_countsCorrect) figures.correct += static_cast<double>((*executor->floats("correct"))[0]);
        last = executor;
    }
    if (!last)
        return makeError(Code::InvalidArgument,
                         str("Rank ", m_settings.ranks.rank(), " has no rows in step ", m_step + 1, "."));
    if (!begun) {
        m_gradients = m_sum;
        m_exchange->begin(m_gradients);
    }
    MR_CHECK(m_exchange->finish());
    return takeSum(figures, *last, lossSum);
}

/// From here on a bucket is weighted, or added to those of the micro-batches before, just before it leaves.
void CpuStepper::begin(execute::Executor& executor, float weight, bool first)
{
    const std::span<float> gradients = executor.gradients();
    m_gradients = m_sum.empty() ? gradients : std::span(m_sum);
    m_exchange->begin(m_gradients, [this, gradients, weight, first](const GradientBucket& bucket) {
        const auto part = gradients.subspan(bucket.begin, bucket.end - bucket.begin);
        if (m_sum.empty())
            kernels::cpu::scale(part, weight, m_settings.threads);
        else
            kernels::cpu::combine(std::span(m_sum).subspan(bucket.begin, part.size()), first ? 0.0F : 1.0F, part,
                                  weight, m_settings.threads);
    });
}

/// The mean of gradient and figures over all ranks. Where something is not finite all ranks say so, in the same step.
Status CpuStepper::takeSum(StepFigures& figures, const execute::Executor& executor, double lossSum)
{
    if (isSharded()) {
        m_exchange->copyOwned(m_gradients, m_ownGradients);
        m_exchange->copyOwned(m_weights->parameters(), m_ownWeights);
        m_gradients = m_ownGradients;
    }
    const bool finite = std::isfinite(lossSum) && kernels::cpu::allFinite(m_gradients, m_settings.threads);
    std::array<double, 5> sums{lossSum, figures.weight, figures.correct, static_cast<double>(figures.rows),
                               finite ? 0.0 : 1.0};
    MR_CHECK(m_exchange->sum(sums));
    if (sums[4] > 0) return divergence(executor, m_step, std::isfinite(sums[0]));
    figures.loss = sums[0] / sums[1];
    figures.weight = sums[1];
    figures.correct = sums[2];
    figures.rows = static_cast<std::int64_t>(sums[3]);
    kernels::cpu::scale(m_gradients, static_cast<float>(1 / figures.weight), m_settings.threads);
    return {};
}

Status CpuStepper::clip()
{
    if (m_settings.clipValue > 0)
        kernels::cpu::clamp(m_gradients, static_cast<float>(m_settings.clipValue), m_settings.threads);
    if (m_settings.clipNorm <= 0) return {};
    double square = kernels::cpu::squaredNorm(m_gradients, m_settings.threads);
    if (isSharded()) MR_CHECK(m_exchange->sum({&square, 1}));
    const double norm = std::sqrt(square);
    if (norm > m_settings.clipNorm)
        kernels::cpu::scale(m_gradients, static_cast<float>(m_settings.clipNorm / norm), m_settings.threads);
    return {};
}

Status CpuStepper::exchangeAverage()
{
    if (!m_average.empty()) std::swap_ranges(m_average.begin(), m_average.end(), m_weights->parameters().begin());
    return {};
}

Result<std::map<std::string, std::span<std::byte>>> CpuStepper::state()
{
    std::map<std::string, std::span<std::byte>> all{{"parameters", std::as_writable_bytes(m_weights->parameters())},
                                                    {"states", std::as_writable_bytes(m_weights->states())}};
    for (const auto& [name, values] : m_optimizer->vectors()) all["optimizer." + name] = std::as_writable_bytes(values);
    for (const auto& [name, bytes] : m_optimizer->numbers()) all["optimizer." + name] = bytes;
    if (!m_average.empty()) all["average"] = std::as_writable_bytes(std::span(m_average));
    return all;
}

} // namespace millrace::train
