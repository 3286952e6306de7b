// Writes down a network layer by layer and arranges it on the canvas: a column for each block, from top to bottom.
#pragma once

#include "engine/pipeline/document.h"

namespace millrace::pipeline::models {

class LayerGraph
{
public:
    LayerGraph();

    /// Begins a block in the next column; its layers are called "<name>.<layer>". An empty name: no block.
    void block(std::string name);
    /// Adds a layer that reads the last one, below it, and gives its id.
    std::string add(std::string_view layer, std::string type, Json params = Json::object());
    /// Adds a layer that reads those.
    std::string addFrom(const std::vector<std::string>& from, std::string_view layer, std::string type,
                        Json params = Json::object());
    /// As addFrom, beside the column: a shortcut, which joins the block again. `last` stays what it was.
    std::string addAside(const std::string& from, std::string_view layer, std::string type,
                         Json params = Json::object());
    const std::string& last() const { return m_last; }

    /// Ends with the output and gives the layers.
    Document take();

private:
    std::string place(std::string_view layer, std::string type, Json params, double column, double row);
    void link(const std::vector<std::string>& from, const std::string& to);

    Document m_layers;
    std::string m_block, m_last;
    double m_column = 0, m_row = 0, m_asideRow = 0;
    bool m_aside = false; ///< the present block has layers beside its column
};

} // namespace millrace::pipeline::models
