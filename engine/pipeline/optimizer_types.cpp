#include "engine/pipeline/optimizer_types.h"

#include <algorithm>

namespace millrace::pipeline {

namespace {
std::vector<OptimizerType> firstOrder()
{
    return {
        {"adamw",
         "AdamW",
         "Adam with decoupled weight decay, a good first choice.",
         "m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; w ← w − ηλw − η · (m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + ε)",
         "Loshchilov, Hutter 2019, arXiv:1711.05101.",
         {{"learning_rate", 1e-3}, {"weight_decay", 0.01}, {"beta1", 0.9}, {"beta2", 0.999}, {"epsilon", 1e-8}},
         2},
        {"adam",
         "Adam",
         "Steps of a size of its own for each weight; weight decay is part of the gradient.",
         "g ← g + λw; m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; w ← w − η · (m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + ε)",
         "Kingma, Ba 2015, arXiv:1412.6980.",
         {{"learning_rate", 1e-3}, {"weight_decay", 0}, {"beta1", 0.9}, {"beta2", 0.999}, {"epsilon", 1e-8}},
         2},
        {"sgd",
         "SGD",
         "Plain steps with momentum.",
         "g ← g + λw; v ← μv + g; w ← w − ηv, with Nesterov w ← w − η(g + μv)",
         "Sutskever, Martens, Dahl, Hinton 2013, ICML, section 2.",
         {{"learning_rate", 1e-3}, {"weight_decay", 0}, {"momentum", 0.9}, {"nesterov", 0}},
         1},
        {"nadam",
         "Nadam",
         "Adam with Nesterov's momentum, which grows over the steps.",
         "μₜ = β₁(1 − ½·0.96^(0.004t)); g ← g + λw; m, v as Adam; w ← w − η · (μₜ₊₁m/(1−Πμ₁…ₜ₊₁) + (1−μₜ)g/(1−Πμ₁…ₜ)) "
         "/ (√(v/(1−β₂ᵗ)) + ε)",
         "Dozat 2016, ICLR workshop.",
         {{"learning_rate", 2e-3}, {"weight_decay", 0}, {"beta1", 0.9}, {"beta2", 0.999}, {"epsilon", 1e-8}},
         2},
        {"rmsprop",
         "RMSprop",
         "Divides by the running size of the gradient.",
         "g ← g + λw; v ← ρv + (1−ρ)g²; m ← μm + g / (√v + ε); w ← w − ηm",
         "Tieleman, Hinton 2012, Coursera lecture 6.5.",
         {{"learning_rate", 0.01}, {"weight_decay", 0}, {"momentum", 0}, {"rho", 0.99}, {"epsilon", 1e-8}},
         2},
        {"adagrad",
         "Adagrad",
         "Divides by the size of all gradients so far, so that rarely used weights take larger steps.",
         "g ← g + λw; v ← v + g²; w ← w − ηg / (√v + ε)",
         "Duchi, Hazan, Singer 2011, JMLR 12.",
         {{"learning_rate", 0.01}, {"weight_decay", 0}, {"epsilon", 1e-10}},
         1},
        {"adadelta",
         "Adadelta",
         "Takes the size of its steps from the steps before, so that the learning rate is 1.",
         "g ← g + λw; v ← ρv + (1−ρ)g²; d = g·√(m + ε)/√(v + ε); m ← ρm + (1−ρ)d²; w ← w − ηd",
         "Zeiler 2012, arXiv:1212.5701.",
         {{"learning_rate", 1}, {"weight_decay", 0}, {"rho", 0.9}, {"epsilon", 1e-6}},
         2},
    };
}

std::vector<OptimizerType> forLargeBatches()
{
    return {
        {"lamb",
         "LAMB",
         "AdamW whose step is as long, for each tensor, as the tensor's weights ask; for large batches.",
         "d = (m/(1−β₁ᵗ)) / (√(v/(1−β₂ᵗ)) + ε) + λw; w ← w − η · (‖w‖/‖d‖) · d for each tensor, m and v as Adam",
         "You et al. 2020, arXiv:1904.00962.",
         {{"learning_rate", 1e-3}, {"weight_decay", 0.01}, {"beta1", 0.9}, {"beta2", 0.999}, {"epsilon", 1e-6}},
         2},
        {"lion",
         "Lion",
         "Steps of one size in the direction of the signs; keeps half as much as Adam.",
         "w ← w − ηλw − η · sign(β₁m + (1−β₁)g); m ← β₂m + (1−β₂)g",
         "Chen et al. 2023, arXiv:2302.06675.",
         {{"learning_rate", 1e-4}, {"weight_decay", 0.1}, {"beta1", 0.9}, {"beta2", 0.99}},
         1},
        {"muon",
         "Muon",
         "Makes each matrix's step orthogonal; what is no matrix of a hidden layer is trained with AdamW.",
         "m ← μm + g; w ← w − ηλw − η · √max(1, rows/columns) · orthogonal(g + μm), by five Newton–Schulz iterations",
         "Jordan et al. 2024, kellerjordan.github.io/posts/muon.",
         {{"learning_rate", 1e-3},
          {"weight_decay", 0.1},
          {"momentum", 0.95},
          {"nesterov", 1},
          {"beta1", 0.9},
          {"beta2", 0.999},
          {"epsilon", 1e-8}},
         2},
    };
}

std::vector<OptimizerType> fullBatch()
{
    return {
        {"lbfgs",
         "L-BFGS",
         "Newton's step from the last gradients, with a line search over all rows; for small nets and small data.",
         "w ← w − a · H·g, H from the last 10 pairs of steps and differences of gradients, a by the strong Wolfe "
         "conditions",
         "Nocedal, Wright 2006, Numerical Optimization, algorithms 7.5 and 3.5.",
         {{"learning_rate", 1}, {"weight_decay", 0}},
         23,
         true},
        {"cg",
         "Conjugate gradients",
         "Each direction is conjugate to the ones before, with a line search over all rows; keeps little.",
         "d ← −g + max(0, gᵀ(g − g₋)/‖g₋‖²) · d; w ← w + a·d, a by the strong Wolfe conditions",
         "Nocedal, Wright 2006, Numerical Optimization, section 5.2 (Polak–Ribière+).",
         {{"learning_rate", 1}, {"weight_decay", 0}},
         3,
         true},
    };
}
} // namespace

const std::vector<OptimizerType>& optimizerTypes()
{
    static const std::vector<OptimizerType> all = [] {
        std::vector<OptimizerType> rows = firstOrder();
        for (const auto& more : {forLargeBatches(), fullBatch()}) rows.insert(rows.end(), more.begin(), more.end());
        return rows;
    }();
    return all;
}

const OptimizerType* findOptimizer(std::string_view id)
{
    const auto& all = optimizerTypes();
    const auto found = std::find_if(all.begin(), all.end(), [&](const OptimizerType& row) { return row.id == id; });
    return found == all.end() ? nullptr : &*found;
}

} // namespace millrace::pipeline
