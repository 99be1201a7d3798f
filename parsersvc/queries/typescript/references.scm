; Names that are no uses.
(property_signature name: (property_identifier) @ignore)
(import_require_clause (identifier) @ignore)
(index_signature name: (identifier) @ignore)

; Base types.
(extends_clause value: (identifier) @inherit)
(extends_clause
  value: (member_expression
    object: (_) @receiver
    property: (property_identifier) @inherit))
(implements_clause [
  (type_identifier) @inherit
  (generic_type name: (type_identifier) @inherit)
  (nested_type_identifier module: (_) @receiver name: (type_identifier) @inherit)
  (generic_type name: (nested_type_identifier module: (_) @receiver name: (type_identifier) @inherit))
])
(extends_type_clause type: [
  (type_identifier) @inherit
  (generic_type name: (type_identifier) @inherit)
  (nested_type_identifier module: (_) @receiver name: (type_identifier) @inherit)
  (generic_type name: (nested_type_identifier module: (_) @receiver name: (type_identifier) @inherit))
])

; Types.
(nested_type_identifier
  module: (_) @receiver
  name: (type_identifier) @type)
(type_identifier) @type

; Names that a function makes for itself.
(required_parameter pattern: (identifier) @local)
(optional_parameter pattern: (identifier) @local)
(type_parameter name: (type_identifier) @local)
