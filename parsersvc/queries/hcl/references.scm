(function_call . (identifier) @call)
(variable_expr (identifier) @ignore
  (#any-of? @ignore "string" "number" "bool" "any"))
((variable_expr) @receiver . (get_attr (identifier) @read))
