// The weights with the lowest loss so far: for early stopping, which gives them back.
#pragma once

#include "engine/execute/executor.h"
#include "engine/train/checkpoint.h"

#include <limits>

namespace millrace::train {

class BestWeights
{
public:
    /// Keeps a copy where the loss is the lowest so far. Returns how many observations ago the lowest was: 0 now.
    /// Errors: those of the device.
    Result<std::int64_t> observe(double loss, std::int64_t number, execute::Weights& weights)
    {
        if (loss < m_loss) {
            MR_CHECK(weights.fetch());
            m_loss = loss;
            m_number = number;
            m_parameters.assign(weights.parameters().begin(), weights.parameters().end());
            m_states.assign(weights.states().begin(), weights.states().end());
        }
        return number - m_number;
    }
    /// The number of the lowest observation, from 1; 0 where there was none.
    std::int64_t number() const { return m_number; }

    /// Errors: those of the device.
    Status copyTo(execute::Weights& weights) const
    {
        if (m_number == 0) return {};
        std::copy(m_parameters.begin(), m_parameters.end(), weights.parameters().begin());
        std::copy(m_states.begin(), m_states.end(), weights.states().begin());
        return weights.publish();
    }

    void appendTo(NamedBytes& buffers)
    {
        if (m_number == 0) return;
        buffers["best.parameters"] = std::as_writable_bytes(std::span(m_parameters));
        buffers["best.states"] = std::as_writable_bytes(std::span(m_states));
    }
    void toJson(nlohmann::json& json) const
    {
        json["best_epoch"] = m_number;
        json["best_loss"] = m_number > 0 ? nlohmann::json(m_loss) : nlohmann::json();
    }
    /// Makes room for what appendTo names, which is restored next.
    void fromJson(const nlohmann::json& json, execute::Weights& weights)
    {
        m_number = json.value("best_epoch", m_number);
        if (m_number == 0) return;
        m_loss = json.at("best_loss").get<double>();
        m_parameters.resize(weights.parameters().size());
        m_states.resize(weights.states().size());
    }

private:
    double m_loss = std::numeric_limits<double>::infinity();
    std::int64_t m_number = 0;
    std::vector<float> m_parameters, m_states;
};

} // namespace millrace::train
