; The grammar reads a statement that is indented too far as if it were not. All statements of a block begin in one column.
(module (_) @statement) @block
(block (_) @statement) @block
