; Names that are no uses.
(package_declaration (scoped_identifier (identifier) @ignore))
(package_declaration (identifier) @ignore)
(import_declaration (scoped_identifier (identifier) @ignore))
(scoped_identifier scope: (scoped_identifier (identifier) @ignore))
(labeled_statement (identifier) @ignore)
(element_value_pair key: (identifier) @ignore)

; Calls.
(method_invocation
  object: (_) @receiver
  name: (identifier) @call
  arguments: (argument_list) @arguments)
(method_invocation
  name: (identifier) @call
  arguments: (argument_list) @arguments)
(object_creation_expression
  type: [
    (type_identifier) @call
    (generic_type (type_identifier) @call)
    (scoped_type_identifier (_) @receiver (type_identifier) @call .)
    (generic_type (scoped_type_identifier (_) @receiver (type_identifier) @call .))
  ]
  arguments: (argument_list) @arguments)

; Base types.
(superclass [
  (type_identifier) @inherit
  (generic_type (type_identifier) @inherit)
  (scoped_type_identifier (_) @receiver (type_identifier) @inherit .)
  (generic_type (scoped_type_identifier (_) @receiver (type_identifier) @inherit .))
])
(super_interfaces (type_list [
  (type_identifier) @inherit
  (generic_type (type_identifier) @inherit)
  (scoped_type_identifier (_) @receiver (type_identifier) @inherit .)
  (generic_type (scoped_type_identifier (_) @receiver (type_identifier) @inherit .))
]))
(extends_interfaces (type_list [
  (type_identifier) @inherit
  (generic_type (type_identifier) @inherit)
  (scoped_type_identifier (_) @receiver (type_identifier) @inherit .)
  (generic_type (scoped_type_identifier (_) @receiver (type_identifier) @inherit .))
]))

; Types, annotations among them.
(scoped_type_identifier (_) @receiver (type_identifier) @type .)
((type_identifier) @type
  (#not-any-of? @type "var"))
(marker_annotation name: (identifier) @type)
(annotation name: (identifier) @type)

; Other uses.
(field_access
  object: (_) @receiver
  field: (identifier) @read)
(method_reference . (_) @receiver (identifier) @read .)
(identifier) @read

; Names that a method makes for itself.
(formal_parameter name: (identifier) @local)
(spread_parameter (variable_declarator name: (identifier) @local))
(catch_formal_parameter name: (identifier) @local)
(inferred_parameters (identifier) @local)
(lambda_expression parameters: (identifier) @local)
(local_variable_declaration declarator: (variable_declarator name: (identifier) @local))
(enhanced_for_statement name: (identifier) @local)
(resource name: (identifier) @local)
(type_parameter (type_identifier) @local)
