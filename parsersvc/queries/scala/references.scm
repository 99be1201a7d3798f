; Names that are no uses.
(import_declaration (identifier) @ignore)
(namespace_selectors (identifier) @ignore)
(arrow_renamed_identifier (identifier) @ignore)
(as_renamed_identifier (identifier) @ignore)
(package_identifier (identifier) @ignore)
(access_qualifier (identifier) @ignore)
(interpolated_string_expression interpolator: (identifier) @ignore)
(arguments (assignment_expression left: (identifier) @ignore))
((identifier) @ignore (#any-of? @ignore "this" "super"))

; Calls.
(call_expression
  function: (field_expression value: (_) @receiver field: (identifier) @call)
  arguments: (arguments) @arguments)
(call_expression
  function: (identifier) @call
  arguments: (arguments) @arguments)
(call_expression
  function: (generic_function function: [
    (identifier) @call
    (field_expression value: (_) @receiver field: (identifier) @call)
  ])
  arguments: (arguments) @arguments)
(call_expression function: (field_expression value: (_) @receiver field: (identifier) @call))
(call_expression function: (identifier) @call)
(instance_expression
  . [
    (type_identifier) @call
    (generic_type type: (type_identifier) @call)
    (stable_type_identifier (_) @receiver (type_identifier) @call .)
  ]
  arguments: (arguments) @arguments)
(instance_expression
  . [
    (type_identifier) @call
    (generic_type type: (type_identifier) @call)
  ])

; Base types.
(extends_clause [
  (type_identifier) @inherit
  (generic_type type: (type_identifier) @inherit)
  (stable_type_identifier (_) @receiver (type_identifier) @inherit .)
  (generic_type type: (stable_type_identifier (_) @receiver (type_identifier) @inherit .))
])

; Types.
(stable_type_identifier (_) @receiver (type_identifier) @type .)
((type_identifier) @type
  (#not-any-of? @type "Int" "Long" "String" "Boolean" "Double" "Float" "Unit" "Any" "AnyRef" "Byte" "Short" "Char" "Nothing"))

; Other uses.
(field_expression value: (_) @receiver field: (identifier) @read)
(identifier) @read

; Names that a function makes for itself.
(parameter name: (identifier) @local)
(class_parameter name: (identifier) @local)
(binding name: (identifier) @local)
(lambda_expression parameters: (identifier) @local)
(val_definition pattern: (identifier) @local)
(var_definition pattern: (identifier) @local)
(enumerator . (identifier) @local)
(case_clause pattern: (identifier) @local)
(typed_pattern pattern: (identifier) @local)
(case_class_pattern pattern: (identifier) @local)
(tuple_pattern (identifier) @local)
(type_parameters name: (identifier) @local)
