; Names that are no uses.
(keyword_argument name: (identifier) @ignore)
(import_statement (dotted_name (identifier) @ignore))
(import_statement (aliased_import (dotted_name (identifier) @ignore)))
(import_from_statement (dotted_name (identifier) @ignore))
(import_from_statement (relative_import (dotted_name (identifier) @ignore)))
(import_from_statement (aliased_import (dotted_name (identifier) @ignore)))
(future_import_statement (dotted_name (identifier) @ignore))
(aliased_import alias: (identifier) @ignore)

; Calls.
(call
  function: (attribute
    object: (_) @receiver
    attribute: (identifier) @call)
  arguments: (argument_list) @arguments)
(call
  function: (identifier) @call
  arguments: (argument_list) @arguments)
; f(x for x in xs)
(call
  function: (attribute
    object: (_) @receiver
    attribute: (identifier) @call))
(call function: (identifier) @call)

(argument_list (list_splat)) @spread
(argument_list (dictionary_splat)) @spread

; Base classes.
(class_definition
  superclasses: (argument_list
    [
      (identifier) @inherit
      (attribute object: (_) @receiver attribute: (identifier) @inherit)
      (subscript value: (identifier) @inherit)
      (subscript value: (attribute object: (_) @receiver attribute: (identifier) @inherit))
    ]))

; Types.
(type (attribute object: (_) @receiver attribute: (identifier) @type))
; The language's own are no uses of anything in a repository.
((identifier) @ignore
  (#any-of? @ignore
    "bool" "bytes" "complex" "dict" "float" "frozenset" "int" "list" "object" "set" "str" "tuple"))
(type (identifier) @type)
(type (generic_type (identifier) @type))
(type (subscript value: (identifier) @type))
(type (binary_operator (identifier) @type))

; Other uses.
(attribute
  object: (_) @receiver
  attribute: (identifier) @read)
(identifier) @read

; Names that a function makes for itself.
(parameters (identifier) @local)
(lambda_parameters (identifier) @local)
(typed_parameter . (identifier) @local)
(default_parameter name: (identifier) @local)
(typed_default_parameter name: (identifier) @local)
(list_splat_pattern (identifier) @local)
(dictionary_splat_pattern (identifier) @local)
(tuple_pattern (identifier) @local)
(pattern_list (identifier) @local)
(assignment left: (identifier) @local)
(named_expression name: (identifier) @local)
(for_statement left: (identifier) @local)
(for_in_clause left: (identifier) @local)
(as_pattern_target (identifier) @local)
