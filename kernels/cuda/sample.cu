// The most likely token of the last step, on a GPU, so that the next step can begin without the host. A block takes a
// sequence: first its threads find the largest logit, then the first place of those that have it.
#include "kernels/ops/sample.h"

#include "kernels/cuda/device_code.h"
#include "kernels/cuda/kernel.h"
#include "kernels/ops/check.h"

#include <limits>

namespace millrace::kernels::cuda {

namespace {

constexpr int kThreads = 1024;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::int32_t kNowhere = std::numeric_limits<std::int32_t>::min();

template <class T> __global__ void chooseToken(const T* logits, std::int32_t* token, Sample s)
{
    const T* row = logits + (static_cast<std::int64_t>(blockIdx.x) * s.steps + s.steps - 1) * s.classes;
    float largest = -kInfinity;
    std::int32_t place = 0, wrong = 0;
    for (std::int64_t v = threadIdx.x; v < s.classes; v += kThreads) {
        const float logit = toFloat(row[v]);
        if (!(logit < kInfinity && logit > -kInfinity)) wrong = 1;
        if (logit > largest) {
            largest = logit;
            place = static_cast<std::int32_t>(v);
        }
    }
    wrong = blockMax(wrong, 0);
    const bool has = largest == blockMax(largest, -kInfinity);
    place = -blockMax(has ? -place : kNowhere, kNowhere);
    if (threadIdx.x == 0) token[blockIdx.x] = wrong ? -1 : place;
}

} // namespace

KernelResult makeSample(Context& context, const Sample& s, DType type)
{
    MR_CHECK(requirePositive("sample", {{"batch", s.batch}, {"steps", s.steps}, {"classes", s.classes}}));
    if (s.classes > std::numeric_limits<std::int32_t>::max())
        return makeError(Code::InvalidArgument, str("sample: ", s.classes, " classes are more than tokens can name."));
    return byType(type, [&](auto element) {
        using T = decltype(element);
        return makeKernel([&context, s](const Arguments& a) {
            launch(context, chooseToken<T>, blocksFor(s.batch, 1), dim3(kThreads), 0,
                   static_cast<const T*>(a.inputs[0]), static_cast<std::int32_t*>(a.outputs[0]), s);
        });
    });
}

} // namespace millrace::kernels::cuda
