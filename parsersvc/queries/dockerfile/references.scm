(expansion (variable) @read)
