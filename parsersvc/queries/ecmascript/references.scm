; Names that are no uses.
(import_specifier (identifier) @ignore)
(import_clause (identifier) @ignore)
(namespace_import (identifier) @ignore)
(export_specifier alias: (identifier) @ignore)
(pair key: (property_identifier) @ignore)

; Calls.
(call_expression
  function: (member_expression
    object: (_) @receiver
    property: [(property_identifier) (private_property_identifier)] @call)
  arguments: (arguments) @arguments)
(call_expression
  function: (identifier) @call
  arguments: (arguments) @arguments)
(new_expression
  constructor: (member_expression
    object: (_) @receiver
    property: (property_identifier) @call)
  arguments: (arguments) @arguments)
(new_expression
  constructor: (identifier) @call
  arguments: (arguments) @arguments)
; Without a list: new Foo, tag`text`.
(new_expression constructor: (identifier) @call)
(call_expression function: (identifier) @call)
(call_expression
  function: (member_expression
    object: (_) @receiver
    property: (property_identifier) @call))

(arguments (spread_element)) @spread

; Other uses.
(member_expression
  object: (_) @receiver
  property: [(property_identifier) (private_property_identifier)] @read)
(shorthand_property_identifier) @read
(identifier) @read

; Names that a function makes for itself.
(arrow_function parameter: (identifier) @local)
(variable_declarator name: (identifier) @local)
(catch_clause parameter: (identifier) @local)
(for_in_statement left: (identifier) @local)
(assignment_pattern left: (identifier) @local)
(rest_pattern (identifier) @local)
(array_pattern (identifier) @local)
(pair_pattern value: (identifier) @local)
(shorthand_property_identifier_pattern) @local
