; Names that are no uses.
(using_declaration (identifier) @ignore)
(using_declaration (qualified_identifier name: (identifier) @ignore))
(field_initializer (field_identifier) @ignore)
(call_expression
  function: (template_function name: (identifier) @ignore)
  (#any-of? @ignore "static_cast" "dynamic_cast" "reinterpret_cast" "const_cast"))

; Calls.
(call_expression
  function: (qualified_identifier scope: (_) @receiver name: (identifier) @call)
  arguments: (argument_list) @arguments)
(call_expression
  function: (qualified_identifier
    scope: (_) @receiver
    name: (template_function name: (identifier) @call))
  arguments: (argument_list) @arguments)
(call_expression
  function: (qualified_identifier
    name: (qualified_identifier scope: (_) @receiver name: (identifier) @call))
  arguments: (argument_list) @arguments)
(call_expression
  function: (template_function name: (identifier) @call)
  arguments: (argument_list) @arguments)
(call_expression
  function: (field_expression
    argument: (_) @receiver
    field: (template_method name: (field_identifier) @call))
  arguments: (argument_list) @arguments)
(new_expression
  type: [
    (type_identifier) @call
    (template_type name: (type_identifier) @call)
    (qualified_identifier scope: (_) @receiver name: (type_identifier) @call)
  ]
  arguments: (argument_list) @arguments)
(argument_list (parameter_pack_expansion)) @spread

; Base types.
(base_class_clause [
  (type_identifier) @inherit
  (template_type name: (type_identifier) @inherit)
  (qualified_identifier scope: (_) @receiver name: (type_identifier) @inherit)
  (qualified_identifier scope: (_) @receiver name: (template_type name: (type_identifier) @inherit))
])

; Types.
(qualified_identifier scope: (_) @receiver name: (type_identifier) @type)
(qualified_identifier scope: (_) @receiver name: (template_type name: (type_identifier) @type))

; Other uses.
(qualified_identifier scope: (_) @receiver name: (identifier) @read)

; Names that a function makes for itself.
(parameter_declaration declarator: (reference_declarator (identifier) @local))
(optional_parameter_declaration declarator: (_) @local)
(variadic_declarator (identifier) @local)
(init_declarator declarator: (reference_declarator (identifier) @local))
(structured_binding_declarator (identifier) @local)
(for_range_loop declarator: (identifier) @local)
(for_range_loop declarator: (reference_declarator (identifier) @local))
(lambda_capture_specifier (identifier) @local)
(type_parameter_declaration (type_identifier) @local)
(variadic_type_parameter_declaration (type_identifier) @local)
