; Names that are no uses.
(using_directive (_) @ignore)
(qualified_name qualifier: (qualified_name (identifier) @ignore))
(using_directive (qualified_name (identifier) @ignore))
(using_directive (qualified_name qualifier: (qualified_name (identifier) @ignore)))
(namespace_declaration name: (_) @ignore)
(namespace_declaration name: (qualified_name (identifier) @ignore))
(file_scoped_namespace_declaration name: (qualified_name (identifier) @ignore))
(argument name: (identifier) @ignore)
(invocation_expression function: (identifier) @ignore (#any-of? @ignore "nameof" "typeof"))
((identifier) @ignore (#any-of? @ignore "value" "_" "dynamic"))

; Calls.
(invocation_expression
  function: (member_access_expression
    expression: _ @receiver
    name: [(identifier) @call (generic_name . (identifier) @call)])
  arguments: (argument_list) @arguments)
(invocation_expression
  function: (conditional_access_expression
    condition: (_) @receiver
    (member_binding_expression name: [(identifier) @call (generic_name . (identifier) @call)]))
  arguments: (argument_list) @arguments)
(invocation_expression
  function: [(identifier) @call (generic_name . (identifier) @call)]
  arguments: (argument_list) @arguments)
(object_creation_expression
  type: [
    (identifier) @call
    (generic_name . (identifier) @call)
    (qualified_name qualifier: (_) @receiver name: (identifier) @call)
    (qualified_name qualifier: (_) @receiver name: (generic_name . (identifier) @call))
  ]
  arguments: (argument_list) @arguments)
(object_creation_expression
  type: [
    (identifier) @call
    (generic_name . (identifier) @call)
    (qualified_name qualifier: (_) @receiver name: (identifier) @call)
  ])

; Base types.
(base_list [
  (identifier) @inherit
  (generic_name . (identifier) @inherit)
  (qualified_name qualifier: (_) @receiver name: (identifier) @inherit)
  (qualified_name qualifier: (_) @receiver name: (generic_name . (identifier) @inherit))
  (primary_constructor_base_type type: (identifier) @inherit)
])

; Types.
(_ type: (identifier) @type)
(_ returns: (identifier) @type)
(type_argument_list (identifier) @type)
(generic_name . (identifier) @type)
(attribute name: (identifier) @type)
(qualified_name qualifier: (_) @receiver name: (identifier) @type)

; Other uses.
(member_access_expression expression: _ @receiver name: (identifier) @read)
(member_binding_expression name: (identifier) @read)
(identifier) @read

; Names that a method makes for itself.
(parameter name: (identifier) @local)
(parameter_list name: (identifier) @local)
(implicit_parameter) @local
(local_declaration_statement (variable_declaration (variable_declarator name: (identifier) @local)))
(for_statement initializer: (variable_declaration (variable_declarator name: (identifier) @local)))
(using_statement (variable_declaration (variable_declarator name: (identifier) @local)))
(foreach_statement left: (identifier) @local)
(catch_declaration name: (identifier) @local)
(declaration_expression name: (identifier) @local)
(declaration_pattern name: (identifier) @local)
(type_parameter name: (identifier) @local)
