// Which attributes each descriptor has, of which type, and which of them it needs: as in cuDNN's backend manual, for
// the operations that are simulated.
#include "tests/cuda/simulated/network.h"

#include "kernels/base/text.h"

#include <algorithm>
#include <span>

namespace millrace::kernels::cuda::simulated {

namespace {

struct Rule
{
    cudnnBackendAttributeName_t name;
    cudnnBackendAttributeType_t type;
    bool isRequired = true;
};

constexpr auto kDescriptor = CUDNN_TYPE_BACKEND_DESCRIPTOR;

constexpr Rule kTensor[] = {{CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE},
                            {CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64},
                            {CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64},
                            {CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64},
                            {CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64},
                            {CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, false},
                            {CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, false}};
constexpr Rule kConvolution[] = {{CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE},
                                 {CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE},
                                 {CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64},
                                 {CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64},
                                 {CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64},
                                 {CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64},
                                 {CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64}};
constexpr Rule kForward[] = {{CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, kDescriptor},
                             {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, kDescriptor},
                             {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, kDescriptor},
                             {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, kDescriptor},
                             {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT},
                             {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT}};
constexpr Rule kData[] = {{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, kDescriptor},
                          {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, kDescriptor},
                          {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, kDescriptor},
                          {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, kDescriptor},
                          {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_TYPE_FLOAT},
                          {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, CUDNN_TYPE_FLOAT}};
constexpr Rule kWeights[] = {{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, kDescriptor},
                             {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, kDescriptor},
                             {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, kDescriptor},
                             {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, kDescriptor},
                             {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, CUDNN_TYPE_FLOAT},
                             {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, CUDNN_TYPE_FLOAT}};
constexpr Rule kPointwise[] = {{CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE},
                               {CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE},
                               {CUDNN_ATTR_POINTWISE_AXIS, CUDNN_TYPE_INT64, false}};
constexpr Rule kPointwiseOperation[] = {{CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, kDescriptor},
                                        {CUDNN_ATTR_OPERATION_POINTWISE_XDESC, kDescriptor},
                                        {CUDNN_ATTR_OPERATION_POINTWISE_BDESC, kDescriptor, false},
                                        {CUDNN_ATTR_OPERATION_POINTWISE_TDESC, kDescriptor, false},
                                        {CUDNN_ATTR_OPERATION_POINTWISE_YDESC, kDescriptor}};
constexpr Rule kReduction[] = {{CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE},
                               {CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE}};
constexpr Rule kReductionOperation[] = {{CUDNN_ATTR_OPERATION_REDUCTION_DESC, kDescriptor},
                                        {CUDNN_ATTR_OPERATION_REDUCTION_XDESC, kDescriptor},
                                        {CUDNN_ATTR_OPERATION_REDUCTION_YDESC, kDescriptor}};
constexpr Rule kProduct[] = {{CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE}};
constexpr Rule kProductOperation[] = {{CUDNN_ATTR_OPERATION_MATMUL_DESC, kDescriptor},
                                      {CUDNN_ATTR_OPERATION_MATMUL_ADESC, kDescriptor},
                                      {CUDNN_ATTR_OPERATION_MATMUL_BDESC, kDescriptor},
                                      {CUDNN_ATTR_OPERATION_MATMUL_CDESC, kDescriptor}};
constexpr Rule kReshapeOperation[] = {{CUDNN_ATTR_OPERATION_RESHAPE_XDESC, kDescriptor},
                                      {CUDNN_ATTR_OPERATION_RESHAPE_YDESC, kDescriptor}};
constexpr Rule kGraph[] = {{CUDNN_ATTR_OPERATIONGRAPH_OPS, kDescriptor},
                           {CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, false}};
constexpr Rule kHeuristics[] = {{CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, kDescriptor},
                                {CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE},
                                {CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, kDescriptor, false}};
constexpr Rule kPlan[] = {{CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, kDescriptor},
                          {CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, false},
                          {CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, kDescriptor, false}};
constexpr Rule kPack[] = {{CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64},
                          {CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR},
                          {CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, false}};

std::span<const Rule> rulesOf(cudnnBackendDescriptorType_t type)
{
    switch (type) {
    case CUDNN_BACKEND_TENSOR_DESCRIPTOR:
        return kTensor;
    case CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR:
        return kConvolution;
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
        return kForward;
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
        return kData;
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
        return kWeights;
    case CUDNN_BACKEND_POINTWISE_DESCRIPTOR:
        return kPointwise;
    case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
        return kPointwiseOperation;
    case CUDNN_BACKEND_REDUCTION_DESCRIPTOR:
        return kReduction;
    case CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR:
        return kReductionOperation;
    case CUDNN_BACKEND_MATMUL_DESCRIPTOR:
        return kProduct;
    case CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR:
        return kProductOperation;
    case CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR:
        return kReshapeOperation;
    case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR:
        return kGraph;
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
        return kHeuristics;
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:
        return kPlan;
    case CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR:
        return kPack;
    default: // engines and their configurations come from the heuristics
        return {};
    }
}

std::string checkTensor(const Descriptor& descriptor)
{
    const auto tensor = describeTensor(&descriptor);
    if (!tensor) return "a data type";
    if (tensor->dimensions.empty() || tensor->dimensions.size() != tensor->strides.size())
        return str(tensor->dimensions.size(), " dimensions and ", tensor->strides.size(), " strides");
    if (std::ranges::any_of(tensor->dimensions, [](std::int64_t size) { return size < 1; }))
        return "an empty dimension";
    if (tensor->isVirtual && tensor->isByValue) return "a tensor that is virtual and a value";
    return {};
}

bool isOperation(cudnnBackendDescriptorType_t type)
{
    const std::span<const Rule> rules = rulesOf(type);
    switch (type) {
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR:
        return !rules.empty();
    default:
        return false;
    }
}

} // namespace

std::size_t elementBytes(cudnnBackendAttributeType_t type)
{
    switch (type) {
    case CUDNN_TYPE_BOOLEAN:
    case CUDNN_TYPE_CHAR:
        return 1;
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_DOUBLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
        return 8;
    default: // enumerations, f32, i32
        return 4;
    }
}

cudnnStatus_t setAttribute(Descriptor& descriptor, cudnnBackendAttributeName_t name, Attribute attribute,
                           std::string& why)
{
    const std::span<const Rule> rules = rulesOf(descriptor.type);
    const auto rule = std::ranges::find(rules, name, &Rule::name);
    if (rule == rules.end()) {
        why = str("attribute ", static_cast<int>(name), " of descriptor ", static_cast<int>(descriptor.type),
                  ", which is not simulated");
        return CUDNN_STATUS_NOT_SUPPORTED;
    }
    if (rule->type != attribute.type) {
        why = str("attribute ", static_cast<int>(name), " as type ", static_cast<int>(attribute.type), ", expected ",
                  static_cast<int>(rule->type));
        return CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE;
    }
    if (attribute.type == kDescriptor) {
        for (const auto handle : attribute.as<cudnnBackendDescriptor_t>()) {
            const Descriptor* other = findDescriptor(handle);
            if (other == nullptr || !other->isFinal) {
                why = str("attribute ", static_cast<int>(name), " as a descriptor that is not finalised");
                return CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED;
            }
        }
    }
    descriptor.attributes.insert_or_assign(name, std::move(attribute));
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t checkDescriptor(const Descriptor& descriptor, std::string& why)
{
    for (const Rule& rule : rulesOf(descriptor.type)) {
        if (!rule.isRequired || descriptor.attributes.contains(rule.name)) continue;
        why = str("descriptor ", static_cast<int>(descriptor.type), " without attribute ", static_cast<int>(rule.name));
        return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
    }
    if (descriptor.type == CUDNN_BACKEND_TENSOR_DESCRIPTOR) why = checkTensor(descriptor);
    if (isOperation(descriptor.type)) describeOperation(descriptor, why);
    return why.empty() ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH;
}

} // namespace millrace::kernels::cuda::simulated
