// A search along a line for a point where the loss is low enough and flat enough: the strong Wolfe conditions.
#pragma once

#include "engine/train/optimizer.h"

namespace millrace::train {

/// A step t along the line, with the loss there and its slope along the line.
struct LinePoint
{
    double t = 0, loss = 0, slope = 0;
};

/// The loss along start + t direction. Moves the objective's parameters.
class Line
{
public:
    /// The buffers are kept by the caller while the line is used.
    Line(Objective& objective, std::span<const float> start, std::span<const float> direction, Vectors& vectors)
        : m_objective(objective), m_start(start), m_direction(direction), m_vectors(vectors)
    {
    }
    Result<LinePoint> evaluate(double t);
    /// Goes there without evaluating.
    void moveTo(double t);
    Result<double> longestMove() const; ///< largest element of the direction by size

private:
    Objective& m_objective;
    std::span<const float> m_start, m_direction;
    Vectors& m_vectors;
};

struct LineSearchOptions
{
    double decrease = 1e-4;     ///< c1: f(t) <= f(0) + c1 t f'(0)
    double curvature = 0.9;     ///< c2: |f'(t)| <= c2 |f'(0)|
    int evaluations = 25;       ///< at most
    double smallestMove = 1e-9; ///< of an element, below which a bracket is not cut further
};

/// A step that meets both conditions, or the best one found within the evaluations allowed. `start` is at t = 0 and
/// goes down; `firstStep` > 0 is tried first. The parameters are left anywhere on the line.
/// Source    Nocedal, Wright 2006, Numerical Optimization, algorithms 3.5 and 3.6, with cubic interpolation; the
///           safeguards are those of minFunc (Schmidt 2005), which PyTorch's L-BFGS has too.
Result<double> searchLine(Line& line, const LinePoint& start, double firstStep, const LineSearchOptions& options);

/// An objective with coupled weight decay: adds weightDecay / 2 · ‖w‖² over the segments that decay.
class RegularisedObjective : public Objective
{
public:
    RegularisedObjective(Objective& objective, const ParameterLayout& layout, double weightDecay, Vectors& vectors)
        : m_objective(objective), m_layout(layout), m_weightDecay(weightDecay), m_vectors(vectors)
    {
    }
    Result<double> evaluate() override;
    std::span<float> parameters() override { return m_objective.parameters(); }
    std::span<float> gradients() override { return m_objective.gradients(); }

private:
    Objective& m_objective;
    const ParameterLayout& m_layout;
    double m_weightDecay;
    Vectors& m_vectors;
};

} // namespace millrace::train
