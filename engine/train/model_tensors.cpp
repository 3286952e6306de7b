#include "engine/train/model_tensors.h"

#include "kernels/base/text.h"

#include <algorithm>

namespace millrace::train {

Status storeTensors(execute::Weights& weights, formats::Model& model)
{
    MR_CHECK(weights.fetch());
    for (const auto& named : {weights.namedParameters(), weights.namedStates()})
        for (const auto& tensor : named)
            model.tensors.push_back({tensor.name, tensor.shape, {tensor.values.begin(), tensor.values.end()}});
    return {};
}

Status loadTensors(const formats::Model& model, execute::Weights& weights)
{
    for (const auto& named : {weights.namedParameters(), weights.namedStates()})
        for (const auto& tensor : named) {
            const auto found = std::find_if(model.tensors.begin(), model.tensors.end(),
                                            [&](const auto& candidate) { return candidate.name == tensor.name; });
            if (found == model.tensors.end())
                return makeError(Code::InvalidFormat, str("The model has no tensor \"", printable(tensor.name), "\"."));
            if (found->shape != tensor.shape)
                return makeError(Code::InvalidFormat,
                                 str("Tensor \"", printable(tensor.name), "\" is ", found->shape.toString(),
                                     " but its layer takes ", tensor.shape.toString(), "."));
            std::copy(found->values.begin(), found->values.end(), tensor.values.begin());
        }
    return weights.publish();
}

} // namespace millrace::train
