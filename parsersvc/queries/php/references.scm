; Names that are no uses.
(namespace_definition (namespace_name (name) @ignore))
(namespace_use_declaration (namespace_name (name) @ignore))
(namespace_use_clause (name) @ignore)
(namespace_use_clause (qualified_name (name) @ignore))
(namespace_use_group_clause (namespace_name (name) @ignore))
(namespace_aliasing_clause (name) @ignore)
(namespace_name_as_prefix (namespace_name (name) @ignore))
(variable_name (name) @ignore)
(argument name: (name) @ignore)
(named_type (name) @ignore (#any-of? @ignore "self" "static" "parent"))
((name) @ignore
  (#any-of? @ignore "__DIR__" "__FILE__" "__LINE__" "__CLASS__" "__FUNCTION__" "__METHOD__" "__NAMESPACE__" "define"))

(object_creation_expression . (name) @ignore (#any-of? @ignore "self" "static" "parent"))

; Calls.
(member_call_expression
  object: (_) @receiver
  name: (name) @call
  arguments: (arguments) @arguments)
(nullsafe_member_call_expression
  object: (_) @receiver
  name: (name) @call
  arguments: (arguments) @arguments)
(scoped_call_expression
  scope: (_) @receiver
  name: (name) @call
  arguments: (arguments) @arguments)
(function_call_expression
  function: [
    (name) @call
    (qualified_name (name) @call)
  ]
  arguments: (arguments) @arguments)
(object_creation_expression
  . [
    (name) @call
    (qualified_name (name) @call)
  ]
  (arguments) @arguments)
(object_creation_expression
  . [
    (name) @call
    (qualified_name (name) @call)
  ])
(arguments (argument (variadic_unpacking))) @spread

; Base types.
(base_clause [(name) @inherit (qualified_name (name) @inherit)])
(class_interface_clause [(name) @inherit (qualified_name (name) @inherit)])
(use_declaration [(name) @inherit (qualified_name (name) @inherit)])

; Types.
(named_type [(name) @type (qualified_name (name) @type)])
(attribute [(name) @type (qualified_name (name) @type)])
(scoped_call_expression scope: [(name) @type (qualified_name (name) @type)])
(scoped_property_access_expression scope: [(name) @type (qualified_name (name) @type)])
(class_constant_access_expression . [(name) @type (qualified_name (name) @type)] (name))
(binary_expression operator: "instanceof" right: [(name) @type (qualified_name (name) @type)])

; Other uses.
(class_constant_access_expression . (_) @receiver (name) @read .)
(member_access_expression object: (_) @receiver name: (name) @read)
(nullsafe_member_access_expression object: (_) @receiver name: (name) @read)
(scoped_property_access_expression scope: (_) @receiver name: (variable_name (name) @read))
(name) @read
