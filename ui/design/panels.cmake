# The two panels beside the canvas: the palette of node types and the properties of what is selected.
set(PANEL_SOURCES
  palette_search.cpp palette_model.cpp palette_delegate.cpp palette_view.cpp node_palette.cpp
  param_editor_value.cpp param_editor_frame.cpp param_editor.cpp property_notes.cpp property_node.cpp
  property_graph.cpp property_panel.cpp)
