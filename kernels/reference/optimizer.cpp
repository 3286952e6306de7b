// The optimisers in double. Inputs are weights, gradients and the states of the contract, outputs weights and states;
// the whole buffer is one tensor to which weight decay applies.
#include "kernels/reference/reference.h"

#include <algorithm>
#include <cmath>

namespace millrace::kernels::reference {

namespace {

/// The moments that Adam and its relatives keep, without correction of their bias.
struct Moments
{
    double first, second;
};

template <class Options> Moments moveMoments(const Options& options, double gradient, double first, double second)
{
    return {options.beta1 * first + (1 - options.beta1) * gradient,
            options.beta2 * second + (1 - options.beta2) * gradient * gradient};
}

double corrected(double moment, double beta, std::int64_t step)
{
    return moment / (1 - std::pow(beta, static_cast<double>(step)));
}

double norm(const Values& values)
{
    double sum = 0;
    for (const double value : values) sum += value * value;
    return std::sqrt(sum);
}

} // namespace

void update(const Sgd& options, Inputs inputs, Outputs outputs)
{
    for (std::size_t i = 0; i < inputs[0].size(); ++i) {
        const double gradient = inputs[1][i] + options.weightDecay * inputs[0][i];
        outputs[1][i] = options.momentum * inputs[2][i] + gradient;
        const double step = options.nesterov ? gradient + options.momentum * outputs[1][i] : outputs[1][i];
        outputs[0][i] = inputs[0][i] - options.learningRate * step;
    }
}

void update(const Adam& options, Inputs inputs, Outputs outputs)
{
    for (std::size_t i = 0; i < inputs[0].size(); ++i) {
        double weight = inputs[0][i], gradient = inputs[1][i];
        if (options.decoupled) {
            weight -= options.learningRate * options.weightDecay * weight;
        } else {
            gradient += options.weightDecay * weight;
        }
        const auto [m, v] = moveMoments(options, gradient, inputs[2][i], inputs[3][i]);
        const double first = corrected(m, options.beta1, options.step);
        const double second = corrected(v, options.beta2, options.step);
        outputs[0][i] = weight - options.learningRate * first / (std::sqrt(second) + options.epsilon);
        outputs[1][i] = m;
        outputs[2][i] = v;
    }
}

void update(const Nadam& options, Inputs inputs, Outputs outputs)
{
    const auto momentumAt = [&](std::int64_t t) {
        return options.beta1 * (1 - std::pow(0.96, static_cast<double>(t) * options.momentumDecay) / 2);
    };
    double product = 1;
    for (std::int64_t t = 1; t <= options.step; ++t) product *= momentumAt(t);
    const double now = momentumAt(options.step), next = momentumAt(options.step + 1);
    for (std::size_t i = 0; i < inputs[0].size(); ++i) {
        const double gradient = inputs[1][i] + options.weightDecay * inputs[0][i];
        const auto [m, v] = moveMoments(options, gradient, inputs[2][i], inputs[3][i]);
        const double direction = next * m / (1 - product * next) + (1 - now) * gradient / (1 - product);
        const double second = corrected(v, options.beta2, options.step);
        outputs[0][i] = inputs[0][i] - options.learningRate * direction / (std::sqrt(second) + options.epsilon);
        outputs[1][i] = m;
        outputs[2][i] = v;
    }
}

void update(const RmsProp& options, Inputs inputs, Outputs outputs)
{
    for (std::size_t i = 0; i < inputs[0].size(); ++i) {
        const double gradient = inputs[1][i] + options.weightDecay * inputs[0][i];
        outputs[1][i] = options.rho * inputs[2][i] + (1 - options.rho) * gradient * gradient;
        outputs[2][i] = options.momentum * inputs[3][i] + gradient / (std::sqrt(outputs[1][i]) + options.epsilon);
        outputs[0][i] = inputs[0][i] - options.learningRate * outputs[2][i];
    }
}

void update(const Adagrad& options, Inputs inputs, Outputs outputs)
{
    for (std::size_t i = 0; i < inputs[0].size(); ++i) {
        const double gradient = inputs[1][i] + options.weightDecay * inputs[0][i];
        outputs[1][i] = inputs[2][i] + gradient * gradient;
        outputs[0][i] = inputs[0][i] - options.learningRate * gradient / (std::sqrt(outputs[1][i]) + options.epsilon);
    }
}

void update(const Adadelta& options, Inputs inputs, Outputs outputs)
{
    for (std::size_t i = 0; i < inputs[0].size(); ++i) {
        const double gradient = inputs[1][i] + options.weightDecay * inputs[0][i];
        outputs[1][i] = options.rho * inputs[2][i] + (1 - options.rho) * gradient * gradient;
        const double step =
            gradient * std::sqrt(inputs[3][i] + options.epsilon) / std::sqrt(outputs[1][i] + options.epsilon);
        outputs[2][i] = options.rho * inputs[3][i] + (1 - options.rho) * step * step;
        outputs[0][i] = inputs[0][i] - options.learningRate * step;
    }
}

void update(const Lamb& options, Inputs inputs, Outputs outputs)
{
    const std::size_t count = inputs[0].size();
    Values direction(count);
    for (std::size_t i = 0; i < count; ++i) {
        const auto [m, v] = moveMoments(options, inputs[1][i], inputs[2][i], inputs[3][i]);
        const double first = corrected(m, options.beta1, options.step);
        const double second = corrected(v, options.beta2, options.step);
        direction[i] = first / (std::sqrt(second) + options.epsilon) + options.weightDecay * inputs[0][i];
        outputs[1][i] = m;
        outputs[2][i] = v;
    }
    const double weights = norm(inputs[0]), directions = norm(direction);
    const double ratio = weights > 0 && directions > 0 ? weights / directions : 1;
    for (std::size_t i = 0; i < count; ++i) outputs[0][i] = inputs[0][i] - options.learningRate * ratio * direction[i];
}

void update(const Lion& options, Inputs inputs, Outputs outputs)
{
    for (std::size_t i = 0; i < inputs[0].size(); ++i) {
        const double direction = options.beta1 * inputs[2][i] + (1 - options.beta1) * inputs[1][i];
        const double sign = direction > 0 ? 1 : direction < 0 ? -1 : 0;
        const double weight = inputs[0][i] * (1 - options.learningRate * options.weightDecay);
        outputs[0][i] = weight - options.learningRate * sign;
        outputs[1][i] = options.beta2 * inputs[2][i] + (1 - options.beta2) * inputs[1][i];
    }
}

namespace {

/// left X with left (R,R) and X (R,C).
Values product(const Values& left, const Values& x, std::size_t R, std::size_t C)
{
    Values result(R * C);
    for (std::size_t r = 0; r < R; ++r)
        for (std::size_t k = 0; k < R; ++k)
            for (std::size_t c = 0; c < C; ++c) result[r * C + c] += left[r * R + k] * x[k * C + c];
    return result;
}

Values transposed(const Values& x, std::size_t R, std::size_t C)
{
    Values result(x.size());
    for (std::size_t r = 0; r < R; ++r)
        for (std::size_t c = 0; c < C; ++c) result[c * R + r] = x[r * C + c];
    return result;
}

Values orthogonal(Values x, std::size_t R, std::size_t C)
{
    if (R > C) return transposed(orthogonal(transposed(x, R, C), C, R), C, R);
    const double size = std::max(norm(x), Muon::kSmallestNorm);
    for (double& value : x) value /= size;
    const auto [a, b, c] = Muon::kNewtonSchulz;
    for (int iteration = 0; iteration < Muon::kIterations; ++iteration) {
        Values gram(R * R);
        for (std::size_t r = 0; r < R; ++r)
            for (std::size_t q = 0; q < R; ++q)
                for (std::size_t k = 0; k < C; ++k) gram[r * R + q] += x[r * C + k] * x[q * C + k];
        Values polynomial = product(gram, gram, R, R);
        for (std::size_t i = 0; i < polynomial.size(); ++i) polynomial[i] = c * polynomial[i] + b * gram[i];
        const Values more = product(polynomial, x, R, C);
        for (std::size_t i = 0; i < x.size(); ++i) x[i] = a * x[i] + more[i];
    }
    return x;
}

} // namespace

void update(const Muon& options, std::int64_t rows, std::int64_t columns, Inputs inputs, Outputs outputs)
{
    if (rows == 0) {
        update(Adam{options.learningRate, options.beta1, options.beta2, options.epsilon, options.weightDecay, true,
                    options.step},
               inputs, outputs);
        return;
    }
    Values direction(inputs[0].size());
    for (std::size_t i = 0; i < direction.size(); ++i) {
        outputs[1][i] = options.momentum * inputs[2][i] + (1 - options.momentum) * inputs[1][i];
        outputs[2][i] = inputs[3][i];
        direction[i] =
            options.nesterov ? (1 - options.momentum) * inputs[1][i] + options.momentum * outputs[1][i] : outputs[1][i];
    }
    direction = orthogonal(std::move(direction), static_cast<std::size_t>(rows), static_cast<std::size_t>(columns));
    const double shape = std::sqrt(std::max(1.0, static_cast<double>(rows) / static_cast<double>(columns)));
    for (std::size_t i = 0; i < direction.size(); ++i)
        outputs[0][i] = inputs[0][i] * (1 - options.learningRate * options.weightDecay) -
                        options.learningRate * shape * direction[i];
}

} // namespace millrace::kernels::reference
