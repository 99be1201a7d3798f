(call_expression
  (function_name) @_var
  (arguments . (plain_value) @read)
  (#eq? @_var "var"))
