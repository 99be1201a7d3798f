; Calls.
(call_expression
  function: (selector_expression
    operand: (_) @receiver
    field: (field_identifier) @call)
  arguments: (argument_list) @arguments)
(call_expression
  function: (identifier) @call
  arguments: (argument_list) @arguments)
(call_expression
  function: (parenthesized_expression (identifier) @call)
  arguments: (argument_list) @arguments)
; f[int](x) reads as a conversion; whether it is a call is not known here, so neither is its arity.
(type_conversion_expression
  type: (generic_type
    type: (qualified_type
      package: (_) @receiver
      name: (type_identifier) @call)))
(type_conversion_expression
  type: (generic_type type: (type_identifier) @call))

; A list that is spread, or a lone call that may give several values.
(argument_list (variadic_argument)) @spread
(argument_list . (call_expression) .) @spread
(argument_list . (type_conversion_expression type: (generic_type)) .) @spread

; Embedding.
(field_declaration
  !name
  type: [
    (type_identifier) @inherit
    (qualified_type package: (_) @receiver name: (type_identifier) @inherit)
    (generic_type type: (type_identifier) @inherit)
  ])
(interface_type
  (type_elem . (type_identifier) @inherit .)
  (#not-any-of? @inherit "comparable" "any" "int" "string" "bool" "byte" "rune" "error"))
(interface_type
  (type_elem . (qualified_type package: (_) @receiver name: (type_identifier) @inherit) .))

; Types.
(qualified_type
  package: (_) @receiver
  name: (type_identifier) @type)
((type_identifier) @type
  (#not-any-of? @type
    "any" "bool" "byte" "comparable" "complex64" "complex128" "error" "float32" "float64"
    "int" "int8" "int16" "int32" "int64" "rune" "string"
    "uint" "uint8" "uint16" "uint32" "uint64" "uintptr"))

; Other uses.
(selector_expression
  operand: (_) @receiver
  field: (field_identifier) @read)
(identifier) @read

; Names that a function makes for itself.
(parameter_declaration name: (identifier) @local)
(variadic_parameter_declaration name: (identifier) @local)
(type_parameter_declaration name: (identifier) @local)
(method_declaration
  receiver: (parameter_list
    (parameter_declaration
      type: [
        (generic_type
          type_arguments: (type_arguments (type_elem (type_identifier) @local)))
        (pointer_type
          (generic_type
            type_arguments: (type_arguments (type_elem (type_identifier) @local))))
      ])))
(short_var_declaration left: (expression_list (identifier) @local))
(range_clause left: (expression_list (identifier) @local))
(receive_statement left: (expression_list (identifier) @local))
(type_switch_statement alias: (expression_list (identifier) @local))
(var_spec name: (identifier) @local)
(const_spec name: (identifier) @local)
