"""HAL: documents, links, pages of lists, and rendering."""
