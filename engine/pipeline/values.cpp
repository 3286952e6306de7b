#include "engine/pipeline/values.h"

#include "engine/pipeline/structure.h"

namespace millrace::pipeline {

std::int64_t Values::whole(std::string_view id) const
{
    return usableValue(m_node, m_spec, id).get<std::int64_t>();
}

double Values::number(std::string_view id) const
{
    return usableValue(m_node, m_spec, id).get<double>();
}

bool Values::flag(std::string_view id) const
{
    return usableValue(m_node, m_spec, id).get<bool>();
}

std::string Values::text(std::string_view id) const
{
    return usableValue(m_node, m_spec, id).get<std::string>();
}

std::vector<std::int64_t> Values::list(std::string_view id) const
{
    return usableValue(m_node, m_spec, id).get<std::vector<std::int64_t>>();
}

} // namespace millrace::pipeline
